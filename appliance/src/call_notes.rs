//! What came to be known of a request while it was served, for its line in the log and for the counts. Each is written
//! once, and only what the policy names: nothing a caller made up.

use std::sync::OnceLock;

use hsm_types::KeyLabel;

/// Notes on one request.
#[derive(Debug, Default)]
pub struct CallNotes {
    watcher: OnceLock<String>,
    key: OnceLock<String>,
    request_id: OnceLock<String>,
    outcome: OnceLock<&'static str>,
}

impl CallNotes {
    /// Who asks.
    pub fn note_watcher(&self, name: &str) {
        let _ = self.watcher.set(name.to_owned());
    }

    /// With which key, once it is one that is granted.
    pub fn note_key(&self, key: &KeyLabel) {
        let _ = self.key.set(key.to_string());
    }

    /// About which request for signatures.
    pub fn note_request(&self, id: &str) {
        let _ = self.request_id.set(id.to_owned());
    }

    /// Where the request for signatures stands.
    pub fn note_outcome(&self, outcome: &'static str) {
        let _ = self.outcome.set(outcome);
    }

    /// Who asks, where that is known.
    #[must_use]
    pub fn watcher(&self) -> Option<&str> {
        self.watcher.get().map(String::as_str)
    }

    /// With which granted key.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.get().map(String::as_str)
    }

    /// About which request.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.get().map(String::as_str)
    }

    /// Where the request for signatures stands.
    #[must_use]
    pub fn outcome(&self) -> Option<&'static str> {
        self.outcome.get().copied()
    }
}
