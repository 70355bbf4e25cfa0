//! What must hold before any rule is asked: nothing frozen, the key granted, the request in time and of the key's kind.

use appliance_wire::{KeyEnd, ProblemCode, Scope};
use hsm_types::{KeyLabel, KeyPath, ToSign};

use super::Application;
use crate::{
    clock::Moment,
    command::SignCommand,
    policy::{KeyState, Policy, PolicyKey},
    refusal::Refusal,
    state::State,
};

pub(super) fn no_policy() -> Refusal {
    Refusal::new(ProblemCode::UnknownKey, "no policy is installed: run `chancery policy install`")
}

/// The refusal of whoever is frozen.
pub(crate) fn frozen_refusal(scope: &Scope) -> Refusal {
    Refusal::new(ProblemCode::Frozen, format!("{scope} is frozen: nothing of it leaves until it is unfrozen"))
}

pub(super) fn not_frozen(state: &State, application: &Application<'_>) -> Result<(), Refusal> {
    match state.freeze_over(application.watcher, &application.command.key) {
        None => Ok(()),
        Some(scope) => Err(frozen_refusal(scope)),
    }
}

/// To the watcher, a key it may not use does not exist.
pub(super) fn not_granted(label: &KeyLabel) -> Refusal {
    Refusal::new(ProblemCode::UnknownKey, format!("no key {label} is granted to this watcher"))
}

/// The key, where some rule lets this watcher use it. To the watcher, a key it may not use does not exist.
pub(super) fn granted<'a>(
    state: &State,
    policy: &'a Policy,
    application: &Application<'_>,
) -> Result<&'a PolicyKey, Refusal> {
    let label = &application.command.key;
    let unknown = || not_granted(label);
    let key = policy.granted_key(application.watcher, label).ok_or_else(unknown)?;
    if !state.keys.contains_key(label) {
        return Err(unknown());
    }
    if let Some(reason) = out_of_use(state, key) {
        return Err(Refusal::new(ProblemCode::Denied, format!("key {label} {reason}: it signs nothing")).rule("key"));
    }
    let allocated = state.addresses.allocated(label);
    let unallocated = |path: &&KeyPath| path.child.is_some_and(|child| child >= allocated || !key.children);
    match application.command.request.items.iter().map(|item| &item.key).find(unallocated) {
        Some(path) => {
            let detail = format!("{path} was never allocated: POST /v1/keys/{label}/addresses allocates children");
            Err(Refusal::new(ProblemCode::UnknownKey, detail))
        }
        None => Ok(key),
    }
}

/// Why a key signs nothing any more.
pub(crate) fn out_of_use(state: &State, key: &PolicyKey) -> Option<&'static str> {
    match state.key_ends.get(&key.name) {
        Some(KeyEnd::PendingDestroy(_)) => Some("is to be destroyed"),
        Some(KeyEnd::Destroyed) => Some("was destroyed"),
        Some(KeyEnd::Kept) | None => (key.state == KeyState::Disabled).then_some("is disabled by the policy"),
    }
}

pub(super) fn check_expiry(command: &SignCommand, moment: Moment) -> Result<(), Refusal> {
    let Some(expires_at) = command.expires_at else { return Ok(()) };
    if !moment.wall_trusted {
        let detail = "the wall clock stepped by more than a minute, so expires_at cannot be judged: have it accepted, \
                      or ask without expires_at";
        return Err(Refusal::new(ProblemCode::Expired, detail));
    }
    if moment.time < expires_at {
        return Ok(());
    }
    let detail = format!("the request expired at {expires_at}: ask again under a new id if it is still wanted");
    Err(Refusal::new(ProblemCode::Expired, detail))
}

/// The longest Ed25519 message any driver carries; a driver may state less.
const LONGEST_MESSAGE: usize = 4_096;

pub(super) fn check_inputs(key: &PolicyKey, command: &SignCommand) -> Result<(), Refusal> {
    for (place, input) in command.inputs.iter().enumerate() {
        match (key.algorithm.signs_digests(), input) {
            (true, ToSign::Digest(_)) => {}
            (false, ToSign::Message(message)) if message.len() <= LONGEST_MESSAGE => {}
            (false, ToSign::Message(_)) => {
                let detail = format!("items[{place}].message is over {LONGEST_MESSAGE} bytes");
                return Err(Refusal::new(ProblemCode::TooLarge, detail));
            }
            (true, ToSign::Message(_)) => {
                let detail = format!("items[{place}]: {} is an ECDSA key and signs a digest, not a message", key.name);
                return Err(Refusal::new(ProblemCode::Malformed, detail));
            }
            (false, ToSign::Digest(_)) => {
                let detail =
                    format!("items[{place}]: {} is an Ed25519 key and signs a message, not a digest", key.name);
                return Err(Refusal::new(ProblemCode::Malformed, detail));
            }
        }
    }
    Ok(())
}
