//! `chancery audit verify`.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use appliance_wire::LogKey;
use clap::Args;
use serde_json::json;

use super::{
    super::{
        Failure,
        output::{print, print_json},
    },
    bar, log_bytes, state_directory,
};
use crate::audit::{LogCopy, Subject, Verification, verify};

#[derive(Args, Debug)]
pub(in crate::cli) struct Verify {
    /// State directory; the one of the configuration where left out.
    #[arg(long)]
    state: Option<PathBuf>,
    /// An export instead, as `audit export` or a mirror of it left it.
    #[arg(long, value_name = "DIR", conflicts_with = "state")]
    export: Option<PathBuf>,
    /// The log key you know; the log's own where left out.
    #[arg(long)]
    log_key: Option<String>,
    /// A checkpoint from before, which the log must contain.
    #[arg(long)]
    since: Option<PathBuf>,
}

pub(super) fn run(config: &Path, arguments: &Verify, as_json: bool) -> Result<(), Failure> {
    let state;
    let log = match &arguments.export {
        Some(export) => LogCopy::Export(export),
        None => {
            state = state_directory(config, arguments.state.as_ref())?;
            LogCopy::State(&state)
        }
    };
    let directory = log.directory();
    if !directory.is_dir() {
        return Err(Failure::failed(format!("{} is no directory: there is nothing to verify", directory.display())));
    }
    let log_key = arguments.log_key.as_deref().map(LogKey::parse).transpose();
    let log_key = log_key.map_err(|error| Failure::failed(format!("--log-key: {error}")))?;
    let since = arguments.since.as_ref().map(fs::read_to_string).transpose();
    let since = since.map_err(|error| Failure::failed(format!("--since: {error}")))?;
    let bar = bar(length(log));
    let progress = |position| bar.set_position(position);
    let subject = Subject { log, log_key: log_key.as_ref(), since: since.as_deref(), progress: &progress };
    let begun = Instant::now();
    let result = verify(&subject);
    let took = begun.elapsed();
    bar.finish_and_clear();
    match result {
        Ok(verification) if as_json => {
            let per_second = verification.entries as f64 / took.as_secs_f64().max(1e-6);
            print_json(&json!({
                "valid": true,
                "verification": verification,
                "entries_per_second": per_second.round() as u64,
            }));
            Ok(())
        }
        Ok(verification) => {
            show(&verification);
            Ok(())
        }
        // Neither the one nor the other is known.
        Err(finding) if finding.is_newer => {
            if as_json {
                print_json(&json!({ "valid": null, "index": finding.index, "reason": finding.reason }));
            }
            let checked =
                "tree and checkpoints are whole, and of what the entries say only those before it were checked";
            Err(Failure::failed(format!("{} cannot be verified: {finding}; {checked}", directory.display())))
        }
        Err(finding) => {
            if as_json {
                print_json(&json!({ "valid": false, "index": finding.index, "reason": finding.reason }));
            }
            Err(Failure::not_valid(format!("{} is NOT valid: {finding}", directory.display())))
        }
    }
}

/// What the bar counts to: bytes of a state directory's log, entries of an export.
fn length(log: LogCopy<'_>) -> u64 {
    match log {
        LogCopy::State(directory) => log_bytes(directory),
        LogCopy::Export(directory) => {
            let note = fs::read_to_string(directory.join("checkpoint")).unwrap_or_default();
            note.lines().nth(1).and_then(|size| size.parse().ok()).unwrap_or(0)
        }
    }
}

fn show(verification: &Verification) {
    print(format!(
        "valid: {} entries, {} decisions and {} signatures checked again, checkpoint at {}",
        verification.entries,
        verification.decisions,
        verification.signatures,
        verification.checkpoint.map_or_else(|| "none yet".to_owned(), |size| size.to_string()),
    ));
    print(format!(
        "{} transactions read again and {} addresses derived again",
        verification.evidence, verification.addresses
    ));
    if verification.evidence_missing > 0 {
        print(format!(
            "{} transactions are no longer in evidence/: what was decided on them rests on the entries alone",
            verification.evidence_missing
        ));
    }
    print(format!("root {}\nlog key {}", verification.root, verification.log_key));
}
