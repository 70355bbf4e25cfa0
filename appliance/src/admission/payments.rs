//! What a request pays, in base units of the policy's assets, one sum a destination.

use appliance_wire::{
    Amount, Asked, CallFacts, Chain, Change, ChangeTo, Decimal, Fee, Payment, ProblemCode, TransactionFacts,
    TransactionOutput, Transfer,
};
use hsm_types::KeyLabel;

use crate::{
    evidence::Facts,
    policy::{Asset, KeyState, Level, Policy, PolicyKey},
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
    /// Each destination once.
    pub(super) outputs: Vec<Paid>,
    pub(super) total: Amount,
    pub(super) fee: Option<(Asset, Amount)>,
    pub(super) call: Option<CallFacts>,
    /// What goes back to the family, in base units of `asset`.
    change: Vec<(String, Amount)>,
    /// Whether the appliance read all this itself.
    pub(super) verified: bool,
}

/// A destination and what it gets.
#[derive(Clone, Debug)]
pub(super) struct Paid {
    /// In its normal form.
    pub(super) destination: String,
    pub(super) amount: Amount,
    /// The key of ours it belongs to.
    pub(super) owner: Option<KeyLabel>,
}

/// Whose addresses are, as far as they are ours.
pub(super) type Owners<'a> = &'a dyn Fn(&str) -> Option<KeyLabel>;

impl Payments {
    /// Reads the facts with the policy's assets.
    ///
    /// # Errors
    /// `evidence-required`, `digest-mismatch`, `denied` or `malformed`, with the member that does not fit.
    pub(super) fn resolve(
        policy: &Policy,
        key: &PolicyKey,
        facts: &Facts,
        owners: Owners<'_>,
    ) -> Result<Self, Refusal> {
        match (key.evidence, &facts.transfer, &facts.transaction) {
            (Level::Blind, None, _) => Ok(Self::Unknown),
            (Level::Blind, Some(_), _) => {
                let detail = format!("key {} is `blind`: leave transfer out, nothing would look at it", key.name);
                Err(Refusal::new(ProblemCode::Malformed, detail))
            }
            (Level::Declared, Some(transfer), _) => Ok(Self::Known(Box::new(declared(policy, key, transfer, owners)?))),
            (Level::Declared, None, _) => {
                let detail = format!("key {} is `declared`: say in transfer what this pays", key.name);
                Err(Refusal::new(ProblemCode::EvidenceRequired, detail))
            }
            (Level::Verified, transfer, Some(transaction)) => {
                let read = verified(policy, key, transaction, owners)?;
                if let Some(transfer) = transfer {
                    agree(&declared(policy, key, transfer, owners)?, &read)?;
                }
                Ok(Self::Known(Box::new(read)))
            }
            (Level::Verified, _, None) => {
                let detail = format!("key {} is `verified`: send the unsigned transaction as evidence", key.name);
                Err(Refusal::new(ProblemCode::EvidenceRequired, detail))
            }
        }
    }

    /// As a refusal recorded them, with the owner of each destination.
    pub(super) fn recorded(
        policy: &Policy,
        key: &PolicyKey,
        asked: &Asked,
        owners: &[Option<KeyLabel>],
    ) -> Result<Self, Refusal> {
        let fee = asked.fee.as_ref().map(|fee| &fee.asset);
        let name = asked.payments.first().map(|payment| &payment.asset).or(fee);
        let asset = name.and_then(|name| policy.asset(name)).filter(|asset| key.assets.contains(&asset.name));
        let gone =
            || Refusal::new(ProblemCode::Denied, format!("key {} does not pay that asset", key.name)).rule("assets");
        let mut known = KnownPayments::none(asset.ok_or_else(gone)?, key.evidence == Level::Verified);
        for (payment, owner) in asked.payments.iter().zip(owners) {
            let amount = in_units(&payment.amount, known.asset.decimals, "a payment")?;
            known.pay(payment.destination.clone(), amount, &|_| owner.clone())?;
        }
        if let Some(fee) = &asked.fee {
            let native = policy.asset(&fee.asset).ok_or_else(gone)?;
            known.fee = Some((native.clone(), in_units(&fee.amount, native.decimals, "the fee")?));
        }
        Ok(Self::Known(Box::new(known)))
    }

    /// What they are, where they are known.
    pub(super) fn known(&self) -> Option<&KnownPayments> {
        match self {
            Self::Unknown => None,
            Self::Known(known) => Some(known),
        }
    }

    /// As an entry records them.
    #[must_use]
    pub fn for_entry(&self) -> Vec<Payment> {
        let payment = |known: &KnownPayments, paid: &Paid| Payment {
            asset: known.asset.name.clone(),
            destination: paid.destination.clone(),
            amount: paid.amount.to_decimal(known.asset.decimals),
        };
        self.known().into_iter().flat_map(|known| known.outputs.iter().map(move |paid| payment(known, paid))).collect()
    }

    /// As an entry records what is no payment.
    #[must_use]
    pub fn change_for_entry(&self) -> Vec<Change> {
        let change = |known: &KnownPayments, (destination, amount): &(String, Amount)| Change {
            asset: known.asset.name.clone(),
            destination: destination.clone(),
            amount: amount.to_decimal(known.asset.decimals),
        };
        self.known().into_iter().flat_map(|known| known.change.iter().map(move |paid| change(known, paid))).collect()
    }

    /// As an entry records it.
    #[must_use]
    pub fn fee_for_entry(&self) -> Option<Fee> {
        let (asset, amount) = self.known()?.fee.as_ref()?;
        Some(Fee { asset: asset.name.clone(), amount: amount.to_decimal(asset.decimals) })
    }
}

/// In the watcher's words.
fn declared(
    policy: &Policy,
    key: &PolicyKey,
    transfer: &Transfer,
    owners: Owners<'_>,
) -> Result<KnownPayments, Refusal> {
    let asset = policy.asset(&transfer.asset).filter(|asset| key.assets.contains(&asset.name)).ok_or_else(|| {
        let detail =
            format!("key {} does not pay asset {}; its assets are {}", key.name, transfer.asset, key.assets.join(", "));
        Refusal::new(ProblemCode::Denied, detail).rule("assets")
    })?;
    let mut known = KnownPayments::none(asset, false);
    for (place, output) in transfer.outputs.iter().enumerate() {
        let destination = asset.chain.normal_destination(&output.destination);
        let destination =
            destination.map_err(|error| malformed(format!("transfer.outputs[{place}].destination: {error}")))?;
        let amount = in_units(&output.amount, asset.decimals, &format!("transfer.outputs[{place}].amount"))?;
        known.pay(destination, amount, owners)?;
    }
    if let Some(fee) = &transfer.fee {
        let native = native(policy, &asset.chain)?;
        known.fee = Some((native.clone(), in_units(fee, native.decimals, "transfer.fee")?));
    }
    Ok(known)
}

/// As the appliance read it.
fn verified(
    policy: &Policy,
    key: &PolicyKey,
    transaction: &TransactionFacts,
    owners: Owners<'_>,
) -> Result<KnownPayments, Refusal> {
    let chain: Chain = transaction.chain.parse().map_err(|error| invalid(format!("its chain: {error}")))?;
    let contract = transaction.outputs.first().and_then(|output| output.contract.as_deref());
    let asset =
        policy.asset_on(&chain, contract).filter(|asset| key.assets.contains(&asset.name)).ok_or_else(|| {
            let paid = contract.map_or_else(|| format!("the coin of {chain}"), |contract| format!("token {contract}"));
            let assets = key.assets.join(", ");
            Refusal::new(ProblemCode::Denied, format!("key {} does not pay {paid}; its assets are {assets}", key.name))
                .rule("assets")
        })?;
    let mut known = KnownPayments::none(asset, true);
    for output in &transaction.outputs {
        let amount = in_units(&output.amount, 0, "an output")?;
        if is_change(key, transaction, output, owners) {
            known.change.push((output.destination.clone(), amount));
        } else {
            known.pay(output.destination.clone(), amount, owners)?;
        }
    }
    known.fee = Some((native(policy, &chain)?.clone(), in_units(&transaction.fee, 0, "the fee")?));
    known.call = transaction.call.clone();
    Ok(known)
}

/// Whether an output pays the family it is spent from, while that is active. A call to a contract is none, whoever's the
/// contract is.
fn is_change(key: &PolicyKey, transaction: &TransactionFacts, output: &TransactionOutput, owners: Owners<'_>) -> bool {
    match &transaction.change_to {
        _ if transaction.call.is_some() || key.state != KeyState::Active => false,
        ChangeTo::Family => owners(&output.destination).as_ref() == Some(&key.name),
        ChangeTo::Address(address) => output.destination == *address,
        ChangeTo::Nobody => false,
    }
}

/// What the watcher says must be what the transaction says, where it says it.
fn agree(said: &KnownPayments, read: &KnownPayments) -> Result<(), Refusal> {
    let of = |paid: &Paid, others: &KnownPayments| {
        others.outputs.iter().any(|other| other.destination == paid.destination && other.amount == paid.amount)
    };
    let differs = if said.asset != read.asset {
        Some("asset")
    } else if said.outputs.len() != read.outputs.len() || !said.outputs.iter().all(|paid| of(paid, read)) {
        Some("outputs")
    } else if said.fee.as_ref().is_some_and(|fee| Some(fee) != read.fee.as_ref()) {
        Some("fee")
    } else {
        None
    };
    let Some(member) = differs else { return Ok(()) };
    let detail = format!(
        "transfer.{member} is not what the transaction in evidence comes to: an attack, or a watcher that is wrong about \
         its own transaction (change is left out of transfer)"
    );
    Err(Refusal::new(ProblemCode::DigestMismatch, detail))
}

impl KnownPayments {
    fn none(asset: &Asset, verified: bool) -> Self {
        Self {
            asset: asset.clone(),
            outputs: Vec::new(),
            total: Amount::ZERO,
            fee: None,
            call: None,
            change: Vec::new(),
            verified,
        }
    }

    fn pay(&mut self, destination: String, amount: Amount, owners: Owners<'_>) -> Result<(), Refusal> {
        self.total = sum(self.total, amount)?;
        match self.outputs.iter_mut().find(|paid| paid.destination == destination) {
            Some(paid) => paid.amount = sum(paid.amount, amount)?,
            None => {
                let owner = owners(&destination);
                self.outputs.push(Paid { destination, amount, owner });
            }
        }
        Ok(())
    }
}

fn native<'a>(policy: &'a Policy, chain: &Chain) -> Result<&'a Asset, Refusal> {
    policy.native_asset(chain).ok_or_else(|| {
        let detail = format!("the policy has no native asset for {chain}: a fee cannot be counted");
        Refusal::new(ProblemCode::Denied, detail).rule("assets")
    })
}

fn in_units(amount: &Decimal, decimals: u8, place: &str) -> Result<Amount, Refusal> {
    amount.to_amount(decimals).map_err(|error| malformed(format!("{place}: {error}")))
}

fn sum(left: Amount, right: Amount) -> Result<Amount, Refusal> {
    left.checked_add(right).ok_or_else(|| malformed("the sum of the amounts does not fit 256 bits"))
}

fn malformed(detail: impl Into<String>) -> Refusal {
    Refusal::new(ProblemCode::Malformed, detail)
}

fn invalid(detail: String) -> Refusal {
    Refusal::new(ProblemCode::EvidenceInvalid, detail)
}
