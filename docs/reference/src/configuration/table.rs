//! The tables of a document, as the book has them: only where reader and sentences agree.

use std::{collections::BTreeSet, fmt::Write as _};

use super::{
    Document, Key, Table,
    probe::{Probe, disagree},
};
use crate::Error;

/// All of them.
///
/// # Errors
/// The reader knows a key that is not told, or the other way; or something else that is told is not so.
pub(super) fn tables(document: &Document) -> Result<String, Error> {
    let directory = tempfile::tempdir().map_err(Error::writing(&std::env::temp_dir()))?;
    let probe = Probe::of(document, directory.path())?;
    let mut text = String::new();
    for table in &document.tables {
        let rows = rows(document, table, &probe)?;
        let about = if table.about.is_empty() { String::new() } else { format!("{}\n\n", table.about) };
        if !table.header.is_empty() && table.nth == 0 {
            // What is written into a text does not fail.
            let _ = write!(text, "### `{}`\n\n", table.header);
        }
        let _ = write!(text, "{about}| key | required | value | what |\n|---|---|---|---|\n{rows}\n");
    }
    Ok(text)
}

fn rows(document: &Document, table: &Table, probe: &Probe<'_>) -> Result<String, Error> {
    let mut told: BTreeSet<String> = table.keys.iter().map(|key| key.name.to_owned()).collect();
    told.extend(below(document, table));
    let known = probe.known(table)?;
    if table.names_its_keys && known != told {
        let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
            one.difference(other).cloned().collect::<Vec<_>>().join(", ")
        };
        let why = format!("only the reader knows {:?}, only the book {:?}", only(&known, &told), only(&told, &known));
        return Err(disagree(document, table.header, &why));
    }
    let mut rows = String::new();
    for key in &table.keys {
        check(document, table, key, probe)?;
        let kind = probe.kind(table, key);
        let value = match (key.value, kind.as_str()) {
            ("", kind) => kind,
            (words, _) => words,
        };
        let required = match key.required.split_once(", ") {
            Some(("no", default)) => format!("no, `{default}`"),
            Some(_) | None => key.required.to_owned(),
        };
        // What is written into a text does not fail.
        let _ = writeln!(rows, "| `{}` | {required} | {value} | {} |", key.name, key.says);
    }
    Ok(rows)
}

/// Sections right below a table.
fn below(document: &Document, table: &Table) -> impl Iterator<Item = String> {
    let prefix = if table.header.is_empty() { String::new() } else { format!("{}.", table.path()) };
    let paths = document.tables.iter().filter(|other| !other.header.is_empty() && other.nth == table.nth);
    let inner = paths.filter_map(move |other| other.path().strip_prefix(&prefix).map(str::to_owned));
    inner.filter(|name| !name.contains('.') && !name.is_empty())
}

fn check(document: &Document, table: &Table, key: &Key, probe: &Probe<'_>) -> Result<(), Error> {
    let wrong = |why: &str| Err(disagree(document, table.header, &format!("`{}`: {why}", key.name)));
    if key.required.starts_with("one of") {
        return Ok(());
    }
    let is_missed = probe.is_missed(table, key)?;
    if is_missed != key.required.starts_with("yes") {
        return wrong(if is_missed { "the reader misses it" } else { "the reader does not miss it" });
    }
    if let Some(default) = key.required.strip_prefix("no, ") {
        return if probe.is_default(table, key, default)? { Ok(()) } else { wrong("the default is another") };
    }
    Ok(())
}
