//! One withdrawal, at most one payment: what a transaction uses up is held for its withdrawal, and a variant of it must
//! use up something that every variant before it uses up, so that no chain can hold two of them.

use appliance_wire::{Accepted, Body, Decimal, Payment, ProblemCode, TransactionFacts, Variant};

use super::{Application, stop::Stop};
use crate::{
    refusal::Refusal,
    state::{Binding, BindingKey, Bindings, Outcome, State, charged, withdrawal_of},
};

/// What a request is to the one it replaces.
#[derive(Debug, Default)]
pub(super) struct Replaced {
    /// Its place among the variants of its withdrawal; none for a fresh withdrawal.
    pub(super) variant: Option<Variant>,
    /// The one that waits, and is withdrawn by this.
    pub(super) withdraws: Option<u64>,
}

/// Looks at what the request replaces. What was never accepted cannot be paid: what replaces it is a fresh withdrawal.
pub(super) fn replaced<B: Bindings>(
    state: &State,
    bindings: &B,
    application: &Application<'_>,
    accepted: &Accepted,
) -> Result<Replaced, Stop<B::Error>> {
    let Some(name) = &application.command.request.replaces else { return Ok(Replaced::default()) };
    let transaction = accepted.transaction.as_ref().ok_or_else(|| {
        let detail = "replaces needs a `verified` key: only transactions the appliance reads itself can be compared";
        Refusal::new(ProblemCode::EvidenceRequired, detail)
    })?;
    let key = BindingKey::request(application.watcher, name.as_str());
    let binding = bindings.binding(&key).map_err(Stop::Unreadable)?.ok_or_else(|| {
        let detail = format!("replaces names {name}, which is no accepted request of this watcher");
        Refusal::new(ProblemCode::UnknownRequest, detail)
    })?;
    if state.pending.contains_key(&binding.accepted) {
        return Ok(Replaced { variant: None, withdraws: Some(binding.accepted) });
    }
    let bound = bindings.entry(binding.accepted).map_err(Stop::Unreadable)?;
    if matches!(bound.body, Body::Pending(_)) {
        return Ok(Replaced::default());
    }
    let replaced = acceptance(bindings, binding.accepted)?;
    if state.may_have_lost_variants(&bound) {
        let detail = format!("{name} is from before the log was recovered, and variants of it may be lost");
        return Err(refused(detail).into());
    }
    let first_index = withdrawal_of(binding.accepted, &replaced);
    let newest = bindings.binding(&BindingKey::withdrawal(first_index)).map_err(Stop::Unreadable)?;
    if newest.is_some_and(is_released) {
        return Err(refused(format!("officers released what {name} held: ask for a fresh withdrawal")).into());
    }
    let newest = acceptance(bindings, newest.map_or(first_index, |binding| binding.accepted))?;
    let first = acceptance(bindings, first_index)?;
    same_family(&first, accepted, transaction)?;
    pays_no_more(&first, accepted)?;
    let variant = Variant {
        replaces: name.clone(),
        first: first_index,
        pivots: pivots(&newest, transaction)?,
        charged_before: charged(&newest).map_err(refused)?,
    };
    Ok(Replaced { variant: Some(variant), withdraws: None })
}

/// What is bound as the newest variant of a withdrawal that officers released.
fn is_released(newest: Binding) -> bool {
    matches!(newest.outcome, Outcome::Lapsed(_))
}

fn acceptance<B: Bindings>(bindings: &B, index: u64) -> Result<Accepted, Stop<B::Error>> {
    let entry = bindings.entry(index).map_err(Stop::Unreadable)?;
    let accepted = entry.body.asked_for().cloned();
    let none = || Refusal::log_unavailable(format!("entry {index} is not the acceptance it is bound as"));
    Ok(accepted.ok_or_else(none)?)
}

fn same_family(first: &Accepted, accepted: &Accepted, transaction: &TransactionFacts) -> Result<(), Refusal> {
    if first.key != accepted.key {
        return Err(refused(format!("the withdrawal is paid from {}, this from {}", first.key, accepted.key)));
    }
    match &first.transaction {
        Some(other) if other.chain == transaction.chain => Ok(()),
        Some(other) => Err(refused(format!("the withdrawal is on {}, this on {}", other.chain, transaction.chain))),
        None => Err(refused("the withdrawal was accepted without a transaction to compare with".to_owned())),
    }
}

/// What every variant uses up, this one included.
fn pivots(newest: &Accepted, transaction: &TransactionFacts) -> Result<Vec<String>, Refusal> {
    let so_far = match (&newest.variant, &newest.transaction) {
        (Some(variant), _) => &variant.pivots,
        (None, Some(first)) => &first.holds,
        (None, None) => return Err(refused("the withdrawal was accepted without a transaction".to_owned())),
    };
    let shared: Vec<String> = so_far.iter().filter(|hold| transaction.holds.contains(hold)).cloned().collect();
    if shared.is_empty() {
        let detail = format!(
            "it uses up nothing that all variants of the withdrawal use up, so both could be paid: spend one of {}",
            so_far.join(", ")
        );
        return Err(refused(detail));
    }
    Ok(shared)
}

/// For each asset and destination at most what the first variant paid; the same call, or nothing at all.
fn pays_no_more(first: &Accepted, accepted: &Accepted) -> Result<(), Refusal> {
    let call = |accepted: &Accepted| accepted.transaction.as_ref().and_then(|transaction| transaction.call.clone());
    let cancels = accepted.payments.is_empty() && call(accepted).is_none();
    if !cancels && call(first) != call(accepted) {
        return Err(refused("its call data is not that of the withdrawal, byte for byte".to_owned()));
    }
    for payment in &accepted.payments {
        let before = first
            .payments
            .iter()
            .find(|before| before.asset == payment.asset && before.destination == payment.destination);
        let Payment { asset, destination, amount } = payment;
        match before {
            None => return Err(refused(format!("the withdrawal did not pay {asset} to {destination}"))),
            Some(before) if exceeds(amount, &before.amount) => {
                let before = &before.amount;
                return Err(refused(format!("the withdrawal paid {before} {asset} to {destination}, this {amount}")));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn exceeds(amount: &Decimal, before: &Decimal) -> bool {
    // Amounts of one asset have at most its decimals; one that cannot be read exceeds.
    match (amount.to_amount(MOST_DECIMALS), before.to_amount(MOST_DECIMALS)) {
        (Ok(amount), Ok(before)) => amount > before,
        _ => amount != before,
    }
}

/// A reference belongs for ever to the first withdrawal, destination and amount that used it.
pub(super) fn references_free<B: Bindings>(
    bindings: &B,
    application: &Application<'_>,
    accepted: &Accepted,
) -> Result<(), Stop<B::Error>> {
    // Many references are held by one variant, whose entry is as long as they are many.
    let mut last: Option<(u64, Accepted)> = None;
    for output in accepted.transfer.iter().flat_map(|transfer| &transfer.outputs) {
        let Some(reference) = &output.reference else { continue };
        let key = BindingKey::reference(application.watcher, reference.as_str());
        let Some(binding) = bindings.binding(&key).map_err(Stop::Unreadable)? else { continue };
        let (_, holder) = match last.take().filter(|(index, _)| *index == binding.accepted) {
            Some(known) => last.insert(known),
            None => last.insert((binding.accepted, acceptance(bindings, binding.accepted)?)),
        };
        let of_this_withdrawal =
            accepted.variant.as_ref().is_some_and(|variant| variant.first == withdrawal_of(binding.accepted, holder));
        let mut outputs = holder.transfer.iter().flat_map(|transfer| &transfer.outputs);
        let same = outputs.find(|other| other.reference.as_ref() == Some(reference)).is_some_and(|other| {
            other.amount == output.amount && other.destination.eq_ignore_ascii_case(&output.destination)
        });
        if of_this_withdrawal && same {
            continue;
        }
        let held_by = holder.request_id.as_str();
        let detail = format!(
            "reference {reference} was paid by request {held_by}: ask for that request's result instead of paying again"
        );
        return Err(Refusal::new(ProblemCode::RequestConflict, detail).held_by(held_by).into());
    }
    Ok(())
}

/// What the transaction uses up must be free, or held by its own withdrawal: returns what was free. What the requests of
/// `own`, which wait, hold is free for it.
pub(super) fn holds_free<B: Bindings>(
    state: &State,
    bindings: &B,
    application: &Application<'_>,
    accepted: &Accepted,
    own: [Option<u64>; 2],
) -> Result<Vec<String>, Stop<B::Error>> {
    let mut free = Vec::new();
    for hold in accepted.transaction.iter().flat_map(|transaction| &transaction.holds) {
        if hold_free(state, bindings, application, accepted, hold, own)? {
            free.push(hold.clone());
        }
    }
    Ok(free)
}

/// One thing the transaction uses up must be free, which this then says, or held by its own withdrawal.
pub(super) fn hold_free<B: Bindings>(
    state: &State,
    bindings: &B,
    application: &Application<'_>,
    accepted: &Accepted,
    hold: &str,
    own: [Option<u64>; 2],
) -> Result<bool, Stop<B::Error>> {
    let read = |key: &BindingKey| bindings.binding(key).map_err(Stop::Unreadable);
    let Some(binding) = read(&BindingKey::hold(hold))? else { return Ok(true) };
    if binding.outcome == Outcome::Waiting {
        // What waited and was not accepted holds nothing any more.
        if own.contains(&Some(binding.accepted)) || !state.pending.contains_key(&binding.accepted) {
            return Ok(true);
        }
    } else if accepted.variant.as_ref().is_some_and(|variant| variant.first == binding.accepted) {
        return Ok(false);
    } else if read(&BindingKey::withdrawal(binding.accepted))?.is_some_and(is_released) {
        return Ok(true);
    }
    let holder = acceptance(bindings, binding.accepted)?;
    if holder.watcher != application.watcher {
        let detail = format!("{hold} is held by a withdrawal of another watcher: spend something else");
        return Err(Refusal::new(ProblemCode::InputReserved, detail).into());
    }
    let held_by = holder.request_id.as_str();
    let detail = format!(
        "{hold} is held by withdrawal {held_by}, signed or not: spend something else, or say replaces to make this a \
         variant of it"
    );
    Err(Refusal::new(ProblemCode::InputReserved, detail).held_by(held_by).into())
}

fn refused(detail: String) -> Refusal {
    Refusal::new(ProblemCode::Denied, format!("this is no replacement: {detail}")).rule("replacement")
}

/// More than any asset has.
const MOST_DECIMALS: u8 = 36;
