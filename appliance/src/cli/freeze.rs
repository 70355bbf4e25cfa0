//! `chancery freeze` and `chancery unfreeze`.

use std::path::Path;

use appliance_wire::Scope;
use clap::Args;
use hyper::Method;
use serde_json::json;

use super::{
    Failure,
    output::{print, print_json},
    serve::runtime,
};
use crate::{config::Config, transport::call};

/// What to freeze or unfreeze.
#[derive(Args, Debug)]
#[group(id = "what", required = true, multiple = false)]
struct ScopeArgument {
    /// Everything.
    #[arg(long)]
    all: bool,
    /// One key, with its children.
    #[arg(long, value_name = "NAME")]
    key: Option<String>,
    /// One watcher.
    #[arg(long, value_name = "NAME")]
    watcher: Option<String>,
}

/// What to freeze or unfreeze, and why.
#[derive(Args, Debug)]
pub(super) struct What {
    #[command(flatten)]
    scope: ScopeArgument,
    /// Why, for the audit log.
    #[arg(long)]
    reason: String,
}

/// Which way.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    Freeze,
    Unfreeze,
}

pub(super) fn run(path: &Path, what: &What, change: Change, as_json: bool) -> Result<(), Failure> {
    let (socket, _) = Config::admin_socket_of(path)?;
    let scope = match (&what.scope.key, &what.scope.watcher) {
        (Some(key), _) => Scope::Key(key.clone()),
        (None, Some(watcher)) => Scope::Watcher(watcher.clone()),
        (None, None) => Scope::All,
    };
    let (call_path, done) = match change {
        Change::Freeze => ("/freeze", "frozen"),
        Change::Unfreeze => ("/unfreeze", "no longer frozen"),
    };
    let body = json!({ "what": scope, "reason": what.reason });
    runtime()?.block_on(call(&socket, Method::POST, call_path, Some(body)))?;
    if as_json {
        print_json(&json!({ "what": scope, "done": done }));
    } else {
        print(format!("{scope} is {done}"));
    }
    Ok(())
}
