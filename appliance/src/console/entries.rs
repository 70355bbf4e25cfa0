//! Entries of the log: the filter, a page of them, and one with its receipt.

use std::fmt::Write as _;

use appliance_wire::Body;
use askama::Template;
use hsm_types::KeyPath;

use super::words::{entry_time, grouped};
use crate::{
    operations::{EntrySearch, FoundEntries, FoundEntry, Overview, Proven},
    reading::{Filter, escape},
};

/// The filter, as the address of the page says it. What is empty is left out.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct EntryQuery {
    kind: String,
    watcher: String,
    key: String,
    outcome: String,
    request: String,
    before: String,
}

/// What requests come to, each the kinds that say so.
const OUTCOMES: [(&str, &[&str]); 4] = [
    ("signed", &["signed"]),
    ("refused", &["denied", "rejected", "lapsed"]),
    ("waiting", &["pending", "approved"]),
    ("failed", &["failed"]),
];

impl EntryQuery {
    /// The filter among these members, whichever others there are.
    pub(crate) fn read<'a>(members: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut query = Self::default();
        for (name, value) in members {
            let member = match name {
                "kind" => &mut query.kind,
                "watcher" => &mut query.watcher,
                "key" => &mut query.key,
                "outcome" => &mut query.outcome,
                "request" => &mut query.request,
                "before" => &mut query.before,
                _ => continue,
            };
            value.clone_into(member);
        }
        query
    }

    /// Whether the newest entries are wanted, which change.
    pub(crate) fn is_newest(&self) -> bool {
        self.before.is_empty()
    }

    /// The entries it names.
    ///
    /// # Errors
    /// What of it names none.
    pub(crate) fn search(&self) -> Result<EntrySearch, String> {
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        let kinds = match (self.kind.as_str(), self.outcome.as_str()) {
            ("", "") => Vec::new(),
            ("", outcome) => {
                let kinds = OUTCOMES.iter().find(|(name, _)| *name == outcome);
                let (_, kinds) = kinds.ok_or_else(|| format!("{outcome:?} is no outcome"))?;
                kinds.iter().map(ToString::to_string).collect()
            }
            (kind, "") if Body::KINDS.contains(&kind) => vec![kind.to_owned()],
            (kind, "") => return Err(format!("{kind:?} is no kind of entry")),
            (_, _) => return Err("choose a kind or an outcome, not both".to_owned()),
        };
        let key = some(&self.key).map(|key| key.parse::<KeyPath>().map_err(|error| format!("the key: {error}")));
        let before = some(&self.before).map(|text| text.parse().map_err(|_| format!("{text:?} is no index")));
        Ok(EntrySearch {
            filter: Filter { key: key.transpose()?, watcher: some(&self.watcher), kind: kinds, ..Filter::default() },
            id_part: self.request.clone(),
            before: before.transpose()?,
        })
    }

    /// As it stands in an address; `before` in place of its own.
    pub(crate) fn text(&self, before: Option<u64>) -> String {
        let before = before.map(|index| index.to_string()).unwrap_or_default();
        let members = [
            ("kind", &self.kind),
            ("watcher", &self.watcher),
            ("key", &self.key),
            ("outcome", &self.outcome),
            ("request", &self.request),
            ("before", &before),
        ];
        let members = members.iter().filter(|(_, value)| !value.is_empty());
        members.map(|(name, value)| format!("{name}={}", percent_encoded(value))).collect::<Vec<_>>().join("&")
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Everything but letters, digits and `-._~`.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// A choice of the filter.
#[derive(Debug)]
struct Choice {
    name: String,
    is_chosen: bool,
}

fn choices(names: impl Iterator<Item = String>, chosen: &str) -> Vec<Choice> {
    let mut choices: Vec<_> = names.map(|name| Choice { is_chosen: name == chosen, name }).collect();
    if !chosen.is_empty() && !choices.iter().any(|choice| choice.is_chosen) {
        choices.push(Choice { name: chosen.to_owned(), is_chosen: true });
    }
    choices
}

/// The filter as a form.
#[derive(Debug, Template)]
#[template(path = "console/filter.html")]
pub(crate) struct FilterForm {
    kinds: Vec<Choice>,
    outcomes: Vec<Choice>,
    watchers: Vec<Choice>,
    keys: Vec<Choice>,
    request: String,
    is_empty: bool,
}

impl FilterForm {
    pub(crate) fn new(overview: &Overview, query: &EntryQuery) -> Self {
        let watchers = overview.policy.watchers.iter().map(|watcher| watcher.name.clone());
        let keys = overview.keys.iter().map(|key| key.status.name.clone());
        Self {
            kinds: choices(Body::KINDS.iter().map(ToString::to_string), &query.kind),
            outcomes: choices(OUTCOMES.iter().map(|(name, _)| (*name).to_owned()), &query.outcome),
            watchers: choices(watchers.chain(["admin socket".to_owned()]), &query.watcher),
            keys: choices(keys, &query.key),
            request: query.request.clone(),
            is_empty: query.is_empty(),
        }
    }
}

/// Entries, newest first, and where there are more.
#[derive(Debug, Template)]
#[template(path = "console/entries.html")]
pub(crate) struct EntrySection {
    rows: Vec<Row>,
    /// Why there are none.
    refused: String,
    looked_at: String,
    older: String,
    newest: String,
}

#[derive(Debug)]
struct Row {
    index: u64,
    time: String,
    kind: String,
    tone: &'static str,
    words: String,
}

impl EntrySection {
    pub(crate) fn new(query: &EntryQuery, found: Result<&FoundEntries, String>) -> Self {
        let newest = if query.is_newest() { String::new() } else { format!("/?{}#entries", query.text(None)) };
        match found {
            Err(refused) => Self { rows: Vec::new(), refused, looked_at: String::new(), older: String::new(), newest },
            Ok(found) => Self {
                rows: found.entries.iter().map(row).collect(),
                refused: String::new(),
                looked_at: grouped(found.looked_at),
                older: found.older.map(|index| format!("/?{}#entries", query.text(Some(index)))).unwrap_or_default(),
                newest,
            },
        }
    }
}

fn row(entry: &FoundEntry) -> Row {
    Row {
        index: entry.index,
        time: entry_time(&escape(&entry.time)),
        kind: escape(&entry.kind),
        tone: tone(&entry.kind),
        words: escape(&entry.words),
    }
}

/// How a kind is marked: the word stays what tells it.
fn tone(kind: &str) -> &'static str {
    match kind {
        "signed" | "unfrozen" => "good",
        "denied" | "rejected" | "failed" | "frozen" | "recovered" => "stop",
        "pending" | "lapsed" | "withdrawn" | "policy" | "key" | "clock" | "released" => "look",
        _ => "plain",
    }
}

/// One entry: `/entries/{index}`.
#[derive(Debug, Template)]
#[template(path = "console/entry.html")]
pub(crate) struct EntryPage {
    entry: Row,
    json: String,
    leaf_hash: String,
    /// Entries the checkpoint covers; empty where none covers this one yet.
    checkpoint: String,
    note: String,
    proof: Vec<String>,
    log_key: String,
    previous: Option<u64>,
    next: Option<u64>,
    /// The entries it names: what was accepted, what waited.
    related: Vec<(&'static str, u64)>,
}

impl EntryPage {
    pub(crate) fn new(proven: &Proven, log_key: &str) -> Self {
        let index = proven.entry.index;
        let receipt = proven.receipt.as_ref();
        let related = ["accepted", "pending"];
        let related = related.iter().filter_map(|member| Some((*member, proven.json[*member].as_u64()?)));
        Self {
            entry: row(&proven.entry),
            json: escape_lines(&serde_json::to_string_pretty(&proven.json).unwrap_or_default()),
            leaf_hash: hex::encode(proven.leaf_hash),
            checkpoint: proven.checkpoint.map(grouped).unwrap_or_default(),
            note: receipt.map(|receipt| escape_lines(&receipt.checkpoint)).unwrap_or_default(),
            proof: receipt.map(|receipt| receipt.proof.clone()).unwrap_or_default(),
            log_key: log_key.to_owned(),
            previous: index.checked_sub(1),
            next: Some(index.saturating_add(1)).filter(|next| *next < proven.size),
            related: related.collect(),
        }
    }
}

/// As [`escape`], with the line ends left.
fn escape_lines(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}
