//! One batch before its sync: what will be written, what it binds, and who waits for it.

use std::{collections::HashMap, sync::Arc};

use appliance_wire::{Body, Entry, canonical, from_canonical, tree::Frontier};

use super::{
    anchor::AnchorFile,
    evidence_files::Kept,
    journal::{Journal, LONGEST_LINE},
    log::{Log, Published, Tip},
    unreadable::Unreadable,
};
use crate::{
    clock::Moment,
    refusal::Refusal,
    state::{Binding, BindingKey, Bindings, State, bindings_of},
    state_format,
};

/// Called once the batch is durable, or with why it is not.
pub(super) type Waiter = Box<dyn FnOnce(Result<(), Refusal>)>;

pub(super) struct Draft {
    pub(super) moment: Moment,
    pub(super) lines: Vec<u8>,
    pub(super) published: Published,
    pub(super) waiters: Vec<Waiter>,
    /// What must be durable before the entries that name it.
    pub(super) evidence: Vec<Kept>,
    first: u64,
    bound: HashMap<BindingKey, Binding>,
}

impl Draft {
    pub(super) fn new(moment: Moment, size: u64) -> Self {
        Self {
            moment,
            lines: Vec::new(),
            published: Published::default(),
            waiters: Vec::new(),
            evidence: Vec::new(),
            first: size,
            bound: HashMap::new(),
        }
    }

    /// Adds an entry and gives it back; the state has it from now on, the world only after the commit.
    pub(super) fn push(&mut self, state: &mut State, frontier: &mut Frontier, body: Body) -> Result<Entry, Unreadable> {
        let mut salt = [0; 16];
        rustix::rand::getrandom(&mut salt, rustix::rand::GetRandomFlags::empty())
            .map_err(|error| Unreadable::new(format!("no randomness from the kernel: {error}")))?;
        let index = state.size;
        let entry = Entry {
            index,
            time: format!("{:.6}", self.moment.time),
            elapsed: self.moment.elapsed.max(state.elapsed),
            policy: state.policy_version(),
            salt: hex::encode(salt),
            format: state_format::newer_than(state.format.max(state_format::OLDEST)),
            body,
        };
        let bytes = canonical(&entry).map_err(|error| Unreadable::new(error.to_string()))?;
        if bytes.len() as u64 >= LONGEST_LINE {
            return Err(Unreadable::new(format!("entry {index} is longer than what a start would read back")));
        }
        state.apply(&entry).map_err(|error| Unreadable::new(format!("entry {index} cannot be appended: {error}")))?;
        self.published.leaves.push(frontier.append(&bytes));
        self.lines.extend_from_slice(&bytes);
        self.lines.push(b'\n');
        self.published.entries.push(bytes.into());
        for (key, binding) in bindings_of(&entry) {
            self.bound.insert(key, binding);
            self.published.bindings.push((key, binding));
        }
        Ok(entry)
    }

    /// The log with this batch's own bindings on top.
    pub(super) fn over<'a>(&'a self, log: &'a Log) -> Drafted<'a> {
        Drafted { draft: self, log }
    }

    /// Writes the batch to journal, log and anchor, in this order: where no writer's thread runs, with nobody waiting.
    pub(super) fn commit(
        self,
        frontier: &Frontier,
        journal: &mut Journal,
        log: &Log,
        anchor: &mut AnchorFile,
    ) -> Result<Tip, Unreadable> {
        let io = |error: std::io::Error| Unreadable::new(format!("appending to the audit log: {error}"));
        journal.append(&self.lines).map_err(io)?;
        let mut published = self.published;
        published.tip = Tip { size: frontier.size(), root: frontier.root(), bytes: journal.length() };
        log.publish(published);
        let tip = log.follow()?;
        anchor.write(tip.size, &tip.root, tip.bytes).map_err(io)?;
        Ok(tip)
    }

    fn bytes(&self, index: u64) -> Option<&Arc<[u8]>> {
        self.published.entries.get(usize::try_from(index.checked_sub(self.first)?).ok()?)
    }
}

/// See [`Draft::over`].
pub(super) struct Drafted<'a> {
    draft: &'a Draft,
    log: &'a Log,
}

impl Bindings for Drafted<'_> {
    type Error = Unreadable;

    fn binding(&self, key: &BindingKey) -> Result<Option<Binding>, Unreadable> {
        match self.draft.bound.get(key) {
            Some(binding) => Ok(Some(*binding)),
            None => self.log.binding(key),
        }
    }

    fn entry(&self, index: u64) -> Result<Entry, Unreadable> {
        match self.draft.bytes(index) {
            Some(bytes) => from_canonical(bytes).map_err(|error| Unreadable::new(error.to_string())),
            None => self.log.entry(index),
        }
    }
}
