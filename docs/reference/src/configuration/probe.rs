//! Asks a reader what it knows: which keys a table has, which must be there, what their values are.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{Document, Key, Table};
use crate::Error;

/// A document under question, with the files its full text names.
pub(super) struct Probe<'d> {
    document: &'d Document,
    directory: PathBuf,
    lines: Vec<&'static str>,
}

/// A key nobody means.
const STRANGER: &str = "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz";

impl<'d> Probe<'d> {
    /// # Errors
    /// The full text has a mistake.
    pub(super) fn of(document: &'d Document, directory: &Path) -> Result<Self, Error> {
        let read = (document.read)(document.full, directory);
        read.map_err(|mistakes| disagree(document, "its full text", &mistakes))?;
        let lines = document.full.lines().collect();
        Ok(Self { document, directory: directory.to_owned(), lines })
    }

    /// The keys the reader knows in this table, sections below it included.
    ///
    /// # Errors
    /// The reader takes a key that nobody knows.
    pub(super) fn known(&self, table: &Table) -> Result<BTreeSet<String>, Error> {
        let mut lines = self.lines.clone();
        let line = format!("{STRANGER} = 1");
        let at = self.first_line(table);
        let (before, behind) = lines.split_at_mut(at);
        let text = [before.join("\n"), line, behind.join("\n")].join("\n");
        let Err(mistakes) = (self.document.read)(&text, &self.directory) else {
            return Err(disagree(self.document, table.header, "the reader takes a key that nobody knows"));
        };
        let mistake = mistakes.lines().filter(|line| line.contains(STRANGER)).collect::<Vec<_>>().join(" ");
        let words = match (mistake.split_once("known here: "), mistake.split_once("expected ")) {
            (Some((_, words)), _) => words.split(", ").map(|word| word.trim().to_owned()).collect(),
            (None, Some((_, words))) => words.split('`').skip(1).step_by(2).map(str::to_owned).collect(),
            (None, None) if table.names_its_keys => return Err(disagree(self.document, table.header, &mistakes)),
            (None, None) => BTreeSet::new(),
        };
        Ok(words)
    }

    /// Whether the reader misses the key where it is left out.
    pub(super) fn is_missed(&self, table: &Table, key: &Key) -> Result<bool, Error> {
        let line = self.needed_line_of(table, key)?;
        let mut lines = self.lines.clone();
        lines.remove(line);
        let read = (self.document.read)(&lines.join("\n"), &self.directory);
        Ok(read.is_err_and(|mistakes| {
            let names_it = |mistake: &&str| mistake.contains(key.name) || mistake.contains(table.path());
            let misses = |mistake: &str| {
                ["missing", "write one of", "did not match", "without one"].iter().any(|word| mistake.contains(word))
            };
            mistakes.lines().filter(names_it).any(misses)
        }))
    }

    /// Whether it makes no difference to say the default.
    pub(super) fn is_default(&self, table: &Table, key: &Key, default: &str) -> Result<bool, Error> {
        let line = self.needed_line_of(table, key)?;
        let mut lines = self.lines.clone();
        lines.remove(line);
        let without = (self.document.read)(&lines.join("\n"), &self.directory);
        let said = format!("{} = {default}", key.name);
        lines.insert(line, &said);
        let with = (self.document.read)(&lines.join("\n"), &self.directory);
        // Where another key needs this one, both are refused, with the same words about other lines.
        let without_lines = |mistakes: String| mistakes.replace(|letter: char| letter.is_ascii_digit(), "");
        Ok(without.map_err(without_lines) == with.map_err(without_lines))
    }

    /// The reader's words for what the value is.
    pub(super) fn kind(&self, table: &Table, key: &Key) -> String {
        for wrong in ["true", "1"] {
            let Some(line) = self.line_of(table, key) else { break };
            let mut lines = self.lines.clone();
            let changed = format!("{} = {wrong}", key.name);
            if let Some(line) = lines.get_mut(line) {
                *line = &changed;
            }
            if let Err(mistakes) = (self.document.read)(&lines.join("\n"), &self.directory)
                && let Some(kind) = kind_in(&mistakes)
            {
                return kind;
            }
        }
        String::new()
    }

    /// The line behind the header of a table.
    fn first_line(&self, table: &Table) -> usize {
        if table.header.is_empty() {
            return 0;
        }
        let headers = self.lines.iter().enumerate().filter(|(_, line)| **line == table.header);
        headers.map(|(index, _)| index + 1).nth(table.nth).unwrap_or(self.lines.len())
    }

    /// The line of a key: in this table, or else in one behind it with the same header.
    fn line_of(&self, table: &Table, key: &Key) -> Option<usize> {
        let begin = format!("{} = ", key.name);
        let mut is_there = table.header.is_empty();
        let lines = self.lines.iter().enumerate().skip(self.first_line(table).saturating_sub(1));
        for (index, line) in lines {
            if line.starts_with('[') {
                is_there = *line == table.header;
            } else if is_there && line.starts_with(&begin) {
                return Some(index);
            }
        }
        None
    }

    fn needed_line_of(&self, table: &Table, key: &Key) -> Result<usize, Error> {
        let why = format!("the full text has no `{}`", key.name);
        self.line_of(table, key).ok_or_else(|| disagree(self.document, table.header, &why))
    }
}

/// What a sentence about a wrong value wants in its place.
fn kind_in(mistakes: &str) -> Option<String> {
    let (_, ours) = mistakes.split_once(": write ").unwrap_or_default();
    if let Some((wanted, _)) = ours.split_once(", not ") {
        let plain = wanted.trim_start_matches("an ").trim_start_matches("a ");
        return Some(plain.split(", such").next().unwrap_or(plain).replace(" in quotes", ""));
    }
    let (_, serde) = mistakes.split_once(", expected ")?;
    let word = serde.lines().next().unwrap_or(serde);
    let word = word.split([';', '`']).next().unwrap_or(word).trim();
    let plain = match word {
        "a string" | "path string" => "text",
        "u8" | "u16" | "u32" | "u64" => "integer",
        "a boolean" => "true or false",
        "a sequence" => "list of texts",
        "a map" => "table",
        "socket address" => "`\"IP:PORT\"`",
        other => other.trim_start_matches("a "),
    };
    Some(plain.to_owned())
}

pub(super) fn disagree(document: &Document, place: &str, why: &str) -> Error {
    let place = if place.is_empty() { "before the first header" } else { place };
    Error::Disagree { document: document.name.to_owned(), place: place.to_owned(), why: why.to_owned() }
}
