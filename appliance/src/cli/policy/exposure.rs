//! `chancery policy exposure`.

use std::path::Path;

use super::{
    super::{
        Failure,
        output::{print, print_json},
    },
    read,
};
use crate::policy::{AssetExposure, Bound, Exposure, Most, Policy, WatcherExposure, exposure};

pub(super) fn run(file: &Path, as_json: bool) -> Result<(), Failure> {
    let policy = Policy::parse(&read(file)?);
    let policy = policy.map_err(|mistakes| Failure::failed(format!("policy {}:\n{mistakes}", file.display())))?;
    let exposure = exposure(&policy);
    if as_json {
        print_json(&exposure);
    } else {
        print(text(&exposure));
    }
    Ok(())
}

fn text(exposure: &Exposure) -> String {
    let mut lines = Vec::new();
    for watcher in exposure.watchers.iter().filter(|watcher| !watcher.unlimited.is_empty()) {
        lines.push(format!("UNLIMITED: a compromised \"{}\" can take without end:", watcher.watcher));
        lines.extend(watcher.unlimited.iter().map(|reason| format!("  - {reason}")));
        lines.push(String::new());
    }
    lines.push(format!("The most a fully compromised watcher could take under policy version {}:", exposure.version));
    lines.extend(exposure.watchers.iter().flat_map(of_watcher));
    lines.extend(NOTES.iter().map(ToString::to_string));
    lines.join("\n")
}

fn of_watcher(watcher: &WatcherExposure) -> Vec<String> {
    let mut lines = vec![String::new(), format!("watcher \"{}\"", watcher.watcher)];
    let more = watcher.with_approval.iter().map(|how| format!("  more {how}"));
    if watcher.assets.is_empty() {
        lines.push("  pays no asset".to_owned());
        lines.extend(more);
        return lines;
    }
    let mut rows = vec![[String::new(), String::new()].into_iter().chain(Exposure::HOURS.map(time)).collect()];
    rows.extend(watcher.assets.iter().flat_map(of_asset));
    lines.extend(table(&rows));
    lines.extend(more);
    lines
}

fn of_asset(asset: &AssetExposure) -> [Vec<String>; 2] {
    let row = |to: &str, bounds: &[Bound]| {
        let most = bounds.iter().map(|bound| match &bound.most {
            Most::AtMost(most) => most.to_string(),
            Most::Unlimited(_) => "UNLIMITED".to_owned(),
        });
        [asset.asset.clone(), to.to_owned()].into_iter().chain(most).collect()
    };
    [row("anywhere", &asset.anywhere), row("to listed addresses", &asset.to_listed_addresses)]
}

/// The rows with their columns under each other.
pub(super) fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<_> = (0..columns).map(|column| widest(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("  {}", cells.collect::<Vec<_>>().join("  ")).trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

pub(super) fn time(hours: u64) -> String {
    if hours > 24 { format!("{} d", hours / 24) } else { format!("{hours} h") }
}

const NOTES: [&str; 5] = [
    "",
    "Upper bounds, and the two lines of an asset share their limits. Fees count as taken; hours count for nothing.",
    "Amounts are in each asset's main unit, within any such stretch of the appliance's service time.",
    "Limits bound signing, not settlement: signatures can be kept and sent later, those of many days at once.",
    "Payments to our own keys (`self`, the `keys` of an address list) are not counted; the fees of them are.",
];

#[cfg(test)]
mod tests;
