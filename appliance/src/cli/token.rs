//! `chancery token ...`

use std::path::Path;

use clap::Subcommand;
use serde_json::json;

use super::{
    Failure,
    acts::{Officers, print_text},
    output::{print, print_json},
    recovery::{consent, failure, run_to_end},
};
use crate::{config::Config, recovery::replace_token};

/// `chancery token ...`
#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Lets this [[token]] hold the log in place of one that is lost for ever: sign its checkpoints, and keep its anchor.
    /// Every limit counts as full for one window. The appliance is stopped. It takes officers, where the policy has any.
    #[command(after_help = "Example: chancery token replace second --reason 'main burnt' --config chancery.toml")]
    Replace {
        /// Its name in the configuration.
        name: String,
        /// Why, for the audit log.
        #[arg(long, default_value = "the token that held the log was lost")]
        reason: String,
        #[command(flatten)]
        officers: Officers,
    },
}

pub(super) fn run(config: &Path, command: TokenCommand, as_json: bool) -> Result<(), Failure> {
    let TokenCommand::Replace { name, reason, officers } = command;
    let config = Config::load(config)?;
    let consent = consent(&config, &officers)?;
    let replaced = run_to_end(replace_token(config, &name, reason, &consent))?;
    if let Some(text) = consent.to_sign() {
        print_text(&json!(text), as_json);
        return Ok(());
    }
    let replaced = replaced.map_err(|error| failure(&error))?;
    if as_json {
        print_json(&replaced);
        return Ok(());
    }
    print(format!("token {} (serial {}) holds the log, {} entries", replaced.token, replaced.serial, replaced.entries));
    print(format!(
        "its log key; add it to log_keys in every watcher.toml, behind the old one:\n  {}",
        replaced.log_key
    ));
    print("every limit counts as full for one window");
    Ok(())
}
