//! The command line.

use std::{path::PathBuf, time::Duration};

use appliance_wire::{Decimal, LogKey, MessageHex, Output, RequestId};
use clap::{Args, Parser, Subcommand};
use hsm_types::{Digest, KeyLabel, KeyPath, LAST_CHILD};

pub(super) mod daemon;

use daemon::DaemonCommand;

const EXAMPLES: &str = "\
Examples:
  chancery-watcher status
  chancery-watcher sign wd-1042 --psbt withdrawal.psbt --receipt wd-1042.receipt.json
  chancery-watcher addresses btc-hot --count 100
  chancery-watcher verify wd-1042.receipt.json

Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 what was verified is NOT valid, 78 config to be mended.";

/// Asks the signer for signatures, and checks what it says. Holds no key that could sign in its place.
#[derive(Debug, Parser)]
#[command(name = "chancery-watcher", version, after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The watcher's config.
    #[arg(long, global = true, value_name = "FILE", default_value = "/etc/chancery/watcher.toml")]
    pub(super) config: PathBuf,
    /// Prints JSON, errors too.
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Sign(Box<Sign>),
    /// Shows where a request stands; without ID, whether the signer answers, its log is the one seen before, and what
    /// is left of the limits.
    #[command(after_help = "Example:\n  chancery-watcher status wd-1042 --json")]
    Status {
        /// The request.
        id: Option<RequestId>,
    },
    /// Takes a request back that waits for officers.
    #[command(after_help = "Example:\n  chancery-watcher withdraw wd-1042")]
    Withdraw {
        /// The request.
        id: RequestId,
    },
    Events(Events),
    /// Lists the keys granted to this watcher.
    #[command(after_help = "Example:\n  chancery-watcher keys")]
    Keys,
    Addresses(Addresses),
    /// Shows what is left in each window that applies to this watcher.
    #[command(after_help = "Example:\n  chancery-watcher limits")]
    Limits,
    /// Freezes this watcher itself; only officers can unfreeze it.
    #[command(after_help = "Example:\n  chancery-watcher freeze \"unknown process on the host\"")]
    Freeze {
        /// Why, for the audit log.
        reason: String,
    },
    Verify(Verify),
    Witness(Witness),
    /// Serves the chains of the config until SIGTERM: deposits are found and confirmed, withdrawals made, signed, sent
    /// and confirmed; with an API for the exchange's backend.
    #[command(after_help = "Example:\n  chancery-watcher run --config /etc/chancery/watcher.toml")]
    Run,
    #[command(flatten)]
    Daemon(DaemonCommand),
}

/// Shows what happened to this watcher's requests and to itself, by index of the audit log.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  chancery-watcher events --after 1234\n  chancery-watcher events --after 1234 --follow --json"
)]
pub(super) struct Events {
    /// Begins after this entry; without it, with the first.
    #[arg(long, value_name = "INDEX")]
    pub(super) after: Option<u64>,
    /// Goes on as things happen, a line each (with --json a JSON object), until it is stopped.
    #[arg(long)]
    pub(super) follow: bool,
}

const SIGN_EXAMPLE: &str = "\
Examples:
  chancery-watcher sign wd-1042 --psbt withdrawal.psbt --out withdrawal.hex
  chancery-watcher sign wd-1042-bump --psbt higher-fee.psbt --replaces wd-1042
  chancery-watcher sign --psbt withdrawal.psbt --dry-run
  chancery-watcher sign wd-1043 --eip2718 @unsigned.hex --key eth-hot/17
  chancery-watcher sign wd-1044 --key btc-hot --digest 3b1c...64 hex digits \\
      --asset BTC --fee 0.00001410 --output bcrt1q...=0.1=customer-wd-991
  chancery-watcher sign wd-1045 --request request.json --receipt wd-1045.receipt.json";

/// Asks for the signatures of one transaction; the same ID and content gives the same signatures, for ever.
#[derive(Args, Debug)]
#[command(after_help = SIGN_EXAMPLE)]
pub(super) struct Sign {
    /// The request's name, unique per watcher. With --psbt or --eip2718 it may be left out: it is then made of the
    /// content, so that the same transaction is the same request.
    #[arg(required_unless_present_any = ["named", "unsigned"])]
    pub(super) id: Option<RequestId>,
    /// The same as ID.
    #[arg(long = "id", id = "named", value_name = "ID", conflicts_with = "id")]
    pub(super) named: Option<RequestId>,
    /// The key that signs, with a child as KEY/CHILD. With --psbt a hint, once for each input in order; with --eip2718
    /// the account.
    #[arg(long, conflicts_with = "request", required_unless_present_any = ["request", "unsigned"])]
    pub(super) key: Vec<KeyPath>,
    #[command(flatten)]
    pub(super) what: What,
    /// What is paid: name of an asset of the policy.
    #[arg(long, conflicts_with = "request")]
    pub(super) asset: Option<String>,
    /// What the network gets, in the chain's native asset.
    #[arg(long, requires = "asset", value_parser = parse_decimal)]
    pub(super) fee: Option<Decimal>,
    /// A payment; change is left out. REFERENCE names the withdrawal it pays.
    #[arg(long, requires = "asset", value_name = "DEST=AMOUNT[=REFERENCE]", value_parser = parse_output)]
    pub(super) output: Vec<Output>,
    /// The withdrawal that pays DEST, an output of the transaction.
    #[arg(long, requires_all = ["asset", "unsigned"], value_name = "DEST=REFERENCE", value_parser = parse_reference)]
    pub(super) reference: Vec<(String, RequestId)>,
    /// The accepted request this one is a variant of: another fee, or a cancellation.
    #[arg(long, value_name = "ID", requires = "unsigned")]
    pub(super) replaces: Option<RequestId>,
    /// Asks what would happen and why; binds, spends and signs nothing.
    #[arg(long, conflicts_with_all = ["receipt", "out"])]
    pub(super) dry_run: bool,
    /// Where the signed transaction goes instead of standard output.
    #[arg(long, value_name = "FILE", requires = "unsigned")]
    pub(super) out: Option<PathBuf>,
    /// RFC 3339; after it the token is not asked any more.
    #[arg(long, value_name = "TIME", conflicts_with = "request")]
    pub(super) expires_at: Option<String>,
    /// Waits for the receipt, verifies it and writes it as JSON.
    #[arg(long, value_name = "FILE")]
    pub(super) receipt: Option<PathBuf>,
    /// Where officers must agree: waits until they decided, however long that takes.
    #[arg(long, conflicts_with = "dry_run")]
    pub(super) wait: bool,
    /// How long to go on asking, and to wait for the receipt.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(super) deadline: u64,
}

impl Sign {
    pub(super) fn deadline(&self) -> Duration {
        Duration::from_secs(self.deadline)
    }
}

/// What is to be signed.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(super) struct What {
    /// For ECDSA keys: 32 bytes each, hexadecimal.
    #[arg(long, value_name = "HEX", num_args = 1.., value_parser = parse_digest)]
    pub(super) digest: Vec<Digest>,
    /// For Ed25519 keys, hexadecimal.
    #[arg(long, value_name = "HEX", num_args = 1.., value_parser = parse_message)]
    pub(super) message: Vec<MessageHex>,
    /// The whole request in JSON; - reads standard input.
    #[arg(long, value_name = "FILE")]
    pub(super) request: Option<PathBuf>,
    /// The unsigned transaction as a PSBT, binary or base64; - reads standard input. Prints the signed transaction in
    /// hexadecimal, or the PSBT in base64 where others have to sign too.
    #[arg(long, value_name = "FILE", group = "unsigned")]
    pub(super) psbt: Option<PathBuf>,
    /// The unsigned transaction of Ethereum's kind in hexadecimal, or @FILE, or - for standard input. Prints the signed
    /// transaction in hexadecimal.
    #[arg(long, value_name = "HEX", group = "unsigned")]
    pub(super) eip2718: Option<String>,
}

/// Lists the addresses of a key's children, or allocates further ones; each is derived here and compared.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  chancery-watcher addresses btc-hot --count 100 --after 99\n  chancery-watcher \
                        addresses btc-hot --descriptors")]
pub(super) struct Addresses {
    /// A key with children.
    pub(super) key: KeyLabel,
    /// Allocates so many; without it those allocated are listed.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) count: Option<u32>,
    /// Begins after this child. With --count it may be asked again: the same request gives the same addresses.
    #[arg(long, value_name = "CHILD", value_parser = clap::value_parser!(u32).range(..=i64::from(LAST_CHILD)))]
    pub(super) after: Option<u32>,
    /// Prints a descriptor (BIP 380) for each, for the wallet that watches them.
    #[arg(long)]
    pub(super) descriptors: bool,
}

/// Verifies a receipt offline: that its entry is in the signer's log, and the signatures in it. Or a witness's file:
/// that it proves a fork of the log.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  chancery-watcher verify wd-1042.receipt.json --log-key exchange.example/...+...+...\n  \
                        chancery-watcher verify --fork fork-1234.json --log-key exchange.example/...+...+..."
)]
pub(super) struct Verify {
    /// The receipt in JSON; - reads standard input.
    #[arg(required_unless_present = "fork")]
    pub(super) receipt: Option<PathBuf>,
    /// A file that a witness wrote when it found a fork; - reads standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "receipt")]
    pub(super) fork: Option<PathBuf>,
    /// The log's C2SP verifier key; without it those of the config are taken.
    #[arg(long, value_name = "VKEY", value_parser = parse_log_key)]
    pub(super) log_key: Vec<LogKey>,
}

const WITNESS_EXAMPLE: &str = "\
Examples:
  chancery-watcher witness key --name exchange.example/watcher-a --out witness.key
  chancery-watcher witness
  chancery-watcher witness --once --json";

/// Follows the signer's log as a witness: cosigns it, collects other witnesses' cosignatures, and compares with what
/// they were shown. Goes on until it is stopped, or a fork is found: then this watcher is frozen.
#[derive(Args, Debug)]
#[command(after_help = WITNESS_EXAMPLE, args_conflicts_with_subcommands = true)]
pub(super) struct Witness {
    /// How often to look, such as 5s or 2m.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_duration)]
    pub(super) every: Duration,
    /// Looks once and ends, without listening.
    #[arg(long)]
    pub(super) once: bool,
    #[command(subcommand)]
    pub(super) command: Option<WitnessCommand>,
}

#[derive(Debug, Subcommand)]
pub(super) enum WitnessCommand {
    /// Makes the witness's private key, and prints the verifier key that others need.
    #[command(
        after_help = "Example:\n  chancery-watcher witness key --name exchange.example/watcher-a --out witness.key"
    )]
    Key {
        /// The witness's name: a URL without its scheme.
        #[arg(long)]
        name: String,
        /// Where the private key goes: a new file, for its owner alone.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// A number of seconds or minutes.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let seconds = match text.strip_suffix('m') {
        Some(minutes) => minutes.parse().ok().and_then(|minutes: u64| minutes.checked_mul(60)),
        None => text.strip_suffix('s').and_then(|seconds| seconds.parse().ok()),
    };
    let seconds = seconds.filter(|seconds| (1..=86_400).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| "write 5s or 2m: from 1 s to a day".to_owned())
}

fn parse_log_key(text: &str) -> Result<LogKey, String> {
    LogKey::parse(text).map_err(|error| error.to_string())
}

fn parse_digest(text: &str) -> Result<Digest, String> {
    Digest::try_from(text.to_owned())
}

fn parse_message(text: &str) -> Result<MessageHex, String> {
    MessageHex::try_from(text.to_owned()).map_err(|error| error.to_string())
}

fn parse_decimal(text: &str) -> Result<Decimal, String> {
    text.parse().map_err(|error: appliance_wire::BadDecimal| error.to_string())
}

fn parse_output(text: &str) -> Result<Output, String> {
    let mut parts = text.splitn(3, '=');
    let (Some(destination), Some(amount)) = (parts.next().filter(|part| !part.is_empty()), parts.next()) else {
        return Err("write DEST=AMOUNT or DEST=AMOUNT=REFERENCE".to_owned());
    };
    let reference = parts.next().map(str::parse).transpose();
    let reference = reference.map_err(|error: appliance_wire::BadRequestId| format!("the reference is {error}"))?;
    Ok(Output { destination: destination.to_owned(), amount: parse_decimal(amount)?, reference })
}

fn parse_reference(text: &str) -> Result<(String, RequestId), String> {
    let (destination, reference) = text.split_once('=').ok_or("write DEST=REFERENCE")?;
    let reference = reference.parse().map_err(|error| format!("the reference is {error}"))?;
    Ok((destination.to_owned(), reference))
}
