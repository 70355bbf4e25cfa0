//! A new audit log: the log key and the first policy's keys are read from the tokens, and the first entries written.

use std::sync::Arc;

use appliance_wire::{Genesis, LogKey, PolicyEntry};
use hsm_types::PublicKey;

use crate::{
    audit::{self, FirstEntries},
    config::Config,
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
pub async fn begin(config: Config, document: String) -> Result<Begun, ServeError> {
    let policy = Policy::parse(&document).map_err(|mistakes| ServeError::State(format!("the policy:\n{mistakes}")))?;
    let config = Arc::new(config);
    let tokens = Tokens::new(&config, Arc::new(Freezes::default()), Arc::new(Metrics::default()));
    if let Some(sealed) = wait_for_tokens(&tokens, &config).await?.into_iter().next() {
        return Err(sealed);
    }
    let (token, log_key) = find_log_key(&config, &tokens).await?;
    let keys: Vec<&PolicyKey> = policy.keys.iter().collect();
    let keys = key_entries(&tokens, &keys, &[]).await.map_err(ServeError::State)?;
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
    };
    let entry = PolicyEntry { version: policy.version, sha256: policy.sha256, document };
    let directory = config.state_directory.clone();
    let first = FirstEntries { genesis, policy: entry, keys };
    let created = tokio::task::spawn_blocking(move || audit::create(&directory, first)).await;
    created
        .map_err(|error| ServeError::System(error.to_string()))?
        .map_err(|error| ServeError::State(error.to_string()))?;
    Ok(begun)
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
