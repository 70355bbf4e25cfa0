//! The entries before the one that is verified, read again from the file where a decision asks for them.

use std::{collections::HashMap, fs::File, os::unix::fs::FileExt};

use appliance_wire::{Entry, from_canonical};

use crate::{
    audit::unreadable::Unreadable,
    state::{Binding, BindingKey, Bindings},
};

/// Entries read so far, by place in the file.
#[derive(Debug)]
pub(in crate::audit) struct Past {
    file: File,
    pub(in crate::audit) ends: Vec<u64>,
    pub(in crate::audit) bindings: HashMap<BindingKey, Binding>,
}

impl Past {
    /// Nothing read yet of `log.jsonl`.
    pub(in crate::audit) fn new(file: File) -> Self {
        Self { file, ends: Vec::new(), bindings: HashMap::new() }
    }
}

impl Bindings for Past {
    type Error = Unreadable;

    fn binding(&self, key: &BindingKey) -> Result<Option<Binding>, Unreadable> {
        Ok(self.bindings.get(key).copied())
    }

    fn entry(&self, index: u64) -> Result<Entry, Unreadable> {
        let place = index as usize;
        let missing = || Unreadable::new(format!("there is no entry {index} before"));
        let end = *self.ends.get(place).ok_or_else(missing)?;
        let start = place.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let mut bytes = vec![0; (end - start).saturating_sub(1) as usize];
        self.file.read_exact_at(&mut bytes, start).map_err(|error| Unreadable::new(error.to_string()))?;
        from_canonical(&bytes).map_err(|error| Unreadable::new(error.to_string()))
    }
}
