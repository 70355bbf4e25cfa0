//! `chancery audit ...`: read only, beside a running appliance or without one; but for `archive`, `rebuild` and `recover`.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::Failure;
use crate::config::Config;

mod archive;
mod export;
mod rebuild;
mod recover;
mod show;
mod tail;
mod verify;
mod view;

/// `chancery audit ...`
#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Checks the whole log: entries, tree, checkpoint, every signature and every decision.
    #[command(after_help = "Example: chancery audit verify --config chancery.toml --since old-checkpoint.txt")]
    Verify(verify::Verify),
    /// Writes the log as static files that outsiders can mirror and verify (C2SP tlog-tiles); run again it adds what is
    /// new.
    #[command(after_help = "Example: chancery audit export --out /srv/www/log")]
    Export(export::Export),
    /// Takes older entries out of the store, into an export of the log, while the appliance is stopped. Proofs stay in the
    /// store, and log.jsonl stays whole.
    #[command(after_help = "Example: chancery audit archive --keep 1000000 --config chancery.toml")]
    Archive(archive::Archive),
    /// Remakes one copy of the log from another, while the appliance is stopped.
    #[command(after_help = "Example: chancery audit rebuild --from log --config chancery.toml")]
    Rebuild(rebuild::Rebuild),
    /// Goes on from an older copy of the log after a true loss, while the appliance is stopped: what receipts prove is
    /// bound again, every limit counts as full for one window, and everything is frozen (profile development; elsewhere
    /// it takes officers).
    #[command(
        after_help = "Example: chancery audit recover --from /mnt/backup/state --receipts receipts.json --config \
                            chancery.toml"
    )]
    Recover(recover::Recover),
    /// Shows entries, one a line.
    #[command(after_help = "Example: chancery audit show --watcher btc-watcher --kind denied,failed --time \
                            2026-11-21T00:00:00Z.. --last 20")]
    Show(show::Show),
    /// Shows the last entries, and new ones as they come.
    #[command(after_help = "Example: chancery audit tail --follow --kind frozen,denied")]
    Tail(tail::Tail),
}

pub(super) fn run(config: &Path, command: AuditCommand, json: bool) -> Result<(), Failure> {
    match command {
        AuditCommand::Verify(arguments) => verify::run(config, &arguments, json),
        AuditCommand::Export(arguments) => export::run(config, &arguments, json),
        AuditCommand::Archive(arguments) => archive::run(config, &arguments, json),
        AuditCommand::Rebuild(arguments) => rebuild::run(config, &arguments, json),
        AuditCommand::Recover(arguments) => recover::run(config, &arguments, json),
        AuditCommand::Show(arguments) => show::run(config, &arguments, json),
        AuditCommand::Tail(arguments) => tail::run(config, &arguments, json),
    }
}

fn state_directory(config: &Path, state: Option<&PathBuf>) -> Result<PathBuf, Failure> {
    match state {
        Some(state) => Ok(state.clone()),
        None => Ok(Config::load(config)?.state_directory),
    }
}

/// Hidden by itself where stderr is no terminal.
fn bar(length: u64) -> indicatif::ProgressBar {
    indicatif::ProgressBar::new(length)
}

fn log_bytes(state: &Path) -> u64 {
    std::fs::metadata(state.join("log.jsonl")).map_or(0, |file| file.len())
}

fn unreadable(directory: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("{}: {error}", directory.join("log.jsonl").display()))
}
