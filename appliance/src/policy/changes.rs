//! What differs between two documents, section by section, as it is written.
//!
//! Knows nothing of what a difference means: `"0.1"` and `"0.10"` differ here, and loosening is computed elsewhere.

use serde::Serialize;
use toml::{Table, Value};

use super::Policy;

/// A section that differs.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Change {
    /// Its kind, such as `rule`; `rules` where it is their order.
    pub section: String,
    /// Its name, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What became of it.
    pub change: ChangeKind,
    /// Its members that differ; of an added section all of them.
    pub members: Vec<MemberChange>,
}

/// What became of a section.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Some of its members differ.
    Changed,
}

/// A member that differs, each side as TOML writes it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct MemberChange {
    /// Its key.
    pub member: String,
    /// Before; none where it was not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// After; none where it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Of a list, what is in it now and was not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gains: Vec<String>,
    /// Of a list, what was in it and is not now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub loses: Vec<String>,
}

/// Every difference between the documents, but for the version.
#[must_use]
pub fn changes(before: &Policy, after: &Policy) -> Vec<Change> {
    // Both were read before, as policies.
    let table = |policy: &Policy| toml::from_str::<Table>(&policy.document).unwrap_or_default();
    let (before, after) = (table(before), table(after));
    let mut changes: Vec<Change> = of_one("quorum", None, section(&before, "quorum"), section(&after, "quorum"));
    for kind in KINDS {
        changes.extend(of_kind(kind, &sections(&before, kind), &sections(&after, kind)));
    }
    changes
}

fn of_kind(kind: &str, before: &[(&str, &Table)], after: &[(&str, &Table)]) -> Vec<Change> {
    let find = |among: &[(&str, &Table)], name: &str| among.iter().find(|(other, _)| *other == name).is_some();
    let table = |among: &[(&'_ str, &'_ Table)], name: &str| {
        among.iter().find(|(other, _)| *other == name).map(|(_, table)| (*table).clone())
    };
    let gone = before.iter().filter(|(name, _)| !find(after, name));
    let mut changes: Vec<Change> =
        gone.flat_map(|(name, section)| of_one(kind, Some(name), Some(section), None)).collect();
    for (name, section) in after {
        changes.extend(of_one(kind, Some(name), table(before, name).as_ref(), Some(section)));
    }
    // Rules are asked in their order.
    let in_both = |one: &[(&str, &Table)], other: &[(&str, &Table)]| {
        let names = one.iter().map(|(name, _)| *name).filter(|name| find(other, name));
        names.map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
    };
    let (was, is) = (in_both(before, after), in_both(after, before));
    if kind == "rule" && was != is {
        let members = vec![MemberChange::of("order", Some(was), Some(is))];
        changes.push(Change { section: "rules".to_owned(), name: None, change: ChangeKind::Changed, members });
    }
    changes
}

fn of_one(kind: &str, name: Option<&str>, before: Option<&Table>, after: Option<&Table>) -> Vec<Change> {
    let change = match (before, after) {
        (None, None) => return Vec::new(),
        (None, Some(_)) => ChangeKind::Added,
        (Some(_), None) => ChangeKind::Removed,
        (Some(_), Some(_)) => ChangeKind::Changed,
    };
    let members = if change == ChangeKind::Removed { Vec::new() } else { members(before, after) };
    if change == ChangeKind::Changed && members.is_empty() {
        return Vec::new();
    }
    vec![Change { section: kind.to_owned(), name: name.map(ToOwned::to_owned), change, members }]
}

fn members(before: Option<&Table>, after: Option<&Table>) -> Vec<MemberChange> {
    let of = |table: Option<&Table>| table.cloned().unwrap_or_default();
    let (before, after) = (of(before), of(after));
    let mut keys: Vec<&String> = before.keys().chain(after.keys()).filter(|key| *key != "name").collect();
    keys.sort();
    keys.dedup();
    keys.into_iter()
        .filter(|key| before.get(*key) != after.get(*key))
        .map(|key| {
            let (before, after) = (before.get(key), after.get(key));
            let mut change = MemberChange::of(key, before.map(text), after.map(text));
            if let (Some(Value::Array(before)), Some(Value::Array(after))) = (before, after) {
                let missing =
                    |from: &[Value], of: &[Value]| of.iter().filter(|item| !from.contains(item)).map(text).collect();
                (change.gains, change.loses) = (missing(before, after), missing(after, before));
            }
            change
        })
        .collect()
}

impl MemberChange {
    fn of(member: &str, before: Option<String>, after: Option<String>) -> Self {
        Self { member: member.to_owned(), before, after, gains: Vec::new(), loses: Vec::new() }
    }
}

fn section<'t>(table: &'t Table, kind: &str) -> Option<&'t Table> {
    table.get(kind)?.as_table()
}

fn sections<'t>(table: &'t Table, kind: &str) -> Vec<(&'t str, &'t Table)> {
    let all = table.get(kind).and_then(Value::as_array).into_iter().flatten();
    all.filter_map(|section| Some((section.get("name")?.as_str()?, section.as_table()?))).collect()
}

/// A value as TOML writes it, on one line.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text:?}"),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(is) => is.to_string(),
        Value::Datetime(time) => time.to_string(),
        Value::Array(items) => format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(", ")),
        Value::Table(table) => {
            let members: Vec<_> = table.iter().map(|(key, value)| format!("{key} = {}", text(value))).collect();
            format!("{{ {} }}", members.join(", "))
        }
    }
}

/// The named sections, in the order of the documentation.
const KINDS: [&str; 7] = ["officer", "watcher", "asset", "key", "address_list", "rule", "limit"];

#[cfg(test)]
mod tests;
