//! What a key must be for the appliance to read the transactions it signs.

use std::collections::BTreeSet;

use appliance_wire::Chain;
use hsm_types::Algorithm;

use super::super::Asset;
use crate::toml_document::Section;

/// Says everything that keeps a key from being verified.
pub(super) fn check(section: &Section<'_>, algorithm: Option<Algorithm>, paid: &[&Asset]) {
    if let Some(algorithm) = algorithm.filter(|algorithm| *algorithm != Algorithm::Secp256k1) {
        let message = format!("a verified key is secp256k1; no chain here has transactions that {algorithm} signs");
        section.mistake("algorithm", message);
    }
    let chains: BTreeSet<Chain> = paid.iter().map(|asset| asset.chain).collect();
    let of_bitcoins_kind: Vec<&Chain> = chains.iter().filter(|chain| chain.has_address_types()).collect();
    if let [first, .., last] = of_bitcoins_kind.as_slice() {
        // A PSBT does not say its chain, so the key has to.
        let message = format!("a verified key pays on one chain of Bitcoin's kind; these are on {first} and {last}");
        section.mistake("assets", message);
    }
    let Some(chain) = of_bitcoins_kind.first() else { return };
    if let Some(other) = chains.iter().find(|chain| !chain.has_address_types()) {
        let message = format!("a verified key pays on chains of one kind; these are on {chain} and {other}");
        section.mistake("assets", message);
    }
    if !section.has("address_type") {
        let message = format!("is missing; change of a verified key on {chain} is known by its address");
        section.absence_on(section.line_of("address_type"), "address_type", message);
    }
}
