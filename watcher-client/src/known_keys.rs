//! The public keys of key names, remembered at first sight: a key is its public key.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use hsm_types::{Algorithm, PublicKey, Verifier};
use serde::{Deserialize, Serialize};

use crate::{Error, state_directory::StateDirectory};

const FILE: &str = "keys.json";

/// Names and their public keys, on disk, with verifiers made ready in memory.
#[derive(Debug)]
pub(crate) struct KnownKeys {
    directory: StateDirectory,
    verifiers: Mutex<BTreeMap<String, Verifier>>,
}

/// A name's key in `keys.json`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct KnownKey {
    algorithm: Algorithm,
    public_key: String,
}

type Listed = BTreeMap<String, KnownKey>;

impl KnownKeys {
    /// Reads what is remembered.
    pub(crate) fn open(directory: StateDirectory) -> Result<Self, Error> {
        let known = Self { directory, verifiers: Mutex::default() };
        for (name, key) in known.listed()? {
            let public_key = hex::decode(&key.public_key)
                .ok()
                .and_then(|bytes| PublicKey::decode(key.algorithm, &bytes).ok())
                .ok_or_else(|| known.damaged(format!("the public key of \"{name}\" is none")))?;
            known.in_memory().insert(name, Verifier::new(public_key));
        }
        Ok(known)
    }

    /// Where it is remembered.
    pub(crate) fn file(&self) -> PathBuf {
        self.directory.file(FILE)
    }

    /// The verifier of a key or child seen before.
    pub(crate) fn verifier(&self, name: &str) -> Option<Verifier> {
        self.in_memory().get(name).cloned()
    }

    /// Remembers keys not seen before, and raises the alarm about one that changed; then it remembers none.
    pub(crate) fn remember(&self, keys: &[(String, PublicKey)]) -> Result<(), Error> {
        let fresh: Vec<_> = keys.iter().filter(|(name, _)| self.verifier(name).is_none()).collect();
        for (name, found) in keys {
            if let Some(known) = self.verifier(name) {
                self.compare(name, &known.public_key().to_string(), &found.to_string())?;
            }
        }
        if fresh.is_empty() {
            return Ok(());
        }
        let _lock = self.directory.lock()?;
        let mut listed = self.listed()?;
        for (name, found) in &fresh {
            let key = KnownKey { algorithm: found.algorithm(), public_key: found.to_string() };
            // Another process of this watcher may have seen it meanwhile.
            let known = listed.entry(name.clone()).or_insert(key);
            self.compare(name, &known.public_key, &found.to_string())?;
        }
        let text = serde_json::to_string_pretty(&listed).map_err(|error| self.damaged(error.to_string()))?;
        self.directory.replace(FILE, &(text + "\n"))?;
        let mut verifiers = self.in_memory();
        for (name, found) in fresh {
            verifiers.insert(name.clone(), Verifier::new(found.clone()));
        }
        Ok(())
    }

    fn compare(&self, key: &str, known: &str, found: &str) -> Result<(), Error> {
        if known == found {
            return Ok(());
        }
        let (key, known, found) = (key.to_owned(), known.to_owned(), found.to_owned());
        Err(Error::KeyChanged { key, known, found, file: self.file() })
    }

    fn listed(&self) -> Result<Listed, Error> {
        let Some(text) = self.directory.read(FILE)? else { return Ok(Listed::new()) };
        serde_json::from_str(&text).map_err(|error| self.damaged(error.to_string()))
    }

    fn damaged(&self, what: String) -> Error {
        Error::StateDamaged { file: self.file(), what }
    }

    fn in_memory(&self) -> MutexGuard<'_, BTreeMap<String, Verifier>> {
        self.verifiers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::testing::ecdsa_public_key;

    #[test]
    fn a_changed_key_is_an_alarm_and_the_first_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let directory = StateDirectory::open(folder.path()).unwrap();
        let known = KnownKeys::open(directory.clone()).unwrap();
        let (first, second) = (ecdsa_public_key(1), ecdsa_public_key(2));
        known.remember(&[("btc-hot".to_owned(), first.clone())]).unwrap();
        known.remember(&[("btc-hot".to_owned(), first.clone())]).unwrap();

        let changed = [("other".to_owned(), first.clone()), ("btc-hot".to_owned(), second)];
        for known in [&known, &KnownKeys::open(directory.clone()).unwrap()] {
            let error = known.remember(&changed).unwrap_err();
            assert!(matches!(&error, Error::KeyChanged { key, .. } if key == "btc-hot"), "{error}");
            assert!(error.to_string().contains("keys.json"), "{error}");
            assert_eq!(known.verifier("btc-hot").unwrap().public_key(), &first);
            assert!(known.verifier("other").is_none());
        }
    }

    #[test]
    fn another_process_is_believed_like_ourselves() {
        let folder = tempfile::tempdir().unwrap();
        let directory = StateDirectory::open(folder.path()).unwrap();
        let [here, there] = [(); 2].map(|()| KnownKeys::open(directory.clone()).unwrap());
        there.remember(&[("btc-hot".to_owned(), ecdsa_public_key(1))]).unwrap();
        let error = here.remember(&[("btc-hot".to_owned(), ecdsa_public_key(2))]).unwrap_err();
        assert!(matches!(error, Error::KeyChanged { .. }), "{error}");
    }

    #[test]
    fn a_damaged_file_is_refused_and_not_taken_for_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "{", "[]", r#"{"k":{"algorithm":"p256","public_key":"00"}}"#] {
            fs::write(folder.path().join(FILE), text).unwrap();
            let error = KnownKeys::open(StateDirectory::open(folder.path()).unwrap()).unwrap_err();
            assert!(matches!(error, Error::StateDamaged { .. }), "{error}");
            assert!(error.to_string().contains("Restore it from a copy"), "{error}");
        }
    }
}
