//! `key generate`, `key replicate`, `key destroy` and `key list`.

mod arguments;
mod destroy;
mod replicate;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hsm_drivers::{Protection, ceremony::KeyListing};
use hsm_types::{Algorithm, KeyLabel, PublicKey};
use serde_json::{Value, json};

pub(super) use self::arguments::TokenArguments;
use crate::{Error, environment::Invocation, report::Report, token};

/// Make and list the keys of a token.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  chancery-provision key list --config trial/chancery.toml")]
pub(super) struct Key {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a key that can only sign, and never leave the token unless --backup says so. One that is there is never overwritten.
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
        /// May leave the token, but only wrapped, under a key that the security officer (PKCS#11) or the administrator
        /// (YubiHSM 2) makes: `key replicate` needs that. Never changed later.
        #[arg(long)]
        backup: bool,
        #[command(flatten)]
        token: TokenArguments,
    },
    /// Copy a key made with --backup into another token, wrapped, so that both can sign with it. Stop the appliance
    /// meanwhile. After an interruption the same command goes on.
    #[command(
        after_help = "Example:\n  chancery-provision key replicate btc-vault --to second --so-pin-file so-pin --config \
                      trial/chancery.toml"
    )]
    Replicate {
        /// The key's name.
        name: KeyLabel,
        /// The [[token]] that gets the replica; the other one has the key, or the one that --token names.
        #[arg(long, value_name = "NAME")]
        to: String,
        /// PKCS#11: the security officer's PIN of the token that has the key, in a file of mode 0600; asked for without.
        /// The officer's word makes the wrap key trusted; the other token needs none.
        #[arg(long, value_name = "FILE")]
        so_pin_file: Option<PathBuf>,
        /// YubiHSM 2: as --administrator-password-file, of the token that gets the replica.
        #[arg(long, value_name = "FILE")]
        to_administrator_password_file: Option<PathBuf>,
        #[command(flatten)]
        token: TokenArguments,
    },
    /// Destroy a key whose end officers decided (`chancery key destroy`), once its time has come. The appliance runs, and says
    /// so. Of its backups nothing is known here: destroy those as well.
    #[command(after_help = "Example:\n  chancery-provision key destroy btc-old --config trial/chancery.toml")]
    Destroy {
        /// The key's name.
        name: KeyLabel,
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

impl Key {
    pub(super) fn run(self, invocation: &Invocation, report: &mut Report) -> Result<(), Error> {
        match self.command {
            Command::Generate { name, algorithm, children, backup, token } => {
                if children && algorithm != Algorithm::Secp256k1 {
                    let reason = format!("{algorithm} keys have no children, only secp256k1 keys have");
                    return Err(Error::Argument { argument: "--children", reason });
                }
                let protection = if backup { Protection::LeavesWrapped } else { Protection::NeverLeaves };
                let mut opened = token.open(invocation, report)?;
                let key = if children {
                    token::make_parent(&mut opened.device, &name, protection)?
                } else {
                    opened.device.generate_key(&name, algorithm, protection)?
                };
                opened.close()?;
                let with = match (children, backup) {
                    (false, false) => "",
                    (true, false) => " with children",
                    (false, true) => " with backup",
                    (true, true) => " with children and backup",
                };
                let text =
                    format!("made key \"{name}\" ({algorithm}){with}, public key {}", hex::encode(key.to_bytes()));
                let mut value = described(name.as_str(), &key);
                value["children"] = children.into();
                value["backup"] = backup.into();
                report.finish(&text, &value);
            }
            Command::Replicate { name, to, so_pin_file, to_administrator_password_file, token } => {
                let files = replicate::Files { so_pin: so_pin_file, to_administrator: to_administrator_password_file };
                let replica = replicate::replicate(invocation, &token, &name, &to, &files, report)?;
                let did = if replica.made { "made" } else { "found and proved" };
                let public_key = hex::encode(replica.public_key.to_bytes());
                let text = format!("{did} the replica of key \"{name}\" in token \"{to}\", public key {public_key}");
                let mut value = described(name.as_str(), &replica.public_key);
                value["token"] = to.into();
                value["made"] = replica.made.into();
                report.finish(&text, &value);
            }
            Command::Destroy { name, token } => {
                let public_key = destroy::destroy(invocation, &token, &name, report)?;
                let text = format!("destroyed key \"{name}\", public key {}", hex::encode(public_key.to_bytes()));
                report.finish(&text, &described(name.as_str(), &public_key));
            }
            Command::List { token } => {
                let mut opened = token.open(invocation, report)?;
                let mut keys = opened.device.list_keys()?;
                opened.close()?;
                keys.sort_by(|one, other| one.label.cmp(&other.label));
                let lines: Vec<String> = keys.iter().map(line).collect();
                let text = if lines.is_empty() { "the token has no private key".to_owned() } else { lines.join("\n") };
                report.finish(&text, &keys.iter().map(listed).collect());
            }
        }
        Ok(())
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
        "backup": key.backup,
        "findings": key.findings,
    })
}

fn line(key: &KeyListing) -> String {
    let algorithm = key.algorithm.map_or("-", Algorithm::name);
    let public_key = key.public_key.as_ref().map_or_else(|| "-".to_owned(), |key| hex::encode(key.to_bytes()));
    let fitness =
        if key.findings.is_empty() { String::new() } else { format!("  MAY NOT SERVE: {}", key.findings.join("; ")) };
    let word = |yes| if yes { "yes" } else { "no" };
    let (backup, children) = (word(key.backup), word(key.children));
    format!("{:<24} {algorithm:<10} {public_key}  backup: {backup}  children: {children}{fitness}", key.label)
}
