//! The command line of the daemon, and of what asks it.

use std::path::PathBuf;

use appliance_wire::Decimal;
use clap::{Args, Subcommand};

use super::parse_decimal;
use crate::journal::{WithdrawalId, WithdrawalState};

/// What asks the daemon.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum DaemonCommand {
    Withdrawal(Withdrawal),
    Deposits(Deposits),
    /// Shows the address of a customer, and gives one out where there is none yet.
    #[command(after_help = "Example:\n  chancery-watcher address customer-991 --chain bitcoin")]
    Address {
        /// Of the exchange's choosing; the same name is the same address, for ever.
        name: String,
        /// The chain, by its name in the config.
        #[arg(long)]
        chain: String,
    },
    /// Shows where the daemon stands on each chain.
    #[command(after_help = "Example:\n  chancery-watcher chains --json")]
    Chains,
    /// Acts on one chain of the daemon.
    #[command(after_help = "Example:\n  chancery-watcher chain resume bitcoin")]
    Chain {
        #[command(subcommand)]
        command: ChainCommand,
    },
}

const WITHDRAWAL_EXAMPLE: &str = "\
Examples:
  chancery-watcher withdrawal create wd-1042 --chain bitcoin --asset BTC --to bc1q... --amount 0.1 --wait
  chancery-watcher withdrawal show wd-1042 --watch
  chancery-watcher withdrawal list --open
  chancery-watcher withdrawal bump wd-1042
  chancery-watcher withdrawal export wd-1042 --out wd-1042.json";

/// Withdrawals of the daemon: wanted by id, shown, bumped, cancelled, carried to other machines.
#[derive(Args, Debug)]
#[command(after_help = WITHDRAWAL_EXAMPLE)]
pub(in crate::cli) struct Withdrawal {
    #[command(subcommand)]
    pub(in crate::cli) command: WithdrawalCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum WithdrawalCommand {
    #[command(flatten)]
    Daemon(WithdrawalOfDaemon),
    /// Has the signer sign an exported withdrawal; asks neither a node nor the daemon.
    #[command(after_help = "Example:\n  chancery-watcher withdrawal sign wd-1042.json --out wd-1042.signed.json")]
    Sign {
        /// What was exported.
        file: PathBuf,
        /// Where to.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// Those the daemon answers.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum WithdrawalOfDaemon {
    Create(Create),
    /// Shows a withdrawal's timeline, with entries of the signer's audit log and confirmations.
    #[command(after_help = "Example:\n  chancery-watcher withdrawal show wd-1042 --watch")]
    Show {
        /// The withdrawal.
        id: String,
        /// Shows it again whenever it has gone on, until it is settled.
        #[arg(long)]
        watch: bool,
    },
    List(List),
    /// Raises the fee.
    #[command(after_help = "Example:\n  chancery-watcher withdrawal bump wd-1042")]
    Bump {
        /// The withdrawal.
        id: String,
    },
    /// Has it pay nobody, where it is not too late.
    #[command(after_help = "Example:\n  chancery-watcher withdrawal cancel wd-1042")]
    Cancel {
        /// The withdrawal.
        id: String,
    },
    /// Writes a withdrawal as a file, to be signed on another machine.
    #[command(after_help = "Example:\n  chancery-watcher withdrawal export wd-1042 --out wd-1042.json")]
    Export {
        /// The withdrawal.
        id: String,
        /// Where to.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Takes in a withdrawal that was signed elsewhere; it is then sent.
    #[command(after_help = "Example:\n  chancery-watcher withdrawal import wd-1042.signed.json")]
    Import {
        /// What was signed.
        file: PathBuf,
    },
}

/// Creates a withdrawal; the same ID and content is the same withdrawal, for ever.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  chancery-watcher withdrawal create wd-1042 --chain bitcoin --asset BTC --to bc1q... \
                  --amount 0.1"
)]
pub(in crate::cli) struct Create {
    /// Its name: 1 to 100 of A-Z a-z 0-9 . _ -
    pub(in crate::cli) id: WithdrawalId,
    /// The chain, by its name in the config.
    #[arg(long)]
    pub(in crate::cli) chain: String,
    /// What is paid.
    #[arg(long)]
    pub(in crate::cli) asset: String,
    /// To whom.
    #[arg(long, value_name = "ADDRESS")]
    pub(in crate::cli) to: String,
    /// How much arrives there, in the asset's main unit.
    #[arg(long, value_parser = parse_decimal)]
    pub(in crate::cli) amount: Decimal,
    /// The data field of the payment, on chains that have one.
    #[arg(long)]
    pub(in crate::cli) memo: Option<String>,
    /// Waits until it is settled, and shows how it goes on.
    #[arg(long)]
    pub(in crate::cli) wait: bool,
}

/// Lists withdrawals by id.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  chancery-watcher withdrawal list --chain bitcoin --open")]
pub(in crate::cli) struct List {
    /// Of this chain only.
    #[arg(long)]
    pub(in crate::cli) chain: Option<String>,
    /// In this state only: created, signed, sent, confirmed, cancelled, failed.
    #[arg(long, value_parser = parse_state)]
    pub(in crate::cli) state: Option<WithdrawalState>,
    /// Those not settled only.
    #[arg(long)]
    pub(in crate::cli) open: bool,
}

/// Lists deposits by their last change.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  chancery-watcher deposits --chain bitcoin\n  chancery-watcher deposits --after \
                        1234 --follow --json")]
pub(in crate::cli) struct Deposits {
    /// Of this chain only.
    #[arg(long)]
    pub(in crate::cli) chain: Option<String>,
    /// Begins after this cursor.
    #[arg(long, value_name = "CURSOR", default_value_t = 0)]
    pub(in crate::cli) after: u64,
    /// Goes on as they change, a line each (with --json a JSON object), until it is stopped.
    #[arg(long)]
    pub(in crate::cli) follow: bool,
}

/// A chain of the daemon.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ChainCommand {
    /// Goes on after an alarm: deposits and withdrawals after the last block that is still there are looked at again.
    #[command(after_help = "Example:\n  chancery-watcher chain resume bitcoin")]
    Resume {
        /// The chain, by its name in the config.
        name: String,
    },
}

fn parse_state(text: &str) -> Result<WithdrawalState, String> {
    serde_json::from_value(text.into())
        .map_err(|_| "write created, signed, sent, confirmed, cancelled or failed".to_owned())
}
