//! Decisions of the past taken again under another policy: rules and limits only, on the payments recorded.

use appliance_wire::{Accepted, Asked, ProblemCode, Variant};

use super::{Application, Payments, Stop, allowed, fits, owners, rules, standing, within_limits};
use crate::{
    clock::Moment,
    policy::Level,
    refusal::Refusal,
    state::{Bindings, Charge, Counted, State},
};

/// What an accepted request would count for, or why it would be refused.
///
/// # Errors
/// The log cannot be read.
pub fn accept_again<B: Bindings>(
    state: &State,
    bindings: &B,
    application: &Application<'_>,
    variant: Option<Variant>,
    moment: Moment,
) -> Result<Result<Vec<Charge>, Refusal>, B::Error> {
    let again = || {
        let policy = state.policy.as_deref().ok_or_else(standing::no_policy)?;
        let (accepted, _) = allowed(state, policy, bindings, application, moment)?;
        let accepted = Accepted { variant, ..accepted };
        Ok(within_limits(state, policy, &accepted, moment)?.0)
    };
    Stop::settle(again())
}

/// What a refused request would count for, or why it would be refused again.
///
/// # Errors
/// The log cannot be read.
pub fn ask_again<B: Bindings>(
    state: &State,
    bindings: &B,
    watcher: &str,
    asked: &Asked,
    moment: Moment,
) -> Result<Result<Vec<Charge>, Refusal>, B::Error> {
    Stop::settle(reconsider(state, bindings, watcher, asked, moment))
}

fn reconsider<B: Bindings>(
    state: &State,
    bindings: &B,
    watcher: &str,
    asked: &Asked,
    moment: Moment,
) -> Result<Vec<Charge>, Stop<B::Error>> {
    let policy = state.policy.as_deref().ok_or_else(standing::no_policy)?;
    let key = policy.granted_key(watcher, &asked.key).ok_or_else(|| standing::not_granted(&asked.key))?;
    let mut owned = Vec::new();
    for payment in &asked.payments {
        owned.push(owners::owner(state, bindings, &payment.destination).map_err(Stop::Unreadable)?);
    }
    let payments = match key.evidence {
        Level::Blind => Payments::Unknown,
        Level::Declared | Level::Verified => Payments::recorded(policy, key, asked, &owned)?,
    };
    rules::decide(policy, watcher, key, &payments, moment)?;
    let counted = Counted {
        watcher,
        key: &key.name,
        signatures: asked.items,
        payments: &asked.payments,
        fee: asked.fee.as_ref(),
        increase: None,
    };
    let charges = counted.charges(policy).map_err(|reason| Refusal::new(ProblemCode::Malformed, reason))?;
    fits(state, policy, &charges, moment)?;
    Ok(charges)
}
