//! A key copied from one token into another of its kind.

use std::path::PathBuf;

use hsm_drivers::ceremony::{KeyListing, Replica};
use hsm_types::KeyLabel;

use super::arguments::TokenArguments;
use crate::{
    Error,
    appliance_config::{Access, ApplianceConfig, Token},
    environment::Invocation,
    report::Report,
    secret,
};

/// Where the secrets are that only this command needs.
pub(super) struct Files {
    pub(super) so_pin: Option<PathBuf>,
    pub(super) to_administrator: Option<PathBuf>,
}

/// Copies the key `name` into the token called `to`, from the one other there is or `arguments` name.
pub(super) fn replicate(
    invocation: &Invocation,
    arguments: &TokenArguments,
    name: &KeyLabel,
    to: &str,
    files: &Files,
    report: &mut Report,
) -> Result<Replica, Error> {
    let config = ApplianceConfig::read(&arguments.config)?;
    let to = config.token(Some(to))?;
    let from = config.token_beside(to, arguments.token.as_deref())?;
    match (from.is_yubihsm(), to.is_yubihsm()) {
        (false, false) => {
            invocation.ensure(&config.variables_of_both(from, to)?)?;
            between_pkcs11(&config, from, to, name, files)
        }
        (true, true) => {
            let access = arguments.access();
            let other = Access { password_file: files.to_administrator.clone(), ..access.clone() };
            between_yubihsms(&config, (from, &access), (to, &other), name, report)
        }
        _ => {
            let reason = format!(
                "token \"{}\" is of another kind than \"{}\", and no key can leave the one in a form that the other takes",
                to.name, from.name
            );
            Err(Error::Argument { argument: "--to", reason })
        }
    }
}

fn between_pkcs11(
    config: &ApplianceConfig,
    from: &Token,
    to: &Token,
    name: &KeyLabel,
    files: &Files,
) -> Result<Replica, Error> {
    let user_pin = config.pin(from)?;
    let mut source = config.open_pkcs11(from, &user_pin)?;
    refuse_without_backup(source.list_keys()?, name)?;
    let mut destination = config.open_pkcs11(to, &config.pin(to)?)?;
    let so_pin = match &files.so_pin {
        Some(path) => secret::read(path)?,
        None => secret::ask(&format!("security officer's PIN of token \"{}\"", from.name))?,
    };
    Ok(source.replicate(name, &so_pin, &user_pin, &mut destination)?)
}

fn between_yubihsms(
    config: &ApplianceConfig,
    (from, access): (&Token, &Access),
    (to, other): (&Token, &Access),
    name: &KeyLabel,
    report: &mut Report,
) -> Result<Replica, Error> {
    let mut source = config.open_yubihsm(from, access)?;
    let mut destination = config.open_yubihsm(to, other)?;
    for ceremony in [&mut source, &mut destination] {
        config.make_room(ceremony, report)?;
    }
    refuse_without_backup(source.list_keys()?, name)?;
    let replica = source.replicate(name, &mut destination)?;
    for ceremony in [&mut source, &mut destination] {
        config.leave(ceremony)?;
    }
    Ok(replica)
}

fn refuse_without_backup(keys: Vec<KeyListing>, name: &KeyLabel) -> Result<(), Error> {
    let without = keys.iter().any(|listing| listing.label == name.as_str() && !listing.backup);
    if without { Err(Error::MadeWithoutBackup { key: name.clone() }) } else { Ok(()) }
}
