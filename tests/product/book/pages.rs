//! Pages as they are written: their blocks of commands, and the commands their sentences mention.

use std::{fs, path::Path};

use crate::harness::repository;

pub(super) struct Page {
    /// From the root of the repository, such as `docs/officers.md`.
    pub(super) path: String,
    pub(super) text: String,
}

/// A fenced block.
pub(super) struct Block {
    page: String,
    /// Of its first line, from 1.
    line: usize,
    language: String,
    pub(super) text: String,
    /// What the comments right above it say.
    notes: Vec<String>,
}

/// The programs whose commands the book shows.
pub(super) const PROGRAMS: [&str; 4] = ["chancery", "chancery-watcher", "chancery-provision", "make"];

/// What is in the book.
pub(super) fn of_the_book() -> Vec<Page> {
    let mut pages = Vec::new();
    collect(&repository().join("docs"), &mut pages);
    pages.retain(|page| page.path != "docs/SUMMARY.md");
    pages.sort_by(|one, other| one.path.cmp(&other.path));
    pages
}

/// Likewise, and the page before it.
pub(super) fn all() -> Vec<Page> {
    let mut pages = of_the_book();
    pages.push(page(&repository().join("README.md")));
    pages
}

fn collect(directory: &Path, pages: &mut Vec<Page>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.join("Cargo.toml").exists() {
            collect(&path, pages);
        } else if path.extension().is_some_and(|ending| ending == "md") {
            pages.push(page(&path));
        }
    }
}

fn page(path: &Path) -> Page {
    let text = fs::read_to_string(path).unwrap();
    Page { path: path.strip_prefix(repository()).unwrap().display().to_string(), text }
}

impl Page {
    /// What is shown to be typed into a shell.
    pub(super) fn shell_blocks(&self) -> Vec<Block> {
        let mut blocks = self.blocks();
        blocks.retain(|block| ["sh", "bash", "console", "shell"].contains(&block.language.as_str()));
        blocks
    }

    fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut notes = Vec::new();
        let mut open: Option<(Block, usize)> = None;
        for (index, line) in self.text.lines().enumerate() {
            let bare = line.trim();
            let fence = bare.strip_prefix("```");
            match (&mut open, fence) {
                (Some(_), Some("")) => blocks.extend(open.take().map(|(block, _)| block)),
                (Some((block, indent)), _) => {
                    block.text.push_str(line.get(*indent..).unwrap_or_default());
                    block.text.push('\n');
                }
                (None, Some(info)) => {
                    let language = info.split([' ', ',']).next().unwrap_or_default().to_owned();
                    let (page, text, notes) = (self.path.clone(), String::new(), std::mem::take(&mut notes));
                    let indent = line.len() - line.trim_start().len();
                    open = Some((Block { page, line: index + 2, language, text, notes }, indent));
                }
                (None, None) => match bare.strip_prefix("<!--").and_then(|rest| rest.strip_suffix("-->")) {
                    Some(note) => notes.push(note.trim().to_owned()),
                    None if bare.is_empty() => {}
                    None => notes.clear(),
                },
            }
        }
        assert!(open.is_none(), "{}: a block does not end", self.path);
        blocks
    }

    /// Commands of ours within backquotes, each with its line.
    pub(super) fn mentions(&self) -> Vec<(usize, String)> {
        let mut mentions = Vec::new();
        let mut in_block = false;
        for (index, line) in self.text.lines().enumerate() {
            if line.trim().starts_with("```") {
                in_block = !in_block;
            } else if !in_block {
                let spans = line.split('`').skip(1).step_by(2);
                let ours = spans.filter(|span| PROGRAMS.iter().any(|name| span.starts_with(&format!("{name} "))));
                mentions.extend(ours.map(|span| (index + 1, span.to_owned())));
            }
        }
        mentions
    }
}

impl Block {
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.page, self.line)
    }

    /// Why it is not typed in a test, where it is not.
    pub(super) fn not_run_because(&self) -> Option<&str> {
        self.notes.iter().find_map(|note| note.strip_prefix("not run:")).map(str::trim)
    }

    pub(super) fn is_run(&self) -> bool {
        self.not_run_because().is_none()
    }

    /// What came to pass before it.
    pub(super) fn settings(&self) -> impl Iterator<Item = &str> {
        self.notes.iter().filter_map(|note| note.strip_prefix("setting:")).map(str::trim)
    }
}
