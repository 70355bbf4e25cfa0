//! The state in a word. It says what is, not what is hoped: READY is proven by self-tests within the last minute and not
//! contradicted since.

use appliance_wire::Scope;

use crate::operations::Overview;

/// A shape beside a word: colour alone says nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shape {
    /// A circle with a tick.
    Good,
    /// A triangle.
    Look,
    /// An octagon.
    Stop,
}

impl Shape {
    /// Its class in the style sheet.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Look => "look",
            Self::Stop => "stop",
        }
    }

    /// A path in a square of 24.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Good => "M12 1a11 11 0 1 0 0 22 11 11 0 0 0 0-22Zm-1.6 16.2-4.6-4.6 1.9-1.9 2.7 2.7 6-6 1.9 1.9Z",
            Self::Look => "M12 1 .5 22h23Zm-1.4 7h2.8v7.5h-2.8Zm0 9h2.8v2.8h-2.8Z",
            Self::Stop => "M7.4 1h9.2L23 7.4v9.2L16.6 23H7.4L1 16.6V7.4Zm-1.4 9.4v3.2h12v-3.2Z",
        }
    }
}

/// The state.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Standing {
    pub(crate) word: &'static str,
    pub(crate) shape: Shape,
    pub(crate) sentence: String,
}

/// What the appliance does with a request that the policy allows.
pub(crate) fn standing(overview: &Overview) -> Standing {
    let says = |word, shape, sentence: &str| Standing { word, shape, sentence: sentence.to_owned() };
    let is_frozen = overview.frozen.iter().any(|freeze| freeze.what == Scope::All);
    if let Some(reason) = not_ready(overview) {
        let frozen = if is_frozen { ". Everything is frozen as well" } else { "" };
        return says("NOT READY", Shape::Stop, &format!("{reason}{frozen}."));
    }
    if is_frozen {
        return says("FROZEN", Shape::Stop, "Nothing is signed and nothing leaves until officers end the freeze.");
    }
    if overview.readiness.is_none() {
        let sentence = "Whether requests can be served is being found out: the check has not ended.";
        return says("NOT PROVEN", Shape::Look, sentence);
    }
    if !overview.frozen.is_empty() {
        let sentence = "What is frozen signs nothing; other requests are served.";
        return says("PARTLY FROZEN", Shape::Look, sentence);
    }
    says("READY", Shape::Good, "Requests that the policy allows are signed.")
}

/// Why some request that the policy allows cannot be served.
fn not_ready(overview: &Overview) -> Option<String> {
    if let Some(reason) = &overview.log_silent {
        return Some(format!("The log cannot be used: {reason}"));
    }
    if let Some(finding) = &overview.status.scrub.finding {
        return Some(format!("The log is not whole: {finding}"));
    }
    // A token that went down since the last self-test is known here already.
    let in_use = |state: &str| matches!(state, "active" | "retiring");
    let mut keys = overview.keys.iter().filter(|key| in_use(key.status.state));
    if let Some((name, reason)) = keys.find_map(|key| Some((&key.status.name, key.not_ready.as_ref()?))) {
        return Some(format!("Nothing can be signed with key {name}: {reason}"));
    }
    let failed = overview.readiness.as_ref().filter(|readiness| !readiness.ready)?;
    let mut checks = failed.checks.iter().filter(|check| !check.ok);
    let why = checks.find_map(|check| Some(format!("{}: {}", check.name, check.detail.as_ref()?)));
    Some(why.unwrap_or_else(|| "A key of the policy is in no token that signs".to_owned()))
}
