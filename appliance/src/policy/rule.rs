//! The sections `[[rule]]`.

mod call;
mod money;

use appliance_wire::Amount;
use hsm_types::KeyLabel;

pub use self::call::CallRule;
use super::{Approvers, Hours, PolicyKey, Share, catalogue::name_of, document::Names, hours, key::Level, officer};
use crate::toml_document::Section;

/// What is decided where everything in it matches.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule {
    /// Its name in denials and entries.
    pub name: String,
    /// Names of the watchers it is about; at least one.
    pub watchers: Vec<String>,
    /// The keys it is about; at least one.
    pub keys: Vec<KeyLabel>,
    /// Name of the asset paid, where only one matches.
    pub asset: Option<String>,
    /// Where it may go; anywhere without.
    pub destinations: Option<Destinations>,
    /// The contract call it is about. Beside it there are no destinations, and every key is verified and on EVM chains.
    pub call: Option<CallRule>,
    /// The most one destination of the request gets.
    pub max_amount: Option<Amount>,
    /// The most all destinations of the request get.
    pub max_request_amount: Option<Amount>,
    /// The highest fee, in the native asset of the chain. It or `max_fee_share` is there in a rule that signs with a
    /// verified key.
    pub max_fee: Option<Amount>,
    /// The highest fee, as a share of what the request pays.
    pub max_fee_share: Option<Share>,
    /// When it matches.
    pub hours: Option<Hours>,
    /// What is decided.
    pub action: Action,
}

/// Where a payment goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Destinations {
    /// Back to the family that pays, key and children; also a request that pays nobody. Written `self`.
    OwnFamily,
    /// To what is in the address list of this name.
    List(String),
}

/// What a rule decides.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Action {
    /// The request is signed, where the limits allow.
    Sign,
    /// The request waits until these have approved it, and is decided then.
    Approve(Approvers),
    /// The request is denied.
    Deny,
}

impl Rule {
    /// Whether it is about both.
    #[must_use]
    pub fn names(&self, watcher: &str, key: &KeyLabel) -> bool {
        self.watchers.iter().any(|name| name == watcher) && self.keys.contains(key)
    }
}

pub(super) fn rule(section: &Section<'_>, names: &Names) -> Option<Rule> {
    let name = name_of(section);
    let watchers = names.watchers.listed_under(section, "watchers");
    let keys = names.keys.listed_under(section, "keys");
    let named_keys = keys.as_deref().unwrap_or_default();
    refuse_blind_keys(section, named_keys);
    let money = money::money(section, named_keys, names);
    let destinations = destinations(section, names);
    let call = call::call(section, named_keys, names);
    let hours = hours::hours(section);
    let action = action(section, names);
    if action.as_ref().is_some_and(|action| *action != Action::Deny) {
        demand_fee_ceiling(section, named_keys);
    }
    // A condition that was not understood must not fall away, and the rule with it match more.
    let understood = [
        ("asset", money.asset.is_some()),
        ("destinations", destinations.is_some()),
        ("call", call.is_some()),
        ("max_amount", money.max_amount.is_some()),
        ("max_request_amount", money.max_request_amount.is_some()),
        ("max_fee", money.max_fee.is_some()),
        ("max_fee_share", money.max_fee_share.is_some()),
        ("hours", hours.is_some()),
    ];
    if understood.into_iter().any(|(key, is_there)| section.has(key) && !is_there) {
        return None;
    }
    Some(Rule {
        name: name?,
        watchers: watchers?.into_iter().map(|watcher| watcher.name.clone()).collect(),
        keys: keys?.into_iter().map(|key| key.name.clone()).collect(),
        asset: money.asset,
        destinations,
        call,
        max_amount: money.max_amount,
        max_request_amount: money.max_request_amount,
        max_fee: money.max_fee,
        max_fee_share: money.max_fee_share,
        hours,
        action: action?,
    })
}

/// Of a blind key nobody knows what it pays, so a rule on it cannot ask.
fn refuse_blind_keys(section: &Section<'_>, keys: &[&PolicyKey]) {
    let Some(blind) = keys.iter().find(|key| key.evidence == Level::Blind) else { return };
    for key in ["asset", "destinations", "call", "max_amount", "max_request_amount", "max_fee", "max_fee_share"] {
        section.refuse(key, &format!("key \"{}\" is blind: what it pays is not known", blind.name));
    }
}

fn demand_fee_ceiling(section: &Section<'_>, keys: &[&PolicyKey]) {
    let is_verified = keys.iter().any(|key| key.evidence == Level::Verified);
    if is_verified && !section.has("max_fee") && !section.has("max_fee_share") {
        let message = "is missing; a rule that signs with a verified key has a fee ceiling: max_fee or max_fee_share";
        section.absence_on(section.line_of("max_fee"), "max_fee", message);
    }
}

fn destinations(section: &Section<'_>, names: &Names) -> Option<Destinations> {
    if section.optional_text("destinations")? == "self" {
        return Some(Destinations::OwnFamily);
    }
    let list = names.address_lists.named_under(section, "destinations")?;
    Some(Destinations::List(list.name.clone()))
}

fn action(section: &Section<'_>, names: &Names) -> Option<Action> {
    if section.has_table("action") {
        return officer::approvers(section, "action", &names.officers).map(Action::Approve);
    }
    match section.text("action")?.as_str() {
        "sign" => Some(Action::Sign),
        "deny" => Some(Action::Deny),
        _ => {
            section.mistake("action", "write \"sign\", \"deny\" or { approve = 2, of = [...], expires = \"4h\" }");
            None
        }
    }
}
