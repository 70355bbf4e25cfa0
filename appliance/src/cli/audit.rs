//! `chancery audit verify|show`: read only, beside a running appliance or without one.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use appliance_wire::LogKey;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    Failure,
    output::{escape, print, print_json},
};
use crate::{
    audit::{Subject, verify},
    config::Config,
};

/// `chancery audit ...`
#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Checks the whole log: entries, tree, checkpoint, every signature and every decision.
    #[command(after_help = "Example: chancery audit verify --config chancery.toml --since old-checkpoint.txt")]
    Verify(Verify),
    /// Shows entries, one a line.
    #[command(after_help = "Example: chancery audit show --last 20")]
    Show(Show),
}

#[derive(Args, Debug)]
pub(super) struct Verify {
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

#[derive(Args, Debug)]
pub(super) struct Show {
    /// State directory; the one of the configuration where left out.
    #[arg(long)]
    state: Option<PathBuf>,
    /// First entry.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Only the last so many.
    #[arg(long)]
    last: Option<usize>,
}

pub(super) fn run(config: &Path, command: AuditCommand, json: bool) -> Result<(), Failure> {
    match command {
        AuditCommand::Verify(arguments) => run_verify(config, &arguments, json),
        AuditCommand::Show(arguments) => run_show(config, &arguments, json),
    }
}

fn state_directory(config: &Path, state: Option<&PathBuf>) -> Result<PathBuf, Failure> {
    match state {
        Some(state) => Ok(state.clone()),
        None => Ok(Config::load(config)?.state_directory),
    }
}

fn run_verify(config: &Path, arguments: &Verify, as_json: bool) -> Result<(), Failure> {
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

fn run_show(config: &Path, arguments: &Show, as_json: bool) -> Result<(), Failure> {
    let path = state_directory(config, arguments.state.as_ref())?.join("log.jsonl");
    let file = fs::File::open(&path).map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
    let lines: Vec<String> = BufReader::new(file)
        .lines()
        .map_while(Result::ok)
        .skip(usize::try_from(arguments.from).unwrap_or(usize::MAX))
        .collect();
    let first = arguments.last.map_or(0, |last| lines.len().saturating_sub(last));
    for line in &lines[first..] {
        if as_json {
            print(line);
        } else if let Ok(entry) = serde_json::from_str::<Value>(line) {
            print(summary(&entry));
        }
    }
    Ok(())
}

fn summary(entry: &Value) -> String {
    let text = |name: &str| match entry[name].as_str() {
        Some(text) => escape(text),
        None => entry.get(name).map(Value::to_string).unwrap_or_default(),
    };
    let what = &entry["what"];
    let what = [&what["scope"], &what["name"]].map(|part| part.as_str().map(escape).unwrap_or_default()).join(" ");
    let about = [
        "watcher",
        "request_id",
        "key",
        "first",
        "count",
        "code",
        "name",
        "by",
        "reason",
        "detail",
        "version",
        "origin",
    ];
    let about = about.into_iter().map(text).chain([what.trim().to_owned()]);
    let about: Vec<String> = about.filter(|text| !text.is_empty()).collect();
    format!("{:>8}  {}  {:<9} {}", text("index"), text("time"), text("kind"), about.join("  "))
}
