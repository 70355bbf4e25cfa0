//! A difference between policies, for people.

use super::{
    super::{
        super::output::escape,
        exposure::{table, time},
    },
    Diff, Takes,
};
use crate::policy::{AssetExposure, Bound, Change, ChangeKind, Exposure, MemberChange, Most};

pub(super) fn text(diff: &Diff) -> String {
    let (before, after) = (diff.before.version, diff.after.version);
    let mut lines = vec![format!("policy version {after} against version {before}:")];
    if before >= after {
        lines.push(format!("  its version must be greater than {before} to be installed"));
    }
    lines.push(String::new());
    if diff.changes.is_empty() {
        lines.push("Nothing is changed.".to_owned());
    }
    lines.extend(diff.changes.iter().flat_map(of_change));
    lines.push(String::new());
    lines.extend(loosens(diff));
    lines.push(String::new());
    lines.extend(exposed(&diff.exposure.before, &diff.exposure.after));
    lines.push(String::new());
    lines.extend(takes(diff.takes.as_ref(), diff.waiting));
    lines.extend(diff.warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.iter().map(|line| escape(line)).collect::<Vec<_>>().join("\n")
}

fn of_change(change: &Change) -> Vec<String> {
    let name = change.name.as_ref().map(|name| format!(" \"{name}\"")).unwrap_or_default();
    let (sign, what) = match change.change {
        ChangeKind::Added => ("+", "is new"),
        ChangeKind::Removed => ("-", "is gone"),
        ChangeKind::Changed => ("~", "changes"),
    };
    let head = format!("{sign} {}{name} {what}", change.section);
    let members = change.members.iter().flat_map(|member| of_member(change.change, member));
    [head].into_iter().chain(members).collect()
}

fn of_member(change: ChangeKind, member: &MemberChange) -> Vec<String> {
    let name = &member.member;
    let none = || "none".to_owned();
    let (before, after) = (member.before.clone().unwrap_or_else(none), member.after.clone().unwrap_or_else(none));
    if change == ChangeKind::Added {
        return vec![format!("    {name} = {after}")];
    }
    if member.gains.is_empty() && member.loses.is_empty() {
        return vec![format!("    {name}: {before} -> {after}")];
    }
    let gains = member.gains.iter().map(|item| format!("    {name}: + {item}"));
    let loses = member.loses.iter().map(|item| format!("    {name}: - {item}"));
    gains.chain(loses).collect()
}

fn loosens(diff: &Diff) -> Vec<String> {
    if diff.loosens.is_empty() {
        return vec![
            "It loosens nothing: whatever passes under it passes now, no later, with no fewer approvals.".to_owned(),
        ];
    }
    let head = "IT LOOSENS, or cannot be proved not to:".to_owned();
    [head].into_iter().chain(diff.loosens.iter().map(|loosening| format!("  - {loosening}"))).collect()
}

fn exposed(before: &Exposure, after: &Exposure) -> Vec<String> {
    let mut lines = vec!["The most a fully compromised watcher could take, before -> after:".to_owned()];
    let names =
        |exposure: &Exposure| exposure.watchers.iter().map(|watcher| watcher.watcher.clone()).collect::<Vec<_>>();
    let mut watchers = names(before);
    watchers
        .extend(names(after).into_iter().filter(|name| !before.watchers.iter().any(|other| other.watcher == *name)));
    for watcher in watchers {
        let assets = |exposure: &Exposure| {
            let found = exposure.watchers.iter().find(|other| other.watcher == watcher);
            found.map(|watcher| watcher.assets.clone()).unwrap_or_default()
        };
        lines.push(format!("watcher \"{watcher}\""));
        lines.extend(rows(&assets(before), &assets(after)));
    }
    lines
}

fn rows(before: &[AssetExposure], after: &[AssetExposure]) -> Vec<String> {
    let mut names: Vec<&String> = before.iter().map(|asset| &asset.asset).collect();
    names.extend(
        after.iter().map(|asset| &asset.asset).filter(|name| !before.iter().any(|other| other.asset == **name)),
    );
    if names.is_empty() {
        return vec!["  pays no asset".to_owned()];
    }
    let mut rows =
        vec![[String::new(), String::new()].into_iter().chain(Exposure::HOURS.map(time)).collect::<Vec<_>>()];
    for name in names {
        let find = |among: &[AssetExposure]| among.iter().find(|asset| asset.asset == *name).cloned();
        let (before, after) = (find(before), find(after));
        for (to, bounds) in OUTLETS {
            let of = |asset: &Option<AssetExposure>, place: usize| {
                asset.as_ref().and_then(|asset| bounds(asset).get(place).map(most))
            };
            let cells = (0..Exposure::HOURS.len()).map(|place| match (of(&before, place), of(&after, place)) {
                (before, after) if before == after => after.unwrap_or_default(),
                (before, after) => {
                    let nothing = || "0".to_owned();
                    format!("{} -> {}", before.unwrap_or_else(nothing), after.unwrap_or_else(nothing))
                }
            });
            rows.push([name.clone(), to.to_owned()].into_iter().chain(cells).collect());
        }
    }
    table(&rows)
}

/// Where it goes, and the bounds of that.
type Outlet = (&'static str, fn(&AssetExposure) -> &[Bound]);

const OUTLETS: [Outlet; 2] =
    [("anywhere", |asset| &asset.anywhere), ("to listed addresses", |asset| &asset.to_listed_addresses)];

fn most(bound: &Bound) -> String {
    match &bound.most {
        Most::AtMost(most) => most.to_string(),
        Most::Unlimited(_) => "UNLIMITED".to_owned(),
    }
}

fn takes(takes: Option<&Takes>, waiting: Option<u64>) -> Vec<String> {
    let Some(takes) = takes else {
        return vec!["Nobody must sign: the policy before has no officers. It is in force at once.".to_owned()];
    };
    let Takes { quorum, officers, of, delay_seconds } = takes;
    let when = if *delay_seconds == 0 {
        "It is in force at once.".to_owned()
    } else {
        format!("It is in force {} after it is signed; one officer can veto it until then.", duration(*delay_seconds))
    };
    let mut lines = vec![format!("{officers} of {} must sign (quorum.{quorum}). {when}", of.join(", "))];
    lines.extend(waiting.map(|version| {
        format!("Policy version {version} waits already: it must come into force or be vetoed before this one.")
    }));
    lines
}

fn duration(seconds: u64) -> String {
    let units = [("h", 3_600), ("min", 60)];
    let unit = units.into_iter().find(|(_, length)| seconds.is_multiple_of(*length));
    unit.map_or_else(|| format!("{seconds} s"), |(name, length)| format!("{} {name}", seconds / length))
}
