//! The policy's document as a whole: its sections, in the order in which they name each other.

use appliance_wire::sha256_hex;

use super::{
    Asset, Officer, Policy, PolicyKey, Watcher,
    address_list::{self, AddressList},
    asset,
    catalogue::Catalogue,
    key, limit, officer, rule, warnings, watcher,
};
use crate::toml_document::Section;

/// What rules and limits can name.
pub(super) struct Names {
    pub(super) officers: Catalogue<Officer>,
    pub(super) watchers: Catalogue<Watcher>,
    pub(super) assets: Catalogue<Asset>,
    pub(super) keys: Catalogue<PolicyKey>,
    pub(super) address_lists: Catalogue<AddressList>,
}

/// What the document says.
pub(super) fn policy(root: &Section<'_>, text: &str) -> Option<Policy> {
    let version = root.integer("version", 1..=LARGEST_VERSION);
    let watchers = watcher::watchers(root);
    let officers = officer::officers(root, &watchers);
    let quorum = officer::quorum(root, &officers);
    let assets = asset::assets(root);
    let keys = Catalogue::read(root, "key", |section| key::key(section, &assets));
    let address_lists =
        Catalogue::read(root, "address_list", |section| address_list::address_list(section, &assets, &keys));
    let names = Names { officers, watchers, assets, keys, address_lists };
    let rules = Catalogue::read(root, "rule", |section| rule::rule(section, &names));
    let limits = Catalogue::read(root, "limit", |section| limit::limit(section, &names));
    let (rules, limits) = (rules.into_items(), limits.into_items());
    let named = (rules.as_deref().unwrap_or_default(), limits.as_deref().unwrap_or_default());
    let warnings = warnings::warnings(&names, quorum.as_ref(), named.0, named.1);
    Some(Policy {
        version: version?,
        sha256: sha256_hex(text.as_bytes()),
        document: text.to_owned(),
        quorum: if root.has("quorum") { Some(quorum?) } else { None },
        officers: names.officers.into_items()?,
        watchers: names.watchers.into_items()?,
        assets: names.assets.into_items()?,
        keys: names.keys.into_items()?,
        address_lists: names.address_lists.into_items()?,
        rules: rules?,
        limits: limits?,
        warnings,
    })
}

/// Versions are JSON numbers in the audit log, which are exact up to here.
const LARGEST_VERSION: u64 = (1 << 53) - 1;
