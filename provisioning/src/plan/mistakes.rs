//! What is wrong with a plan, each with its line.

use std::ops::Range;

/// Mistakes in a text, in any order.
#[derive(Debug)]
pub(super) struct Mistakes {
    line_ends: Vec<usize>,
    found: Vec<(usize, String)>,
}

impl Mistakes {
    pub(super) fn of(text: &str) -> Self {
        Self { line_ends: text.match_indices('\n').map(|(offset, _)| offset).collect(), found: Vec::new() }
    }

    /// The line of a place in the text, from 1.
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        self.line_ends.partition_point(|end| *end < span.start) + 1
    }

    pub(super) fn add(&mut self, line: usize, message: impl Into<String>) {
        self.found.push((line, message.into()));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All of them, one a line, in the order of the text.
    pub(super) fn text(mut self) -> String {
        self.found.sort();
        self.found.dedup();
        let lines = self.found.into_iter().map(|(line, message)| format!("line {line}: {message}"));
        lines.collect::<Vec<_>>().join("\n")
    }
}
