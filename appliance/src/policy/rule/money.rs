//! What a rule asks of amounts and fees.

use appliance_wire::{Amount, Chain};

use super::super::{
    Asset, PolicyKey, Share,
    document::Names,
    money::{amount, chains},
};
use crate::toml_document::Section;

/// The part of a rule that is about money.
pub(super) struct Money {
    pub(super) asset: Option<String>,
    pub(super) max_amount: Option<Amount>,
    pub(super) max_request_amount: Option<Amount>,
    pub(super) max_fee: Option<Amount>,
    pub(super) max_fee_share: Option<Share>,
}

pub(super) fn money(section: &Section<'_>, keys: &[&PolicyKey], names: &Names) -> Money {
    let asset = names.assets.named_under(section, "asset");
    if let Some(asset) = asset {
        check_keys_pay(section, keys, asset);
        if section.has("call") && asset.contract.is_some() {
            section.mistake("asset", format!("a call pays the chain's own asset, not \"{}\"", asset.name));
        }
    }
    if !section.has("asset") {
        for key in ["max_amount", "max_request_amount"] {
            section.refuse(key, "an amount needs `asset` beside it");
        }
    }
    let decimals = asset.map(|asset| asset.decimals);
    Money {
        max_amount: amount(section, "max_amount", decimals),
        max_request_amount: amount(section, "max_request_amount", decimals),
        max_fee: max_fee(section, keys, asset, names),
        max_fee_share: max_fee_share(section, keys, asset, names),
        asset: asset.map(|asset| asset.name.clone()),
    }
}

fn check_keys_pay(section: &Section<'_>, keys: &[&PolicyKey], asset: &Asset) {
    for key in keys.iter().filter(|key| !key.assets.contains(&asset.name)) {
        section.mistake("asset", format!("key \"{}\" does not pay \"{}\"", key.name, asset.name));
    }
}

fn max_fee(section: &Section<'_>, keys: &[&PolicyKey], asset: Option<&Asset>, names: &Names) -> Option<Amount> {
    let chains = match asset {
        Some(asset) => [asset.chain].into(),
        None => chains(keys, &names.assets),
    };
    if section.has("max_fee") && chains.len() > 1 {
        section.mistake("max_fee", "the keys of this rule pay on more than one chain; name an `asset`");
    }
    amount(section, "max_fee", chains.first().map(Chain::native_decimals))
}

fn max_fee_share(section: &Section<'_>, keys: &[&PolicyKey], asset: Option<&Asset>, names: &Names) -> Option<Share> {
    let share = section.optional_parsed("max_fee_share");
    let matches = |candidate: &&Asset| match asset {
        Some(asset) => candidate.name == asset.name,
        None => keys.iter().any(|key| key.assets.contains(&candidate.name)),
    };
    if section.has("max_fee_share")
        && let Some(token) = names.assets.items().filter(matches).find(|asset| asset.contract.is_some())
    {
        // A share of something else than the fee's own asset would need a price.
        let message = format!("fees are not paid in \"{}\", so they are no share of it; write max_fee", token.name);
        section.mistake("max_fee_share", message);
    }
    share
}
