//! What request ids, references, inputs and addresses are bound to: for ever, so kept by hash in the store and looked up.

use appliance_wire::{Accepted, Body, Entry, Pending, Recovered, RecoveredRequest, Rejected, RequestId, Withdrawn};
use hsm_types::KeyLabel;
use sha2::{Digest, Sha256};

/// A name something is bound to for ever, as 16 bytes of SHA-256 with a letter for the kind.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct BindingKey([u8; 17]);

impl BindingKey {
    /// The key of a request id.
    #[must_use]
    pub fn request(watcher: &str, request_id: &str) -> Self {
        Self::new(b'r', watcher, request_id)
    }

    /// The key of a reference.
    #[must_use]
    pub fn reference(watcher: &str, reference: &str) -> Self {
        Self::new(b'f', watcher, reference)
    }

    /// The key of what a transaction uses up: an outpoint, or an account's nonce. Whoever asks.
    #[must_use]
    pub fn hold(hold: &str) -> Self {
        Self::new(b'i', "", hold)
    }

    /// The key of a withdrawal's newest variant, by the index of its first acceptance.
    #[must_use]
    pub fn withdrawal(first: u64) -> Self {
        Self::new(b'w', "", &first.to_string())
    }

    /// The key of a child's address.
    #[must_use]
    pub fn address(address: &str) -> Self {
        Self::new(b'a', "", address)
    }

    fn new(kind: u8, scope: &str, name: &str) -> Self {
        let digest = Sha256::new().chain_update(scope).chain_update([0]).chain_update(name).finalize();
        let mut key = [kind; 17];
        key[1..].copy_from_slice(&digest[..16]);
        Self(key)
    }

    /// As the store holds it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 17] {
        &self.0
    }
}

/// Where a bound request stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// Not signed yet.
    Open,
    /// Signed, by the entry with this index.
    Signed(u64),
    /// Lapsed, by the entry with this index.
    Lapsed(u64),
    /// An address of a child of the key with this [`family_number`].
    Child(u64),
    /// Waits for officers.
    Waiting,
    /// Refused by an officer, by the entry with this index.
    Rejected(u64),
    /// Taken back by its watcher, by the entry with this index.
    Withdrawn(u64),
    /// Waited until its time was over, by the entry with this index.
    Expired(u64),
}

/// A key's name in eight bytes: the beginning of its SHA-256.
#[must_use]
pub(super) fn family_number(key: &KeyLabel) -> u64 {
    let digest: [u8; 32] = Sha256::digest(key.as_str()).into();
    digest.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

/// What a [`BindingKey`] is bound to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Binding {
    /// Index of the acceptance, or of the entry that waits; of the withdrawal's first for what is held; of the allocation
    /// for an address.
    pub accepted: u64,
    /// What became of a request; whose an address is; `Open` for everything else.
    pub outcome: Outcome,
}

impl Binding {
    /// As the store holds it.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 17] {
        let (kind, index) = match self.outcome {
            Outcome::Open => (0, 0),
            Outcome::Signed(index) => (1, index),
            Outcome::Lapsed(index) => (2, index),
            Outcome::Child(family) => (3, family),
            Outcome::Waiting => (4, 0),
            Outcome::Rejected(index) => (5, index),
            Outcome::Withdrawn(index) => (6, index),
            Outcome::Expired(index) => (7, index),
        };
        let mut bytes = [kind; 17];
        bytes[1..9].copy_from_slice(&self.accepted.to_be_bytes());
        bytes[9..].copy_from_slice(&u64::to_be_bytes(index));
        bytes
    }

    /// Whether this may be what became of `earlier`: a request that ended, or an address, stays what it is; what is held
    /// or referred to may go to something later.
    #[must_use]
    pub fn may_follow(&self, earlier: &Self) -> bool {
        match earlier.outcome {
            Outcome::Open | Outcome::Waiting => self.accepted >= earlier.accepted,
            Outcome::Signed(_)
            | Outcome::Lapsed(_)
            | Outcome::Child(_)
            | Outcome::Rejected(_)
            | Outcome::Withdrawn(_)
            | Outcome::Expired(_) => self == earlier,
        }
    }

    /// Reads [`to_bytes`](Self::to_bytes).
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let (accepted, rest) = rest.split_first_chunk()?;
        let index = u64::from_be_bytes(rest.try_into().ok()?);
        let outcome = match kind {
            0 => Outcome::Open,
            1 => Outcome::Signed(index),
            2 => Outcome::Lapsed(index),
            3 => Outcome::Child(index),
            4 => Outcome::Waiting,
            5 => Outcome::Rejected(index),
            6 => Outcome::Withdrawn(index),
            7 => Outcome::Expired(index),
            _ => return None,
        };
        Some(Self { accepted: u64::from_be_bytes(*accepted), outcome })
    }
}

/// Where bindings and the entries behind them are looked up.
pub trait Bindings {
    /// Why a look-up failed; the request must then be refused, never taken for new.
    type Error;

    /// What `key` is bound to.
    ///
    /// # Errors
    /// The log cannot be read.
    fn binding(&self, key: &BindingKey) -> Result<Option<Binding>, Self::Error>;

    /// The entry with this index.
    ///
    /// # Errors
    /// The log cannot be read.
    fn entry(&self, index: u64) -> Result<Entry, Self::Error>;
}

/// The withdrawal an acceptance belongs to: the index of its first variant's acceptance.
#[must_use]
pub fn withdrawal_of(index: u64, accepted: &Accepted) -> u64 {
    accepted.variant.as_ref().map_or(index, |variant| variant.first)
}

/// The bindings an entry makes or changes.
#[must_use]
pub fn bindings_of(entry: &Entry) -> Vec<(BindingKey, Binding)> {
    match &entry.body {
        Body::Accepted(accepted) => {
            let open = Binding { accepted: entry.index, outcome: Outcome::Open };
            let newest = accepted.variant.as_ref().map(|variant| (BindingKey::withdrawal(variant.first), open));
            let first = withdrawal_of(entry.index, accepted);
            acceptance(entry.index, accepted, first).chain(newest).collect()
        }
        Body::Recovered(Recovered::Request(request)) => recovered(entry.index, request),
        Body::Addresses(allocation) => {
            let outcome = Outcome::Child(family_number(&allocation.key));
            let allocated = Binding { accepted: entry.index, outcome };
            allocation.addresses.iter().map(|address| (BindingKey::address(address), allocated)).collect()
        }
        Body::Signed(signed) => {
            let key = BindingKey::request(&signed.watcher, signed.request_id.as_str());
            vec![(key, Binding { accepted: signed.accepted, outcome: Outcome::Signed(entry.index) })]
        }
        Body::Lapsed(lapsed) => {
            let outcome = if lapsed.expired { Outcome::Expired(entry.index) } else { Outcome::Lapsed(entry.index) };
            ended(&lapsed.watcher, &lapsed.request_id, lapsed.accepted, outcome)
        }
        Body::Pending(pending) => waiting(entry.index, pending),
        Body::Rejected(Rejected { watcher, request_id, pending, .. }) => {
            ended(watcher, request_id, *pending, Outcome::Rejected(entry.index))
        }
        Body::Withdrawn(Withdrawn { watcher, request_id, pending, .. }) => {
            ended(watcher, request_id, *pending, Outcome::Withdrawn(entry.index))
        }
        Body::Released(released) => {
            let outcome = Outcome::Lapsed(entry.index);
            vec![(BindingKey::withdrawal(released.accepted), Binding { accepted: released.accepted, outcome })]
        }
        Body::Genesis(_)
        | Body::Boot(_)
        | Body::Policy(_)
        | Body::Key(_)
        | Body::Failed(_)
        | Body::Denied(_)
        | Body::Approved(_)
        | Body::Clock(_)
        | Body::Token(_)
        | Body::Frozen(_)
        | Body::Unfrozen(_)
        | Body::Recovered(Recovered::Log(_)) => Vec::new(),
    }
}

/// What became of a request.
fn ended(watcher: &str, request_id: &RequestId, accepted: u64, outcome: Outcome) -> Vec<(BindingKey, Binding)> {
    vec![(BindingKey::request(watcher, request_id.as_str()), Binding { accepted, outcome })]
}

/// Its id, and what it uses up that nobody held: as long as it waits.
fn waiting(index: u64, pending: &Pending) -> Vec<(BindingKey, Binding)> {
    let bound = Binding { accepted: index, outcome: Outcome::Waiting };
    let request = BindingKey::request(&pending.request.watcher, pending.request.request_id.as_str());
    let holds = pending.holds.iter().map(|hold| BindingKey::hold(hold));
    std::iter::once(request).chain(holds).map(|key| (key, bound)).collect()
}

/// Its id and references, and what its withdrawal holds.
fn acceptance(index: u64, accepted: &Accepted, first: u64) -> impl Iterator<Item = (BindingKey, Binding)> {
    let open = Binding { accepted: index, outcome: Outcome::Open };
    let request = BindingKey::request(&accepted.watcher, accepted.request_id.as_str());
    let outputs = accepted.transfer.iter().flat_map(|transfer| &transfer.outputs);
    let references = outputs.filter_map(|output| output.reference.as_ref());
    let references = references.map(|name| BindingKey::reference(&accepted.watcher, name.as_str()));
    let requests = std::iter::once(request).chain(references).map(move |key| (key, open));
    let holds = accepted.transaction.iter().flat_map(|transaction| &transaction.holds);
    let held = Binding { accepted: first, outcome: Outcome::Open };
    requests.chain(holds.map(move |hold| (BindingKey::hold(hold), held)))
}

/// Each is a withdrawal of its own: the indices by which the lost log joined variants mean nothing here.
fn recovered(index: u64, request: &RecoveredRequest) -> Vec<(BindingKey, Binding)> {
    let key = BindingKey::request(&request.watcher, request.request_id.as_str());
    let outcome = if request.signed().is_some() { Outcome::Signed(index) } else { Outcome::Open };
    let bound = Binding { accepted: request.acceptance.unwrap_or(index), outcome };
    let of_acceptance = request.accepted().into_iter().flat_map(|accepted| acceptance(index, accepted, index));
    of_acceptance.chain([(key, bound)]).collect()
}
