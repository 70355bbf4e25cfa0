//! `verify`: a receipt or a fork, offline.

use std::path::Path;

use appliance_wire::{BadReceipt, Fork, LogKey, ProvenFork, Receipt};

use super::{Shown, arguments::Verify, failure::Failure, sign::read_text};
use crate::{Config, Error, Outcome, Proven, ProvenSignature, receipt_check::verify_receipt_under};

pub(super) fn run(verify: &Verify, config: &Path) -> Result<Shown, Failure> {
    let log_keys = log_keys(verify, config)?;
    match (&verify.fork, &verify.receipt) {
        (Some(file), _) => fork(file, &log_keys),
        (None, Some(file)) => receipt(file, &log_keys),
        (None, None) => Err(Failure::Usage("name a receipt, or a file with --fork".to_owned())),
    }
}

fn receipt(file: &Path, log_keys: &[LogKey]) -> Result<Shown, Failure> {
    let text = read_text(file)?;
    let not_valid = |why: String| Failure::NotValid(format!("{}: {why}", file.display()));
    let receipt: Receipt = serde_json::from_str(&text).map_err(|error| not_valid(format!("no receipt: {error}")))?;
    match verify_receipt_under(&receipt, log_keys) {
        Ok(proven) => show(&proven),
        // It is in the log: only what it says cannot be judged.
        Err(error @ Error::Receipt(BadReceipt::Unknown { .. })) => Err(error.into()),
        Err(error) => Err(not_valid(error.to_string())),
    }
}

fn log_keys(verify: &Verify, config: &Path) -> Result<Vec<LogKey>, Failure> {
    if verify.log_key.is_empty() {
        return Ok(Config::load(config).map_err(Error::from)?.log_keys);
    }
    Ok(verify.log_key.clone())
}

/// A fork that is none proves nothing: that is what is not valid.
fn fork(file: &Path, log_keys: &[LogKey]) -> Result<Shown, Failure> {
    let text = read_text(file)?;
    let not_valid = |why: String| Failure::NotValid(format!("{} proves no fork: {why}", file.display()));
    let fork: Fork = serde_json::from_str(&text).map_err(|error| not_valid(format!("no such file: {error}")))?;
    let proven = fork.verify(log_keys).map_err(|error| not_valid(error.to_string()))?;
    let (smaller, larger, what) = match proven {
        ProvenFork::SameSize { size } => (size, size, format!("two different logs of {size} entries")),
        ProvenFork::OtherBeginning { smaller, larger } => {
            let what = format!("a log of {larger} entries that does not begin with the log of {smaller} it signed too");
            (smaller, larger, what)
        }
    };
    let origin = fork.smaller.lines().next().unwrap_or_default();
    let text = format!("this proves a fork: the key of {origin} signed {what}");
    let json = serde_json::json!({
        "valid": true,
        "fork": true,
        "origin": origin,
        "smaller_size": smaller,
        "larger_size": larger,
    });
    Shown::new(text, &json)
}

fn show(proven: &Proven) -> Result<Shown, Failure> {
    let entry = serde_json::to_value(&proven.entry).map_err(|error| Failure::Failed(error.to_string()))?;
    let member = |name: &str| entry.get(name).and_then(serde_json::Value::as_str);
    let origin = proven.checkpoint.note().lines().next().unwrap_or_default();
    let count = |outcome| proven.signatures.iter().filter(|signature| signature.outcome == outcome).count();
    let (verified, not_at_hand) = (count(Outcome::Verified), count(Outcome::MessageNotAtHand));

    let kind = member("kind").unwrap_or_default();
    let mut text = format!("valid: entry {} ({kind}", proven.entry.index);
    for (name, what) in [("request_id", "request"), ("watcher", "watcher")] {
        if let Some(value) = member(name) {
            text += &format!(", {what} {value}");
        }
    }
    text += &format!(", {}) is in the log {origin} of {} entries\n", proven.entry.time, proven.checkpoint.size());
    for (position, signature) in proven.signatures.iter().enumerate() {
        text += &format!("signature {position}: {}\n", describe(signature));
    }
    let json = serde_json::json!({
        "valid": true,
        "kind": kind,
        "request_id": member("request_id"),
        "watcher": member("watcher"),
        "index": proven.entry.index,
        "time": proven.entry.time,
        "origin": origin,
        "checkpoint_size": proven.checkpoint.size(),
        "signatures_verified": verified,
        "signatures_without_message": not_at_hand,
    });
    Shown::new(text, &json)
}

fn describe(proven: &ProvenSignature) -> String {
    let (algorithm, signature) = (proven.algorithm, &proven.signature);
    match proven.outcome {
        Outcome::Verified => {
            let digest = signature.digest.map(|digest| digest.to_string()).unwrap_or_default();
            format!("{algorithm} by {} verifies for {digest}", signature.key)
        }
        Outcome::MessageNotAtHand => format!(
            "{algorithm} by {} is recorded, but cannot be verified here: the entry holds only the SHA-256 of the \
             message, {}",
            signature.key,
            signature.message_sha256.as_deref().unwrap_or_default()
        ),
    }
}
