//! The entries before the one that is verified, read again where a decision asks for them.

use std::collections::HashMap;

use appliance_wire::{Entry, from_canonical};

use super::source::Again;
use crate::{
    audit::unreadable::Unreadable,
    state::{Binding, BindingKey, Bindings},
};

/// Entries read so far, by place in their file.
#[derive(Debug)]
pub(in crate::audit) struct Past {
    again: Again,
    pub(in crate::audit) ends: Vec<u64>,
    pub(in crate::audit) bindings: HashMap<BindingKey, Binding>,
}

impl Past {
    /// Nothing read yet.
    pub(in crate::audit) fn new(again: Again) -> Self {
        Self { again, ends: Vec::new(), bindings: HashMap::new() }
    }
}

impl Bindings for Past {
    type Error = Unreadable;

    fn binding(&self, key: &BindingKey) -> Result<Option<Binding>, Unreadable> {
        Ok(self.bindings.get(key).copied())
    }

    fn entry(&self, index: u64) -> Result<Entry, Unreadable> {
        let bytes = self.again.entry(index, &self.ends).map_err(|error| Unreadable::new(error.to_string()))?;
        from_canonical(&bytes).map_err(|error| Unreadable::new(error.to_string()))
    }
}
