//! After a loss, while nothing serves: the log goes on from a copy, or another token holds it. What either may have lost
//! counts against every limit.

use std::{path::PathBuf, sync::Arc};

use appliance_wire::{Body, LogKey, LogToken, Receipt, TokenEntry, TokenEvent};
use hsm_types::PublicKey;
use tokio::runtime::Handle;

use crate::{
    audit::{self, NotAnchored, Opened, RebuildError, Recovery, RecoveryReport, Tip, TokenAnchor},
    config::Config,
    freezes::Freezes,
    metrics::Metrics,
    officers::{Act, Consent},
    operations::Checkpoints,
    serve::{ServeError, open_log, wait_for_tokens},
    state::{LogHome, State},
    tokens::{LOG_KEY, Tokens, reserved},
};

/// Why nothing was recovered or replaced.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The log, the tokens or the configuration.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The copy.
    #[error(transparent)]
    Copy(#[from] RebuildError),
    /// It is not the remedy for what is there.
    #[error("{0}. Nothing was changed")]
    Refused(String),
    /// The log is changed, and the token does not know.
    #[error(
        "the log was changed, and its anchor in token {token} was not written: {reason}. No start accepts it; mend the \
         token, and do the same again"
    )]
    Unanchored {
        /// Which.
        token: String,
        /// Why.
        reason: String,
    },
}

/// From what to recover.
#[derive(Clone, Debug)]
pub struct FromCopy {
    /// `log.jsonl`, or the directory that has it.
    pub copy: PathBuf,
    /// Of requests the copy may not know.
    pub receipts: Vec<Receipt>,
    /// Why.
    pub reason: String,
    /// What the officers signed.
    pub consent: Arc<Consent>,
}

/// A token that holds the log in place of another.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Replaced {
    /// Its name.
    pub token: String,
    /// Its serial number.
    pub serial: String,
    /// Verifier key of the log from now on: what watchers add to `log_keys`.
    pub log_key: String,
    /// Entries of the log.
    pub entries: u64,
}

const BY: &str = "admin";

/// Goes on from a copy of the log.
///
/// # Errors
/// [`RecoveryError`].
pub async fn recover(
    config: Config,
    from: FromCopy,
    progress: impl Fn(u64) + Send + 'static,
) -> Result<RecoveryReport, RecoveryError> {
    let (config, tokens) = open_tokens(config).await?;
    let (directory, asked, handle) = (config.state_directory.clone(), Arc::clone(&tokens), Handle::current());
    let recovered = tokio::task::spawn_blocking(move || {
        let token_anchor = |home: &LogHome| handle.block_on(anchor_of(&asked, home));
        let consent = |state: &State, tip: Tip| {
            from.consent.to(state, &Act::recover(tip.size, &hex::encode(tip.root), &from.reason))
        };
        let recovery = Recovery {
            copy: &from.copy,
            receipts: &from.receipts,
            by: BY,
            reason: &from.reason,
            consent: &consent,
            token_anchor: &token_anchor,
            progress: &progress,
        };
        audit::recover(&directory, &recovery)
    });
    let report = recovered.await.map_err(|error| ServeError::System(error.to_string()))??;
    anchor(&tokens, &report.home.token, report.tip).await?;
    Ok(report)
}

/// Lets token `name` hold the log: sign its checkpoints, and keep its anchor.
///
/// # Errors
/// [`RecoveryError`].
pub async fn replace_token(
    config: Config,
    name: &str,
    reason: String,
    consent: &Consent,
) -> Result<Replaced, RecoveryError> {
    let (config, tokens) = open_tokens(config).await?;
    let mut opened = open_log(&config).await?;
    let home = opened.state().log_home.clone().ok_or_else(|| refused("the log has no genesis"))?;
    let serial = tokens.token(name).ok_or_else(|| refused(format!("no [[token]] has the name {name}")))?;
    let serial =
        serial.info().ok_or_else(|| refused(format!("token {name} does not open: see `chancery doctor`")))?.serial;
    check_replaceable(&tokens, &opened, &home, name).await?;
    let log_key = log_key_in(&config, &tokens, &opened, name).await?;

    let tip = opened.log().tip();
    let (named, root) = (log_key.to_string(), hex::encode(tip.root));
    let act = Act::replace_token(name, &serial, &named, (tip.size, &root), &reason);
    let signatures = consent.to(opened.state(), &act).map_err(refused)?;
    let token_entry = TokenEntry {
        token: name.to_owned(),
        serial: serial.clone(),
        event: TokenEvent::HoldsLog(LogToken { log_key: log_key.to_string(), by: BY.to_owned(), reason, signatures }),
    };
    let tip = tokio::task::spawn_blocking(move || {
        // The last checkpoint still says how far the log went; the new key will sign the next.
        let old_key = LogKey::parse(&home.log_key).map_err(|error| error.to_string())?;
        Checkpoints::open(&config.state_directory, old_key, home.token, opened.log())?;
        audit::set_checkpoint_aside(&config.state_directory).map_err(|error| error.to_string())?;
        opened.append(vec![Body::Token(token_entry)]).map_err(|error| error.to_string())
    })
    .await
    .map_err(|error| ServeError::System(error.to_string()))?
    .map_err(ServeError::State)?;
    anchor(&tokens, name, tip).await?;
    Ok(Replaced { token: name.to_owned(), serial, log_key: log_key.to_string(), entries: tip.size })
}

async fn open_tokens(config: Config) -> Result<(Arc<Config>, Arc<Tokens>), RecoveryError> {
    let config = Arc::new(config);
    let tokens = Tokens::new(&config, Arc::new(Freezes::default()), Arc::new(Metrics::default()));
    wait_for_tokens(&tokens, &config).await?;
    Ok((config, Arc::new(tokens)))
}

/// The anchor in the token of the log, which must have its log key.
async fn anchor_of(tokens: &Tokens, home: &LogHome) -> Result<Option<TokenAnchor>, String> {
    let log_key = LogKey::parse(&home.log_key).map_err(|error| error.to_string())?;
    let found = tokens.public_key(&home.token, &reserved(LOG_KEY)?).await?;
    if !matches!(&found, PublicKey::Ed25519(found) if found.as_bytes() == log_key.public()) {
        return Err(format!(
            "token {} is not the one of this log: its log key is {found}, the log pins {}",
            home.token,
            hex::encode(log_key.public())
        ));
    }
    let Some(found) = tokens.read_anchor(&home.token).await? else { return Ok(None) };
    let unreadable = || format!("the anchor in token {} is none that this version reads", home.token);
    TokenAnchor::decode(&found).map(Some).ok_or_else(unreadable)
}

/// Nothing takes the place of what is there.
async fn check_replaceable(tokens: &Tokens, opened: &Opened, home: &LogHome, name: &str) -> Result<(), RecoveryError> {
    if home.token != name && matches!(tokens.read_anchor(&home.token).await, Ok(Some(_))) {
        return Err(refused(format!("token {}, which holds the log, is there", home.token)));
    }
    let read = tokens.read_anchor(name).await.map_err(refused)?;
    let (log, was_anchored) = (opened.log(), opened.state().anchored);
    let here = audit::compare(read.as_deref(), log, log.tip(), was_anchored, name);
    match here {
        // It has none, or one of before it was lost.
        Err(NotAnchored::Missing { .. } | NotAnchored::Longer { .. }) => Ok(()),
        Ok(_) if read.is_none() => Ok(()),
        Ok(_) => Err(refused(format!("token {name} holds the anchor of this log: `chancery serve` will do"))),
        Err(error) => Err(refused(format!("{error}: a token of another log is made empty first"))),
    }
}

/// The new token's log key, which is no key of the policy.
async fn log_key_in(config: &Config, tokens: &Tokens, opened: &Opened, name: &str) -> Result<LogKey, RecoveryError> {
    let label = reserved(LOG_KEY).map_err(ServeError::State)?;
    let found = tokens.public_key(name, &label).await.map_err(|reason| {
        refused(format!(
            "{reason}: make one with `chancery-provision key generate {LOG_KEY} --algorithm ed25519 --token {name}`"
        ))
    })?;
    let PublicKey::Ed25519(key) = &found else {
        return Err(refused(format!("{LOG_KEY} in token {name} is no Ed25519 key: {found}")));
    };
    if opened.state().keys.values().any(|entry| entry.public_key == found.to_string()) {
        return Err(refused(format!("{LOG_KEY} in token {name} is a key of the policy under another name")));
    }
    LogKey::new(&config.origin, key.as_bytes()).map_err(refused)
}

/// Says in the token that the log is this one, and closed.
async fn anchor(tokens: &Tokens, token: &str, at: Tip) -> Result<(), RecoveryError> {
    let unanchored = |reason: String| RecoveryError::Unanchored { token: token.to_owned(), reason };
    let run = audit::new_run().map_err(unanchored)?;
    let anchor = TokenAnchor { size: at.size, root: at.root, run, is_open: false };
    tokens.write_anchor(token, anchor.encode()).await.map_err(unanchored)
}

fn refused(reason: impl std::fmt::Display) -> RecoveryError {
    RecoveryError::Refused(reason.to_string())
}
