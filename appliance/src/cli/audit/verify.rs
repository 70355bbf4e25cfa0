//! `chancery audit verify`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use appliance_wire::LogKey;
use clap::Args;
use serde_json::json;

use super::{
    super::{
        Failure,
        output::{print, print_json},
    },
    state_directory,
};
use crate::audit::{Subject, verify};

#[derive(Args, Debug)]
pub(in crate::cli) struct Verify {
    /// State directory; the one of the configuration where left out.
    #[arg(long)]
    state: Option<PathBuf>,
    /// The log key you know; the log's own where left out.
    #[arg(long)]
    log_key: Option<String>,
    /// A checkpoint from before, which the log must contain.
    #[arg(long)]
    since: Option<PathBuf>,
}

pub(super) fn run(config: &Path, arguments: &Verify, as_json: bool) -> Result<(), Failure> {
    let directory = state_directory(config, arguments.state.as_ref())?;
    if !directory.is_dir() {
        return Err(Failure::failed(format!("{} is no directory: there is nothing to verify", directory.display())));
    }
    let log_key = arguments.log_key.as_deref().map(LogKey::parse).transpose();
    let log_key = log_key.map_err(|error| Failure::failed(format!("--log-key: {error}")))?;
    let since = arguments.since.as_ref().map(fs::read_to_string).transpose();
    let since = since.map_err(|error| Failure::failed(format!("--since: {error}")))?;
    let bytes = fs::metadata(directory.join("log.jsonl")).map_or(0, |file| file.len());
    // Hidden by itself where stderr is no terminal.
    let bar = indicatif::ProgressBar::new(bytes);
    let progress = |position| bar.set_position(position);
    let subject =
        Subject { directory: &directory, log_key: log_key.as_ref(), since: since.as_deref(), progress: &progress };
    let result = verify(&subject);
    bar.finish_and_clear();
    match result {
        Ok(verification) => {
            if as_json {
                print_json(&json!({ "valid": true, "verification": verification }));
            } else {
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
            Ok(())
        }
        Err(finding) => {
            if as_json {
                print_json(&json!({ "valid": false, "index": finding.index, "reason": finding.reason }));
            }
            Err(Failure::not_valid(format!("{} is NOT valid: {finding}", directory.display())))
        }
    }
}
