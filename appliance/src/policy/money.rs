//! Amounts in a policy, in base units of the asset they are of.

use std::collections::BTreeSet;

use appliance_wire::{Amount, Chain, Decimal};

use super::{Asset, PolicyKey, catalogue::Catalogue};
use crate::toml_document::Section;

/// The amount under `key`, where there is one. Without `decimals` only its form is checked.
pub(super) fn amount(section: &Section<'_>, key: &'static str, decimals: Option<u8>) -> Option<Amount> {
    let decimal: Decimal = section.optional_parsed(key)?;
    decimal.to_amount(decimals?).map_err(|why| section.mistake(key, why)).ok()
}

/// The chains `keys` pay on.
pub(super) fn chains(keys: &[&PolicyKey], assets: &Catalogue<Asset>) -> BTreeSet<Chain> {
    let paid = |asset: &&Asset| keys.iter().any(|key| key.assets.contains(&asset.name));
    assets.items().filter(paid).map(|asset| asset.chain).collect()
}
