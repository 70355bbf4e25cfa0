//! The named sections of one kind, and references to them.

use std::collections::BTreeSet;

use crate::toml_document::Section;

/// Every section `[[kind]]`, by name. One with a mistake in it keeps its name, so that naming it is no second mistake.
pub(super) struct Catalogue<T> {
    kind: &'static str,
    entries: Vec<(Option<String>, Option<T>)>,
}

impl<T> Catalogue<T> {
    /// Reads every section with `read`, and refuses a name used twice.
    pub(super) fn read(
        root: &Section<'_>,
        kind: &'static str,
        mut read: impl FnMut(&Section<'_>) -> Option<T>,
    ) -> Self {
        let mut names = BTreeSet::new();
        let mut entry = |section: Section<'_>| {
            let name = section.text("name");
            if name.as_ref().is_some_and(|name| !names.insert(name.clone())) {
                section.mistake("name", format!("another [[{kind}]] has this name"));
            }
            (name, read(&section))
        };
        let entries = root.sections(kind).into_iter().map(&mut entry).collect();
        Self { kind, entries }
    }

    /// Whether every section was read without a mistake.
    pub(super) fn is_whole(&self) -> bool {
        self.entries.iter().all(|(name, item)| name.is_some() && item.is_some())
    }

    /// How many sections there are, mistaken ones too.
    pub(super) fn count(&self) -> u64 {
        self.entries.len() as u64
    }

    /// What could be read.
    pub(super) fn items(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().filter_map(|(_, item)| item.as_ref())
    }

    /// All of them, where none is mistaken.
    pub(super) fn into_items(self) -> Option<Vec<T>> {
        self.entries.into_iter().map(|(_, item)| item).collect()
    }

    /// What the text under `key` names, where it is there and without a mistake.
    pub(super) fn named_under(&self, section: &Section<'_>, key: &'static str) -> Option<&T> {
        let name = section.optional_text(key)?;
        self.find(section, section.line_of(key), key, &name)
    }

    /// What the list under `key` names. An empty list is a mistake: it never means all.
    pub(super) fn listed_under(&self, section: &Section<'_>, key: &'static str) -> Option<Vec<&T>> {
        let elements = section.texts(key)?;
        if elements.is_empty() {
            section.mistake(key, "is empty; name at least one");
        }
        let mut seen = BTreeSet::new();
        let mut listed = Vec::new();
        for element in &elements {
            if !seen.insert(&element.text) {
                section.mistake_on(element.line, key, format!("\"{}\" is there twice", element.text));
            }
            listed.extend(self.find(section, element.line, key, &element.text));
        }
        Some(listed)
    }

    fn find(&self, section: &Section<'_>, line: usize, key: &'static str, name: &str) -> Option<&T> {
        let entry = self.entries.iter().find(|(entry, _)| entry.as_deref() == Some(name));
        if entry.is_none() {
            section.absence_on(line, key, format!("no [[{}]] is named \"{name}\"", self.kind));
        }
        entry.and_then(|(_, item)| item.as_ref())
    }
}

/// The section's name: of any one line, for it is read by people.
pub(super) fn name_of(section: &Section<'_>) -> Option<String> {
    let name = section.optional_text("name")?;
    let fits = (1..=100).contains(&name.chars().count()) && name.trim() == name && !name.contains(char::is_control);
    if !fits {
        section.mistake("name", "write 1 to 100 characters of one line, without white space at the ends");
    }
    fits.then_some(name)
}
