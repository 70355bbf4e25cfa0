//! Ctrl-C, SIGTERM and the end of the terminal, told and not died of.

use std::{
    path::PathBuf,
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

use tokio::signal::unix::{SignalKind, signal};

use crate::Error;

/// From its making on, the first SIGINT, SIGTERM or SIGHUP comes out here.
#[derive(Debug)]
pub(super) struct Interrupt(Receiver<()>);

impl Interrupt {
    pub(super) fn watch() -> Result<Self, Error> {
        let failed =
            |source| Error::File { attempted: "watch for signals in", path: PathBuf::from("this process"), source };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(failed)?;
        let guard = runtime.enter();
        let interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        // The appliance does not end by it.
        let hangup = signal(SignalKind::hangup()).map_err(failed)?;
        drop(guard);
        let (sender, receiver) = mpsc::channel();
        for mut signal in [interrupt, hangup] {
            let told = sender.clone();
            runtime.spawn(async move { signal.recv().await.map(|()| told.send(())) });
        }
        thread::spawn(move || {
            runtime.block_on(async {
                terminate.recv().await;
                let _ = sender.send(());
            });
        });
        Ok(Self(receiver))
    }

    /// Waits for a signal; true where one came.
    pub(super) fn came_within(&self, span: Duration) -> bool {
        match self.0.recv_timeout(span) {
            Err(RecvTimeoutError::Timeout) => false,
            Ok(()) | Err(RecvTimeoutError::Disconnected) => true,
        }
    }

    /// An error where a signal came.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.came_within(Duration::ZERO) { Err(Error::Interrupted) } else { Ok(()) }
    }
}
