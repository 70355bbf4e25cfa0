//! A policy comes in: checked, its new keys read from the tokens, recorded whole.

use appliance_wire::{KeyEntry, ProblemCode};
use hsm_drivers::Protection;
use hsm_types::{ChainCode, KeyLabel};

use super::{Operations, officers::standing_in_words};
use crate::{
    audit::{Incoming, Install},
    officers::ActRequest,
    policy::{OfficerKey, Policy, PolicyKey},
    refusal::Refusal,
    tokens::{Attestation, Held, Tokens},
};

impl Operations {
    /// Brings a policy in: at once where it only tightens, else it waits for the delay.
    ///
    /// # Errors
    /// `denied`, or `malformed` with every mistake.
    pub(super) async fn install_policy(
        &self,
        request: ActRequest,
        signatures: Vec<String>,
    ) -> Result<serde_json::Value, Refusal> {
        let (ActRequest::InstallPolicy { document } | ActRequest::RenewOfficers { document }) = &request else {
            return Err(malformed("this is no policy".to_owned()));
        };
        let policy = Policy::parse(document).map_err(|mistakes| malformed(mistakes.to_string()))?;
        let keys = self.keys_of(&policy).await?;
        self.check_other_uses(&policy, &keys)?;
        let request = Incoming::Signed(request, signatures);
        let installed = self.audit.install(Install { request, keys: keys.clone() }).await?;
        if installed.standing.is_in_force() {
            self.use_keys(&keys).await?;
        }
        let elapsed = self.audit.query(|_, moment| moment.elapsed).await?;
        let (standing, in_force_in_s) = standing_in_words(installed.standing, elapsed);
        Ok(serde_json::json!({
            "version": policy.version,
            "sha256": policy.sha256,
            "standing": standing,
            "in_force_in_s": in_force_in_s,
            "loosens": installed.loosens,
            "ends_waiting": installed.ends_waiting,
            "keys": keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>(),
            "warnings": policy.warnings,
        }))
    }

    /// Brings in the policy that has waited long enough. Its new keys are read from the tokens now.
    pub(super) async fn install_due_policy(&self) -> Result<u64, Refusal> {
        let waiting = self.audit.query(|state, _| state.waiting_policy.clone()).await?;
        let policy = waiting.ok_or_else(|| malformed("no policy waits".to_owned()))?.policy;
        let keys = self.keys_of(&policy).await?;
        self.check_other_uses(&policy, &keys)?;
        self.audit.install(Install { request: Incoming::Due, keys: keys.clone() }).await?;
        self.use_keys(&keys).await?;
        Ok(policy.version)
    }

    /// Entries of the keys it brings in.
    async fn keys_of(&self, policy: &Policy) -> Result<Vec<KeyEntry>, Refusal> {
        let known = self.audit.query(|state, _| state.keys.clone()).await?;
        for key in &policy.keys {
            if let Some(entry) = known.get(&key.name) {
                check_same(key, entry)?;
            }
        }
        let fresh: Vec<&PolicyKey> = policy.keys.iter().filter(|key| !known.contains_key(&key.name)).collect();
        key_entries(&self.tokens, &fresh, &known.into_values().collect::<Vec<_>>()).await.map_err(malformed)
    }

    /// An officer's key is no key of a token.
    fn check_other_uses(&self, policy: &Policy, keys: &[KeyEntry]) -> Result<(), Refusal> {
        let log_key = hex::encode(self.checkpoints.key().public());
        for officer in &policy.officers {
            let mut own = officer.ssh_keys.iter().map(OfficerKey::public_key);
            if own.any(|own| own == log_key || keys.iter().any(|key| key.public_key == own)) {
                let detail =
                    format!("a key of officer {} is in a token of this appliance: a key has one use", officer.name);
                return Err(malformed(detail));
            }
        }
        Ok(())
    }

    async fn use_keys(&self, keys: &[KeyEntry]) -> Result<(), Refusal> {
        self.tokens.know(keys.iter()).map_err(malformed)?;
        self.tokens.find(&keys.iter().map(|key| key.name.clone()).collect::<Vec<_>>()).await;
        Ok(())
    }
}

/// A key is its public key: algorithm and evidence level never change.
fn check_same(key: &PolicyKey, entry: &KeyEntry) -> Result<(), Refusal> {
    if key.children && entry.chain_code.is_none() {
        let detail =
            format!("key {} was bound without a chain code: children need a key made with --children", key.name);
        return Err(malformed(detail));
    }
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
/// No token has a key, it may not serve, it is another key under a second name, or it is to have children and was made
/// without.
pub async fn key_entries(tokens: &Tokens, keys: &[&PolicyKey], known: &[KeyEntry]) -> Result<Vec<KeyEntry>, String> {
    let mut entries: Vec<KeyEntry> = Vec::new();
    for key in keys {
        let (token, held) = find(tokens, &key.name).await?;
        let found = held.public_key.algorithm();
        if found != key.algorithm {
            return Err(format!("key {} is {found} in token {token}, the policy says {}", key.name, key.algorithm));
        }
        let public_key = held.public_key.to_string();
        if let Some(other) = known.iter().chain(&entries).find(|other| other.public_key == public_key) {
            return Err(format!("keys {} and {} are one key: a key has one name", key.name, other.name));
        }
        let chain_code = chain_code(&held, &token, key)?;
        entries.push(KeyEntry {
            name: key.name.clone(),
            algorithm: key.algorithm,
            public_key,
            evidence: key.evidence.name().to_owned(),
            token,
            chain_code,
            backup: held.protection == Protection::LeavesWrapped,
            change: None,
            attestation: held.attestation.as_ref().map(Attestation::to_base64).unwrap_or_default(),
        });
    }
    Ok(entries)
}

/// What the key's children are derived with, whatever the policy says of children today: the entry is for ever, and they
/// may be turned on later.
fn chain_code(held: &Held, token: &str, key: &PolicyKey) -> Result<Option<String>, String> {
    if key.children && held.chain_code.is_none() {
        return Err(format!(
            "key {0} was made without children in token {token}: it has no chain code there, and a key gets one only when \
             it is made; leave out `children`, or name another key, made with `chancery-provision key generate NAME \
             --algorithm secp256k1 --children`",
            key.name
        ));
    }
    Ok(held.chain_code.as_ref().map(ChainCode::to_hex))
}

async fn find(tokens: &Tokens, key: &KeyLabel) -> Result<(String, Held), String> {
    let mut reasons = Vec::new();
    for token in tokens.all() {
        match tokens.inspect(token.name(), key).await {
            Ok(held) => return Ok((token.name().to_owned(), held)),
            Err(reason) => reasons.push(reason),
        }
    }
    Err(format!("key {key} cannot be used: {}", reasons.join("; ")))
}

fn malformed(detail: String) -> Refusal {
    Refusal::new(ProblemCode::Malformed, detail)
}
