//! The child process as the parent sees it: killed and reaped exactly once.

use std::{
    process::{Child, ExitStatus},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

pub(super) struct Process {
    pid: u32,
    child: Mutex<Child>,
}

impl Process {
    pub(super) fn new(child: Child) -> Self {
        Self { pid: child.id(), child: Mutex::new(child) }
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Ends it at once, whatever it is doing. `Child` remembers that it was reaped, so no other process is ever hit.
    pub(super) fn kill(&self) {
        // An error says that it has ended already.
        let _ = self.lock().kill();
    }

    /// Gives it `grace` to end by itself, then kills it; reaps it and says how it ended.
    pub(super) fn end(&self, grace: Duration) -> String {
        let deadline = Instant::now() + grace;
        loop {
            match self.lock().try_wait() {
                Ok(Some(status)) => return self.describe(status),
                Ok(None) if Instant::now() < deadline => {}
                Ok(None) | Err(_) => break,
            }
            thread::sleep(Duration::from_millis(2));
        }
        self.kill();
        match self.lock().wait() {
            Ok(status) => self.describe(status),
            Err(error) => format!("process {} cannot be waited for: {error}", self.pid),
        }
    }

    fn describe(&self, status: ExitStatus) -> String {
        format!("process {} ended with {status}", self.pid)
    }

    fn lock(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
