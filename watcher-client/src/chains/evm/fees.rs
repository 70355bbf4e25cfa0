//! What is offered for gas (EIP-1559), and the ceilings above which nothing is offered. Knows no node.

use alloy_primitives::U256;
use appliance_wire::Amount;

use super::{ETHER_DECIMALS, amount, units};
use crate::chains::DraftError;

const GWEI: u128 = 1_000_000_000;

/// Wei for each unit of gas.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Price {
    /// The most that is paid.
    pub(super) most: u128,
    /// What of it goes to whoever makes the block.
    pub(super) tip: u128,
}

/// What the network asks for now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Market {
    /// Wei for each unit of gas in the last block. The next block's is at most an eighth higher.
    pub(super) base: u128,
    /// The tip that the node advises.
    pub(super) tip: u128,
}

/// The most that is offered, by the config.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ceilings {
    /// For a transaction, in wei.
    pub(super) fee: Amount,
    /// For a unit of gas, in gwei.
    pub(super) rate: Option<u64>,
}

impl Price {
    /// The most that so much gas costs.
    pub(super) fn of(self, gas: u64) -> U256 {
        U256::from(self.most).saturating_mul(U256::from(gas))
    }

    /// A quarter more, rounded up: nodes replace a transaction for a tenth more of both.
    fn bumped(self) -> Self {
        let more = |price: u128| price.saturating_add(price.div_ceil(4).max(1));
        Self { most: more(self.most), tip: more(self.tip) }
    }

    pub(super) fn or_higher(self, other: Self) -> Self {
        Self { most: self.most.max(other.most), tip: self.tip.max(other.tip) }
    }
}

impl Market {
    /// Twice the base fee holds for at least five blocks that are full; under a ceiling, as much as it allows, where
    /// that pays for a block now.
    pub(super) fn price(self, ceilings: &Ceilings, gas: u64) -> Result<Price, DraftError> {
        let least = Price { most: self.base.saturating_add(self.tip), tip: self.tip };
        ceilings.check(least, gas)?;
        let usual = self.base.saturating_mul(2).saturating_add(self.tip);
        Ok(Price { most: usual.min(ceilings.most(gas)), ..least })
    }

    /// What replaces transactions of the same nonce, of which the dearest offered `before`.
    pub(super) fn price_instead_of(self, before: Price, ceilings: &Ceilings, gas: u64) -> Result<Price, DraftError> {
        let price = before.bumped().or_higher(self.price(ceilings, gas)?);
        ceilings.check(price, gas)?;
        Ok(price)
    }
}

impl Ceilings {
    /// The most for a unit of so much gas.
    fn most(&self, gas: u64) -> u128 {
        let by_fee = units(self.fee).checked_div(U256::from(gas)).unwrap_or(U256::MAX);
        let by_fee = u128::try_from(by_fee).unwrap_or(u128::MAX);
        self.rate.map_or(by_fee, |rate| by_fee.min(wei(rate)))
    }

    fn check(&self, price: Price, gas: u64) -> Result<(), DraftError> {
        if let Some(rate) = self.rate.filter(|rate| price.most > wei(*rate)) {
            let fee = amount(U256::from(price.most)).to_decimal(9).as_str().to_owned();
            return Err(DraftError::TooDear { fee, unit: "gwei", key: "max_fee_rate", most: rate.to_string() });
        }
        let fee = price.of(gas);
        if fee > units(self.fee) {
            let text = |wei: Amount| wei.to_decimal(ETHER_DECIMALS).as_str().to_owned();
            let (fee, most) = (text(amount(fee)), text(self.fee));
            return Err(DraftError::TooDear { fee, unit: "ether", key: "max_fee", most });
        }
        Ok(())
    }
}

fn wei(gwei: u64) -> u128 {
    u128::from(gwei) * GWEI
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAS: u64 = 21_000;

    fn ceilings(ether: &str, rate: Option<u64>) -> Ceilings {
        let ether: appliance_wire::Decimal = ether.parse().unwrap();
        Ceilings { fee: ether.to_amount(ETHER_DECIMALS).unwrap(), rate }
    }

    fn market(base: u128, tip: u128) -> Market {
        Market { base: base * GWEI, tip: tip * GWEI }
    }

    fn gwei(most: u128, tip: u128) -> Price {
        Price { most: most * GWEI, tip: tip * GWEI }
    }

    fn refused_by(result: Result<Price, DraftError>) -> (String, &'static str, String) {
        match result {
            Err(DraftError::TooDear { fee, key, most, .. }) => (fee, key, most),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn twice_the_base_fee_is_offered_and_under_a_ceiling_what_it_allows() {
        let price = |rate| market(30, 2).price(&ceilings("1", rate), GAS).unwrap();
        assert_eq!(price(None), gwei(62, 2));
        assert_eq!(price(Some(62)), gwei(62, 2));
        assert_eq!(price(Some(40)), gwei(40, 2));
        assert_eq!(price(Some(32)), gwei(32, 2));
        let by_fee = market(30, 2).price(&ceilings("0.00084", None), GAS).unwrap();
        assert_eq!(by_fee, gwei(40, 2));
    }

    #[test]
    fn a_block_that_costs_more_than_a_ceiling_is_too_dear() {
        let by_rate = market(30, 2).price(&ceilings("1", Some(31)), GAS);
        assert_eq!(refused_by(by_rate), ("32".to_owned(), "max_fee_rate", "31".to_owned()));
        let by_fee = market(30, 2).price(&ceilings("0.00067", Some(40)), GAS);
        assert_eq!(refused_by(by_fee), ("0.000672".to_owned(), "max_fee", "0.00067".to_owned()));
    }

    #[test]
    fn a_replacement_offers_a_quarter_more_or_what_the_network_asks() {
        let instead = |market: Market, before| market.price_instead_of(before, &ceilings("1", Some(200)), GAS);
        assert_eq!(instead(market(1, 1), gwei(40, 4)).unwrap(), gwei(50, 5));
        assert_eq!(instead(market(60, 1), gwei(40, 4)).unwrap(), gwei(121, 5));
        let nothing = instead(market(0, 0), Price { most: 7, tip: 0 }).unwrap();
        assert_eq!(nothing, Price { most: 9, tip: 1 }, "a tip of nothing is raised, too");
        assert_eq!(refused_by(instead(market(1, 1), gwei(161, 4))).1, "max_fee_rate");
    }
}
