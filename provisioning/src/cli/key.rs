//! `key generate` and `key list`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hsm_drivers::pkcs11::ceremony::{Ceremony, KeyListing};
use hsm_types::{Algorithm, KeyLabel, PublicKey};
use serde_json::{Value, json};

use crate::{Error, appliance_config::ApplianceConfig, environment::Invocation, report::Report, token};

/// Make and list the keys of a token.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  chancery-provision key list --config trial/chancery.toml")]
pub(super) struct Key {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a key that can only sign and never leave the token. One that is there is never overwritten.
    #[command(
        after_help = "Example:\n  chancery-provision key generate btc-hot --algorithm secp256k1 --children --config \
                      trial/chancery.toml"
    )]
    Generate {
        /// The key's name: 1 to 40 of A-Z a-z 0-9 . _ -
        name: KeyLabel,
        /// secp256k1, p256 or ed25519.
        #[arg(long)]
        algorithm: Algorithm,
        /// With a chain code beside it, so that it may have children: endless addresses. Never added later. secp256k1
        /// only.
        #[arg(long)]
        children: bool,
        #[command(flatten)]
        token: TokenArguments,
    },
    /// List every private key of the token, and why one may not serve.
    #[command(after_help = "Example:\n  chancery-provision key list --config trial/chancery.toml --json")]
    List {
        #[command(flatten)]
        token: TokenArguments,
    },
}

#[derive(Args, Debug)]
struct TokenArguments {
    /// The appliance's configuration.
    #[arg(long, default_value = "/etc/chancery/chancery.toml")]
    config: PathBuf,
    /// Which [[token]], where there are more.
    #[arg(long, value_name = "NAME")]
    token: Option<String>,
}

impl Key {
    pub(super) fn run(self, invocation: &Invocation, report: &Report) -> Result<(), Error> {
        match self.command {
            Command::Generate { name, algorithm, children, token } => {
                if children && algorithm != Algorithm::Secp256k1 {
                    let reason = format!("{algorithm} keys have no children, only secp256k1 keys have");
                    return Err(Error::Argument { argument: "--children", reason });
                }
                let mut token = token.open(invocation)?;
                let key = if children {
                    token::make_parent(&mut token, &name)?
                } else {
                    token.generate_key(&name, algorithm)?
                };
                let with = if children { " with children" } else { "" };
                let text =
                    format!("made key \"{name}\" ({algorithm}){with}, public key {}", hex::encode(key.to_bytes()));
                let mut value = described(name.as_str(), &key);
                value["children"] = children.into();
                report.finish(&text, &value);
            }
            Command::List { token } => {
                let mut keys = token.open(invocation)?.list_keys()?;
                keys.sort_by(|one, other| one.label.cmp(&other.label));
                let lines: Vec<String> = keys.iter().map(line).collect();
                let text = if lines.is_empty() { "the token has no private key".to_owned() } else { lines.join("\n") };
                report.finish(&text, &keys.iter().map(listed).collect());
            }
        }
        Ok(())
    }
}

impl TokenArguments {
    fn open(&self, invocation: &Invocation) -> Result<Ceremony, Error> {
        let config = ApplianceConfig::read(&self.config)?;
        let token = config.token(self.token.as_deref())?;
        invocation.ensure(&config.variables(token))?;
        config.open(token)
    }
}

pub(super) fn described(label: &str, key: &PublicKey) -> Value {
    json!({ "key": label, "algorithm": key.algorithm().name(), "public_key": hex::encode(key.to_bytes()) })
}

fn listed(key: &KeyListing) -> Value {
    json!({
        "key": key.label,
        "algorithm": key.algorithm.map(Algorithm::name),
        "public_key": key.public_key.as_ref().map(|key| hex::encode(key.to_bytes())),
        "children": key.children,
        "findings": key.findings,
    })
}

fn line(key: &KeyListing) -> String {
    let algorithm = key.algorithm.map_or("-", Algorithm::name);
    let public_key = key.public_key.as_ref().map_or_else(|| "-".to_owned(), |key| hex::encode(key.to_bytes()));
    let fitness =
        if key.findings.is_empty() { String::new() } else { format!("  MAY NOT SERVE: {}", key.findings.join("; ")) };
    let children = if key.children { "  children: yes" } else { "  children: no" };
    format!("{:<24} {algorithm:<10} {public_key}{children}{fitness}", key.label)
}
