//! `chancery policy check|diff|exposure|replay|install|veto`.

mod diff;
mod exposure;
mod replay;

use std::{fs, path::Path, path::PathBuf};

use appliance_wire::ceremony::Transcript;
use clap::Subcommand;
use serde_json::json;

use super::{
    Failure,
    acts::{self, Officers},
    output::{print, print_json},
    serve::runtime,
};
use crate::{config::Config, error_chain::chain, genesis, officers::ActRequest, policy::Policy};

/// `chancery policy ...`
#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Explains every mistake of a policy, with its line.
    #[command(after_help = "Example: chancery policy check policy.toml")]
    Check {
        /// The policy.
        file: PathBuf,
    },
    /// Shows the most a fully compromised watcher could take, by asset, in 1 h, 24 h and 7 d.
    #[command(after_help = "Example: chancery policy exposure policy.toml")]
    Exposure {
        /// The policy.
        file: PathBuf,
    },
    /// Tells what a policy changes against the one in force: in words, what it loosens, what it exposes, who must sign.
    #[command(after_help = "Example: chancery policy diff candidate.toml --config chancery.toml")]
    Diff {
        /// The policy.
        file: PathBuf,
        /// The policy it is compared with, in place of the one in force by the audit log.
        #[arg(long, value_name = "FILE")]
        against: Option<PathBuf>,
    },
    /// Replays the audit log under a policy and lists each decision that would be another.
    #[command(after_help = "Example: chancery policy replay candidate.toml --config chancery.toml")]
    Replay {
        /// The policy.
        file: PathBuf,
    },
    /// Installs a policy. It takes officers, where the policy in force has any; one that loosens waits for the delay.
    #[command(after_help = "Example: chancery policy install policy.toml --text >act.txt\n  \
        ssh-keygen -Y sign -n chancery-policy -f ~/.ssh/id_ed25519_sk act.txt\n  \
        chancery policy install policy.toml --signature act.txt.sig --config chancery.toml")]
    Install {
        /// The policy.
        file: PathBuf,
        /// Begins a new audit log with this policy; there must be none.
        #[arg(long, conflicts_with_all = ["text", "signature", "renewal"])]
        genesis: bool,
        /// The transcript of the key ceremony that the new log begins with.
        #[arg(long, requires = "genesis", value_name = "TRANSCRIPT")]
        ceremony: Option<PathBuf>,
        /// It comes by the custodians' shares, because the officers are too few.
        #[arg(long)]
        renewal: bool,
        #[command(flatten)]
        officers: Officers,
    },
    /// Ends a policy that waits to come into force. One officer is enough.
    #[command(after_help = "Example: chancery policy veto 4 --text")]
    Veto {
        /// Its version.
        version: u64,
        #[command(flatten)]
        officers: Officers,
    },
}

pub(super) fn run(config: &Path, command: PolicyCommand, json: bool) -> Result<(), Failure> {
    match command {
        PolicyCommand::Check { file } => check(&file, json),
        PolicyCommand::Exposure { file } => exposure::run(&file, json),
        PolicyCommand::Diff { file, against } => diff::run(config, &file, against.as_deref(), json),
        PolicyCommand::Replay { file } => replay::run(config, &file, json),
        PolicyCommand::Install { file, genesis: true, ceremony, .. } => begin(config, &file, ceremony.as_deref(), json),
        PolicyCommand::Install { file, renewal, officers, .. } => install(config, &file, renewal, &officers, json),
        PolicyCommand::Veto { version, officers } => {
            acts::run(config, &ActRequest::VetoPolicy { version }, &officers, json)
        }
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(|error| Failure::failed(format!("{}: {error}", file.display())))
}

fn check(file: &Path, as_json: bool) -> Result<(), Failure> {
    match Policy::parse(&read(file)?) {
        Ok(policy) => {
            if as_json {
                print_json(&json!({
                    "ok": true, "version": policy.version, "sha256": policy.sha256,
                    "warnings": policy.warnings, "mistakes": [],
                }));
            } else {
                print(format!("{} is good (version {})", file.display(), policy.version));
                policy.warnings.iter().for_each(|warning| print(format!("warning: {warning}")));
            }
            Ok(())
        }
        Err(mistakes) => {
            if as_json {
                print_json(&json!({ "ok": false, "mistakes": mistakes.0 }));
            }
            Err(Failure::failed(format!("policy {}:\n{mistakes}", file.display())))
        }
    }
}

fn begin(config: &Path, file: &Path, ceremony: Option<&Path>, as_json: bool) -> Result<(), Failure> {
    let transcript = ceremony.map(transcript).transpose()?;
    let (config, document) = (Config::load(config)?, read(file)?);
    let runtime = runtime()?;
    let begun = runtime.block_on(genesis::begin(config, document, transcript)).map_err(|error| {
        let message = chain(&error);
        if error.is_final() { Failure::fatal(message) } else { Failure::failed(message) }
    });
    runtime.shutdown_background();
    let begun = begun?;
    if as_json {
        print_json(&begun);
    } else {
        print(format!(
            "the audit log has begun with policy version {} and keys {}",
            begun.version,
            begun.keys.join(", ")
        ));
        print(format!("log key for watchers (log_keys in watcher.toml):\n  {}", begun.log_key));
        begun.warnings.iter().for_each(|warning| print(format!("warning: {warning}")));
    }
    Ok(())
}

fn transcript(file: &Path) -> Result<Transcript, Failure> {
    Transcript::parse(&read(file)?).map_err(|error| Failure::failed(format!("{}: {error}", file.display())))
}

fn install(config: &Path, file: &Path, renewal: bool, officers: &Officers, as_json: bool) -> Result<(), Failure> {
    let document = read(file)?;
    // What a person can mend here need not travel.
    Policy::parse(&document).map_err(|mistakes| Failure::failed(format!("policy {}:\n{mistakes}", file.display())))?;
    let request = if renewal { ActRequest::RenewOfficers { document } } else { ActRequest::InstallPolicy { document } };
    acts::run(config, &request, officers, as_json)
}
