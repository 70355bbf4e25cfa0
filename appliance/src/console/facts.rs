//! The sections that say what is: the state with its facts, what needs attention, tokens, keys.

use askama::Template;

use super::{
    attention::{Attention, Severity, attention},
    standing::{Shape, Standing, standing},
    words::{counted, duration, grouped, moment, took},
};
use crate::{
    operations::{KeyFacts, Overview, TokenStatus},
    reading::escape,
};

/// The state in a word, and what goes with it.
#[derive(Debug, Template)]
#[template(path = "console/state.html")]
pub(crate) struct StateSection {
    pub(crate) standing: Standing,
    /// How much needs attention now.
    urgent: usize,
    facts: Vec<Fact>,
    /// The log's name.
    origin: String,
    made: String,
}

/// A line under the state.
#[derive(Debug)]
pub(crate) struct Fact {
    name: &'static str,
    value: String,
    /// Said smaller.
    more: String,
    link: Option<&'static str>,
}

impl StateSection {
    pub(crate) fn new(overview: &Overview) -> Self {
        let standing = standing(overview);
        let urgent = attention(overview).iter().filter(|found| found.severity == Severity::Now).count();
        Self {
            standing: Standing { sentence: escape(&standing.sentence), ..standing },
            urgent,
            facts: facts(overview),
            origin: origin(overview),
            made: moment(overview.made),
        }
    }
}

fn facts(overview: &Overview) -> Vec<Fact> {
    let status = &overview.status;
    let fact = |name, value: String, more: String| Fact { name, value, more, link: None };
    let hash: String = status.policy_sha256.chars().take(12).collect();
    let checkpoint = match status.checkpoint {
        Some(size) if size == status.entries => "the checkpoint covers all".to_owned(),
        Some(size) => format!("the checkpoint covers {}", grouped(size)),
        None => "no checkpoint yet".to_owned(),
    };
    let anchor = match (status.anchor.size, status.anchor.age_s) {
        (Some(size), Some(age)) => (grouped(size), format!("in token {}, {} ago", status.anchor.token, duration(age))),
        _ => ("not written yet".to_owned(), format!("in token {}", status.anchor.token)),
    };
    let (wall, of_wall) = match (overview.log_silent.is_some(), status.wall_clock_trusted) {
        (true, _) => ("unknown", ""),
        (false, true) => ("trusted", "hours and expires_at count"),
        (false, false) => ("NOT TRUSTED", "hours and expires_at refuse"),
    };
    let policy = Fact { link: Some("/policy"), ..fact("Policy", format!("version {}", status.policy_version), hash) };
    vec![
        fact("Profile", status.profile.to_owned(), format!("version {}", status.version)),
        policy,
        fact("Log", counted_entries(status.entries), checkpoint),
        fact("Anchor", anchor.0, anchor.1),
        fact("Service time", duration(status.elapsed / 1_000), "windows run on it".to_owned()),
        fact("Wall clock", wall.to_owned(), of_wall.to_owned()),
    ]
}

fn origin(overview: &Overview) -> String {
    let log_key = overview.status.log_key.as_deref().unwrap_or_default();
    log_key.split('+').next().unwrap_or_default().to_owned()
}

fn counted_entries(count: u64) -> String {
    if count == 1 { "1 entry".to_owned() } else { format!("{} entries", grouped(count)) }
}

/// What needs attention.
#[derive(Debug, Template)]
#[template(path = "console/attention.html")]
pub(crate) struct AttentionSection {
    /// Each with its advice in pieces: whether it is a command, and what it says.
    found: Vec<(Attention, Vec<(bool, String)>)>,
}

impl AttentionSection {
    pub(crate) fn new(overview: &Overview) -> Self {
        let escaped = |found: Attention| {
            let advice = escape(&found.advice);
            let pieces =
                advice.split('`').enumerate().map(|(place, piece)| (place % 2 == 1, piece.to_owned())).collect();
            (Attention { sentence: escape(&found.sentence), ..found }, pieces)
        };
        Self { found: attention(overview).into_iter().map(escaped).collect() }
    }
}

/// The tokens with their times.
#[derive(Debug, Template)]
#[template(path = "console/tokens.html")]
pub(crate) struct TokenSection {
    tokens: Vec<TokenRow>,
}

#[derive(Debug)]
struct TokenRow {
    name: String,
    state: &'static str,
    shape: Shape,
    device: String,
    reason: String,
    p50: String,
    p99: String,
    calls: String,
}

impl TokenSection {
    pub(crate) fn new(overview: &Overview) -> Self {
        Self { tokens: overview.status.tokens.iter().map(|token| token_row(overview, token)).collect() }
    }
}

fn token_row(overview: &Overview, token: &TokenStatus) -> TokenRow {
    let times = overview.quarter.tokens.get(&token.name).cloned().unwrap_or_default();
    let percentile = |percent| times.percentile(percent).map_or_else(|| "none".to_owned(), took);
    let model = token.model.as_deref().unwrap_or("not open");
    let serial = token.serial.as_ref().map(|serial| format!(", serial {serial}")).unwrap_or_default();
    TokenRow {
        name: token.name.clone(),
        state: token.state,
        shape: match token.state {
            "up" => Shape::Good,
            "opening" => Shape::Look,
            _ => Shape::Stop,
        },
        device: escape(&format!("{model}{serial}")),
        reason: escape(token.reason.as_deref().unwrap_or_default()),
        p50: percentile(50),
        p99: percentile(99),
        calls: counted(times.count(), "call"),
    }
}

/// The keys of the log.
#[derive(Debug, Template)]
#[template(path = "console/keys.html")]
pub(crate) struct KeySection {
    keys: Vec<KeyRow>,
}

#[derive(Debug)]
struct KeyRow {
    name: String,
    state: &'static str,
    shape: Shape,
    algorithm: String,
    evidence: String,
    tokens: String,
    public_key: String,
    not_ready: String,
}

impl KeySection {
    pub(crate) fn new(overview: &Overview) -> Self {
        Self { keys: overview.keys.iter().map(key_row).collect() }
    }
}

fn key_row(key: &KeyFacts) -> KeyRow {
    let in_use = matches!(key.status.state, "active" | "retiring");
    KeyRow {
        name: key.status.name.clone(),
        state: key.status.state,
        shape: match (in_use, &key.not_ready) {
            (true, None) => Shape::Good,
            (true, Some(_)) => Shape::Stop,
            (false, _) => Shape::Look,
        },
        algorithm: key.status.algorithm.to_string(),
        evidence: key.status.evidence.clone(),
        tokens: if key.tokens.is_empty() { "none".to_owned() } else { key.tokens.join(", ") },
        public_key: key.status.public_key.clone(),
        not_ready: escape(key.not_ready.as_deref().filter(|_| in_use).unwrap_or_default()),
    }
}
