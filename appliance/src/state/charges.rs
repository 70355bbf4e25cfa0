//! What a request counts for, limit by limit.

use appliance_wire::{Accepted, Amount, Body, Decimal, Fee, Payment, Recovered, TokenEvent};
use hsm_types::KeyLabel;

use super::variant::increase;
use crate::policy::{Limit, Max, Per, Policy};

/// One amount (or number of signatures) to count under one limit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Charge {
    /// Position of the limit in the policy.
    pub limit: usize,
    /// The key, watcher or destination it is counted for; empty where one sum serves all.
    pub scope: String,
    /// How much.
    pub amount: Amount,
}

/// The part of a request that limits look at.
#[derive(Clone, Copy, Debug)]
pub struct Counted<'a> {
    /// Who asks.
    pub watcher: &'a str,
    /// The key family.
    pub key: &'a KeyLabel,
    /// How many signatures.
    pub signatures: u64,
    /// The payments, one a destination.
    pub payments: &'a [Payment],
    /// A payment of the native asset to nobody in particular: under `per = "destination"` it has a sum of its own.
    pub fee: Option<&'a Fee>,
    /// Of a variant, by what its fee, and its payments and fee together, exceed what its withdrawal was charged before.
    pub increase: Option<(Amount, Amount)>,
}

/// What an entry counts against every limit, whatever it is for, in percent of it: as much as may be missing from the log.
#[must_use]
pub fn percent_everywhere(body: &Body) -> Option<u8> {
    if let Body::Boot(boot) = body {
        return boot.unanchored_percent;
    }
    let is_taken_over = matches!(body, Body::Token(token) if matches!(token.event, TokenEvent::HoldsLog(_)));
    (is_taken_over || matches!(body, Body::Recovered(Recovered::Log(_)))).then_some(100)
}

/// What an acceptance counts for under `policy`.
///
/// # Errors
/// An amount that the asset of the policy cannot express.
pub fn charges_of(policy: &Policy, accepted: &Accepted) -> Result<Vec<Charge>, String> {
    let counted = Counted {
        watcher: &accepted.watcher,
        key: &accepted.key,
        signatures: accepted.items.len() as u64,
        payments: &accepted.payments,
        fee: accepted.fee.as_ref(),
        increase: increase(accepted)?,
    };
    counted.charges(policy)
}

impl Counted<'_> {
    /// Limit by limit.
    ///
    /// # Errors
    /// An amount that the asset of the policy cannot express.
    pub fn charges(&self, policy: &Policy) -> Result<Vec<Charge>, String> {
        let mut charges = Vec::new();
        let limits = policy.limits.iter().enumerate().filter(|(_, limit)| limit.keys.contains(self.key));
        for (place, limit) in limits {
            for (destination, amount) in self.amounts(policy, limit)? {
                let scope = match limit.per {
                    None => "",
                    Some(Per::Key) => self.key.as_str(),
                    Some(Per::Watcher) => self.watcher,
                    Some(Per::Destination) => destination,
                };
                add(&mut charges, Charge { limit: place, scope: scope.to_owned(), amount })?;
            }
        }
        Ok(charges)
    }

    /// (destination, amount) of everything `limit` counts.
    fn amounts(&self, policy: &Policy, limit: &Limit) -> Result<Vec<(&str, Amount)>, String> {
        if let Max::Signatures(_) = limit.max {
            return Ok(vec![("", Amount::from_units(self.signatures))]);
        }
        let Some(asset) = limit.asset.as_deref().and_then(|name| policy.asset(name)) else { return Ok(Vec::new()) };
        let units = |amount: &Decimal| amount.to_amount(asset.decimals).map_err(|error| error.to_string());
        let fee = self.fee.filter(|fee| fee.asset == asset.name);
        if let Some((more_fee, more)) = self.increase {
            // A variant pays nobody more than the withdrawal was charged for; only its costs can grow.
            let more = if limit.per == Some(Per::Destination) { more_fee } else { more };
            return Ok(fee.filter(|_| more > Amount::ZERO).map(|_| (FEE, more)).into_iter().collect());
        }
        let payments = self.payments.iter().filter(|payment| payment.asset == asset.name);
        let payments = payments.map(|payment| Ok((payment.destination.as_str(), units(&payment.amount)?)));
        payments.chain(fee.map(|fee| Ok((FEE, units(&fee.amount)?)))).collect()
    }
}

fn add(charges: &mut Vec<Charge>, charge: Charge) -> Result<(), String> {
    match charges.iter_mut().find(|other| other.limit == charge.limit && other.scope == charge.scope) {
        Some(other) => {
            let sum = other.amount.checked_add(charge.amount);
            other.amount = sum.ok_or("the sum of its amounts does not fit 256 bits")?;
        }
        None => charges.push(charge),
    }
    Ok(())
}

/// The destination of fees: no address is spelled so.
const FEE: &str = "fee";
