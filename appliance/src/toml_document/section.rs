//! One table of a document, read key by key.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    ops::RangeInclusive,
    str::FromStr,
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    Document,
    nearest::nearest,
    value::{self, Element},
};

/// A table under reading. Every key a reader asks for is known; each other one is a mistake when the section is
/// dropped, so that no reader can forget to refuse them.
pub(crate) struct Section<'d> {
    document: &'d Document<'d>,
    table: &'d DeTable<'d>,
    path: String,
    line: usize,
    known: RefCell<BTreeSet<&'static str>>,
    shows_unknown_keys: Cell<bool>,
}

impl<'d> Section<'d> {
    pub(super) fn new(document: &'d Document<'d>, table: &'d DeTable<'d>, path: String, line: usize) -> Self {
        Self { document, table, path, line, known: RefCell::default(), shows_unknown_keys: Cell::new(true) }
    }

    /// The text under `key`; a mistake where there is none.
    pub(crate) fn text(&self, key: &'static str) -> Option<String> {
        self.require(key);
        self.optional_text(key)
    }

    /// The text under `key`, where there is one.
    pub(crate) fn optional_text(&self, key: &'static str) -> Option<String> {
        self.typed(key, "a text in quotes", value::text)
    }

    /// The value whose text is under `key`; a mistake where there is none or it does not parse.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(&self, key: &'static str) -> Option<T> {
        self.require(key);
        self.optional_parsed(key)
    }

    /// The value whose text is under `key`, where there is one.
    pub(crate) fn optional_parsed<T: FromStr<Err: Display>>(&self, key: &'static str) -> Option<T> {
        let text = self.optional_text(key)?;
        text.parse().map_err(|why: T::Err| self.mistake(key, why)).ok()
    }

    /// The integer of `range` under `key`; a mistake where there is none.
    pub(crate) fn integer(&self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        self.require(key);
        self.optional_integer(key, range)
    }

    /// The integer of `range` under `key`, where there is one.
    pub(crate) fn optional_integer(&self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let wanted = format!("an integer from {} to {}", range.start(), range.end());
        let integer = self.typed(key, &wanted, |value| value.as_integer().map(|_| value::integer(value)))?;
        let fits = integer.filter(|integer| range.contains(integer));
        if fits.is_none() {
            self.mistake(key, format!("write {wanted}"));
        }
        fits
    }

    /// `true` or `false` under `key`, where it is there.
    pub(crate) fn boolean(&self, key: &'static str) -> Option<bool> {
        self.typed(key, "true or false", DeValue::as_bool)
    }

    /// The texts in the list under `key`; a mistake where there is none.
    pub(crate) fn texts(&self, key: &'static str) -> Option<Vec<Element>> {
        self.require(key);
        self.optional_texts(key)
    }

    /// The texts in the list under `key`, where there is one.
    pub(crate) fn optional_texts(&self, key: &'static str) -> Option<Vec<Element>> {
        let list = self.typed(key, "a list of texts in quotes", DeValue::as_array)?;
        let element = |value: &Spanned<DeValue<'_>>| {
            let line = self.document.line_at(value.span().start);
            let text = value::text(value.get_ref());
            if text.is_none() {
                self.mistake_on(
                    line,
                    key,
                    format!("write a text in quotes, not {}", value::type_name(value.get_ref())),
                );
            }
            text.map(|text| Element { line, text })
        };
        // Every element is looked at before one that is a mistake makes the list unusable.
        let elements: Vec<_> = list.iter().map(element).collect();
        elements.into_iter().collect()
    }

    /// The texts under the keys of the table under `key`; none where it is not there.
    pub(crate) fn text_map(&self, key: &'static str) -> Option<BTreeMap<String, String>> {
        if self.has(key) {
            self.typed(key, "a table of texts, such as { NAME = \"value\" }", value::text_map)
        } else {
            Some(BTreeMap::new())
        }
    }

    /// The table under `key`; a mistake where there is none.
    pub(crate) fn section(&self, key: &'static str) -> Option<Section<'d>> {
        self.require(key);
        self.optional_section(key)
    }

    /// The table under `key`, where there is one.
    pub(crate) fn optional_section(&self, key: &'static str) -> Option<Section<'d>> {
        let table = self.typed(key, "a table", DeValue::as_table)?;
        Some(Self::new(self.document, table, self.path_of(key), self.line_of(key)))
    }

    /// The tables `[[key]]`, in their order.
    pub(crate) fn sections(&self, key: &'static str) -> Vec<Section<'d>> {
        let form = format!("a section headed [[{key}]]");
        let tables = self.typed(key, &form, |value| {
            value.as_array()?.iter().map(|one| Some((one.span().start, one.get_ref().as_table()?))).collect()
        });
        let tables: Vec<(usize, &'d DeTable<'d>)> = tables.unwrap_or_default();
        let section = |(index, (offset, table)): (usize, (usize, &'d DeTable<'d>))| {
            let path = format!("{}[{}]", self.path_of(key), index + 1);
            Self::new(self.document, table, path, self.document.line_at(offset))
        };
        tables.into_iter().enumerate().map(section).collect()
    }

    /// Whether there is a `key`, of whatever type.
    pub(crate) fn has(&self, key: &'static str) -> bool {
        self.find(key).is_some()
    }

    /// Whether there is a table under `key`.
    pub(crate) fn has_table(&self, key: &'static str) -> bool {
        self.find(key).is_some_and(|(_, value)| value.get_ref().is_table())
    }

    /// Says `message` of `key` where it is there.
    pub(crate) fn refuse(&self, key: &'static str, message: &str) {
        if self.has(key) {
            self.mistake(key, message);
        }
    }

    /// Takes `keys` as known without reading them.
    pub(crate) fn know(&self, keys: &[&'static str]) {
        self.known.borrow_mut().extend(keys);
    }

    /// Leaves unknown keys alone, where another reading of the same section refuses them.
    pub(crate) fn admit_unknown_keys(&self) {
        self.shows_unknown_keys.set(false);
    }

    /// Reports a mistake at `key`, or at the head of the section where there is no such key.
    pub(crate) fn mistake(&self, key: &'static str, message: impl Display) {
        self.mistake_on(self.line_of(key), key, message);
    }

    /// Reports a mistake on a line of `key`.
    pub(crate) fn mistake_on(&self, line: usize, key: &'static str, message: impl Display) {
        self.document.report(line, self.path_of(key), message.to_string());
    }

    /// Reports that something is not there. Not said where the syntax is broken: it may stand in the unread part.
    pub(crate) fn absence_on(&self, line: usize, key: &'static str, message: impl Display) {
        if self.document.is_whole() {
            self.mistake_on(line, key, message);
        }
    }

    /// The line of `key`, or of the head of the section.
    pub(crate) fn line_of(&self, key: &'static str) -> usize {
        self.find(key).map_or(self.line, |(offset, _)| self.document.line_at(offset))
    }

    fn require(&self, key: &'static str) {
        if !self.has(key) {
            self.absence_on(self.line, key, "is missing");
        }
    }

    fn typed<T>(&self, key: &'static str, wanted: &str, read: impl FnOnce(&'d DeValue<'d>) -> Option<T>) -> Option<T> {
        let (_, value) = self.find(key)?;
        let found = read(value.get_ref());
        if found.is_none() {
            // The value itself is not repeated: it may be a PIN that somebody wrote where its place belongs.
            self.mistake(key, format!("write {wanted}, not {}", value::type_name(value.get_ref())));
        }
        found
    }

    fn find(&self, key: &'static str) -> Option<(usize, &'d Spanned<DeValue<'d>>)> {
        self.known.borrow_mut().insert(key);
        self.table.get_key_value(key).map(|(key, value)| (key.span().start, value))
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        if !self.shows_unknown_keys.get() {
            return;
        }
        let known = self.known.borrow();
        for key in self.table.keys().filter(|key| !known.contains(key.get_ref().as_ref())) {
            let word = key.get_ref().as_ref();
            let message = match nearest(word, known.iter().copied()) {
                Some(meant) => format!("unknown key, did you mean \"{meant}\"?"),
                None => format!("unknown key; known here: {}", known.iter().copied().collect::<Vec<_>>().join(", ")),
            };
            self.document.report(self.document.line_at(key.span().start), self.path_of(word), message);
        }
    }
}
