//! A new audit log: the log key and the first policy's keys are read from the tokens, and the first entries written.

use std::sync::Arc;

use appliance_wire::{
    Genesis, GenesisCeremony, KeyEntry, LogKey, PolicyEntry,
    ceremony::{Ceremony, Transcript},
};
use hsm_types::PublicKey;

use crate::{
    audit::{self, FirstEntries},
    config::{Config, Profile},
    freezes::Freezes,
    metrics::Metrics,
    operations::key_entries,
    policy::{Policy, PolicyKey},
    serve::{ServeError, wait_for_tokens},
    tokens::{LOG_KEY, Tokens, reserved},
};

/// What was begun.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Begun {
    /// Verifier key of the log: what watchers put into `log_keys`.
    pub log_key: String,
    /// Version of the first policy.
    pub version: u64,
    /// SHA-256 of its document.
    pub sha256: String,
    /// Its keys.
    pub keys: Vec<String>,
    /// What the policy leaves open.
    pub warnings: Vec<String>,
}

/// Begins the audit log of `config` with `document` as the first policy.
///
/// # Errors
/// There is a log already, a token does not open or lacks a key, or the policy is wrong.
pub async fn begin(config: Config, document: String, transcript: Option<Transcript>) -> Result<Begun, ServeError> {
    let policy = Policy::parse(&document).map_err(|mistakes| ServeError::State(format!("the policy:\n{mistakes}")))?;
    let ceremony = ceremony(config.profile, &config.origin, &policy, transcript.as_ref())?;
    let config = Arc::new(config);
    let tokens = Tokens::new(&config, Arc::new(Freezes::default()), Arc::new(Metrics::default()));
    if let Some(sealed) = wait_for_tokens(&tokens, &config).await?.into_iter().next() {
        return Err(sealed);
    }
    let (token, log_key) = find_log_key(&config, &tokens).await?;
    let keys: Vec<&PolicyKey> = policy.keys.iter().collect();
    let keys = key_entries(&tokens, &keys, &[]).await.map_err(ServeError::State)?;
    if let Some((_, facts)) = &ceremony {
        check_ceremony(facts, &log_key, &keys)?;
    }
    let begun = Begun {
        log_key: log_key.to_string(),
        version: policy.version,
        sha256: policy.sha256.clone(),
        keys: keys.iter().map(|key| key.name.to_string()).collect(),
        warnings: policy.warnings.clone(),
    };
    let genesis = Genesis {
        origin: log_key.origin().to_owned(),
        log_key: log_key.to_string(),
        log_key_label: reserved(LOG_KEY).map_err(ServeError::State)?,
        token,
        profile: config.profile.name().to_owned(),
        ceremony: ceremony.map(|(ceremony, _)| ceremony),
    };
    let entry = PolicyEntry::unsigned(policy.version, policy.sha256, document);
    let directory = config.state_directory.clone();
    let first = FirstEntries { genesis, policy: entry, keys };
    let created = tokio::task::spawn_blocking(move || audit::create(&directory, first)).await;
    created
        .map_err(|error| ServeError::System(error.to_string()))?
        .map_err(|error| ServeError::State(error.to_string()))?;
    Ok(begun)
}

/// What the log says of the ceremony it begins with. In profile `production` there is one: it names this very policy, and
/// the policy has officers.
fn ceremony(
    profile: Profile,
    origin: &str,
    policy: &Policy,
    transcript: Option<&Transcript>,
) -> Result<Option<(GenesisCeremony, Ceremony)>, ServeError> {
    let bad = |reason: String| Err(ServeError::State(reason));
    let is_production = profile == Profile::Production;
    if is_production && policy.officers.is_empty() {
        return bad("in profile production the first policy has officers: add [[officer]] and [quorum]".to_owned());
    }
    let Some(transcript) = transcript else {
        return if is_production {
            bad("in profile production a log begins with a key ceremony: run `chancery-provision ceremony run`, and give \
                 its transcript with --ceremony".to_owned())
        } else {
            Ok(None)
        };
    };
    let facts = transcript.verify().map_err(|error| ServeError::State(format!("the transcript: {error}")))?;
    if is_production && facts.rehearsal {
        return bad("the transcript is of a rehearsal: no log of profile production begins with one".to_owned());
    }
    if facts.origin != origin {
        return bad(format!("the transcript is of {}, the configuration says {origin}", facts.origin));
    }
    if facts.policy_sha256.as_ref().is_some_and(|sha256| *sha256 != policy.sha256)
        || (is_production && facts.policy_sha256.is_none())
    {
        return bad("the transcript names another policy than this, or none".to_owned());
    }
    let renewal_key = facts.renewal_key().map(str::to_owned);
    let ceremony = GenesisCeremony { transcript_sha256: transcript.sha256().to_owned(), renewal_key };
    Ok(Some((ceremony, facts)))
}

/// The keys are those the ceremony made.
fn check_ceremony(facts: &Ceremony, log_key: &LogKey, keys: &[KeyEntry]) -> Result<(), ServeError> {
    if facts.log_key != log_key.to_string() {
        let reason = format!("the ceremony made log key {}, the token has {log_key}", facts.log_key);
        return Err(ServeError::OtherToken(reason));
    }
    let differs = |key: &&KeyEntry| facts.key(key.name.as_str()).is_some_and(|made| made.public_key != key.public_key);
    match keys.iter().find(differs) {
        Some(key) => Err(ServeError::OtherToken(format!("key {} is not the one the ceremony made", key.name))),
        None => Ok(()),
    }
}

/// The first token with a log key holds it.
async fn find_log_key(config: &Config, tokens: &Tokens) -> Result<(String, LogKey), ServeError> {
    let label = reserved(LOG_KEY).map_err(ServeError::State)?;
    let mut reasons = Vec::new();
    for token in tokens.all() {
        match tokens.public_key(token.name(), &label).await {
            Ok(PublicKey::Ed25519(key)) => {
                let key = LogKey::new(&config.origin, key.as_bytes());
                let key = key.map_err(|error| ServeError::State(error.to_string()))?;
                return Ok((token.name().to_owned(), key));
            }
            Ok(other) => reasons.push(format!("{LOG_KEY} in token {} is no Ed25519 key: {other:?}", token.name())),
            Err(reason) => reasons.push(reason),
        }
    }
    let reasons = reasons.join("; ");
    Err(ServeError::State(format!("no token has a log key ({reasons}): `chancery-provision init` makes one")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFICERS: &str = r#"
version = 1

[quorum]
policy = 1
loosen = 1
loosen_delay = "1d"
unfreeze = 1

[[officer]]
name = "alice"
ssh_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBPGJSDXF70wur8iFyT8ylxXEhD0BZiS3U0LaP5GUpLh"]
"#;

    fn refusal(profile: Profile, policy: &str) -> Option<String> {
        let policy = Policy::parse(policy).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        ceremony(profile, "o", &policy, None).err().map(|error| error.to_string())
    }

    #[test]
    fn profile_production_begins_with_officers_and_a_ceremony() {
        assert_eq!(refusal(Profile::Development, "version = 1"), None);
        assert!(refusal(Profile::Production, "version = 1").unwrap().contains("has officers"));
        assert!(refusal(Profile::Production, OFFICERS).unwrap().contains("key ceremony"));
    }
}
