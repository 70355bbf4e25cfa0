//! What a request pays, in base units of the policy's assets, one sum a destination.

use appliance_wire::{Amount, Decimal, Fee, Payment, ProblemCode, Transfer};

use crate::{
    evidence::Facts,
    policy::{Asset, Level, Policy, PolicyKey},
    refusal::Refusal,
};

/// The payments of one request. A `blind` request has unknown ones.
#[derive(Clone, Debug)]
pub enum Payments {
    /// Nothing is known: only count, time and freeze can be decided on.
    Unknown,
    /// Known, or declared to be, this.
    Known(Box<KnownPayments>),
}

/// Sums by destination, and the fee.
#[derive(Clone, Debug)]
pub struct KnownPayments {
    pub(super) asset: Asset,
    /// (destination in its normal form, sum); each destination once.
    pub(super) outputs: Vec<(String, Amount)>,
    pub(super) total: Amount,
    pub(super) fee: Option<(Asset, Amount)>,
}

impl Payments {
    /// Reads the facts with the policy's assets.
    ///
    /// # Errors
    /// `evidence-required`, `denied` or `malformed`, with the member that does not fit.
    pub fn resolve(policy: &Policy, key: &PolicyKey, facts: &Facts) -> Result<Self, Refusal> {
        match (key.evidence, &facts.transfer) {
            (Level::Blind, None) => Ok(Self::Unknown),
            (Level::Blind, Some(_)) => {
                let detail = format!("key {} is `blind`: leave transfer out, nothing would look at it", key.name);
                Err(Refusal::new(ProblemCode::Malformed, detail))
            }
            (Level::Declared, Some(transfer)) => Ok(Self::Known(Box::new(known(policy, key, transfer)?))),
            (Level::Declared, None) => {
                let detail = format!("key {} is `declared`: say in transfer what this pays", key.name);
                Err(Refusal::new(ProblemCode::EvidenceRequired, detail))
            }
            (Level::Verified, _) => {
                let detail = format!("key {} is `verified`: send the unsigned transaction as evidence", key.name);
                Err(Refusal::new(ProblemCode::EvidenceRequired, detail))
            }
        }
    }

    /// As an entry records them.
    #[must_use]
    pub fn for_entry(&self) -> Vec<Payment> {
        let Self::Known(known) = self else { return Vec::new() };
        let outputs = known.outputs.iter();
        outputs
            .map(|(destination, amount)| Payment {
                asset: known.asset.name.clone(),
                destination: destination.clone(),
                amount: amount.to_decimal(known.asset.decimals),
            })
            .collect()
    }

    /// As an entry records it.
    #[must_use]
    pub fn fee_for_entry(&self) -> Option<Fee> {
        let Self::Known(known) = self else { return None };
        let (asset, amount) = known.fee.as_ref()?;
        Some(Fee { asset: asset.name.clone(), amount: amount.to_decimal(asset.decimals) })
    }
}

fn known(policy: &Policy, key: &PolicyKey, transfer: &Transfer) -> Result<KnownPayments, Refusal> {
    let asset = policy.asset(&transfer.asset).filter(|asset| key.assets.contains(&asset.name)).ok_or_else(|| {
        let detail =
            format!("key {} does not pay asset {}; its assets are {}", key.name, transfer.asset, key.assets.join(", "));
        Refusal::new(ProblemCode::Denied, detail).rule("assets")
    })?;
    let mut outputs: Vec<(String, Amount)> = Vec::new();
    let mut total = Amount::ZERO;
    for (place, output) in transfer.outputs.iter().enumerate() {
        let destination = asset.chain.normal_destination(&output.destination);
        let destination =
            destination.map_err(|error| malformed(format!("transfer.outputs[{place}].destination: {error}")))?;
        let amount = in_units(&output.amount, asset, &format!("transfer.outputs[{place}].amount"))?;
        total = sum(total, amount)?;
        match outputs.iter_mut().find(|(known, _)| *known == destination) {
            Some((_, paid)) => *paid = sum(*paid, amount)?,
            None => outputs.push((destination, amount)),
        }
    }
    Ok(KnownPayments { asset: asset.clone(), outputs, total, fee: fee(policy, asset, transfer)? })
}

fn fee(policy: &Policy, asset: &Asset, transfer: &Transfer) -> Result<Option<(Asset, Amount)>, Refusal> {
    let Some(fee) = &transfer.fee else { return Ok(None) };
    let native = policy.native_asset(&asset.chain).ok_or_else(|| {
        let detail = format!("the policy has no native asset for the chain of {}: a fee cannot be counted", asset.name);
        Refusal::new(ProblemCode::Denied, detail).rule("assets")
    })?;
    Ok(Some((native.clone(), in_units(fee, native, "transfer.fee")?)))
}

fn in_units(amount: &Decimal, asset: &Asset, place: &str) -> Result<Amount, Refusal> {
    amount.to_amount(asset.decimals).map_err(|error| malformed(format!("{place}: {error}")))
}

fn sum(left: Amount, right: Amount) -> Result<Amount, Refusal> {
    left.checked_add(right).ok_or_else(|| malformed("the sum of the amounts does not fit 256 bits"))
}

fn malformed(detail: impl Into<String>) -> Refusal {
    Refusal::new(ProblemCode::Malformed, detail)
}
