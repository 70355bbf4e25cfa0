//! What the people at a ceremony see, and what they type.
//!
//! Knows no step. On a terminal each screen stands alone; without one (`--yes`) it is said in lines, and taken as
//! confirmed.

use std::io::{self, BufRead, Write};

use zeroize::Zeroizing;

use crate::{Error, secret};

/// Cursor home, screen and the lines scrolled away cleared (ECMA-48, xterm).
const CLEAR: &str = "\x1b[H\x1b[2J\x1b[3J";

/// The screen of one ceremony.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    /// Nobody is asked.
    pub automatic: bool,
    /// REHEARSAL stands on every screen.
    pub rehearsal: bool,
    /// Standard output is for a machine: people read standard error.
    pub json: bool,
}

impl Screen {
    /// A new screen, with this head and these lines.
    pub fn show(&self, head: &str, lines: &[String]) {
        self.clear();
        self.say(head);
        for line in lines {
            self.say(&format!("    {line}"));
        }
    }

    /// Nobody is to see what stood here.
    pub fn clear(&self) {
        if !self.automatic {
            self.print(CLEAR);
        }
        if self.rehearsal {
            self.say("*** REHEARSAL: nothing made here is of value ***");
        }
    }

    /// A line.
    pub fn say(&self, line: &str) {
        self.print(line);
        self.print("\n");
    }

    /// Goes on once `word` was typed.
    ///
    /// # Errors
    /// [`Error::Interrupted`] where the input ends.
    pub fn confirm(&self, word: &str) -> Result<(), Error> {
        if self.automatic {
            return Ok(());
        }
        loop {
            let typed = self.line(&format!("Type {word} to do this (Ctrl-C stops; --resume goes on): "))?;
            if typed.trim() == word {
                return Ok(());
            }
            self.say(&format!("That is not \"{word}\": nothing was done."));
        }
    }

    /// Waits for Enter.
    ///
    /// # Errors
    /// As [`Self::confirm`].
    pub fn wait(&self, prompt: &str) -> Result<(), Error> {
        if self.automatic { Ok(()) } else { self.line(prompt).map(drop) }
    }

    /// The line that is typed.
    ///
    /// # Errors
    /// As [`Self::confirm`].
    pub fn line(&self, prompt: &str) -> Result<Zeroizing<String>, Error> {
        self.print(prompt);
        let mut typed = Zeroizing::new(String::new());
        match io::stdin().lock().read_line(&mut typed) {
            Ok(0) => Err(Error::Interrupted),
            Ok(_) => Ok(typed),
            Err(source) => Err(Error::File { attempted: "read from", path: "standard input".into(), source }),
        }
    }

    /// A secret to be, typed twice, without an echo; what is too easy is refused and asked again.
    ///
    /// # Errors
    /// The terminal fails.
    pub fn new_secret(&self, what: &str, unlike: Option<&str>) -> Result<Zeroizing<String>, Error> {
        loop {
            let first = secret::ask_text(&format!("New {what}"))?;
            let weakness = secret::weakness(&first).or_else(|| {
                (unlike == Some(first.as_str())).then_some("it is the other one of this token, and each is its own")
            });
            if let Some(weakness) = weakness {
                self.say(&format!("Not taken: {weakness}."));
                continue;
            }
            if secret::ask_text(&format!("Once more, {what}"))? == first {
                return Ok(first);
            }
            self.say("The two differ. Begin again.");
        }
    }

    /// A closed pipe is the reader's wish, not our failure.
    fn print(&self, text: &str) {
        let write = |out: &mut dyn Write| out.write_all(text.as_bytes()).and_then(|()| out.flush());
        let _ = if self.json { write(&mut io::stderr().lock()) } else { write(&mut io::stdout().lock()) };
    }
}
