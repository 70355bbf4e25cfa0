//! The daemon's work: for each chain, one task that goes the same round again and again.
//!
//! ```text
//! addresses: signer -> node watches -> journal        deposits: node -> journal -> exchange
//! withdrawals: exchange -> journal -> node's coins -> journal -> signer -> journal -> node -> journal -> exchange
//! ```
//!
//! Each arrow into the journal is durable before the next begins, so a round may end anywhere and the next one goes on.

use std::sync::Arc;

use tokio::{sync::watch, task::JoinSet};

use crate::{
    ChainConfig, Client, Config, Network,
    chains::{Chain, Evm, solana::Solana, utxo::Utxo},
    journal::Journal,
};

mod addresses;
mod board;
mod deposits;
mod error;
mod fits;
mod line;
mod orders;
mod portable;
mod signing;
mod sweeps;
#[cfg(test)]
mod tests;
mod withdrawals;

pub use self::{
    board::{Board, ChainStanding},
    error::FlowError,
    orders::{Wanted, memo_name, order},
    portable::Portable,
};

use line::Line;

/// Serves every chain of the config until `stop` turns true; then each ends its step.
///
/// # Errors
/// [`FlowError::Journal`] when the journal cannot be written: nothing is done without it. What is wrong with one node is
/// on the board, and the others go on.
pub async fn serve(
    config: &Config,
    client: Client,
    journal: Journal,
    board: Board,
    stop: watch::Receiver<bool>,
) -> Result<(), FlowError> {
    let mut lines = JoinSet::new();
    for chain in &config.chains {
        let parts = Parts {
            config: Arc::new(chain.clone()),
            client: client.clone(),
            journal: journal.clone(),
            board: board.clone(),
        };
        match chain.network {
            Network::Utxo(_) => spawn(&mut lines, Utxo::new(chain)?, parts, stop.clone()),
            Network::Evm(_) => spawn(&mut lines, Evm::new(chain)?, parts, stop.clone()),
            Network::Solana => spawn(&mut lines, Solana::new(chain)?, parts, stop.clone()),
        }
    }
    while let Some(ended) = lines.join_next().await {
        ended.map_err(|_| FlowError::Ended)??;
    }
    Ok(())
}

/// What each chain's task works with.
#[derive(Clone)]
struct Parts {
    config: Arc<ChainConfig>,
    client: Client,
    journal: Journal,
    board: Board,
}

fn spawn<C: Chain>(lines: &mut JoinSet<Result<(), FlowError>>, chain: C, parts: Parts, stop: watch::Receiver<bool>) {
    lines.spawn(Line::new(chain, parts).run(stop));
}
