//! `backup create`, `backup restore` and `backup check`.

use std::path::{Path, PathBuf};

use appliance_wire::ceremony::Ceremony;
use clap::{Args, Subcommand};
use hsm_drivers::{
    Pin,
    ceremony::{BackupKey, WrappedKey},
};
use hsm_types::KeyLabel;
use serde_json::{Value, json};

use super::{ceremony::verified, key::TokenArguments, shares::Shares};
use crate::{
    Error,
    appliance_config::{ApplianceConfig, Token},
    ceremony::{gather, read_backup, text_of_backup},
    environment::Invocation,
    files, programs,
    report::{Outcome, Report},
    secret,
    shares::Commitments,
    token::Device,
    words,
};

/// Wrap keys into files, bring them back, and look at such files. Custodians' shares open them.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  chancery-provision backup check signer-1/backup/btc-vault.json --transcript signer-1/transcript.json"
)]
pub(super) struct Backup {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Wrap a key made with a backup into a file. Stop the appliance meanwhile.
    #[command(
        after_help = "Example:\n  chancery-provision backup create btc-vault --transcript transcript.json --out btc-vault.json \
                            --config signer-1/chancery.toml"
    )]
    Create {
        /// The key's name.
        key: KeyLabel,
        /// The ceremony's transcript: against it each share is checked.
        #[arg(long, value_name = "FILE")]
        transcript: PathBuf,
        /// The file to make; one that is there is never overwritten.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// PKCS#11: the security officer's PIN, in a file of mode 0600; asked for without.
        #[arg(long, value_name = "FILE")]
        so_pin_file: Option<PathBuf>,
        #[command(flatten)]
        shares: Shares,
        #[command(flatten)]
        token: TokenArguments,
    },
    /// Bring a key back from its file into a token of the kind it came from, and prove it. Stop the appliance meanwhile. After an
    /// interruption the same command goes on.
    #[command(
        after_help = "Example:\n  chancery-provision backup restore backup/btc-vault.json --transcript transcript.json --config \
                            new/chancery.toml"
    )]
    Restore {
        /// The backup.
        file: PathBuf,
        /// The ceremony's transcript: with it a wrong share is known as soon as it is typed.
        #[arg(long, value_name = "FILE")]
        transcript: Option<PathBuf>,
        #[command(flatten)]
        shares: Shares,
        #[command(flatten)]
        token: TokenArguments,
    },
    /// Look at a backup without any secret: its form, which key it is, and whether it is one of the ceremony's. Exit status 3:
    /// it is not.
    #[command(
        after_help = "Example:\n  chancery-provision backup check backup/btc-vault.json --transcript transcript.json"
    )]
    Check {
        /// The backup.
        file: PathBuf,
        /// The ceremony's transcript.
        #[arg(long, value_name = "FILE")]
        transcript: Option<PathBuf>,
    },
}

impl Backup {
    pub(super) fn run(self, invocation: &Invocation, report: &mut Report) -> Result<(), Error> {
        match self.command {
            Command::Create { key, transcript, out, so_pin_file, shares, token } => {
                let ceremony = verified(&transcript)?;
                let mut opened = Opened::of(&token, invocation, report)?;
                let (backup_key, _) = backup_key(&shares, Some(&ceremony), report)?;
                let so_pin = opened.so_pin(so_pin_file.as_deref())?;
                let pins = so_pin.as_ref().zip(opened.pin.as_ref());
                let wrapped = opened.device.back_up(&key, &backup_key, pins)?;
                expect_key(&wrapped, &ceremony).map_err(|reason| Error::NotValid { path: transcript, reason })?;
                opened.close()?;
                let text = text_of_backup(&wrapped)?;
                if files::create(&out, text.as_bytes(), files::PUBLIC)? == Outcome::Kept {
                    let reason = "is there and is not overwritten: name another file".to_owned();
                    return Err(Error::InTheWay { path: out, reason });
                }
                let said = format!("wrapped key \"{key}\" into {}", programs::shown(&out));
                report.finish(&said, &described(&wrapped, &text));
            }
            Command::Restore { file, transcript, shares, token } => {
                let text = files::read_known(&file)?;
                let wrapped = read_backup(&text, &file)?;
                let ceremony = transcript.as_deref().map(verified).transpose()?;
                if let Some(ceremony) = &ceremony {
                    expect(&wrapped, ceremony).map_err(|reason| Error::NotValid { path: file.clone(), reason })?;
                }
                let (backup_key, _) = backup_key(&shares, ceremony.as_ref(), report)?;
                wrapped.check(&backup_key)?;
                let mut opened = Opened::of(&token, invocation, report)?;
                let replica = opened.device.restore(&wrapped, &backup_key)?;
                opened.close()?;
                let did = if replica.made { "brought back" } else { "found there, and proved," };
                let public_key = hex::encode(replica.public_key.to_bytes());
                let mut value = described(&wrapped, &text);
                value["made"] = replica.made.into();
                report.finish(&format!("{did} key \"{}\", public key {public_key}", wrapped.label), &value);
            }
            Command::Check { file, transcript } => check(&file, transcript.as_deref(), report)?,
        }
        Ok(())
    }
}

fn check(file: &Path, transcript: Option<&Path>, report: &Report) -> Result<(), Error> {
    let text = files::read_known(file)?;
    let not_valid = |reason: String| Error::NotValid { path: file.to_owned(), reason };
    let wrapped = read_backup(&text, file).map_err(|error| not_valid(error.to_string()))?;
    let mut value = described(&wrapped, &text);
    let public_key = hex::encode(wrapped.public_key.to_bytes());
    let mut lines = vec![
        format!(
            "{} has the form of a backup of key \"{}\" ({})",
            programs::shown(file),
            wrapped.label,
            wrapped.algorithm()
        ),
        format!("  public key  {public_key} = {}", words::of_public_key(&public_key)),
        format!("  backup key  {}", hex::encode(wrapped.backup_key)),
    ];
    if let Some(path) = transcript {
        let ceremony = verified(path)?;
        expect(&wrapped, &ceremony).map_err(not_valid)?;
        let made = ceremony.key(wrapped.label.as_str()).and_then(|key| key.backup_sha256.clone());
        let same = made.as_deref() == value["sha256"].as_str();
        lines.push(format!("  ceremony    \"{}\", whose {} shares open it", ceremony.name, threshold(&ceremony)));
        lines.push(
            if same {
                "  file        the one the ceremony made"
            } else {
                "  file        made later than the ceremony's"
            }
            .to_owned(),
        );
        value["ceremony"] = ceremony.sha256.into();
        value["made_in_ceremony"] = same.into();
    }
    report.finish(&lines.join("\n"), &value);
    Ok(())
}

/// The ceremony's backup key, from shares, which its transcript knows.
fn backup_key(shares: &Shares, ceremony: Option<&Ceremony>, report: &Report) -> Result<(BackupKey, Vec<u8>), Error> {
    let backup = match ceremony {
        None => None,
        Some(ceremony) => Some(ceremony.backup.as_ref().ok_or_else(|| Error::Argument {
            argument: "--transcript",
            reason: "the ceremony split no secret, so that nobody has shares".to_owned(),
        })?),
    };
    let commitments = backup.map(Commitments::of).transpose()?;
    let (secret, indices) = gather(&shares.screen(report), &shares.given(), commitments.as_ref())?;
    Ok((BackupKey::from_secret(secret.bytes()), indices))
}

/// Whether the backup is one that this ceremony's shares open, of the key it made.
fn expect(wrapped: &WrappedKey, ceremony: &Ceremony) -> Result<(), String> {
    let found = hex::encode(wrapped.backup_key);
    match &ceremony.backup {
        Some(backup) if backup.backup_key == found => expect_key(wrapped, ceremony),
        Some(backup) => {
            Err(format!("it is wrapped under backup key {found}, and the ceremony's is {}", backup.backup_key))
        }
        None => Err("the ceremony made no backup key".to_owned()),
    }
}

fn expect_key(wrapped: &WrappedKey, ceremony: &Ceremony) -> Result<(), String> {
    let Some(made) = ceremony.key(wrapped.label.as_str()) else { return Ok(()) };
    let public_key = hex::encode(wrapped.public_key.to_bytes());
    let chain_code = wrapped.chain_code.as_ref().map(hsm_types::ChainCode::to_hex);
    if made.public_key != public_key {
        return Err(format!("its public key is {public_key}, and the ceremony made {}", made.public_key));
    }
    if made.chain_code != chain_code {
        return Err("its chain code is not the one that the ceremony made".to_owned());
    }
    Ok(())
}

fn threshold(ceremony: &Ceremony) -> String {
    ceremony
        .backup
        .as_ref()
        .map_or_else(String::new, |backup| format!("{} of {}", backup.threshold, backup.custodians.len()))
}

fn described(wrapped: &WrappedKey, text: &str) -> Value {
    json!({
        "key": wrapped.label, "algorithm": wrapped.algorithm(), "driver": wrapped.wrapping.driver(),
        "public_key": hex::encode(wrapped.public_key.to_bytes()), "backup_key": hex::encode(wrapped.backup_key),
        "children": wrapped.chain_code.is_some(), "sha256": appliance_wire::sha256_hex(text.as_bytes()),
    })
}

/// A token that is open, with the PIN that a backup needs again.
struct Opened {
    config: ApplianceConfig,
    device: Device,
    name: String,
    pin: Option<Pin>,
}

impl Opened {
    fn of(arguments: &TokenArguments, invocation: &Invocation, report: &mut Report) -> Result<Self, Error> {
        let config = ApplianceConfig::read(&arguments.config)?;
        let token: &Token = config.token(arguments.token.as_deref())?;
        invocation.ensure(&config.variables(token))?;
        let (device, pin) = if token.is_yubihsm() {
            let mut ceremony = config.open_yubihsm(token, &arguments.access())?;
            config.make_room(&mut ceremony, report)?;
            (Device::Yubihsm(ceremony), None)
        } else {
            let pin = config.pin(token)?;
            (Device::Pkcs11(config.open_pkcs11(token, &pin)?), Some(pin))
        };
        let name = token.name.clone();
        Ok(Self { config, device, name, pin })
    }

    /// The security officer's PIN of a PKCS#11 token.
    fn so_pin(&self, file: Option<&Path>) -> Result<Option<Pin>, Error> {
        if self.pin.is_none() {
            return Ok(None);
        }
        let ask = || secret::ask(&format!("security officer's PIN of token {}", self.name));
        file.map_or_else(ask, secret::read).map(Some)
    }

    fn close(mut self) -> Result<(), Error> {
        match &mut self.device {
            Device::Pkcs11(_) => Ok(()),
            Device::Yubihsm(ceremony) => self.config.leave(ceremony),
        }
    }
}
