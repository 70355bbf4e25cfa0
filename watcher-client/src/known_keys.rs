//! The public keys of key names, remembered at first sight: a key is its public key. Children are derived from what is
//! remembered, never believed.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use hsm_types::{Algorithm, ChainCode, KeyPath, PublicKey, Verifier};
use serde::{Deserialize, Serialize};

use crate::{Error, state_directory::StateDirectory};

const FILE: &str = "keys.json";

/// Names and their public keys, on disk, with verifiers made ready in memory.
#[derive(Debug)]
pub(crate) struct KnownKeys {
    directory: StateDirectory,
    keys: Mutex<BTreeMap<String, Known>>,
}

/// A key in memory.
#[derive(Clone, Debug)]
struct Known {
    verifier: Verifier,
    chain_code: Option<ChainCode>,
}

/// A key as the signer shows it.
#[derive(Clone, Debug)]
pub(crate) struct SeenKey {
    pub(crate) name: String,
    pub(crate) public_key: PublicKey,
    pub(crate) chain_code: Option<ChainCode>,
}

/// A name's key in `keys.json`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct KnownKey {
    algorithm: Algorithm,
    public_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chain_code: Option<String>,
}

type Listed = BTreeMap<String, KnownKey>;

impl KnownKeys {
    /// Reads what is remembered.
    pub(crate) fn open(directory: StateDirectory) -> Result<Self, Error> {
        let known = Self { directory, keys: Mutex::default() };
        for (name, key) in known.listed()? {
            let public_key = hex::decode(&key.public_key)
                .ok()
                .and_then(|bytes| PublicKey::decode(key.algorithm, &bytes).ok())
                .ok_or_else(|| known.damaged(format!("the public key of \"{name}\" is none")))?;
            let chain_code = key.chain_code.map(|text| text.parse()).transpose();
            let chain_code = chain_code.map_err(|_| known.damaged(format!("the chain code of \"{name}\" is none")))?;
            known.in_memory().insert(name, Known { verifier: Verifier::new(public_key), chain_code });
        }
        Ok(known)
    }

    /// Where it is remembered.
    pub(crate) fn file(&self) -> PathBuf {
        self.directory.file(FILE)
    }

    /// Whether enough is remembered to verify what this key or child signs.
    pub(crate) fn knows(&self, path: &KeyPath) -> bool {
        let known = self.known(path.label.as_str());
        known.is_some_and(|known| path.child.is_none() || known.chain_code.is_some())
    }

    /// The verifier of a key seen before, or of any child of it.
    pub(crate) fn verifier(&self, path: &KeyPath) -> Result<Verifier, Error> {
        let wrong = |what: String| Error::NotVerified { what };
        let known = self.known(path.label.as_str()).ok_or_else(|| wrong(format!("{path} is no key granted to us")))?;
        let Some(index) = path.child else { return Ok(known.verifier) };
        let no_children = || wrong(format!("{path} cannot be derived: no chain code of {} was shown", path.label));
        let chain_code = known.chain_code.ok_or_else(no_children)?;
        let child = known.verifier.child(&chain_code, index).map_err(|error| wrong(format!("{path}: {error}")))?;
        Ok(Verifier::new(child.public_key().clone()))
    }

    /// Remembers keys not seen before, and raises the alarm about one that changed; then it remembers none.
    pub(crate) fn remember(&self, keys: &[SeenKey]) -> Result<(), Error> {
        let mut fresh = Vec::new();
        for found in keys {
            match self.known(&found.name) {
                Some(known) => {
                    self.compare(&found.name, &known.verifier.public_key().to_string(), &found.public_key.to_string())?;
                    self.compare_chain_codes(&found.name, known.chain_code.as_ref(), found.chain_code.as_ref())?;
                    if known.chain_code != found.chain_code && found.chain_code.is_some() {
                        fresh.push(found);
                    }
                }
                None => fresh.push(found),
            }
        }
        if fresh.is_empty() {
            return Ok(());
        }
        let _lock = self.directory.lock()?;
        let mut listed = self.listed()?;
        for found in &fresh {
            self.enter(&mut listed, found)?;
        }
        let text = serde_json::to_string_pretty(&listed).map_err(|error| self.damaged(error.to_string()))?;
        self.directory.replace(FILE, &(text + "\n"))?;
        let mut keys = self.in_memory();
        for SeenKey { name, public_key, chain_code } in fresh {
            let known = Known { verifier: Verifier::new(public_key.clone()), chain_code: chain_code.clone() };
            keys.insert(name.clone(), known);
        }
        Ok(())
    }

    /// Puts a key into the list; another process of this watcher may have seen it meanwhile.
    fn enter(&self, listed: &mut Listed, found: &SeenKey) -> Result<(), Error> {
        let public_key = found.public_key.to_string();
        let key =
            KnownKey { algorithm: found.public_key.algorithm(), public_key: public_key.clone(), chain_code: None };
        let known = listed.entry(found.name.clone()).or_insert(key);
        self.compare(&found.name, &known.public_key, &public_key)?;
        let earlier = known.chain_code.as_ref().map(|text| text.parse()).transpose();
        let earlier = earlier.map_err(|_| self.damaged(format!("the chain code of \"{}\" is none", found.name)))?;
        self.compare_chain_codes(&found.name, earlier.as_ref(), found.chain_code.as_ref())?;
        known.chain_code = found.chain_code.as_ref().or(earlier.as_ref()).map(ChainCode::to_hex);
        Ok(())
    }

    /// One that was not shown before may come; one that was shown stays what it was.
    fn compare_chain_codes(
        &self,
        key: &str,
        known: Option<&ChainCode>,
        found: Option<&ChainCode>,
    ) -> Result<(), Error> {
        match (known, found) {
            (Some(known), Some(found)) if known != found => {
                Err(Error::ChainCodeChanged { key: key.to_owned(), file: self.file() })
            }
            _ => Ok(()),
        }
    }

    fn known(&self, name: &str) -> Option<Known> {
        self.in_memory().get(name).cloned()
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

    fn in_memory(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
