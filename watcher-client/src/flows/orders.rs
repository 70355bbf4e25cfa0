//! A wished-for payment, held against what its chain can do.

use appliance_wire::{Amount, Chain, Decimal};

use crate::{
    ChainConfig, Network,
    chains::{Order, Quantity, Source, solana::LONGEST_MEMO},
};

/// A payment as the exchange asks for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wanted {
    /// The asset, by its name in the config.
    pub asset: String,
    /// To whom, in any spelling of the chain.
    pub destination: String,
    /// How much, in the asset's main unit.
    pub amount: Decimal,
    /// The data field, on chains that have one.
    pub memo: Option<String>,
}

/// The order: known asset, no more decimals than it has, an address of this chain in its one spelling, a memo only where
/// the chain carries one.
///
/// # Errors
/// What is wrong, in one sentence.
pub fn order(config: &ChainConfig, wanted: &Wanted) -> Result<Order, String> {
    let asset = config.asset(&wanted.asset).ok_or_else(|| {
        let known: Vec<&str> = config.assets.iter().map(|known| known.asset.name.as_str()).collect();
        format!("chain {} has no asset \"{}\"; it has {}", config.name, wanted.asset, known.join(", "))
    })?;
    let amount = wanted.amount.to_amount(asset.decimals).map_err(|error| error.to_string())?;
    if amount == Amount::ZERO {
        return Err("an amount of 0 pays nobody".to_owned());
    }
    let normal = |chain: Chain| chain.normal_destination(&wanted.destination).map_err(|error| error.to_string());
    let destination = match config.network {
        Network::Utxo(chain) => normal(chain)?,
        Network::Evm(id) => normal(Chain::Evm(id))?,
        Network::Solana => normal(Chain::Solana)?,
    };
    if let Some(memo) = &wanted.memo {
        if !matches!(config.network, Network::Solana) {
            return Err(format!("payments on {} have no data field: leave `memo` out", config.network_name()));
        }
        fits_memo(memo)?;
    }
    Ok(Order {
        source: Source::Key,
        destination,
        asset: asset.clone(),
        quantity: Quantity::Exactly(wanted.amount.clone()),
        memo: wanted.memo.clone(),
    })
}

/// A name that payers can fill in as a memo, and that comes back as it was given out.
///
/// # Errors
/// What is wrong, in one sentence.
pub fn memo_name(name: &str) -> Result<(), String> {
    fits_memo(name)?;
    if name.trim() != name {
        return Err("a name that is a memo has no blanks at its ends: wallets cut them off".to_owned());
    }
    Ok(())
}

fn fits_memo(memo: &str) -> Result<(), String> {
    if memo.is_empty() || memo.len() > LONGEST_MEMO || memo.chars().any(char::is_control) {
        return Err(format!("a memo is 1 to {LONGEST_MEMO} bytes of text"));
    }
    Ok(())
}
