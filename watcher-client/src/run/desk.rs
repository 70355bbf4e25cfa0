//! What every call of the daemon's API works with.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};

use super::{
    problem::{ProblemCode, Refusal},
    token::Token,
    webhook::Receiver,
};
use crate::{
    ChainConfig, Config,
    flows::Board,
    journal::{Journal, JournalError},
};

/// WebSockets open at once.
const STREAMS: usize = 64;

/// Shared by all calls.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) chains: Vec<ChainConfig>,
    pub(super) journal: Journal,
    pub(super) board: Board,
    pub(super) token: Token,
    pub(super) receivers: Vec<Receiver>,
    pub(super) streams: Arc<Semaphore>,
    pub(super) stop: watch::Receiver<bool>,
    /// When this process began.
    pub(super) started: jiff::Timestamp,
}

impl Desk {
    pub(super) fn new(
        config: &Config,
        journal: Journal,
        board: Board,
        token: Token,
        receivers: Vec<Receiver>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let (chains, streams) = (config.chains.clone(), Arc::new(Semaphore::new(STREAMS)));
        Self { chains, journal, board, token, receivers, streams, stop, started: jiff::Timestamp::now() }
    }

    /// The chain of this name.
    pub(super) fn chain(&self, name: &str) -> Result<&ChainConfig, Refusal> {
        self.chains.iter().find(|chain| chain.name == name).ok_or_else(|| {
            let known: Vec<&str> = self.chains.iter().map(|chain| chain.name.as_str()).collect();
            let detail = format!("watcher.toml has no chain of this name: name one of {}", known.join(", "));
            Refusal::new(ProblemCode::UnknownChain, detail)
        })
    }

    /// Runs a piece of work with the journal.
    pub(super) async fn off<T, F>(&self, work: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnOnce(&Journal) -> Result<T, JournalError> + Send + 'static,
    {
        Ok(self.journal.off(work).await?)
    }
}

/// The height of the last block known of a chain.
pub(super) fn tip(journal: &Journal, board: &Board, chain: &str) -> Result<Option<u64>, JournalError> {
    let node = board.standing(chain).node_tip;
    let tip = if node.is_some() { node } else { journal.chain(chain)?.tip };
    Ok(tip.map(|tip| tip.block.height))
}
