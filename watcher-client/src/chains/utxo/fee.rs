//! Fees: what a transaction of some size must pay, and what none may.

use appliance_wire::Chain;
use bitcoin::{FeeRate, Script};

use super::coin_name;
use crate::chains::DraftError;

/// Base units for 1,000 virtual bytes, as nodes count.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Rate(pub(super) u64);

/// What the network asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates {
    /// To be mined soon.
    pub(super) wanted: Rate,
    /// By how much a transaction must pay more than those it replaces, for its own size (BIP 125, rule 4).
    pub(super) incremental: Rate,
}

/// What one transaction must pay.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FeeRule {
    pub(super) rate: Rate,
    /// What it must pay whatever its size.
    pub(super) least: u64,
    /// What it replaces has paid, and what relaying it once more costs.
    pub(super) replaced: Option<(u64, Rate)>,
}

/// What none may pay.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ceilings {
    pub(super) fee: u64,
    /// Base units for one virtual byte.
    pub(super) rate: Option<u64>,
}

impl Rate {
    /// For so many virtual bytes, rounded up.
    pub(super) fn of(self, vbytes: u64) -> u64 {
        self.0.saturating_mul(vbytes).div_ceil(1_000)
    }

    /// What a fee is for a virtual byte, rounded up.
    fn paid(fee: u64, vbytes: u64) -> Self {
        Self(fee.saturating_mul(1_000).div_ceil(vbytes.max(1)))
    }
}

impl FeeRule {
    /// For a transaction that nobody has seen.
    pub(super) fn fresh(rates: Rates) -> Self {
        Self { rate: rates.wanted, ..Self::default() }
    }

    /// For one in place of others, of these fees and sizes in virtual bytes: a quarter more than the dearest, in all and
    /// for a byte, and what the relay rule asks.
    pub(super) fn replacing(rates: Rates, before: &[(u64, u64)]) -> Self {
        let more = |value: u64| value.saturating_add(value.div_ceil(4));
        let fee = before.iter().map(|(fee, _)| *fee).max().unwrap_or(0);
        let rate = before.iter().map(|(fee, vbytes)| Rate::paid(*fee, *vbytes)).max().unwrap_or_default();
        Self { rate: rates.wanted.max(Rate(more(rate.0))), least: more(fee), replaced: Some((fee, rates.incremental)) }
    }

    /// The fee for so many virtual bytes.
    pub(super) fn fee(&self, vbytes: u64) -> u64 {
        let relayed = self.replaced.map_or(0, |(fee, rate)| fee.saturating_add(rate.of(vbytes)));
        self.rate.of(vbytes).max(self.least).max(relayed)
    }
}

impl Ceilings {
    /// Lets a transaction through that needs no more than `needed` and pays `paid`: a rest too small to be an output
    /// makes the fee larger, but not the rate the network asks for.
    pub(super) fn check(&self, chain: Chain, needed: u64, paid: u64, vbytes: u64) -> Result<(), DraftError> {
        if let Some(most) = self.rate.filter(|most| needed > most.saturating_mul(vbytes)) {
            let rate = Rate::paid(needed, vbytes);
            let (fee, most) = (format!("{}.{:03}", rate.0 / 1_000, rate.0 % 1_000), most.to_string());
            return Err(DraftError::TooDear { fee, unit: "base units per virtual byte", key: "max_fee_rate", most });
        }
        if paid > self.fee {
            let unit = coin_name(chain);
            return Err(DraftError::TooDear { fee: coins(paid), unit, key: "max_fee", most: coins(self.fee) });
        }
        Ok(())
    }
}

/// An amount in coins.
pub(super) fn coins(sats: u64) -> String {
    decimal(sats).to_string()
}

/// Likewise.
pub(super) fn decimal(sats: u64) -> appliance_wire::Decimal {
    appliance_wire::Amount::from_units(sats).to_decimal(8)
}

/// Below this an output costs more to spend than nodes deem sensible, and they do not relay it. Litecoin's nodes draw
/// the line at ten times Bitcoin's (`DUST_RELAY_TX_FEE`).
pub(super) fn dust(chain: Chain, script: &[u8]) -> u64 {
    let script = Script::from_bytes(script);
    let is_litecoin = matches!(chain, Chain::Litecoin | Chain::LitecoinRegtest);
    let rate = FeeRate::from_sat_per_kwu(if is_litecoin { 7_500 } else { 750 });
    script.minimal_non_dust_custom(rate).to_sat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: Rates = Rates { wanted: Rate(2_000), incremental: Rate(1_000) };

    #[test]
    fn a_fee_is_the_rate_times_the_size_rounded_up() {
        assert_eq!(FeeRule::fresh(RATES).fee(141), 282);
        assert_eq!(Rate(1_001).of(141), 142);
        assert_eq!(Rate(u64::MAX).of(u64::MAX), u64::MAX / 1_000 + 1);
    }

    #[test]
    fn a_replacement_pays_a_quarter_more_and_what_relaying_it_costs() {
        // A quarter more than 2,000 in all; a quarter more than 20 a byte where it is larger.
        let rule = FeeRule::replacing(RATES, &[(1_000, 100), (2_000, 100)]);
        assert_eq!((rule.fee(50), rule.fee(100), rule.fee(200)), (2_500, 2_500, 5_000));
        // A quarter of a low fee is less than relaying it once more costs.
        let low = FeeRule::replacing(RATES, &[(200, 200)]);
        assert_eq!(low.fee(200), 400);
        let relay = Rates { wanted: Rate(1_000), incremental: Rate(3_000) };
        assert_eq!(FeeRule::replacing(relay, &[(200, 200)]).fee(200), 800);
        // The network asks for more.
        let busy = Rates { wanted: Rate(90_000), ..RATES };
        assert_eq!(FeeRule::replacing(busy, &[(2_000, 100)]).fee(100), 9_000);
    }

    #[test]
    fn what_is_above_a_ceiling_is_too_dear() {
        let ceilings = Ceilings { fee: 1_000, rate: Some(5) };
        assert!(ceilings.check(Chain::Bitcoin, 500, 1_000, 100).is_ok());
        let rate = ceilings.check(Chain::Bitcoin, 501, 501, 100).unwrap_err().to_string();
        let asked = "the fee would be 5.010 base units per virtual byte, and `max_fee_rate` of the config allows 5";
        assert_eq!(rate, asked);
        let fee = ceilings.check(Chain::Litecoin, 500, 1_001, 100).unwrap_err().to_string();
        assert_eq!(fee, "the fee would be 0.00001001 LTC, and `max_fee` of the config allows 0.00001");
        assert!(Ceilings { rate: None, ..ceilings }.check(Chain::Bitcoin, 999, 999, 1).is_ok());
    }

    /// What Bitcoin Core and Litecoin Core call dust.
    #[test]
    fn dust_is_what_the_nodes_call_dust() {
        let (native, legacy) =
            ([&[0x00, 0x14][..], &[7; 20]].concat(), [&[0x76, 0xa9, 0x14][..], &[7; 20], &[0x88, 0xac]].concat());
        assert_eq!((dust(Chain::Bitcoin, &native), dust(Chain::Bitcoin, &legacy)), (294, 546));
        assert_eq!((dust(Chain::Litecoin, &native), dust(Chain::Litecoin, &legacy)), (2_940, 5_460));
    }
}
