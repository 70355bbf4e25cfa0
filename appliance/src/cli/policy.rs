//! `chancery policy check|exposure|replay|install`.

mod exposure;
mod replay;

use std::{fs, path::Path, path::PathBuf};

use clap::Subcommand;
use hyper::Method;
use serde_json::{Value, json};

use super::{
    Failure,
    output::{print, print_json},
    serve::runtime,
};
use crate::{config::Config, error_chain::chain, genesis, policy::Policy, transport::call};

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
    /// Replays the audit log under a policy and lists each decision that would be another.
    #[command(after_help = "Example: chancery policy replay candidate.toml --config chancery.toml")]
    Replay {
        /// The policy.
        file: PathBuf,
    },
    /// Installs a policy (profile development; elsewhere it takes officers).
    #[command(after_help = "Example: chancery policy install policy.toml --config chancery.toml")]
    Install {
        /// The policy.
        file: PathBuf,
        /// Begins a new audit log with this policy; there must be none.
        #[arg(long)]
        genesis: bool,
    },
}

pub(super) fn run(config: &Path, command: PolicyCommand, json: bool) -> Result<(), Failure> {
    match command {
        PolicyCommand::Check { file } => check(&file, json),
        PolicyCommand::Exposure { file } => exposure::run(&file, json),
        PolicyCommand::Replay { file } => replay::run(config, &file, json),
        PolicyCommand::Install { file, genesis: true } => begin(config, &file, json),
        PolicyCommand::Install { file, genesis: false } => install(config, &file, json),
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

fn begin(config: &Path, file: &Path, as_json: bool) -> Result<(), Failure> {
    let (config, document) = (Config::load(config)?, read(file)?);
    let runtime = runtime()?;
    let begun = runtime.block_on(genesis::begin(config, document)).map_err(|error| {
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

fn install(config: &Path, file: &Path, as_json: bool) -> Result<(), Failure> {
    let (config, document) = (Config::load(config)?, read(file)?);
    // What a person can mend here need not travel.
    Policy::parse(&document).map_err(|mistakes| Failure::failed(format!("policy {}:\n{mistakes}", file.display())))?;
    let body = json!({ "document": document });
    let installed: Value = runtime()?.block_on(call(&config.admin_socket, Method::POST, "/policy", Some(body)))?;
    if as_json {
        print_json(&installed);
    } else {
        print(format!("policy version {} is in force", installed["version"]));
    }
    Ok(())
}
