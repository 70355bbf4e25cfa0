//! The sections `[[address_list]]`.

use std::collections::BTreeSet;

use appliance_wire::Chain;

use super::{
    Asset,
    catalogue::{Catalogue, name_of},
};
use crate::toml_document::{Element, Section};

/// Destinations a rule can name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AddressList {
    /// Its name in rules.
    pub name: String,
    /// Each in the normal form of a chain of the policy.
    pub addresses: BTreeSet<String>,
}

pub(super) fn address_list(section: &Section<'_>, assets: &Catalogue<Asset>) -> Option<AddressList> {
    let name = name_of(section);
    if name.as_deref() == Some("self") {
        section.mistake("name", "\"self\" is reserved for the key that pays");
    }
    section.refuse("keys", "is not supported by this version yet");
    let elements = section.texts("addresses")?;
    if elements.is_empty() {
        section.mistake("addresses", "is empty; write at least one");
    }
    let chains: BTreeSet<Chain> = assets.items().map(|asset| asset.chain).collect();
    let normal = |element: &Element| {
        let normal = normal_on_any(&chains, &element.text);
        // A mistaken asset may be the one on whose chain it is an address.
        if let Err(why) = &normal
            && assets.is_whole()
        {
            section.mistake_on(element.line, "addresses", why);
        }
        normal.ok()
    };
    let addresses: Vec<_> = elements.iter().map(normal).collect();
    Some(AddressList { name: name?, addresses: addresses.into_iter().collect::<Option<_>>()? })
}

fn normal_on_any(chains: &BTreeSet<Chain>, address: &str) -> Result<String, String> {
    let mut reasons = BTreeSet::new();
    for chain in chains {
        match chain.normal_destination(address) {
            Ok(normal) => return Ok(normal),
            Err(why) => reasons.insert(why.to_string()),
        };
    }
    if reasons.is_empty() {
        return Err(format!("\"{address}\" is an address of no chain: the policy has no [[asset]]"));
    }
    Err(reasons.into_iter().collect::<Vec<_>>().join("; "))
}
