//! The keys that signed checkpoints of a log: that of its genesis, and those of tokens that took the place of another.

use std::{io, path::Path};

use appliance_wire::{Body, Checkpoint, Entry, LogKey, TokenEvent, from_canonical};

use super::journal::{Lines, Next};

/// The log key that an entry brings in.
pub(super) fn log_key_of(body: &Body) -> Option<&str> {
    if let Body::Genesis(genesis) = body {
        return Some(&genesis.log_key);
    }
    let Body::Token(token) = body else { return None };
    match &token.event {
        TokenEvent::HoldsLog(home) => Some(&home.log_key),
        TokenEvent::DeviceLog(_) => None,
    }
}

/// The log keys of the log in `directory`, oldest first, up to the one that signed `newest`: the whole log is looked
/// through only where that is not the genesis' own.
pub(super) fn log_keys(directory: &Path, newest: &str) -> io::Result<Vec<LogKey>> {
    let mut lines = Lines::open(directory)?;
    let mut keys: Vec<LogKey> = Vec::new();
    while let Next::Line(bytes) = lines.next()? {
        if !keys.is_empty() && !bytes.windows(HOLDS_LOG.len()).any(|part| part == HOLDS_LOG) {
            continue;
        }
        let entry = from_canonical::<Entry>(bytes).ok();
        let key = entry.as_ref().and_then(|entry| log_key_of(&entry.body)).and_then(|key| LogKey::parse(key).ok());
        if let Some(key) = key {
            keys.push(key);
            if Checkpoint::open_any(newest, &keys).is_ok() {
                break;
            }
        }
    }
    Ok(keys)
}

const HOLDS_LOG: &[u8] = b"\"holds_log\":";
