//! An appliance whose keys are `verified`, running, and whose keys these are.

use std::collections::BTreeMap;

use appliance_wire::{AddressType, Chain};
use hsm_types::{Algorithm, ChainCode, KeyPath, PublicKey};
use serde_json::{Value, json};

use super::{Installation, Running, installation, watcher::Watcher};

pub(crate) mod coins;
pub(crate) mod ether;

/// What comes after [`installation::POLICY`]: `vault` and `cold` on bitcoin-regtest, `eth` on chain 31337.
const POLICY: &str = include_str!("vault.toml");
const KEYS: [&str; 3] = ["vault", "cold", "eth"];

pub(crate) struct Vault {
    pub(crate) installation: Installation,
    pub(crate) running: Running,
    pub(crate) watcher: Watcher,
    /// Each key, as the log has it.
    keys: BTreeMap<String, (PublicKey, ChainCode)>,
}

impl Vault {
    pub(crate) fn new() -> Self {
        Self::with_policy(&policy())
    }

    /// One under this policy; `SECOND` in it is replaced as [`policy`] needs it.
    pub(crate) fn with_policy(policy: &str) -> Self {
        let installation = Installation::without_log();
        let second = installation.issue("second");
        KEYS.iter().for_each(|key| generate(&installation, key));
        installation.begin(&policy.replace("SECOND", &second));
        Self::serve(installation)
    }

    /// Starts it.
    pub(crate) fn serve(installation: Installation) -> Self {
        let running = installation.start();
        let watcher = Watcher::new(&installation, &running);
        let keys = KEYS.map(|key| (key.to_owned(), key_of(&installation, key))).into();
        Self { installation, running, watcher, keys }
    }

    /// The other watcher, which may withdraw from `vault`.
    pub(crate) fn second(&self) -> Watcher {
        Watcher::named(&self.installation, &self.running, "second")
    }

    /// Ends it, well or not, and starts it again.
    pub(crate) fn restart(self, end: impl FnOnce(Running)) -> Self {
        end(self.running);
        Self::serve(self.installation)
    }

    /// Ends it; the log must verify.
    pub(crate) fn stop(self) {
        self.running.stop();
        self.installation.assert_log_verifies();
    }

    /// Public key of a key, or of a child whether allocated or not, derived from the log alone.
    pub(crate) fn public_key(&self, path: &str) -> PublicKey {
        let path: KeyPath = path.parse().unwrap();
        let (public_key, chain_code) = &self.keys[path.label.as_str()];
        match path.child {
            None => public_key.clone(),
            Some(child) => public_key.child(chain_code, child).unwrap().public_key().clone(),
        }
    }

    /// Its address, in the form the policy gives it.
    pub(crate) fn address(&self, path: &str) -> String {
        let chain = if path.starts_with("eth") { Chain::Evm(ether::CHAIN_ID) } else { Chain::BitcoinRegtest };
        chain.address_of(&self.public_key(path), Some(AddressType::P2wpkh)).unwrap()
    }

    /// Allocates the first `count` children.
    pub(crate) fn allocate(&self, key: &str, count: u32) -> Value {
        let body = json!({ "count": count }).to_string();
        self.watcher.call("POST", &format!("/v1/keys/{key}/addresses"), body).good()
    }

    /// What is used of the limit with this name.
    pub(crate) fn used(&self, limit: &str) -> String {
        let limits = self.watcher.get("/v1/limits").good();
        let found = limits["limits"].as_array().unwrap().iter().find(|found| found["name"] == limit);
        found.unwrap_or_else(|| panic!("no limit {limit} in {limits}"))["used"].as_str().unwrap().to_owned()
    }

    /// The entry of this kind of a request.
    pub(crate) fn entry(&self, kind: &str, id: &str) -> Value {
        let mut entries = self.entries(kind).into_iter().filter(|entry| entry["request_id"] == id);
        entries.next().unwrap_or_else(|| panic!("{id} has no entry of kind {kind}"))
    }

    pub(crate) fn entries(&self, kind: &str) -> Vec<Value> {
        self.installation.entries().into_iter().filter(|entry| entry["kind"] == kind).collect()
    }

    /// Puts a request that must be signed; its acceptance.
    pub(crate) fn accepted(&self, id: &str, body: impl ToString) -> Value {
        self.watcher.signed(id, body);
        self.entry("accepted", id)
    }

    /// Puts a request that must be denied by this rule, with these words.
    pub(crate) fn denied(&self, id: &str, body: impl ToString, rule: &str, words: &str) {
        let problem = self.watcher.refused(id, body);
        assert_eq!(problem.type_uri, "urn:chancery:problem:denied", "{}", problem.detail);
        assert_eq!(problem.rule.as_deref(), Some(rule), "{}", problem.detail);
        assert!(problem.detail.contains(words), "{}", problem.detail);
    }
}

fn key_of(installation: &Installation, name: &str) -> (PublicKey, ChainCode) {
    let entries = installation.entries();
    let entry = entries.iter().find(|entry| entry["kind"] == "key" && entry["name"] == name).unwrap();
    let public_key = hex::decode(entry["public_key"].as_str().unwrap()).unwrap();
    let public_key = PublicKey::decode(Algorithm::Secp256k1, &public_key).unwrap();
    (public_key, entry["chain_code"].as_str().unwrap().parse().unwrap())
}

/// The policy of [`Vault::new`].
pub(crate) fn policy() -> String {
    installation::POLICY.to_owned() + POLICY
}

pub(crate) fn generate(installation: &Installation, key: &str) {
    let arguments = ["key", "generate", key, "--algorithm", "secp256k1", "--children", "--config", "chancery.toml"];
    installation.run("chancery-provision", &arguments);
}

/// The amounts paid to each destination, as an entry has them.
pub(crate) fn amounts(listed: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let listed = listed.as_array().into_iter().flatten();
    listed.map(|paid| (text(&paid["destination"]), text(&paid["amount"]))).collect()
}
