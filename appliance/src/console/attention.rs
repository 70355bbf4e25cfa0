//! What needs somebody's attention, what to do about it, and where the book says more: the one place where that is decided.
//!
//! Values in, values out; the page only shows them.

mod keeping;
#[cfg(test)]
mod tests;
mod waiting;

use appliance_wire::Scope;

use super::words::counted;
use crate::operations::{Freeze, Overview};

/// How soon.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Severity {
    /// Something does not work, or somebody waits.
    Now,
    /// Nothing fails yet.
    Soon,
}

impl Severity {
    /// As the page says it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Now => "Now",
            Self::Soon => "Soon",
        }
    }
}

/// One thing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Attention {
    pub(crate) severity: Severity,
    /// What is.
    pub(crate) sentence: String,
    /// What to do; commands between backquotes.
    pub(crate) advice: String,
    /// Page and heading of the book.
    pub(crate) runbook: &'static str,
    /// Entry of the log it is about, where it is about one.
    pub(crate) entry: Option<u64>,
}

/// All of it, the most urgent first.
pub(crate) fn attention(overview: &Overview) -> Vec<Attention> {
    let mut found = Vec::new();
    found.extend(overview.frozen.iter().map(freeze));
    service(overview, &mut found);
    tokens(overview, &mut found);
    waiting::requests(overview, &mut found);
    waiting::policy(overview, &mut found);
    keeping::log(overview, &mut found);
    keeping::certificates(overview, &mut found);
    keeping::limits(overview, &mut found);
    found.sort_by_key(|attention| attention.severity);
    found
}

fn now(sentence: String, advice: &str, runbook: &'static str) -> Attention {
    Attention { severity: Severity::Now, sentence, advice: advice.to_owned(), runbook, entry: None }
}

fn soon(sentence: String, advice: &str, runbook: &'static str) -> Attention {
    Attention { severity: Severity::Soon, ..now(sentence, advice, runbook) }
}

fn freeze(freeze: &Freeze) -> Attention {
    let what = match &freeze.what {
        Scope::All => "Everything is frozen".to_owned(),
        Scope::Key(key) => format!("Key {key} is frozen"),
        Scope::Watcher(watcher) => format!("Watcher {watcher} is frozen"),
    };
    let by = freeze.by.as_ref().map(|(by, reason)| format!(" by {by}: {reason}")).unwrap_or_default();
    let unrecorded = if freeze.entry.is_none() { " It is not in the log yet: a restart would forget it." } else { "" };
    let advice = "Find out why. When it is over, officers end it: `chancery unfreeze`.";
    Attention { entry: freeze.entry, ..now(format!("{what}{by}.{unrecorded}"), advice, "operate.md#freeze") }
}

/// Whether it serves, and its clock.
fn service(overview: &Overview, found: &mut Vec<Attention>) {
    if let Some(reason) = &overview.log_silent {
        let sentence = format!("The log cannot be used: {reason}.");
        found.push(now(
            sentence,
            "What the log's writer knows may be missing on this page. Mend the disk, then restart.",
            FAILURES,
        ));
    } else if !overview.status.wall_clock_trusted {
        let sentence =
            "The wall clock stepped and is not trusted: hours and expires_at refuse, nothing begins to wait.";
        found.push(now(
            sentence.to_owned(),
            "Set the clock right; or officers accept the new time: `chancery clock`.",
            "operate.md#clock",
        ));
    }
    let checks = overview.readiness.iter().flat_map(|readiness| &readiness.checks);
    let failed = checks.filter(|check| !check.ok && check.name == "audit log");
    found.extend(failed.map(|check| {
        let why = check.detail.as_deref().unwrap_or("it does not say why");
        now(format!("The log cannot be written: {why}."), "Nothing is signed until it can: mend the disk.", FAILURES)
    }));
    if overview.readiness.is_none() {
        let sentence = "A check of tokens and log has not ended within 3 s.".to_owned();
        found.push(now(sentence, "Look at the tokens below; wait a minute and reload.", "tokens.md#what-happens-then"));
    }
    if let Some(count) = overview.day.refused.get("digest-mismatch") {
        let sentence = format!(
            "{} carried a digest that is not its transaction's, within a day: an attack or a broken watcher.",
            counted(*count, "request")
        );
        found.push(now(
            sentence,
            "Freeze the watcher unless you know the cause.",
            "operate.md#a-digest-that-is-not-the-transactions",
        ));
    }
}

fn tokens(overview: &Overview, found: &mut Vec<Attention>) {
    let checks = |name: &str| {
        let checks = overview.readiness.iter().flat_map(|readiness| &readiness.checks);
        checks.filter(|check| !check.ok).find(|check| check.name == format!("token {name}"))
    };
    for token in &overview.status.tokens {
        let (name, why) = (&token.name, token.reason.as_deref().unwrap_or("it does not say why"));
        match token.state {
            "up" => {
                if let Some(check) = checks(name) {
                    let why = check.detail.as_deref().unwrap_or(why);
                    let sentence = format!("Token {name} did not pass its self-test: {why}.");
                    found.push(now(sentence, "Look at the device: `chancery doctor`.", FAILURES));
                }
            }
            "sealed" => found.push(now(
                format!("Token {name} is sealed and waits for an operator: {why}."),
                "It is not tried again by itself: mend what it says, then restart.",
                FAILURES,
            )),
            state => found.push(now(
                format!("Token {name} is {state}: {why}."),
                "It is opened again by itself. Look at the device and its connection: `chancery doctor`.",
                FAILURES,
            )),
        }
        found.extend(token.unfit_keys.iter().map(|key| {
            let sentence = format!("In token {name} a key may not serve: {key}.");
            now(sentence, "Requests for it are refused, or go to another token.", "tokens.md#several-tokens")
        }));
        found.extend(token.worker_caveats.iter().map(|caveat| {
            let sentence = format!("The worker of token {name} has more rights than it should: {caveat}.");
            soon(sentence, "Run a kernel with Landlock, and start the appliance by its unit.", WORKER)
        }));
    }
}

const FAILURES: &str = "operate.md#when-something-fails";
const WORKER: &str = "threat-model.md#what-a-token-worker-may-do";
