//! `chancery audit recover`.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use appliance_wire::Receipt;
use clap::Args;
use serde_json::{Deserializer, Value, json};

use super::{
    super::{
        Failure,
        acts::{Officers, print_text},
        output::{print, print_json},
        recovery::{consent, failure, run_to_end},
    },
    bar,
};
use crate::{
    config::Config,
    recovery::{FromCopy, recover},
};

#[derive(Args, Debug)]
pub(in crate::cli) struct Recover {
    /// The newest copy there is: a state directory, a mirror, or a log.jsonl.
    #[arg(long, value_name = "COPY")]
    from: PathBuf,
    /// Receipts that watchers kept, or answers with receipts: JSON, one behind another or in lists.
    #[arg(long, value_name = "FILE")]
    receipts: Option<PathBuf>,
    /// Why, for the audit log.
    #[arg(long, default_value = "the log was lost")]
    reason: String,
    #[command(flatten)]
    officers: Officers,
}

pub(super) fn run(config: &Path, arguments: &Recover, as_json: bool) -> Result<(), Failure> {
    let config = Config::load(config)?;
    let receipts = arguments.receipts.as_deref().map(read_receipts).transpose()?.unwrap_or_default();
    let copy = arguments.from.clone();
    let log = if copy.is_dir() { copy.join("log.jsonl") } else { copy.clone() };
    let bar = bar(fs::metadata(log).map_or(0, |file| file.len()));
    let shown = bar.clone();
    let consent = Arc::new(consent(&config, &arguments.officers)?);
    let from = FromCopy { copy, receipts, reason: arguments.reason.clone(), consent: Arc::clone(&consent) };
    let recovered = run_to_end(recover(config, from, move |position| shown.set_position(position)));
    bar.finish_and_clear();
    let recovered = recovered?;
    if let Some(text) = consent.to_sign() {
        print_text(&json!(text), as_json);
        return Ok(());
    }
    let report = recovered.map_err(|error| failure(&error))?;
    if as_json {
        print_json(&report);
        return Ok(());
    }
    print(format!("recovered: {} entries of the copy, {} now", report.copied_entries, report.entries));
    for lost in &report.lost {
        print(format!("lost: a log of {} entries, root {} (known from: {})", lost.size, lost.root, lost.by));
    }
    print(format!("{} requests are bound again", report.bound_again));
    if report.unused_receipts > 0 {
        print(format!("{} receipts prove nothing that was missing, or contradict the copy", report.unused_receipts));
    }
    for kept in &report.replaced {
        print(format!("what was there is kept as {}", kept.display()));
    }
    print("every limit counts as full for one window, and everything is frozen: see docs/recover.md");
    Ok(())
}

fn read_receipts(file: &Path) -> Result<Vec<Receipt>, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::failed(format!("{}: {error}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| failed(&error))?;
    let mut receipts = Vec::new();
    for value in Deserializer::from_str(&text).into_iter::<Value>() {
        collect(value.map_err(|error| failed(&error))?, &mut receipts).map_err(|error| failed(&error))?;
    }
    if receipts.is_empty() { Err(failed(&"there is no receipt in it")) } else { Ok(receipts) }
}

fn collect(value: Value, receipts: &mut Vec<Receipt>) -> Result<(), serde_json::Error> {
    match value {
        Value::Array(values) => values.into_iter().try_for_each(|value| collect(value, receipts)),
        Value::Object(mut answer) => match answer.remove("receipt") {
            // An answer that came before a checkpoint covered it has none.
            Some(Value::Null) => Ok(()),
            Some(receipt) => collect(receipt, receipts),
            None => serde_json::from_value(Value::Object(answer)).map(|receipt| receipts.push(receipt)),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            serde_json::from_value(value).map(|receipt| receipts.push(receipt))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_are_found_alone_in_lists_and_in_answers() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("receipts");
        let receipt = json!({ "index": 7, "entry": "", "proof": [], "checkpoint": "" });
        let text =
            format!("{receipt}\n{receipt}[{receipt}, {{\"entry\": 7, \"receipt\": {receipt}}}]{{\"receipt\": null}}");
        fs::write(&file, text).unwrap();
        assert_eq!(read_receipts(&file).unwrap().len(), 4);
        for bad in ["", "{}", "[1]", "{\"receipt\": 1}", "nonsense"] {
            fs::write(&file, bad).unwrap();
            assert!(read_receipts(&file).is_err(), "{bad}");
        }
    }
}
