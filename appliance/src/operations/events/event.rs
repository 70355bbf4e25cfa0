//! What an entry says to one watcher, and to no other.

use appliance_wire::{
    Approved, Body, Entry, Event, EventApprovals, EventChildren, EventKind, Lapsed, Pending, Recovered, Rejected,
    RequestId, RequestStatus, Scope, Withdrawn,
};

use super::Whose;
use crate::operations::log::owner;

impl Whose {
    /// Whether the entry's canonical form has what every entry about this watcher has. Most are passed over so, unread.
    pub(super) fn may_concern(&self, bytes: &[u8]) -> bool {
        const ABOUT_OTHERS: [&str; 3] = ["\"kind\":\"frozen\"", "\"kind\":\"unfrozen\"", "\"kind\":\"recovered\""];
        let Ok(text) = std::str::from_utf8(bytes) else { return true };
        text.contains(&self.named) || ABOUT_OTHERS.iter().any(|kind| text.contains(kind))
    }

    /// The entry's event, where it is one of this watcher's.
    pub(super) fn event(&self, entry: Entry) -> Option<Event> {
        let of_another = owner(&entry.body).is_some_and(|owner| owner != self.watcher);
        if of_another {
            return None;
        }
        let Entry { index, time, body, .. } = entry;
        let said = match body {
            Body::Accepted(accepted) => Event {
                pending: accepted.approval.map(|approval| approval.pending),
                key: Some(accepted.key),
                ..about(EventKind::Accepted, accepted.request_id, RequestStatus::Accepted)
            },
            Body::Signed(signed) => about(EventKind::Signed, signed.request_id, RequestStatus::Signed),
            Body::Failed(failed) => Event {
                reason: Some(failed.reason),
                ..about(EventKind::Failed, failed.request_id, RequestStatus::Accepted)
            },
            Body::Denied(denied) => Event {
                request_id: Some(denied.request_id),
                code: Some(denied.code),
                reason: Some(denied.detail),
                ..Event::new(EventKind::Denied)
            },
            Body::Recovered(Recovered::Request(request)) => {
                let is_signed = request.signed().is_some();
                let status = if is_signed { RequestStatus::Signed } else { RequestStatus::Accepted };
                about(EventKind::Recovered, request.request_id, status)
            }
            Body::Recovered(Recovered::Log(_)) => Event::new(EventKind::Recovered),
            Body::Addresses(addresses) => Event {
                key: Some(addresses.key),
                children: Some(EventChildren { first: addresses.first, count: addresses.count }),
                ..Event::new(EventKind::Addresses)
            },
            Body::Frozen(frozen) => self.freeze(EventKind::Frozen, frozen.what)?,
            Body::Unfrozen(unfrozen) => self.freeze(EventKind::Unfrozen, unfrozen.what)?,
            Body::Pending(pending) => begun(index, pending),
            Body::Approved(Approved { request_id, pending, .. }) => {
                waited(EventKind::Approved, request_id, RequestStatus::Pending, pending)
            }
            Body::Rejected(Rejected { request_id, pending, .. }) => {
                waited(EventKind::Rejected, request_id, RequestStatus::Rejected, pending)
            }
            Body::Withdrawn(Withdrawn { request_id, pending, replaced_by, .. }) => {
                let event = waited(EventKind::Withdrawn, request_id, RequestStatus::Withdrawn, pending);
                Event { replaced_by, ..event }
            }
            Body::Lapsed(lapsed) => ended(lapsed),
            Body::Released(released) => about(EventKind::Released, released.request_id, RequestStatus::Lapsed),
            Body::Genesis(_) | Body::Boot(_) | Body::Policy(_) | Body::Key(_) | Body::Clock(_) | Body::Token(_) => {
                return None;
            }
        };
        Some(Event { index, time, ..said })
    }

    /// Where it covers the watcher, or a key that is granted to it.
    fn freeze(&self, kind: EventKind, what: Scope) -> Option<Event> {
        let covered = match &what {
            Scope::All => true,
            Scope::Watcher(name) => *name == self.watcher,
            Scope::Key(name) => self.policy.granted_keys(&self.watcher).any(|key| key.name.as_str() == name),
        };
        covered.then(|| Event { what: Some(what), ..Event::new(kind) })
    }
}

fn begun(index: u64, pending: Pending) -> Event {
    let wanted = pending.wanted.into_iter();
    let approvals = wanted.map(|one| EventApprovals { because: one.because, given: 0, wanted: one.approve });
    Event {
        pending: Some(index),
        waits_until: Some(pending.waits_until),
        approvals: approvals.collect(),
        key: Some(pending.request.key),
        ..about(EventKind::Pending, pending.request.request_id, RequestStatus::Pending)
    }
}

/// Where its time was over while it waited, the entry names that with which it began to.
fn ended(lapsed: Lapsed) -> Event {
    let status = if lapsed.expired { RequestStatus::Expired } else { RequestStatus::Lapsed };
    let pending = lapsed.expired.then_some(lapsed.accepted);
    Event { pending, reason: Some(lapsed.reason), ..about(EventKind::Lapsed, lapsed.request_id, status) }
}

fn waited(kind: EventKind, request_id: RequestId, status: RequestStatus, pending: u64) -> Event {
    Event { pending: Some(pending), ..about(kind, request_id, status) }
}

fn about(kind: EventKind, request_id: RequestId, status: RequestStatus) -> Event {
    Event { request_id: Some(request_id), status: Some(status), ..Event::new(kind) }
}
