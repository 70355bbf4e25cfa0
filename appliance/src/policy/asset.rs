//! The sections `[[asset]]`.

use std::collections::BTreeSet;

use appliance_wire::Chain;

use super::catalogue::{Catalogue, name_of};
use crate::toml_document::Section;

/// Something that is paid.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Asset {
    /// Its name in requests.
    pub name: String,
    /// Where it is paid.
    pub chain: Chain,
    /// The token's contract in its normal form; none for what fees are paid in.
    pub contract: Option<String>,
    /// Decimals of the main unit: 0 to 36.
    pub decimals: u8,
}

pub(super) fn assets(root: &Section<'_>) -> Catalogue<Asset> {
    let native = native_chains(root);
    let mut known = BTreeSet::new();
    Catalogue::read(root, "asset", |section| {
        let asset = asset(section)?;
        if !known.insert((asset.chain, asset.contract.clone())) {
            section.mistake("chain", "another asset has this chain and contract");
        }
        if !native.contains(&asset.chain) {
            let message = format!("chain {} has no asset without a contract here, to pay fees in; add it", asset.chain);
            section.absence_on(section.line_of("chain"), "chain", message);
        }
        Some(asset)
    })
}

/// The chains whose own coin is an asset, mistaken otherwise or not.
fn native_chains(root: &Section<'_>) -> BTreeSet<Chain> {
    let sections = root.sections("asset");
    for section in &sections {
        // Unknown keys are for the real reading, which comes after.
        section.admit_unknown_keys();
    }
    sections.iter().filter(|section| !section.has("contract")).filter_map(chain).collect()
}

fn asset(section: &Section<'_>) -> Option<Asset> {
    let name = name_of(section);
    let chain = chain(section);
    let decimals = section.integer("decimals", 0..=36).and_then(|decimals| u8::try_from(decimals).ok());
    let contract = section.optional_text("contract");
    let (chain, decimals) = (chain?, decimals?);
    let contract = match contract {
        Some(contract) => Some(normal_contract(section, chain, &contract)?),
        None if section.has("contract") => return None,
        None => {
            let wanted = chain.native_decimals();
            if decimals != wanted {
                section.mistake("decimals", format!("the native asset of {chain} has {wanted} decimals"));
            }
            None
        }
    };
    Some(Asset { name: name?, chain, contract, decimals })
}

fn chain(section: &Section<'_>) -> Option<Chain> {
    if section.has_table("chain") {
        section.section("chain")?.integer("evm", 1..=LARGEST_CHAIN_ID).map(Chain::Evm)
    } else {
        section.parsed("chain")
    }
}

fn normal_contract(section: &Section<'_>, chain: Chain, contract: &str) -> Option<String> {
    let Chain::Evm(_) = chain else {
        section.mistake("contract", format!("{chain} has no contracts"));
        return None;
    };
    chain.normal_destination(contract).map_err(|why| section.mistake("contract", why)).ok()
}

/// Chain ids are JSON numbers in the audit log, which are exact up to here.
const LARGEST_CHAIN_ID: u64 = (1 << 53) - 1;
