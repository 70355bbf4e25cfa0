//! The sections `[[limit]]`.

use std::str::FromStr;

use appliance_wire::Amount;
use hsm_types::KeyLabel;

use super::{
    Approvers, Asset, PolicyKey,
    catalogue::name_of,
    document::Names,
    duration::{BadDuration, Duration},
    key::{Level, UnknownWord},
    money::{amount, chains},
    officer,
};
use crate::toml_document::Section;

/// The most that is accepted within a window.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limit {
    /// Its name in denials and answers.
    pub name: String,
    /// The keys it counts: every key of the policy where the document names none.
    pub keys: Vec<KeyLabel>,
    /// Name of the asset it counts; there beside [`Max::Amount`], and only there.
    pub asset: Option<String>,
    /// The most.
    pub max: Max,
    /// Length of the window, in milliseconds of service time; [`Limit::LIFETIME_MS`] where it never ends.
    pub window_ms: u64,
    /// Whether there is a sum for each; one for all where it is left out.
    pub per: Option<Per>,
    /// Who may let a request pass that it has too little left for. What they approve is counted all the same.
    pub beyond: Option<Approvers>,
}

impl Limit {
    /// The window of a limit that holds for ever: nothing counted under it is free again.
    pub const LIFETIME_MS: u64 = u64::MAX;

    /// The most, in base units of its asset, or in signatures.
    #[must_use]
    pub fn most(&self) -> Amount {
        match self.max {
            Max::Amount(most) => most,
            Max::Signatures(most) => Amount::from_units(most),
        }
    }

    /// Whether it holds for ever.
    #[must_use]
    pub fn is_lifetime(&self) -> bool {
        self.window_ms == Self::LIFETIME_MS
    }
}

/// What a limit counts, and how far.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Max {
    /// Base units of the limit's asset.
    Amount(Amount),
    /// Signatures.
    Signatures(u64),
}

/// What has a sum of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Per {
    /// Each key.
    Key,
    /// Each watcher.
    Watcher,
    /// Each destination.
    Destination,
}

impl FromStr for Per {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "key" => Ok(Self::Key),
            "watcher" => Ok(Self::Watcher),
            "destination" => Ok(Self::Destination),
            _ => Err(UnknownWord::new(text, "key, watcher or destination")),
        }
    }
}

/// The length of a window.
struct Window {
    milliseconds: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("{0}, or lifetime")]
struct BadWindow(#[from] BadDuration);

impl FromStr for Window {
    type Err = BadWindow;

    fn from_str(text: &str) -> Result<Self, BadWindow> {
        if text == "lifetime" {
            return Ok(Self { milliseconds: Limit::LIFETIME_MS });
        }
        let duration: Duration = text.parse()?;
        Ok(Self { milliseconds: duration.milliseconds })
    }
}

pub(super) fn limit(section: &Section<'_>, names: &Names) -> Option<Limit> {
    let name = name_of(section);
    let is_for_some = section.has("keys");
    let keys = if is_for_some { names.keys.listed_under(section, "keys") } else { Some(names.keys.items().collect()) };
    let named = if is_for_some { keys.as_deref().unwrap_or_default() } else { &[] };
    let asset = names.assets.named_under(section, "asset");
    let max = max(section, asset);
    check_asset(section, named, asset, names);
    let window: Option<Window> = section.parsed("window");
    let per = section.optional_parsed("per");
    if per == Some(Per::Destination) && section.has("max_signatures") {
        section.mistake("per", "signatures have no destination; write key or watcher");
    }
    let has_beyond = section.has("beyond");
    let beyond = if has_beyond { officer::approvers(section, "beyond", &names.officers) } else { None };
    if (section.has("per") && per.is_none()) || (has_beyond && beyond.is_none()) {
        return None;
    }
    Some(Limit {
        name: name?,
        keys: keys?.into_iter().map(|key| key.name.clone()).collect(),
        asset: asset.map(|asset| asset.name.clone()),
        max: max?,
        window_ms: window?.milliseconds,
        per,
        beyond,
    })
}

fn max(section: &Section<'_>, asset: Option<&Asset>) -> Option<Max> {
    match (section.has("max_amount"), section.has("max_signatures")) {
        (true, false) => {
            if !section.has("asset") {
                section.mistake("max_amount", "an amount needs `asset` beside it");
            }
            amount(section, "max_amount", asset.map(|asset| asset.decimals)).map(Max::Amount)
        }
        (false, true) => {
            section.refuse("asset", "signatures are counted whatever they pay; leave `asset` out");
            section.integer("max_signatures", 1..=LARGEST_COUNT).map(Max::Signatures)
        }
        (true, true) => {
            section.mistake("max_signatures", "write either max_amount or max_signatures, and a limit for each");
            None
        }
        (false, false) => {
            section.absence_on(section.line_of("max_amount"), "max_amount", "is missing; write it or max_signatures");
            None
        }
    }
}

/// An amount can be counted only where it is known, and of what the keys pay: their assets, and fees.
fn check_asset(section: &Section<'_>, keys: &[&PolicyKey], asset: Option<&Asset>, names: &Names) {
    let Some(asset) = asset.filter(|_| section.has("max_amount")) else { return };
    for key in keys {
        if key.evidence == Level::Blind {
            section.mistake("keys", format!("key \"{}\" is blind: what it pays is not known", key.name));
        } else if !key.assets.contains(&asset.name) && !pays_as_fee(key, asset, names) {
            section.mistake("asset", format!("key \"{}\" does not pay \"{}\"", key.name, asset.name));
        }
    }
}

fn pays_as_fee(key: &PolicyKey, asset: &Asset, names: &Names) -> bool {
    asset.contract.is_none() && chains(&[key], &names.assets).contains(&asset.chain)
}

/// Counts are JSON numbers in answers, which are exact up to here.
const LARGEST_COUNT: u64 = (1 << 53) - 1;
