//! What an account has, which nonce it may use, and what it costs to do something with it.

use alloy_primitives::{Address, U256};

use super::{
    Evm,
    fees::Market,
    node::{At, Header, Trial},
};
use crate::chains::{DraftError, Held, NodeError};

/// What a payment to an account without code takes, on Ethereum always.
pub(super) const TRANSFER_GAS: u64 = 21_000;
/// A full node that prunes keeps the states of its last 128 blocks.
const DEEPEST_STATE: u64 = 64;

/// What an account has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Funds {
    pub(super) wei: U256,
    /// Of the token that is asked about, in its base units.
    pub(super) tokens: U256,
}

impl Funds {
    fn lower(self, other: Self) -> Self {
        Self { wei: self.wei.min(other.wei), tokens: self.tokens.min(other.tokens) }
    }
}

/// What uses up a nonce of an account.
pub(super) fn hold(address: &str, nonce: u64) -> String {
    format!("{address}/{nonce}")
}

/// Whether transactions of the account are under way.
pub(super) fn is_busy(address: &str, held: &Held) -> bool {
    let prefix = format!("{address}/");
    held.range(prefix.clone()..).next().is_some_and(|first| first.starts_with(&prefix))
}

/// The lowest nonce from `mined` on that nothing holds: a gap would hold up all behind it.
fn lowest_free(address: &str, mined: u64, held: &Held) -> u64 {
    (mined..u64::MAX).find(|nonce| !held.contains(&hold(address, *nonce))).unwrap_or(u64::MAX)
}

impl Evm {
    pub(super) async fn free_nonce(&self, account: Address, held: &Held) -> Result<u64, NodeError> {
        let mined = self.node.mined_nonce(account).await?;
        Ok(lowest_free(&super::spelled(account), mined, held))
    }

    /// The state that is believed when `last` is the last block: as deep as the config demands, or as the node remembers.
    pub(super) fn believed(&self, last: &Header) -> At {
        match self.confirmations.clamp(1, DEEPEST_STATE) - 1 {
            0 => At::Latest,
            depth => At::Height(last.block().height.saturating_sub(depth)),
        }
    }

    pub(super) async fn funds(&self, account: Address, token: Option<Address>, at: At) -> Result<Funds, NodeError> {
        let wei = self.node.wei(account, at).await?;
        let tokens = match token {
            Some(contract) => self.node.tokens(contract, account, at).await?,
            None => U256::ZERO,
        };
        Ok(Funds { wei, tokens })
    }

    /// What the account has now and had when the block was made that is believed: of what came since, nothing is spent.
    pub(super) async fn believed_funds(
        &self,
        account: Address,
        token: Option<Address>,
        last: &Header,
    ) -> Result<Funds, NodeError> {
        let now = self.funds(account, token, At::Latest).await?;
        match self.believed(last) {
            At::Latest => Ok(now),
            deeper @ At::Height(_) => Ok(now.lower(self.funds(account, token, deeper).await?)),
        }
    }

    pub(super) async fn market(&self, last: &Header) -> Result<Market, NodeError> {
        let base = last.base_fee().ok_or_else(|| self.no_base_fee())?;
        Ok(Market { base, tip: self.node.tip().await? })
    }

    /// The gas limit for a trial: what it took, and a fifth more where that may differ from time to time. None where the
    /// contract refuses.
    pub(super) async fn gas_limit(&self, trial: &Trial) -> Result<Option<u64>, NodeError> {
        let with_margin = |gas: u64| if gas == TRANSFER_GAS { gas } else { gas.saturating_add(gas.div_ceil(5)) };
        Ok(self.node.gas(trial).await?.map(with_margin))
    }
}

/// Why there is nothing to pay with.
pub(super) fn too_little(missing: U256, asset: &crate::chains::Asset, why: String) -> DraftError {
    let missing = super::amount(missing).to_decimal(asset.decimals).as_str().to_owned();
    DraftError::TooLittle { missing, asset: asset.name.clone(), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(nonces: &[u64]) -> Held {
        nonces.iter().map(|nonce| hold("0xaa", *nonce)).collect()
    }

    #[test]
    fn the_lowest_nonce_that_nothing_holds_is_taken() {
        assert_eq!(lowest_free("0xaa", 7, &held(&[])), 7);
        assert_eq!(lowest_free("0xaa", 7, &held(&[7, 8, 10])), 9, "the gap first");
        assert_eq!(lowest_free("0xaa", 7, &held(&[3, 9])), 7);
        assert_eq!(lowest_free("0xbb", 7, &held(&[7])), 7, "of another account");
    }

    #[test]
    fn an_account_is_busy_while_a_nonce_of_its_own_is_held() {
        assert!(is_busy("0xaa", &held(&[12])));
        assert!(!is_busy("0xaa", &held(&[])));
        assert!(!is_busy("0xa", &held(&[12])), "a longer address begins the same");
        assert!(!is_busy("0xab", &held(&[12])));
    }
}
