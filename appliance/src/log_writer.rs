//! Lines of the program's log on their way to stderr, which may be a pipe that nobody empties: they wait for a thread of
//! their own, and nobody waits for them. What finds no place is lost, and counted.

use std::{
    io::{self, Write, stderr},
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use tracing_subscriber::fmt::MakeWriter;

/// Lines lost since the start.
static LOST: AtomicU64 = AtomicU64::new(0);

/// Lines that may wait: some megabytes.
const MOST_WAITING: usize = 8_192;
/// How long the end of the program waits for what is not written yet.
const LAST_WORDS: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(5);

enum Message {
    Line(Vec<u8>),
    /// Everything before it is written.
    Written(SyncSender<()>),
}

/// Takes lines. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LogWriter {
    messages: SyncSender<Message>,
}

/// Writes what waits, when it is dropped.
#[derive(Debug)]
pub struct LastWords {
    messages: SyncSender<Message>,
}

/// Lines lost since the start because stderr did not take them.
#[must_use]
pub fn lines_lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

impl LogWriter {
    /// Begins to write to stderr.
    ///
    /// # Errors
    /// The system starts no thread.
    pub fn start() -> io::Result<(Self, LastWords)> {
        Self::start_to(stderr)
    }

    fn start_to<W: Write>(open: impl Fn() -> W + Send + 'static) -> io::Result<(Self, LastWords)> {
        let (messages, waiting) = sync_channel(MOST_WAITING);
        thread::Builder::new().name("log-writer".to_owned()).spawn(move || write_all(&waiting, open))?;
        Ok((Self { messages: messages.clone() }, LastWords { messages }))
    }
}

fn write_all<W: Write>(waiting: &Receiver<Message>, open: impl Fn() -> W) {
    let mut told = lines_lost();
    while let Ok(message) = waiting.recv() {
        match message {
            // Where stderr is closed there is nobody to tell.
            Message::Line(line) => drop(open().write_all(&line)),
            Message::Written(done) => drop(done.try_send(())),
        }
        let lost = lines_lost();
        if lost > told {
            tracing::warn!(lines = lost - told, "lines of this log were lost: nobody read them in time");
            told = lost;
        }
    }
}

impl Write for LogWriter {
    /// A whole line at a time, as `tracing` writes them.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.messages.try_send(Message::Line(line.to_vec())).is_err() {
            LOST.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Drop for LastWords {
    fn drop(&mut self) {
        let deadline = Instant::now() + LAST_WORDS;
        let (done, written) = sync_channel(1);
        let mut message = Message::Written(done);
        while let Err(TrySendError::Full(back)) = self.messages.try_send(message) {
            if Instant::now() >= deadline {
                return;
            }
            message = back;
            thread::sleep(LOOK_EVERY);
        }
        let _ = written.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    /// Takes nothing while it is locked.
    #[derive(Clone, Default)]
    struct Pipe(Arc<Mutex<Vec<u8>>>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nobody_waits_for_a_reader_who_does_not_read_and_what_is_lost_is_counted() {
        let pipe = Pipe::default();
        let opened = pipe.clone();
        let (mut log, last_words) = LogWriter::start_to(move || opened.clone()).unwrap();
        let stuck = pipe.0.lock().unwrap();
        let before = lines_lost();
        for number in 0..2 * MOST_WAITING {
            log.make_writer().write_all(format!("{number:05}\n").as_bytes()).unwrap();
        }
        log.flush().unwrap();
        let lost = usize::try_from(lines_lost() - before).unwrap();
        assert!((MOST_WAITING - 2..=MOST_WAITING).contains(&lost), "{lost}");
        drop(stuck);
        drop(last_words);
        let written = String::from_utf8(pipe.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<&str> = written.lines().collect();
        assert_eq!(lines.len(), 2 * MOST_WAITING - lost);
        assert!(lines.is_sorted() && lines[0] == "00000", "in order, and none torn");
    }

    #[test]
    fn the_end_does_not_wait_for_ever() {
        let pipe = Pipe::default();
        let opened = pipe.clone();
        let (mut log, last_words) = LogWriter::start_to(move || opened.clone()).unwrap();
        let _stuck = pipe.0.lock().unwrap();
        log.write_all(b"never read\n").unwrap();
        let begun = Instant::now();
        drop(last_words);
        assert!(begun.elapsed() >= LAST_WORDS && begun.elapsed() < LAST_WORDS + Duration::from_secs(20));
    }
}
