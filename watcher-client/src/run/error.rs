//! Why the daemon ended.

use std::{io, net::SocketAddr};

use crate::{ConfigError, Error, flows::FlowError, journal::JournalError};

/// What is wrong, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// `watcher.toml`, or a file it names.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A chain that cannot be served as the config has it, or the journal.
    #[error(transparent)]
    Flow(#[from] FlowError),
    /// The signer's side: certificates and memory.
    #[error(transparent)]
    Client(#[from] Error),
    /// `run.listen` cannot be listened on.
    #[error("listening on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The signals of the system cannot be waited for.
    #[error("waiting for signals")]
    Signals(#[source] io::Error),
    /// A fault of ours.
    #[error("the task that serves the chains ended: {0}")]
    Ended(String),
}

impl RunError {
    /// Whether a restart would end the same way: config, a damaged journal.
    #[must_use]
    pub fn is_for_good(&self) -> bool {
        match self {
            Self::Config(_) | Self::Flow(FlowError::Node(_)) => true,
            Self::Journal(error) | Self::Flow(FlowError::Journal(error)) => matches!(
                error,
                JournalError::Open { .. }
                    | JournalError::Newer { .. }
                    | JournalError::OtherFormat { .. }
                    | JournalError::Damaged { .. }
            ),
            Self::Client(error) => error.is_for_good(),
            Self::Flow(FlowError::Signer(_) | FlowError::Portable(_) | FlowError::Ended) => false,
            Self::Listen { .. } | Self::Signals(_) | Self::Ended(_) => false,
        }
    }
}
