//! `chancery pending`, `approve`, `reject`, `clock`, `release`, `key`.

use std::path::Path;

use clap::{Args, Subcommand};
use hsm_types::KeyLabel;
use hyper::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    Failure,
    acts::{self, Officers},
    output::{print, print_json},
    serve::runtime,
};
use crate::{config::Config, officers::ActRequest, transport::call};

/// Which waiting request.
#[derive(Args, Debug)]
pub(super) struct Decide {
    /// Its number, as `chancery pending` shows it.
    id: u64,
    #[command(flatten)]
    officers: Officers,
}

/// What time it is.
#[derive(Args, Debug)]
pub(super) struct Clock {
    /// The time by the officers' own clocks, RFC 3339.
    #[arg(long, value_name = "TIME")]
    time: Timestamp,
    /// Time in which the machine was off that counts as passed in every window, such as 8h.
    #[arg(long, value_name = "DURATION")]
    credit: Option<SignedDuration>,
    #[command(flatten)]
    officers: Officers,
}

/// Whose withdrawal.
#[derive(Args, Debug)]
pub(super) struct Release {
    /// The watcher that asked.
    watcher: String,
    /// The request, which has lapsed.
    request_id: String,
    #[command(flatten)]
    officers: Officers,
}

/// `chancery key ...`
#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Lists every key of the log with its state.
    #[command(after_help = "Example: chancery key list --json")]
    List,
    /// Puts a key on its way out: it signs nothing more, and may be destroyed in its token after the delay.
    #[command(after_help = "Example: chancery key destroy btc-old --reason 'rotated' --text")]
    Destroy {
        /// Which.
        name: KeyLabel,
        /// Why, for the audit log.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        officers: Officers,
    },
    /// Keeps a key that was to be destroyed. One officer is enough.
    #[command(after_help = "Example: chancery key keep btc-old --signature keep.sig")]
    Keep {
        /// Which.
        name: KeyLabel,
        #[command(flatten)]
        officers: Officers,
    },
}

pub(super) fn approve(config: &Path, decide: &Decide, json: bool) -> Result<(), Failure> {
    acts::run(config, &ActRequest::Approve { pending: decide.id }, &decide.officers.or_text(), json)
}

pub(super) fn reject(config: &Path, decide: &Decide, json: bool) -> Result<(), Failure> {
    acts::run(config, &ActRequest::Reject { pending: decide.id }, &decide.officers.or_text(), json)
}

pub(super) fn clock(config: &Path, clock: &Clock, json: bool) -> Result<(), Failure> {
    let credit = clock.credit.unwrap_or_default();
    let credit_ms =
        u64::try_from(credit.as_millis()).map_err(|_| Failure::failed("--credit is no time that passed"))?;
    acts::run(config, &ActRequest::Clock { time: clock.time, credit_ms }, &clock.officers, json)
}

pub(super) fn release(config: &Path, release: &Release, json: bool) -> Result<(), Failure> {
    let Release { watcher, request_id, officers } = release;
    let request = ActRequest::Release { watcher: watcher.clone(), request_id: request_id.clone() };
    acts::run(config, &request, officers, json)
}

pub(super) fn key(config: &Path, command: KeyCommand, json: bool) -> Result<(), Failure> {
    match command {
        KeyCommand::List => list_keys(config, json),
        KeyCommand::Destroy { name, reason, officers } => {
            acts::run(config, &ActRequest::DestroyKey { key: name, reason }, &officers, json)
        }
        KeyCommand::Keep { name, officers } => acts::run(config, &ActRequest::KeepKey { key: name }, &officers, json),
    }
}

fn list_keys(config: &Path, as_json: bool) -> Result<(), Failure> {
    let (socket, _) = Config::admin_socket_of(config)?;
    let keys: Value = runtime()?.block_on(call(&socket, Method::GET, "/keys", None))?;
    if as_json {
        print_json(&keys);
        return Ok(());
    }
    for key in keys["keys"].as_array().into_iter().flatten() {
        let text = |name: &str| key[name].as_str().unwrap_or_default();
        let when = match key["may_be_destroyed_in_s"].as_u64() {
            Some(0) => ", may be destroyed now: chancery-provision key destroy".to_owned(),
            Some(seconds) => format!(", may be destroyed in {seconds} s of service time"),
            None => String::new(),
        };
        print(format!("{}: {}{when}, public key {}", text("name"), text("state"), text("public_key")));
    }
    Ok(())
}

/// Lists what waits.
pub(super) fn list(config: &Path, as_json: bool) -> Result<(), Failure> {
    let (socket, _) = Config::admin_socket_of(config)?;
    let pending: Value = runtime()?.block_on(call(&socket, Method::GET, "/pending", None))?;
    if as_json {
        print_json(&pending);
        return Ok(());
    }
    let requests = pending["requests"].as_array().map(Vec::as_slice).unwrap_or_default();
    for request in requests {
        print(request_in_words(request));
    }
    if let Some(policy) = pending["policy"].as_object() {
        print(format!(
            "policy version {} comes into force in {} s of service time",
            policy["version"], policy["in_force_in_s"]
        ));
        for what in policy["loosens"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            print(format!("  loosens: {what}"));
        }
        print(format!("  an officer may veto it: chancery policy veto {} --text", policy["version"]));
    }
    if requests.is_empty() && pending["policy"].is_null() {
        print("nothing waits for officers");
    }
    Ok(())
}

fn request_in_words(request: &Value) -> String {
    let text = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
    let names =
        |value: &Value| value.as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
    let mut words = format!(
        "{}: request {} of {}, key {}, until {}",
        request["pending"],
        text("request_id"),
        text("watcher"),
        text("key"),
        text("expires_at")
    );
    for wanted in request["wanted"].as_array().into_iter().flatten() {
        let because = wanted["because"].as_str().unwrap_or_default();
        words += &format!("\n  {because}: {} of {}", wanted["approve"], names(&wanted["of"]));
    }
    let approved = names(&request["approved_by"]);
    words += &if approved.is_empty() { "\n  nobody agreed yet".to_owned() } else { format!("\n  agreed: {approved}") };
    words
}
