//! The sections `[[address_list]]`.

use std::collections::BTreeSet;

use appliance_wire::Chain;
use hsm_types::{Algorithm, KeyLabel};

use super::{
    Asset, PolicyKey,
    catalogue::{Catalogue, name_of},
};
use crate::toml_document::{Element, Section};

/// Destinations a rule can name: at least one address or key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AddressList {
    /// Its name in rules.
    pub name: String,
    /// Each in the normal form of a chain of the policy.
    pub addresses: BTreeSet<String>,
    /// Keys of ours whose addresses, and whose children's, are in it; each has addresses.
    pub keys: Vec<KeyLabel>,
}

pub(super) fn address_list(
    section: &Section<'_>,
    assets: &Catalogue<Asset>,
    keys: &Catalogue<PolicyKey>,
) -> Option<AddressList> {
    let name = name_of(section);
    if name.as_deref() == Some("self") {
        section.mistake("name", "\"self\" is reserved for the key that pays");
    }
    let (has_addresses, has_keys) = (section.has("addresses"), section.has("keys"));
    if !has_addresses && !has_keys {
        section.absence_on(section.line_of("addresses"), "addresses", "is missing; write it, or keys, or both");
    }
    let addresses = if has_addresses { addresses(section, assets) } else { Some(BTreeSet::new()) };
    let keys = if has_keys { keys.listed_under(section, "keys") } else { Some(Vec::new()) };
    for key in keys.iter().flatten().filter(|key| !has_an_address(key, assets)) {
        let message =
            format!("key \"{}\" has no address: it is not secp256k1, or lacks assets or address_type", key.name);
        section.mistake("keys", message);
    }
    let keys = keys?.into_iter().map(|key| key.name.clone()).collect();
    (has_addresses || has_keys).then_some(AddressList { name: name?, addresses: addresses?, keys })
}

/// Whether the appliance can derive an address of it on some chain.
fn has_an_address(key: &PolicyKey, assets: &Catalogue<Asset>) -> bool {
    let mut paid = assets.items().filter(|asset| key.assets.contains(&asset.name));
    match key.algorithm {
        Algorithm::Secp256k1 => paid.any(|asset| key.address_type.is_some() || asset.chain.is_evm()),
        Algorithm::Ed25519 => paid.any(|asset| asset.chain == Chain::Solana),
        Algorithm::P256 => false,
    }
}

fn addresses(section: &Section<'_>, assets: &Catalogue<Asset>) -> Option<BTreeSet<String>> {
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
    addresses.into_iter().collect()
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
