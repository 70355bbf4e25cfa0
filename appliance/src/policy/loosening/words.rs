//! What rules let pass more easily, as a sentence.

use appliance_wire::Amount;

use super::{
    super::{Action, Asset, PolicyKey, Rule},
    matter::Matter,
    places::Places,
    region::{Region, Span},
    rules::{Difference, Kind},
};

/// The sentence, without the watcher.
pub(super) fn of(key: &PolicyKey, matter: &Matter<'_>, places: &Places<'_>, difference: &Difference<'_>) -> String {
    let Difference { after, before, kind, region, is_trusted, is_always } = difference;
    let what = what(matter, places, region);
    let when = match (is_trusted, is_always) {
        (false, _) => " while the wall clock is not trusted",
        (true, false) => " at some hours",
        (true, true) => "",
    };
    let asks = match &after.action {
        Action::Approve(approvers) => format!("signs with approval of {}", approvers.words_with_times()),
        Action::Sign | Action::Deny => "signs".to_owned(),
    };
    let why = match (kind, before) {
        (Kind::Denied, None) => "no rule did".to_owned(),
        (Kind::Denied, Some(before)) => format!("rule \"{}\" denied it", before.name),
        (Kind::Approvals, before) => before.map(was_asked).unwrap_or_default(),
        (Kind::Fee, before) => {
            let fee = |rule: &Rule| fee(rule, matter.asset());
            let before = before.map(|rule| format!("; rule \"{}\" allowed {}", rule.name, fee(rule)));
            format!("with {}{}", fee(after), before.unwrap_or_default())
        }
    };
    format!("rule \"{}\" now {asks} {what} from {}{when}: {why}", after.name, key.name)
}

fn was_asked(before: &Rule) -> String {
    match &before.action {
        Action::Approve(approvers) => {
            format!("rule \"{}\" asked for {}", before.name, approvers.words_with_times())
        }
        Action::Sign | Action::Deny => String::new(),
    }
}

fn what(matter: &Matter<'_>, places: &Places<'_>, region: &Region) -> String {
    match matter {
        Matter::Unread => "anything".to_owned(),
        Matter::Nobody(asset) => format!("what pays nobody in {}", asset.name),
        Matter::Paid(asset, call) => {
            let to = places.words(&region.places);
            let amount = amount(region.amount, asset);
            let called =
                call.map(|call| format!(" with calls of 0x{} of {}", hex::encode(call.selector), call.contract));
            format!("{amount} to {to}{}{}", request(region, asset), called.unwrap_or_default())
        }
    }
}

fn amount(span: Span, asset: &Asset) -> String {
    let below = span.from.checked_sub(Amount::from_units(1)).filter(|below| *below > Amount::ZERO);
    let most = (span.to < Amount::MAX).then_some(span.to);
    let text = |amount: Amount| amount.to_decimal(asset.decimals);
    let name = &asset.name;
    match (below, most) {
        (None, None) => format!("any amount of {name}"),
        (None, Some(most)) => format!("up to {} {name}", text(most)),
        (Some(below), None) => format!("more than {} {name}", text(below)),
        (Some(below), Some(most)) => format!("more than {} and up to {} {name}", text(below), text(most)),
    }
}

/// What the whole request pays, where that says more than what one destination gets.
fn request(region: &Region, asset: &Asset) -> String {
    let is_less = region.total.to != region.amount.to && region.total.to < Amount::MAX;
    let is_more = region.total.from > region.amount.from;
    let from = if is_more { region.total.from } else { Amount::ZERO };
    let total = Span { from, ..region.total };
    if is_less || is_more { format!(" in requests of {}", amount(total, asset)) } else { String::new() }
}

fn fee(rule: &Rule, asset: Option<&Asset>) -> String {
    // A ceiling is in the asset of the chain, whose name a token does not say.
    let max = rule
        .max_fee
        .zip(asset)
        .map(|(max, asset)| format!("a fee of up to {}", max.to_decimal(asset.chain.native_decimals())));
    let share = rule.max_fee_share.map(|share| format!("up to {share} of what is paid"));
    match (max, share) {
        (None, None) => "any fee".to_owned(),
        (Some(max), None) => max,
        (None, Some(share)) => format!("a fee of {share}"),
        (Some(max), Some(share)) => format!("{max} and {share}"),
    }
}
