//! The sections `[[key]]`.

mod verified;

use std::str::FromStr;

use appliance_wire::{AddressType, Chain};
use hsm_types::{Algorithm, KeyLabel};

use super::{Asset, catalogue::Catalogue};
use crate::toml_document::Section;

/// A key watchers may be granted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PolicyKey {
    /// Its label in the token.
    pub name: KeyLabel,
    /// How it signs.
    pub algorithm: Algorithm,
    /// What a request on it must show; `verified` where the document leaves it out and the key can be.
    pub evidence: Level,
    /// Names of the assets it pays; at least one unless it is blind. Those of a verified key are on one chain of
    /// Bitcoin's kind, or on any number of chains of Ethereum's.
    pub assets: Vec<String>,
    /// The form of its addresses; there where a verified key is on a chain of Bitcoin's kind.
    pub address_type: Option<AddressType>,
    /// Whether it has children; secp256k1 only.
    pub children: bool,
    /// What it is still used for.
    pub state: KeyState,
}

/// What a key is used for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum KeyState {
    /// Everything.
    #[default]
    Active,
    /// It signs, so that its addresses stay spendable, and gets no new address; what pays it is no change.
    Retiring,
    /// It signs nothing.
    Disabled,
}

impl KeyState {
    /// The word used in policy and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Disabled => "disabled",
        }
    }
}

impl FromStr for KeyState {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let state = [Self::Active, Self::Retiring, Self::Disabled].into_iter().find(|state| state.name() == text);
        state.ok_or_else(|| UnknownWord::new(text, "active, retiring or disabled"))
    }
}

/// What a request shows of the transaction it wants signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Level {
    /// The transaction itself.
    Verified,
    /// What the watcher says it pays.
    Declared,
    /// Nothing.
    Blind,
}

/// A word that is not one of those possible.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("\"{word}\" is not known: write {possible}")]
pub struct UnknownWord {
    word: String,
    possible: &'static str,
}

impl UnknownWord {
    pub(super) fn new(word: &str, possible: &'static str) -> Self {
        Self { word: word.to_owned(), possible }
    }
}

impl Level {
    /// The word used in policy and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Declared => "declared",
            Self::Blind => "blind",
        }
    }
}

impl FromStr for Level {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let level = [Self::Verified, Self::Declared, Self::Blind].into_iter().find(|level| level.name() == text);
        level.ok_or_else(|| UnknownWord::new(text, "verified, declared or blind"))
    }
}

pub(super) fn key(section: &Section<'_>, assets: &Catalogue<Asset>) -> Option<PolicyKey> {
    let name = name(section);
    let algorithm = section.parsed("algorithm");
    let evidence = evidence(section, algorithm);
    let paid = if section.has("assets") { assets.listed_under(section, "assets") } else { Some(Vec::new()) };
    if let Some(level @ (Level::Verified | Level::Declared)) = evidence
        && !section.has("assets")
    {
        let message = format!("is missing; a {} key names what it pays", level.name());
        section.absence_on(section.line_of("assets"), "assets", message);
    }
    let address_type = section.optional_parsed("address_type");
    if evidence == Some(Level::Verified) {
        verified::check(section, algorithm, paid.as_deref().unwrap_or_default());
    }
    let children = section.boolean("children").unwrap_or_default();
    if children && algorithm.is_some_and(|algorithm| algorithm != Algorithm::Secp256k1) {
        section.mistake("children", "only secp256k1 keys have children");
    }
    let state = if section.has("state") { section.optional_parsed("state") } else { Some(KeyState::Active) };
    let (algorithm, paid) = (algorithm?, paid?);
    if let Some(asset) = paid.iter().find(|asset| asset.chain == Chain::Solana)
        && algorithm != Algorithm::Ed25519
    {
        let message =
            format!("\"{}\" is on solana, which {algorithm} keys sign nothing for: it takes ed25519", asset.name);
        section.mistake("assets", message);
    }
    if address_type.is_some() {
        check_address_type(section, algorithm, &paid, assets.is_whole());
    }
    let assets = paid.iter().map(|asset| asset.name.clone()).collect();
    Some(PolicyKey { name: name?, algorithm, evidence: evidence?, assets, address_type, children, state: state? })
}

fn name(section: &Section<'_>) -> Option<KeyLabel> {
    let name: KeyLabel = section.optional_parsed("name")?;
    if name.as_str().starts_with("chancery-") {
        section.mistake("name", "names beginning with \"chancery-\" are the appliance's own keys");
    }
    Some(name)
}

/// The level it says; else verified, where a decoder reads what the key signs.
fn evidence(section: &Section<'_>, algorithm: Option<Algorithm>) -> Option<Level> {
    if section.has("evidence") {
        return section.optional_parsed("evidence");
    }
    if algorithm? == Algorithm::Secp256k1 && section.has("assets") {
        return Some(Level::Verified);
    }
    section.absence_on(section.line_of("evidence"), "evidence", "is missing; write verified, declared or blind");
    None
}

fn check_address_type(section: &Section<'_>, algorithm: Algorithm, paid: &[&Asset], knows_all_assets: bool) {
    if algorithm != Algorithm::Secp256k1 {
        section.mistake("address_type", format!("{algorithm} keys have no such address"));
    }
    let has_address = paid.iter().any(|asset| asset.chain.has_address_types());
    if !has_address && knows_all_assets {
        section.mistake("address_type", "none of the key's assets is of a chain with such addresses");
    }
}
