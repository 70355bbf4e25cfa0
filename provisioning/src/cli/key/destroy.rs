//! The end of a key: destroyed in its token, once officers decided it and the appliance says that its time has come.

use std::path::Path;

use hsm_types::{KeyLabel, PublicKey};
use serde_json::Value;

use super::arguments::TokenArguments;
use crate::{
    Error,
    environment::Invocation,
    programs::{CHANCERY, Programs},
    report::Report,
};

/// Destroys key `name`, whose public key must be the one the running appliance lists as due.
pub(super) fn destroy(
    invocation: &Invocation,
    arguments: &TokenArguments,
    name: &KeyLabel,
    report: &mut Report,
) -> Result<PublicKey, Error> {
    let wanted = due_key(invocation, &arguments.config, name)?;
    let mut opened = arguments.open(invocation, report)?;
    let found = opened.device.listing(name)?.and_then(|listing| listing.public_key);
    let public_key = found.ok_or_else(|| not_now(format!("the token has no key \"{name}\" any more")))?;
    if hex::encode(public_key.to_bytes()) != wanted {
        return Err(not_now(format!("key \"{name}\" in the token is not the one of the log, {wanted}")));
    }
    opened.device.destroy_key(name, &public_key)?;
    opened.close()?;
    Ok(public_key)
}

/// The public key of a key whose time has come, by the running appliance.
fn due_key(invocation: &Invocation, config: &Path, name: &KeyLabel) -> Result<String, Error> {
    let (programs, file) = Programs::beside(invocation, config);
    let listed = programs.output(CHANCERY, &["key", "list", "--json", "--config", &file])?;
    let listed: Value = serde_json::from_str(&listed)
        .map_err(|error| Error::Program { program: CHANCERY.to_owned(), reason: format!("its list: {error}") })?;
    let mut keys = listed["keys"].as_array().into_iter().flatten();
    let key = keys.find(|key| key["name"] == name.as_str());
    let key = key.ok_or_else(|| not_now(format!("the appliance knows no key \"{name}\"")))?;
    match (key["state"].as_str(), key["may_be_destroyed_in_s"].as_u64(), key["public_key"].as_str()) {
        (Some("pending-destroy"), Some(0), Some(public_key)) => Ok(public_key.to_owned()),
        (Some("pending-destroy"), Some(seconds), _) => {
            Err(not_now(format!("key \"{name}\" may be destroyed in {seconds} s of service time, not before")))
        }
        (state, ..) => Err(not_now(format!(
            "key \"{name}\" is {}: officers decide its end first, with `chancery key destroy {name} --reason ... --text`",
            state.unwrap_or("unknown")
        ))),
    }
}

fn not_now(reason: String) -> Error {
    Error::Key { what: "end of the key", reason }
}
