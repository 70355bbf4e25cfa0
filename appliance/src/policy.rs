//! What may be signed: the policy in force, as types.
//!
//! Reads a document and knows nothing of requests, state or time; what a rule means for a request is decided elsewhere.
//! Everything a document leaves open is refused here, so that a [`Policy`] has no dangling name and no amount whose
//! decimals are unknown.

mod address_list;
mod asset;
mod catalogue;
mod changes;
mod document;
mod duration;
mod exposure;
mod hours;
mod key;
mod limit;
mod loosening;
mod money;
mod officer;
mod rule;
mod share;
#[cfg(test)]
mod tests;
mod warnings;
mod watcher;

use appliance_wire::Chain;
use hsm_types::KeyLabel;

pub use self::{
    address_list::AddressList,
    asset::Asset,
    changes::{Change, ChangeKind, MemberChange, changes},
    exposure::{AssetExposure, Bound, Exposure, Most, WatcherExposure, exposure},
    hours::Hours,
    key::{KeyState, Level, PolicyKey, UnknownWord},
    limit::{Limit, Max, Per},
    loosening::{Loosening, loosenings},
    officer::{Approvers, Officer, OfficerKey, Quorum},
    rule::{Action, CallRule, Destinations, Rule},
    share::{BadShare, Share},
    watcher::Watcher,
};
use crate::toml_document::{Document, Mistakes};

/// A policy without a mistake in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policy {
    /// From 1; each installed policy's is greater than the one before.
    pub version: u64,
    /// SHA-256 of the document, hexadecimal.
    pub sha256: String,
    /// The text it was read from.
    pub document: String,
    /// Who decides; none only in profile `development`.
    pub officers: Vec<Officer>,
    /// How many of them it takes; there with officers, and only with them.
    pub quorum: Option<Quorum>,
    /// Who may ask.
    pub watchers: Vec<Watcher>,
    /// What is paid in.
    pub assets: Vec<Asset>,
    /// What signs.
    pub keys: Vec<PolicyKey>,
    /// Destinations rules name.
    pub address_lists: Vec<AddressList>,
    /// In order: the first that matches decides, and nothing matches is a denial.
    pub rules: Vec<Rule>,
    /// All of them hold, whatever rule decided.
    pub limits: Vec<Limit>,
    /// What is allowed and probably not meant.
    pub warnings: Vec<String>,
}

impl Policy {
    /// The policy in `text`.
    ///
    /// # Errors
    /// Every mistake, not the first.
    pub fn parse(text: &str) -> Result<Self, Mistakes> {
        let document = Document::read(text);
        let policy = document::policy(&document.root(), text);
        document.close(policy)
    }

    /// The watcher whose certificate's SubjectPublicKeyInfo has this SHA-256.
    #[must_use]
    pub fn watcher_of(&self, spki_sha256: &[u8; 32]) -> Option<&Watcher> {
        self.watchers.iter().find(|watcher| watcher.public_keys_sha256.contains(spki_sha256))
    }

    /// The officer `name`.
    #[must_use]
    pub fn officer(&self, name: &str) -> Option<&Officer> {
        self.officers.iter().find(|officer| officer.name == name)
    }

    /// The key `name`.
    #[must_use]
    pub fn key(&self, name: &KeyLabel) -> Option<&PolicyKey> {
        self.keys.iter().find(|key| key.name == *name)
    }

    /// The asset `name`.
    #[must_use]
    pub fn asset(&self, name: &str) -> Option<&Asset> {
        self.assets.iter().find(|asset| asset.name == name)
    }

    /// Decimals of what `limit` counts; none where it counts signatures.
    #[must_use]
    pub fn decimals_of(&self, limit: &Limit) -> u8 {
        limit.asset.as_deref().and_then(|asset| self.asset(asset)).map_or(0, |asset| asset.decimals)
    }

    /// The list of addresses `name`.
    #[must_use]
    pub fn address_list(&self, name: &str) -> Option<&AddressList> {
        self.address_lists.iter().find(|list| list.name == name)
    }

    /// The asset fees are paid in on `chain`: there is one for the chain of every asset.
    #[must_use]
    pub fn native_asset(&self, chain: &Chain) -> Option<&Asset> {
        self.asset_on(chain, None)
    }

    /// The asset of this contract, in its normal form, on `chain`; the chain's own without a contract.
    #[must_use]
    pub fn asset_on(&self, chain: &Chain, contract: Option<&str>) -> Option<&Asset> {
        self.assets.iter().find(|asset| asset.chain == *chain && asset.contract.as_deref() == contract)
    }

    /// The assets `key` pays, fees apart.
    pub fn assets_of_key(&self, key: &PolicyKey) -> impl Iterator<Item = &Asset> {
        key.assets.iter().filter_map(|name| self.asset(name))
    }

    /// The one chain of Bitcoin's kind `key` pays on; none where it pays on none or on several.
    #[must_use]
    pub fn chain_of_key(&self, key: &PolicyKey) -> Option<Chain> {
        let mut chains = self.assets_of_key(key).map(|asset| asset.chain).filter(Chain::has_address_types);
        let first = chains.next()?;
        chains.all(|chain| chain == first).then_some(first)
    }

    /// Whether some rule that does not deny names both.
    #[must_use]
    pub fn grants(&self, watcher: &str, key: &KeyLabel) -> bool {
        self.rules.iter().any(|rule| rule.action != Action::Deny && rule.names(watcher, key))
    }

    /// The key `name`, where it is [granted](Self::grants) to `watcher`.
    #[must_use]
    pub fn granted_key(&self, watcher: &str, name: &KeyLabel) -> Option<&PolicyKey> {
        self.key(name).filter(|key| self.grants(watcher, &key.name))
    }

    /// The earliest service time that a limit can still look back to at `now`: twice the longest window, for a bucket
    /// keeps what it holds a little longer than the window itself.
    #[must_use]
    pub fn counts_since(&self, now: u64) -> u64 {
        let longest = self.limits.iter().map(|limit| limit.window_ms).max().unwrap_or(0);
        now.saturating_sub(longest.saturating_mul(2))
    }

    /// The keys [granted](Self::grants) to `watcher`.
    pub fn granted_keys(&self, watcher: &str) -> impl Iterator<Item = &PolicyKey> {
        self.keys.iter().filter(move |key| self.grants(watcher, &key.name))
    }
}
