//! What the service manager hears while the daemon serves: how it stands, and that it lives. Knows nothing of how it is
//! told.

use std::sync::Arc;

use service_manager::ServiceManager;
use tokio::{select, sync::watch};

use crate::{Config, flows::Board, journal::Journal};

/// Whom to ask how it stands.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    chains: Vec<String>,
    board: Board,
    journal: Journal,
}

impl Standing {
    pub(super) fn new(config: &Config, board: Board, journal: Journal) -> Self {
        Self { chains: config.chains.iter().map(|chain| chain.name.clone()).collect(), board, journal }
    }

    /// For anybody on the machine.
    pub(super) fn in_a_sentence(&self) -> String {
        let mut sentence = format!("serving {}", self.chains.join(", "));
        let in_trouble = self.chains.iter().filter(|chain| self.board.standing(chain).trouble.is_some());
        let in_trouble: Vec<&str> = in_trouble.map(String::as_str).collect();
        if !in_trouble.is_empty() {
            sentence += &format!("; in trouble: {}", in_trouble.join(", "));
        }
        sentence
    }

    /// Says that it serves, and then each change of how it stands.
    pub(super) async fn keep_telling(self, manager: Arc<ServiceManager>, mut stop: watch::Receiver<bool>) {
        select! {
            _ = stop.wait_for(|stop| *stop) => {}
            () = manager.keep_telling(|| self.in_a_sentence()) => {}
        }
    }

    /// Says that the runtime turns and the journal can be written. A node or a signer that is away counts for nothing:
    /// another start would not bring it back.
    pub(super) async fn keep_alive(self, manager: Arc<ServiceManager>, mut stop: watch::Receiver<bool>) {
        select! {
            _ = stop.wait_for(|stop| *stop) => {}
            () = manager.keep_alive(|| async { self.journal.off(Journal::await_turn).await.is_ok() }) => {}
        }
    }
}
