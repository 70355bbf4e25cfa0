//! A policy comes in: checked, its new keys read from the tokens, recorded whole.

use appliance_wire::{KeyEntry, PolicyEntry, ProblemCode};
use hsm_types::KeyLabel;

use super::Operations;
use crate::{
    config::Profile,
    policy::{Policy, PolicyKey},
    refusal::Refusal,
    tokens::Tokens,
};

impl Operations {
    /// Installs a policy. Without officers' signatures only in profile `development`.
    ///
    /// # Errors
    /// `denied`, or `malformed` with every mistake.
    pub async fn install_policy(&self, document: String) -> Result<serde_json::Value, Refusal> {
        if self.config.profile != Profile::Development {
            let detail = "outside profile development a policy is installed with officers' signatures";
            return Err(Refusal::new(ProblemCode::Denied, detail).rule("policy"));
        }
        let policy = Policy::parse(&document).map_err(|mistakes| malformed(mistakes.to_string()))?;
        let known = self.audit.query(|state, _| state.keys.clone()).await?;
        for key in &policy.keys {
            if let Some(entry) = known.get(&key.name) {
                check_same(key, entry)?;
            }
        }
        let fresh: Vec<&PolicyKey> = policy.keys.iter().filter(|key| !known.contains_key(&key.name)).collect();
        let keys =
            key_entries(&self.tokens, &fresh, &known.into_values().collect::<Vec<_>>()).await.map_err(malformed)?;
        let entry = PolicyEntry { version: policy.version, sha256: policy.sha256.clone(), document };
        self.tokens.know(keys.iter()).map_err(malformed)?;
        self.audit.install(entry, keys.clone()).await?;
        Ok(serde_json::json!({
            "version": policy.version,
            "sha256": policy.sha256,
            "keys": keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>(),
            "warnings": policy.warnings,
        }))
    }
}

/// A key is its public key: algorithm and evidence level never change.
fn check_same(key: &PolicyKey, entry: &KeyEntry) -> Result<(), Refusal> {
    if entry.algorithm == key.algorithm && entry.evidence == key.evidence.name() {
        return Ok(());
    }
    Err(malformed(format!(
        "key {} is bound as {} with evidence \"{}\" for ever: take a new key for another use",
        key.name, entry.algorithm, entry.evidence
    )))
}

/// Entries of keys the log does not know yet, as the tokens have them. A public key has one name.
///
/// # Errors
/// No token has a key, it may not serve, or it is another key under a second name.
pub async fn key_entries(tokens: &Tokens, keys: &[&PolicyKey], known: &[KeyEntry]) -> Result<Vec<KeyEntry>, String> {
    let mut entries: Vec<KeyEntry> = Vec::new();
    for key in keys {
        let (token, public_key) = find(tokens, &key.name).await?;
        if public_key.algorithm() != key.algorithm {
            let found = public_key.algorithm();
            return Err(format!("key {} is {found} in token {token}, the policy says {}", key.name, key.algorithm));
        }
        let public_key = public_key.to_string();
        if let Some(other) = known.iter().chain(&entries).find(|other| other.public_key == public_key) {
            return Err(format!("keys {} and {} are one key: a key has one name", key.name, other.name));
        }
        entries.push(KeyEntry {
            name: key.name.clone(),
            algorithm: key.algorithm,
            public_key,
            evidence: key.evidence.name().to_owned(),
            token,
            chain_code: None,
        });
    }
    Ok(entries)
}

async fn find(tokens: &Tokens, key: &KeyLabel) -> Result<(String, hsm_types::PublicKey), String> {
    let mut reasons = Vec::new();
    for token in tokens.all() {
        match tokens.public_key(token.name(), key).await {
            Ok(public_key) => return Ok((token.name().to_owned(), public_key)),
            Err(reason) => reasons.push(reason),
        }
    }
    Err(format!("key {key} cannot be used: {}; make it with `chancery-provision key generate`", reasons.join("; ")))
}

fn malformed(detail: String) -> Refusal {
    Refusal::new(ProblemCode::Malformed, detail)
}
