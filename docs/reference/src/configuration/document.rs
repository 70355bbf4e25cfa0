//! What is said of a file's keys, beside what its reader says.

use std::path::Path;

/// A file people write.
pub(crate) struct Document {
    /// As it is mostly called.
    pub(crate) name: &'static str,
    /// One without a mistake, with every key of every table, each on a line of its own.
    pub(crate) full: &'static str,
    pub(crate) tables: Vec<Table>,
    /// The reader: what it makes of a text in a folder, or its mistakes.
    pub(crate) read: fn(&str, &Path) -> Result<String, String>,
}

/// A table of it.
pub(crate) struct Table {
    /// As it stands in [`Document::full`]; empty for the keys before the first header.
    pub(crate) header: &'static str,
    /// Which of those with this header, from 0.
    pub(crate) nth: usize,
    /// Behind the header in the book: which kind of it this is, and whether it must be there.
    pub(crate) about: &'static str,
    pub(crate) keys: Vec<Key>,
    /// Whether its reader names the keys it knows, where it is given another.
    pub(crate) names_its_keys: bool,
}

/// A key of a table.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    /// `yes...`, `no`, or `no, DEFAULT`: held against the reader.
    pub(crate) required: &'static str,
    /// What its value is, where the reader's own word for it is not enough; else empty.
    pub(crate) value: &'static str,
    pub(crate) says: &'static str,
}

impl Table {
    pub(crate) fn new(header: &'static str, about: &'static str, keys: Vec<Key>) -> Self {
        Self { header, nth: 0, about, keys, names_its_keys: true }
    }

    /// The next one with the same header.
    pub(crate) fn second(self) -> Self {
        Self { nth: 1, ..self }
    }

    /// Its reader only refuses a key it does not know.
    pub(crate) fn without_names(self) -> Self {
        Self { names_its_keys: false, ..self }
    }

    /// The path of its header: `token.pin` of `[token.pin]`.
    pub(crate) fn path(&self) -> &'static str {
        self.header.trim_matches(['[', ']'])
    }
}

/// A key that must be there, or need not be.
pub(crate) fn key(name: &'static str, required: &'static str, says: &'static str) -> Key {
    Key { name, required, value: "", says }
}

/// Likewise, with the kind of its value in words.
pub(crate) fn key_of(name: &'static str, required: &'static str, value: &'static str, says: &'static str) -> Key {
    Key { name, required, value, says }
}
