//! The child's answers on their way to the parent.
//!
//! Each write wakes a chain of threads in the parent, and on a busy machine each of them takes a core from a session
//! that signs. So while sessions have more to do, answers gather for a moment and leave together; the last one waited
//! for leaves at once.

use std::{
    io::Write,
    net::Shutdown,
    os::unix::net::UnixStream,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// How long an answer waits for others: little beside the queue that is there whenever answers gather. Measured on two
/// cores with 64 calls outstanding on SoftHSM's secp256k1 (`examples/worker_rate.rs`), the worker costs 4 % so, 7 % with
/// half of it, and 12 % where nothing gathers.
const GATHERING: Duration = Duration::from_millis(2);

pub(super) struct Answers {
    gathered: Mutex<Gathered>,
    first: Condvar,
}

struct Gathered {
    frames: Vec<u8>,
    socket: UnixStream,
}

impl Answers {
    /// With the thread that sends what has gathered. It ends with the process.
    pub(super) fn new(socket: UnixStream) -> std::io::Result<Arc<Self>> {
        let gathered = Mutex::new(Gathered { frames: Vec::new(), socket });
        let answers = Arc::new(Self { gathered, first: Condvar::new() });
        let sender = Arc::clone(&answers);
        thread::Builder::new().name("answers".to_owned()).spawn(move || sender.send_gathered())?;
        Ok(answers)
    }

    /// Sends a frame, at once or within [`GATHERING`].
    pub(super) fn send(&self, frame: &[u8], at_once: bool) {
        let mut gathered = self.lock();
        let is_first = gathered.frames.is_empty();
        gathered.frames.extend_from_slice(frame);
        if at_once {
            gathered.flush();
        } else if is_first {
            self.first.notify_one();
        }
    }

    /// Sends what is left, then ends the parent's requests: the child's reader sees the socket close.
    pub(super) fn close_requests(&self) {
        let mut gathered = self.lock();
        gathered.flush();
        let _ = gathered.socket.shutdown(Shutdown::Read);
    }

    fn send_gathered(&self) {
        loop {
            let gathered = self.lock();
            let some = self.first.wait_while(gathered, |gathered| gathered.frames.is_empty());
            drop(some.unwrap_or_else(PoisonError::into_inner));
            thread::sleep(GATHERING);
            self.lock().flush();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gathered {
    fn flush(&mut self) {
        // A parent that is gone is noticed by the reader.
        let _ = self.socket.write_all(&self.frames);
        self.frames.clear();
    }
}
