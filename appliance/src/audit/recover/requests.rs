//! Which requests of a lost log are bound again: those that receipts prove, and the copy does not know.

use std::collections::BTreeMap;

use appliance_wire::{
    Accepted, Checkpoint, Entry, LogKey, ProvenEntry, Receipt, RecoveredRequest, RequestId, Signed, canonical,
};

use crate::{
    audit::{open::Opened, read_entry::read_entry, unreadable::Unreadable},
    state::{BindingKey, Bindings, Outcome, are_of},
};

/// What a receipt proves.
pub(super) struct Proven {
    entry: Entry,
    pub(super) checkpoint: Checkpoint,
    proof: Vec<String>,
}

/// Verifies receipts.
pub(super) fn verified(receipts: &[Receipt], log_key: &LogKey) -> Result<Vec<Proven>, String> {
    let prove = |receipt: &Receipt| {
        let (entry, checkpoint) = receipt.verify(log_key).map_err(|error| {
            format!("the receipt of entry {} proves nothing: {error}. Take it out of the file", receipt.index)
        })?;
        // It is bound again word for word.
        let leaf = receipt.leaf().map_err(|error| error.to_string())?;
        read_entry(&leaf).map_err(|error| format!("the receipt of entry {}: {error}", receipt.index))?;
        Ok(Proven { entry, checkpoint, proof: receipt.proof.clone() })
    };
    receipts.iter().map(prove).collect()
}

/// Proven entries of one request.
#[derive(Default)]
struct Lost {
    accepted: Option<ProvenEntry>,
    signed: Option<ProvenEntry>,
    receipts: u64,
}

/// The requests to be bound, in entries from index `first` on; and how many receipts are of no use.
pub(super) fn bound_again(
    opened: &Opened,
    proven: Vec<Proven>,
    first: u64,
) -> Result<(Vec<RecoveredRequest>, u64), Unreadable> {
    let mut unused = 0;
    let mut lost: BTreeMap<(String, RequestId), Lost> = BTreeMap::new();
    for proven in proven {
        let body = &proven.entry.body;
        let accepted = body.accepted().map(|accepted| (accepted.watcher.clone(), accepted.request_id.clone()));
        let is_acceptance = accepted.is_some();
        let signed = || body.signed().map(|signed| (signed.watcher.clone(), signed.request_id.clone()));
        let Some(name) = accepted.or_else(signed).filter(|_| body.lost_request().is_none()) else {
            unused += 1;
            continue;
        };
        let request = lost.entry(name).or_default();
        request.receipts += 1;
        let entry =
            ProvenEntry { entry: proven.entry, proof: proven.proof, checkpoint: proven.checkpoint.note().to_owned() };
        let place = if is_acceptance { &mut request.accepted } else { &mut request.signed };
        place.get_or_insert(entry);
    }
    let mut requests = Vec::new();
    for ((watcher, request_id), lost) in lost {
        let (receipts, own) = (lost.receipts, first + requests.len() as u64);
        match again(opened, watcher, request_id, lost, own)? {
            Some(request) => requests.push(request),
            None => unused += receipts,
        }
    }
    Ok((requests, unused))
}

/// The request bound again by the entry with index `own`; none where the copy knows as much, or something else.
fn again(
    opened: &Opened,
    watcher: String,
    request_id: RequestId,
    lost: Lost,
    own: u64,
) -> Result<Option<RecoveredRequest>, Unreadable> {
    let log = opened.log();
    let key = BindingKey::request(&watcher, request_id.as_str());
    let (acceptance, proven) = match log.binding(&key)? {
        None => (lost.accepted.is_some().then_some(own), [lost.accepted, lost.signed]),
        Some(bound) if bound.outcome == Outcome::Open => {
            let entry = log.entry(bound.accepted)?;
            let same = entry.body.accepted().is_some_and(|accepted| is_of(accepted, &entry, &lost));
            (Some(bound.accepted), [None, lost.signed.filter(|_| same)])
        }
        Some(_) => return Ok(None),
    };
    let request = RecoveredRequest { watcher, request_id, acceptance, proven: proven.into_iter().flatten().collect() };
    let is_known = |label| opened.state().keys.contains_key(label);
    let accepted_key = request.accepted().map(|accepted| &accepted.key);
    let keys = request.signed().into_iter().flat_map(|signed| &signed.signatures).map(|signature| &signature.key.label);
    let usable = !request.proven.is_empty() && accepted_key.into_iter().chain(keys).all(is_known);
    Ok(usable.then_some(request))
}

/// Whether what was lost goes on from this acceptance of the copy.
fn is_of(accepted: &Accepted, entry: &Entry, lost: &Lost) -> bool {
    let same_entry = |other: &ProvenEntry| canonical(&other.entry).ok() == canonical(entry).ok();
    let signs = |signed: &Signed| are_of(&accepted.items, &signed.signatures);
    lost.accepted.as_ref().is_none_or(same_entry)
        && lost.signed.as_ref().and_then(|signed| signed.entry.body.signed()).is_some_and(signs)
}
