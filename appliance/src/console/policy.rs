//! The policy in force as tables, with what a compromised watcher could take; and the policy that waits.

use std::sync::Arc;

use askama::Template;
use toml::{Table, Value};

use super::{standing::Shape, words::duration};
use crate::{
    operations::Overview,
    policy::{AssetExposure, Bound, ChangeKind, Exposure, Most, Policy, WatcherExposure, changes, exposure},
    reading::escape,
};

/// `/policy`.
#[derive(Debug, Template)]
#[template(path = "console/policy.html")]
pub(crate) struct PolicyPage {
    version: u64,
    sha256: String,
    waiting: Option<Waiting>,
    warnings: Vec<String>,
    exposures: Vec<OfWatcher>,
    /// For how long it is told.
    spans: Vec<String>,
    grids: Vec<Grid>,
    document: String,
}

/// What waits to come into force.
#[derive(Debug)]
struct Waiting {
    version: u64,
    sha256: String,
    in_force_in: String,
    loosens: Vec<String>,
    changes: Vec<String>,
    document: String,
}

/// What one watcher could take.
#[derive(Debug)]
struct OfWatcher {
    name: String,
    unlimited: Vec<String>,
    with_approval: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    head: String,
    cells: Vec<String>,
}

/// The sections of one kind.
#[derive(Debug)]
struct Grid {
    id: &'static str,
    title: &'static str,
    caption: &'static str,
    columns: Vec<&'static str>,
    rows: Vec<Row>,
}

/// Kind in the document, title, caption, and the members of each column after the name's.
type Layout = (&'static str, &'static str, &'static str, &'static [(&'static str, &'static [&'static str])]);

const LAYOUTS: [Layout; 7] = [
    (
        "rule",
        "Rules",
        "In order: the first that matches decides; a request that matches none is denied.",
        &[
            ("Decision", &["action"]),
            ("Watchers", &["watchers"]),
            ("Keys", &["keys"]),
            ("Asset", &["asset"]),
            ("At most", &["max_amount", "max_request_amount", "max_fee", "max_fee_share"]),
            ("To", &["destinations", "call"]),
            ("Hours", &["hours"]),
        ],
    ),
    (
        "limit",
        "Limits",
        "All of them hold, whatever rule decided.",
        &[
            ("At most", &["max_amount", "max_signatures"]),
            ("Asset", &["asset"]),
            ("Window", &["window"]),
            ("For each", &["per"]),
            ("Keys", &["keys"]),
            ("Beyond it", &["beyond"]),
        ],
    ),
    (
        "key",
        "Keys",
        "What signs.",
        &[
            ("Algorithm", &["algorithm"]),
            ("Evidence", &["evidence"]),
            ("Assets", &["assets"]),
            ("Address", &["address_type"]),
            ("Children", &["children"]),
            ("State", &["state"]),
        ],
    ),
    ("watcher", "Watchers", "Who may ask, known by the SHA-256 of their keys.", &[("Keys", &["public_keys_sha256"])]),
    ("officer", "Officers", "Who decides, known by their SSH keys.", &[("Keys", &["ssh_keys"])]),
    (
        "address_list",
        "Address lists",
        "Destinations that rules name.",
        &[("Addresses", &["addresses"]), ("Keys", &["keys"])],
    ),
    (
        "asset",
        "Assets",
        "What is paid in.",
        &[("Chain", &["chain"]), ("Contract", &["contract"]), ("Decimals", &["decimals"])],
    ),
];

impl PolicyPage {
    pub(crate) fn new(overview: &Overview) -> Self {
        let policy = &overview.policy;
        // It was read before, as a policy.
        let document: Table = toml::from_str(&policy.document).unwrap_or_default();
        let mut grids: Vec<Grid> = LAYOUTS.iter().filter_map(|layout| grid(&document, layout)).collect();
        grids.extend(quorum(&document));
        Self {
            version: policy.version,
            sha256: policy.sha256.clone(),
            waiting: waiting(overview),
            warnings: policy.warnings.iter().map(|warning| escape(warning)).collect(),
            exposures: exposure(policy).watchers.iter().map(of_watcher).collect(),
            spans: Exposure::HOURS.iter().map(|hours| format!("in {}", duration(hours * 3_600))).collect(),
            grids,
            document: lines(&policy.document),
        }
    }
}

fn waiting(overview: &Overview) -> Option<Waiting> {
    let (told, policy) = (overview.pending.policy.as_ref()?, overview.waiting_policy.as_ref()?);
    Some(Waiting {
        version: told.version,
        sha256: told.sha256.clone(),
        in_force_in: duration(told.in_force_in_s),
        loosens: told.loosens.iter().map(|loosens| escape(loosens)).collect(),
        changes: changed(&overview.policy, policy),
        document: lines(&policy.document),
    })
}

/// What differs from the policy in force, a sentence a section.
fn changed(before: &Arc<Policy>, after: &Arc<Policy>) -> Vec<String> {
    let sentence = |change: &crate::policy::Change| {
        let name = change.name.as_deref().unwrap_or_default();
        let what = match change.change {
            ChangeKind::Added => "is new",
            ChangeKind::Removed => "is gone",
            ChangeKind::Changed => "changes",
        };
        let missing = || "nothing".to_owned();
        let members = change.members.iter().map(|member| {
            let (was, is) = (member.before.clone(), member.after.clone());
            format!("{} from {} to {}", member.member, was.unwrap_or_else(missing), is.unwrap_or_else(missing))
        });
        let members = if change.change == ChangeKind::Changed {
            format!(": {}", members.collect::<Vec<_>>().join("; "))
        } else {
            String::new()
        };
        escape(&format!("{} {name} {what}{members}", change.section))
    };
    changes(before, after).iter().map(sentence).collect()
}

fn of_watcher(watcher: &WatcherExposure) -> OfWatcher {
    let escaped = |texts: &[String]| texts.iter().map(|text| escape(text)).collect();
    OfWatcher {
        name: watcher.watcher.clone(),
        unlimited: escaped(&watcher.unlimited),
        with_approval: escaped(&watcher.with_approval),
        rows: watcher.assets.iter().flat_map(of_asset).collect(),
    }
}

fn of_asset(asset: &AssetExposure) -> [Row; 2] {
    let most = |bound: &Bound| match &bound.most {
        Most::AtMost(most) => most.to_string(),
        Most::Unlimited(_) => "UNLIMITED".to_owned(),
    };
    let row = |to: &str, bounds: &[Bound]| Row {
        head: format!("{} {to}", asset.asset),
        cells: bounds.iter().map(most).collect(),
    };
    [row("to anybody", &asset.anywhere), row("to listed addresses", &asset.to_listed_addresses)]
}

fn grid(document: &Table, (kind, title, caption, columns): &Layout) -> Option<Grid> {
    let sections = document.get(*kind)?.as_array()?;
    // A column in which nothing stands is left out.
    let has = |members: &[&str]| {
        sections
            .iter()
            .filter_map(Value::as_table)
            .any(|section| members.iter().any(|name| section.contains_key(*name)))
    };
    let columns: Vec<_> = columns.iter().filter(|(_, members)| has(members)).collect();
    let rows = sections.iter().filter_map(Value::as_table).map(|section| Row {
        head: section.get("name").map(words).unwrap_or_default(),
        cells: columns.iter().map(|(_, members)| cell(section, members)).collect(),
    });
    Some(Grid {
        id: kind,
        title,
        caption,
        columns: columns.iter().map(|(title, _)| *title).collect(),
        rows: rows.collect(),
    })
}

fn quorum(document: &Table) -> Option<Grid> {
    let quorum = document.get("quorum")?.as_table()?;
    let row = |(name, value): (&String, &Value)| Row { head: name.clone(), cells: vec![words(value)] };
    let rows = quorum.iter().map(row).collect();
    let caption = "How many officers an act takes.";
    Some(Grid { id: "quorum", title: "Quorum", caption, columns: vec!["Value"], rows })
}

/// The members that are there, each named where there may be several.
fn cell(section: &Table, members: &[&str]) -> String {
    let there = members.iter().filter_map(|name| Some((*name, section.get(*name)?)));
    let told = there.map(|(name, value)| match name.strip_prefix("max_") {
        Some(what) if members.len() > 1 => format!("{} {}", what.replace('_', " "), words(value)),
        _ => words(value),
    });
    told.collect::<Vec<_>>().join("; ")
}

/// A value without TOML's marks.
fn words(value: &Value) -> String {
    const MOST: usize = 8;
    match value {
        Value::String(text) => escape(text),
        Value::Array(items) if items.len() > MOST => {
            let first = items.iter().take(MOST).map(words).collect::<Vec<_>>().join(", ");
            format!("{first} and {} more, in the document below", items.len() - MOST)
        }
        Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join(", "),
        Value::Table(table) => {
            let members = table.iter().map(|(name, value)| format!("{name} {}", words(value)));
            members.collect::<Vec<_>>().join("; ")
        }
        Value::Boolean(true) => "yes".to_owned(),
        Value::Boolean(false) => "no".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Datetime(moment) => moment.to_string(),
    }
}

fn lines(document: &str) -> String {
    document.lines().map(escape).collect::<Vec<_>>().join("\n")
}
