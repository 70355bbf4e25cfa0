//! Everybody at a ceremony, at a terminal of their own: they read what is asked and type the answer.

use std::{collections::BTreeMap, process::Command};

use rexpect::{
    error::Error,
    process::{Signal, WaitStatus},
    session::{PtySession, spawn_command},
};

/// Whatever waits for somebody.
const PROMPT: &str = r"Type [^\n]* to do this \(Ctrl-C stops; --resume goes on\): |New [^\n]*: |Once more, [^\n]*: |[^\n]*[Pp]ress Enter[^\n]*: |Type your share back, from the paper: |Share \d+[^\n]*\(its custodian alone looks\): |(?:security officer's )?PIN of token \S+: |password of the [^\n]*: ";
const PATIENCE_MS: u64 = 120_000;
pub(super) const PIN: &str = "tulip-29-harbour";

/// What the people know, over all terminals of one ceremony.
#[derive(Default)]
pub(super) struct People {
    /// Shares on paper, by the screen they were read from; the last one written is the one that holds.
    pub(super) paper: BTreeMap<u8, String>,
    /// What they answer instead, once each, to the first prompt that contains the key.
    pub(super) slips: Vec<(&'static str, String)>,
    /// Who has typed a share in this round.
    typed: Vec<u8>,
    whose: u8,
}

pub(super) struct Terminal {
    session: PtySession,
    /// All that stood on it.
    pub(super) seen: String,
}

/// Somebody is waited for.
pub(super) struct Asked {
    /// What was written since the last answer.
    pub(super) screen: String,
    prompt: String,
}

impl Terminal {
    pub(super) fn of(mut command: Command) -> Self {
        command.env("TERM", "xterm").env("RUST_BACKTRACE", "0");
        Self { session: spawn_command(command, Some(PATIENCE_MS)).unwrap(), seen: String::new() }
    }

    /// The next prompt; none where the program has ended.
    pub(super) fn next(&mut self) -> Option<Asked> {
        match self.session.exp_regex(PROMPT) {
            Ok((before, prompt)) => {
                self.seen.push_str(&before);
                self.seen.push_str(&prompt);
                Some(Asked { screen: before, prompt })
            }
            Err(Error::EOF { got, .. }) => {
                self.seen.push_str(&got);
                None
            }
            Err(error) => panic!("{error}\n{}", self.seen),
        }
    }

    pub(super) fn answer(&mut self, asked: &Asked, people: &mut People) {
        let text = people.answer(asked);
        self.session.send_line(&text).unwrap();
    }

    /// All of it, to the end.
    pub(super) fn play(&mut self, people: &mut People) {
        while let Some(asked) = self.next() {
            self.answer(&asked, people);
        }
    }

    /// As a power cut would.
    pub(super) fn kill(mut self) {
        let _ = self.session.process_mut().kill(Signal::SIGKILL);
    }

    pub(super) fn interrupt(&mut self) {
        self.session.send_control('c').unwrap();
    }

    pub(super) fn status(&self) -> i32 {
        let ended = self.session.process().wait().unwrap();
        let WaitStatus::Exited(_, code) = ended else { panic!("{ended:?}\n{}", self.seen) };
        code
    }

    pub(super) fn succeeded(self) -> String {
        assert_eq!(self.status(), 0, "{}", self.seen);
        self.seen
    }
}

impl Asked {
    /// The step on the screen, `3/9`.
    pub(super) fn step(&self) -> Option<(u32, u32)> {
        let mut heads = self.screen.lines().filter_map(|line| {
            let (number, total) =
                line.rsplit_once('J').map_or(line, |(_, rest)| rest).split(' ').next()?.split_once('/')?;
            Some((number.parse().ok()?, total.parse().ok()?))
        });
        heads.next_back()
    }
}

impl People {
    /// A further command begins.
    pub(super) fn forget_who_typed(&mut self) {
        self.typed.clear();
    }

    fn answer(&mut self, asked: &Asked) -> String {
        let prompt = asked.prompt.as_str();
        if let Some(at) = self.slips.iter().position(|(of, _)| prompt.contains(of) || asked.screen.contains(of)) {
            return self.slips.remove(at).1;
        }
        if let Some(rest) = prompt.strip_prefix("Type your share back") {
            assert!(!rest.is_empty());
            return self.paper[&self.whose].clone();
        }
        if let Some(rest) = prompt.strip_prefix("Type ") {
            if rest.starts_with("restore") || rest.starts_with("backup") || rest.starts_with("sign") {
                self.typed.clear();
            }
            return rest.split(" to do this").next().unwrap().to_owned();
        }
        if prompt.starts_with("Share ") {
            let next = self.paper.keys().find(|index| !self.typed.contains(index)).copied().unwrap();
            self.typed.push(next);
            return self.paper[&next].clone();
        }
        if prompt.contains("PIN of token") || prompt.contains("password of") {
            return PIN.to_owned();
        }
        self.write_down(&asked.screen);
        String::new()
    }

    /// The share on the screen.
    fn write_down(&mut self, screen: &str) {
        let Some((head, share)) = screen.split_once("write this down, on paper, in these groups:") else {
            if let Some((_, rest)) = screen.rsplit_once(" Share ") {
                self.whose = rest.split(':').next().and_then(|number| number.parse().ok()).unwrap_or(self.whose);
            }
            return;
        };
        assert!(!head.is_empty());
        let share = share.trim().lines().map(str::trim).collect::<Vec<_>>().join(" ");
        self.paper.insert(self.whose, share);
    }
}
