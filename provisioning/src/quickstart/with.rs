//! Which exchange a quickstart shows: its keys, and the policy they are under.

use clap::ValueEnum;
use hsm_types::Algorithm;

use crate::{Error, templates, token::PlannedKey};

/// A node that is not ours, beside which the watcher runs as a daemon.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum With {
    /// Litecoin's, on a chain of its own.
    Litecoin,
    /// Foundry's Ethereum node.
    Anvil,
}

impl With {
    /// Its name on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Litecoin => "litecoin",
            Self::Anvil => "anvil",
        }
    }
}

/// The template of the policy.
pub(super) fn policy(with: Option<With>) -> &'static str {
    match with {
        None => templates::POLICY,
        Some(With::Litecoin) => templates::POLICY_LITECOIN,
        Some(With::Anvil) => templates::POLICY_ANVIL,
    }
}

/// The keys that policy names.
pub(super) fn keys(with: Option<With>) -> Result<Vec<PlannedKey>, Error> {
    let keys: &[(&str, bool)] = match with {
        None => &[("btc-hot", false), ("btc-vault", true)],
        Some(With::Litecoin) => &[("ltc-vault", true)],
        Some(With::Anvil) => &[("eth-vault", true)],
    };
    let planned = keys.iter().map(|(label, children)| {
        let label = label.parse().map_err(|error| Error::Argument { argument: "key", reason: format!("{error}") })?;
        Ok(PlannedKey { label, algorithm: Algorithm::Secp256k1, children: *children })
    });
    planned.collect()
}
