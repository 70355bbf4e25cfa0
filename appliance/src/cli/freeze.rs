//! `chancery freeze` and `chancery unfreeze`.

use std::path::Path;

use appliance_wire::Scope;
use clap::Args;
use hyper::Method;
use serde_json::json;

use super::{
    Failure,
    acts::{self, Officers},
    output::{print, print_json},
    serve::runtime,
};
use crate::{config::Config, officers::ActRequest, transport::call};

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

/// What to unfreeze, and by whose consent.
#[derive(Args, Debug)]
pub(super) struct Unfreeze {
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    officers: Officers,
}

impl What {
    fn scope(&self) -> Scope {
        match (&self.scope.key, &self.scope.watcher) {
            (Some(key), _) => Scope::Key(key.clone()),
            (None, Some(watcher)) => Scope::Watcher(watcher.clone()),
            (None, None) => Scope::All,
        }
    }
}

pub(super) fn run(path: &Path, what: &What, as_json: bool) -> Result<(), Failure> {
    let (socket, _) = Config::admin_socket_of(path)?;
    let scope = what.scope();
    let body = json!({ "what": scope, "reason": what.reason });
    runtime()?.block_on(call(&socket, Method::POST, "/freeze", Some(body)))?;
    if as_json {
        print_json(&json!({ "what": scope, "done": "frozen" }));
    } else {
        print(format!("{scope} is frozen"));
    }
    Ok(())
}

pub(super) fn unfreeze(path: &Path, unfreeze: &Unfreeze, as_json: bool) -> Result<(), Failure> {
    let request = ActRequest::Unfreeze { what: unfreeze.what.scope(), reason: unfreeze.what.reason.clone() };
    acts::run(path, &request, &unfreeze.officers, as_json)
}
