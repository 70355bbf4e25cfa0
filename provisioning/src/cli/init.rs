//! `init`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::{
    Error,
    environment::Invocation,
    init::{self, Plan},
    programs,
    report::Report,
    templates,
    token::{ADMINISTRATOR_PASSWORD, TokenKind},
};

/// Make a directory an appliance can start from, with a token of its own.
///
/// What is there already is kept, so an interrupted run is finished by the next one. No key and no PIN is ever
/// overwritten.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  chancery-provision init --directory trial --development --origin exchange.example/trial-1\n  chancery-provision init \
                  --directory trial --development --token simulator"
)]
pub(super) struct Init {
    /// Where to make it.
    #[arg(long)]
    directory: PathBuf,
    /// Admit what must never guard value: a software token, and a policy without officers.
    #[arg(long)]
    development: bool,
    /// Name of the audit log, for ever: the first line of its checkpoints.
    #[arg(long, default_value = "development.example/signer")]
    origin: String,
    /// The token: softhsm, simulator (a simulated YubiHSM 2, with nothing to install), or the connector of a YubiHSM 2 as
    /// it left the factory (http://HOST:PORT, usb:SERIAL), which is then set up.
    #[arg(long, value_name = "KIND", default_value = "softhsm")]
    token: TokenKind,
    /// The SoftHSM module, where it is not in its usual place.
    #[arg(long, value_name = "PATH")]
    module: Option<PathBuf>,
}

impl Init {
    pub(super) fn run(self, invocation: &Invocation, report: &mut Report) -> Result<(), Error> {
        if !self.development {
            return Err(Error::SoftwareToken);
        }
        let is_yubihsm = self.token != TokenKind::SoftHsm;
        let plan = Plan {
            directory: self.directory,
            origin: self.origin,
            token: self.token,
            module: self.module,
            watcher_port: 8443,
            monitor_port: 9464,
            console: false,
            keys: Vec::new(),
            policy: templates::POLICY,
        };
        let made = init::initialise(&plan, invocation, report)?;
        let file = |name| programs::shown(&made.directory.join(name));
        let (config, policy) = (file("chancery.toml"), file("policy.toml"));
        let password = if is_yubihsm {
            format!(" --administrator-password-file {}", file(ADMINISTRATOR_PASSWORD))
        } else {
            String::new()
        };
        let keys: Vec<_> = made.keys.iter().map(|(label, key)| super::key::described(label.as_str(), key)).collect();
        let answer = json!({
            "directory": made.directory,
            "config": made.configuration,
            "keys": keys,
            "steps": report.steps,
            "notes": report.notes,
        });
        let text = format!(
            "\nNext: make the keys the policy names, install the policy, start:\n\
             \x20 chancery-provision key generate btc-hot --algorithm secp256k1{password} --config {config}\n\
             \x20 chancery-provision key generate btc-vault --algorithm secp256k1 --children{password} --config {config}\n\
             \x20 chancery policy install {policy} --genesis --config {config}\n\
             \x20 chancery serve --config {config}\n\
             and copy the log key that the third prints into {}.",
            file("watcher.toml")
        );
        report.finish(&text, &answer);
        Ok(())
    }
}
