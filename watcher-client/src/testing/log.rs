//! A log in memory, with its key.

use std::convert::Infallible;

use appliance_wire::{
    Body, Checkpoint, Entry, ItemSignature, LogKey, Receipt, Signed, UnsignedCheckpoint, canonical,
    tree::{self, Hash, Nodes},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer, SigningKey};

/// Entries, and the key that signs their checkpoints.
#[derive(Clone)]
pub(crate) struct TestLog {
    pub(crate) key: LogKey,
    signing: SigningKey,
    entries: Vec<Vec<u8>>,
}

impl Nodes for TestLog {
    type Error = Infallible;

    fn node(&self, level: u32, index: u64) -> Result<Hash, Infallible> {
        if level == 0 {
            return Ok(tree::leaf_hash(&self.entries[index as usize]));
        }
        let [left, right] = [0, 1].map(|side| self.node(level - 1, 2 * index + side).unwrap());
        Ok(tree::node_hash(&left, &right))
    }
}

impl TestLog {
    /// An empty log; every one has the same key.
    pub(crate) fn new() -> Self {
        let signing = SigningKey::from_bytes(&[7; 32]);
        let key = LogKey::new("exchange.example/signer-1", signing.verifying_key().as_bytes()).unwrap();
        Self { key, signing, entries: Vec::new() }
    }

    /// A log of `size` entries whose content depends on `flavour`.
    pub(crate) fn grown(size: u64, flavour: &str) -> Self {
        let mut log = Self::new();
        log.entries = (0..size).map(|index| format!("{flavour} {index}").into_bytes()).collect();
        log
    }

    /// Appends entries that nobody looks into.
    pub(crate) fn grow(&mut self, count: usize) {
        self.entries.extend((0..count).map(|number| format!("more {number}").into_bytes()));
    }

    /// Appends a `signed` entry and returns its index.
    pub(crate) fn append_signed(&mut self, id: &str, signatures: &[ItemSignature]) -> u64 {
        let index = self.entries.len() as u64;
        let without_der = |signature: &ItemSignature| ItemSignature { der: None, ..signature.clone() };
        let entry = Entry {
            index,
            time: "2030-01-01T00:00:00.000000Z".to_owned(),
            elapsed: 1,
            policy: 1,
            salt: "00".repeat(16),
            format: None,
            body: Body::Signed(Signed {
                watcher: "btc-watcher".to_owned(),
                request_id: id.parse().unwrap(),
                accepted: 0,
                signatures: signatures.iter().map(without_der).collect(),
            }),
        };
        self.entries.push(canonical(&entry).unwrap());
        index
    }

    /// The signed checkpoint of the first `size` entries.
    pub(crate) fn checkpoint(&self, size: u64) -> Checkpoint {
        let root = tree::root(self, size).unwrap();
        let unsigned = UnsignedCheckpoint { origin: self.key.origin().to_owned(), size, root };
        let signature = self.signing.sign(unsigned.text().as_bytes()).to_bytes();
        unsigned.sign(&self.key, &signature).unwrap()
    }

    /// The checkpoint of everything.
    pub(crate) fn head(&self) -> Checkpoint {
        self.checkpoint(self.entries.len() as u64)
    }

    /// The consistency proof between two sizes.
    pub(crate) fn prove(&self, from: u64, to: u64) -> Vec<Hash> {
        tree::consistency_proof(self, from, to).unwrap().unwrap()
    }

    /// Likewise, as the signer answers it.
    pub(crate) fn consistency(&self, from: u64, to: u64) -> Vec<String> {
        self.prove(from, to).iter().map(|hash| STANDARD.encode(hash)).collect()
    }

    /// The inclusion proof of an entry, as the signer answers it.
    pub(crate) fn inclusion(&self, index: u64, size: u64) -> Vec<String> {
        let proof = tree::inclusion_proof(self, index, size).unwrap().unwrap();
        proof.iter().map(|hash| STANDARD.encode(hash)).collect()
    }

    /// The receipt of an entry in the whole log.
    pub(crate) fn receipt(&self, index: u64) -> Receipt {
        let size = self.entries.len() as u64;
        let proof = tree::inclusion_proof(self, index, size).unwrap().unwrap();
        Receipt::new(index, &self.entries[index as usize], &proof, &self.head())
    }
}
