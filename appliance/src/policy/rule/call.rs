//! What a rule asks of a contract call.

use std::str::FromStr;

use appliance_wire::Chain;

use super::super::{Level, PolicyKey, document::Names, money::chains};
use crate::toml_document::Section;

/// A call by contract and function: EVM call data other than an ERC-20 `transfer`, which is a payment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CallRule {
    /// The contract, in its normal form.
    pub contract: String,
    /// The first four bytes of the call data (Solidity ABI, "function selector").
    pub selector: [u8; 4],
}

pub(super) fn call(section: &Section<'_>, keys: &[&PolicyKey], names: &Names) -> Option<CallRule> {
    let table = section.optional_section("call")?;
    section.refuse("destinations", "the contract of `call` is the destination; leave `destinations` out");
    for key in keys {
        check_key(section, key, names);
    }
    let contract = table.text("contract").and_then(|contract| {
        // The form of an address is the same on every EVM chain.
        Chain::Evm(1).normal_destination(&contract).map_err(|why| table.mistake("contract", why)).ok()
    });
    let selector = table.parsed("selector");
    let (contract, Selector(selector)) = (contract?, selector?);
    let is_token = names.assets.items().any(|asset| asset.contract.as_ref() == Some(&contract));
    if is_token && selector == ERC20_TRANSFER {
        table.mistake("selector", "a transfer of an asset is decided as a payment; write a rule with `asset`");
    }
    Some(CallRule { contract, selector })
}

fn check_key(section: &Section<'_>, key: &PolicyKey, names: &Names) {
    if key.evidence == Level::Declared {
        section.mistake("call", format!("key \"{}\" is declared: what it calls is not known", key.name));
    }
    if chains(&[key], &names.assets).iter().any(|chain| !chain.is_evm()) {
        section.mistake("call", format!("key \"{}\" pays on a chain without contracts", key.name));
    }
}

struct Selector([u8; 4]);

#[derive(Debug, thiserror::Error)]
#[error("\"{0}\" is no selector: write 0x and 8 hexadecimal digits, such as 0x095ea7b3")]
struct BadSelector(String);

impl FromStr for Selector {
    type Err = BadSelector;

    fn from_str(text: &str) -> Result<Self, BadSelector> {
        let mut selector = [0; 4];
        let digits = text.strip_prefix("0x").ok_or_else(|| BadSelector(text.to_owned()))?;
        hex::decode_to_slice(digits, &mut selector).map_err(|_| BadSelector(text.to_owned()))?;
        Ok(Self(selector))
    }
}

/// `transfer(address,uint256)` (ERC-20).
const ERC20_TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];
