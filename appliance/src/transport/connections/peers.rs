//! How many connections each client key has open.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

type Key = [u8; 32];

/// Open connections by client key.
#[derive(Clone, Debug)]
pub(in crate::transport) struct Peers {
    most: usize,
    open: Arc<Mutex<HashMap<Key, usize>>>,
}

impl Peers {
    pub(in crate::transport) fn new(most: usize) -> Self {
        Self { most, open: Arc::default() }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Key, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more connection with `key`; `None` where it has the most already.
    pub(in crate::transport) fn admit(&self, key: Key) -> Option<PeerSlot> {
        let mut open = self.open();
        let count = open.entry(key).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(PeerSlot { peers: self.clone(), key })
    }
}

/// The place; given back when dropped.
#[derive(Debug)]
pub(in crate::transport) struct PeerSlot {
    peers: Peers,
    key: Key,
}

impl Drop for PeerSlot {
    fn drop(&mut self) {
        let mut open = self.peers.open();
        if let Some(count) = open.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.key);
            }
        }
    }
}
