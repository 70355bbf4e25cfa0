//! Reads a TOML text so that every mistake in it is found and told together, each with its line and key.
//!
//! Knows TOML and nothing of what the text is about. A reader walks the [`Section`]s of a [`Document`], reads every key
//! it knows, and goes on after a mistake; what is left over when a section is dropped is an unknown key.

mod mistake;
mod nearest;
mod section;
#[cfg(test)]
mod tests;
mod value;

use std::{cell::RefCell, collections::BTreeSet};

use toml::{Spanned, de::DeTable};

pub use self::mistake::{Mistake, Mistakes};
pub(crate) use self::{section::Section, value::Element};

/// A text under reading, and the mistakes found in it so far.
pub(crate) struct Document<'t> {
    line_ends: Vec<usize>,
    tree: Spanned<DeTable<'t>>,
    broken_lines: BTreeSet<usize>,
    mistakes: RefCell<Vec<Mistake>>,
}

impl<'t> Document<'t> {
    /// The text's tree. Where its syntax is broken, what can be read of it is read and the rest is a mistake.
    pub(crate) fn read(text: &'t str) -> Self {
        let (tree, errors) = DeTable::parse_recoverable(text);
        let line_ends: Vec<_> = text.match_indices('\n').map(|(offset, _)| offset).collect();
        let mistakes: Vec<_> = errors
            .iter()
            .map(|error| {
                let offset = error.span().map_or(text.len(), |span| span.start);
                Mistake { line: line_at(&line_ends, offset), key: String::new(), message: error.message().to_owned() }
            })
            .collect();
        let broken_lines = mistakes.iter().map(|mistake| mistake.line).collect();
        Self { line_ends, tree, broken_lines, mistakes: RefCell::new(mistakes) }
    }

    /// The keys before the first header, and the sections under them.
    pub(crate) fn root(&self) -> Section<'_> {
        Section::new(self, self.tree.get_ref(), String::new(), 1)
    }

    /// What was read, where nothing in the whole text is a mistake.
    pub(crate) fn close<T>(self, read: Option<T>) -> Result<T, Mistakes> {
        let mut mistakes = self.mistakes.into_inner();
        match read {
            Some(read) if mistakes.is_empty() => return Ok(read),
            None if mistakes.is_empty() => {
                mistakes.push(Mistake { line: 1, key: String::new(), message: "cannot be read".to_owned() });
            }
            Some(_) | None => {}
        }
        mistakes.sort();
        mistakes.dedup();
        Err(Mistakes(mistakes))
    }

    /// Whether the text has no syntax error: only then is what was not found really absent.
    fn is_whole(&self) -> bool {
        self.broken_lines.is_empty()
    }

    fn line_at(&self, offset: usize) -> usize {
        line_at(&self.line_ends, offset)
    }

    fn report(&self, line: usize, key: String, message: String) {
        // The syntax error says it already; what was made of such a line is a guess.
        if !self.broken_lines.contains(&line) {
            self.mistakes.borrow_mut().push(Mistake { line, key, message });
        }
    }
}

/// The line, counted from 1, of what begins at `offset`.
fn line_at(line_ends: &[usize], offset: usize) -> usize {
    1 + line_ends.partition_point(|end| *end < offset)
}
