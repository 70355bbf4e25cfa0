//! `chancery explain`: what a watcher's request would come to now, rule by rule. It leaves no trace.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use appliance_wire::{ExplainedOutcome, ExplainedPayment, Explanation, SignatureRequest};
use hyper::Method;
use serde_json::json;

use super::{
    Failure,
    output::{print, print_json},
    serve::runtime,
};
use crate::{config::Config, transport::call};

/// Whose request, and where its body is.
#[derive(clap::Args, Debug)]
pub(super) struct Explain {
    /// Body of the request, as the watcher would put it; - for standard input.
    file: PathBuf,
    /// The watcher that would ask.
    #[arg(long)]
    watcher: String,
    /// The id it would ask under: where it was put before, that stands.
    #[arg(long, default_value = "explain")]
    id: String,
}

pub(super) fn run(config: &Path, explain: &Explain, as_json: bool) -> Result<(), Failure> {
    let (socket, _) = Config::admin_socket_of(config)?;
    let unreadable = |error: &dyn std::fmt::Display| Failure::failed(format!("{}: {error}", explain.file.display()));
    let mut body = Vec::new();
    if explain.file == Path::new("-") {
        io::stdin().read_to_end(&mut body).map_err(|error| unreadable(&error))?;
    } else {
        body = fs::read(&explain.file).map_err(|error| unreadable(&error))?;
    }
    let request: SignatureRequest = serde_json::from_slice(&body).map_err(|error| unreadable(&error))?;
    let asked = json!({ "watcher": explain.watcher, "request_id": explain.id, "request": request });
    let answer = runtime()?.block_on(call(&socket, Method::POST, "/explain", Some(asked)))?;
    let told: Explanation = serde_json::from_value(answer)
        .map_err(|error| Failure::failed(format!("the appliance answered something else: {error}")))?;
    if as_json {
        print_json(&told);
    } else {
        print(text(&told));
    }
    Ok(())
}

fn text(told: &Explanation) -> String {
    let outcome = match (told.outcome, &told.problem) {
        (ExplainedOutcome::Sign, _) => "would be signed".to_owned(),
        (ExplainedOutcome::Approve, _) => "would wait for officers".to_owned(),
        (ExplainedOutcome::Bound, _) => "was put before: its state stands".to_owned(),
        (ExplainedOutcome::Refuse, Some(problem)) => format!("would be refused: {}", problem.detail),
        (ExplainedOutcome::Refuse, None) => "would be refused".to_owned(),
    };
    let mut lines = vec![format!("the request {outcome}")];
    lines.extend(told.payments.iter().flat_map(payment));
    let to = |amount: &appliance_wire::ExplainedAmount| {
        let destination = amount.destination.as_ref().map(|destination| format!(" to {destination}"));
        format!("{} {}{}", amount.amount, amount.asset, destination.unwrap_or_default())
    };
    lines.extend(told.change.iter().map(|change| format!("change {}", to(change))));
    lines.extend(told.fee.iter().map(|fee| format!("fee {}", to(fee))));
    if !told.amounts_verified && told.fee.is_some() {
        lines.push("amounts and fee are the watcher's word".to_owned());
    }
    lines.extend(told.limits.iter().map(|limit| {
        let per = limit.per.as_ref().map(|per| format!(" of {per}")).unwrap_or_default();
        let fits = if limit.fits { "fits" } else { "DOES NOT FIT" };
        let (name, used, adds, max) = (&limit.limit, &limit.used, &limit.adds, &limit.max);
        format!("limit \"{name}\"{per}: {used} used, adds {adds}, of {max}: {fits}")
    }));
    lines.extend(told.holds.iter().map(|hold| {
        let state = if hold.free { "free" } else { "HELD by another withdrawal" };
        format!("spends {}: {state}", hold.hold)
    }));
    lines.join("\n")
}

fn payment(payment: &ExplainedPayment) -> Vec<String> {
    let what = match &payment.paid {
        Some(paid) => format!("pays {} {} to {}", paid.amount, paid.asset, paid.destination.as_deref().unwrap_or("?")),
        None => "pays nobody, as far as is known".to_owned(),
    };
    let ours = payment.ours.as_ref().map(|key| format!(", which is {key}'s")).unwrap_or_default();
    let rules = payment.rules.iter().map(|rule| {
        let mark = if rule.matches { "decides" } else { "passes" };
        format!("    rule \"{}\" {mark}: {}", rule.rule, rule.reason)
    });
    std::iter::once(format!("{what}{ours}")).chain(rules).collect()
}
