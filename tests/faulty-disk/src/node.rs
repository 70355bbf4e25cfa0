//! A file or a directory, and the changes either knows.

use std::{collections::BTreeMap, ffi::OsString};

use rand::{Rng, rngs::StdRng, seq::SliceRandom};

use crate::layers::{Change, Layers};

/// Number of a file or directory. None is ever used again.
pub(crate) type Inode = u64;

#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// The name it got last: faults are told by it.
    pub(crate) name: OsString,
    pub(crate) mode: u32,
    pub(crate) owner: (u32, u32),
    pub(crate) content: Content,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    File(Layers<Vec<u8>, FileChange>),
    Directory(Layers<Names, NameChange>),
}

pub(crate) type Names = BTreeMap<OsString, Inode>;

#[derive(Clone, Debug)]
pub(crate) enum FileChange {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

/// A rename within a directory is one change: after a cut it happened, or it did not.
#[derive(Clone, Debug)]
pub(crate) enum NameChange {
    Added(OsString, Inode),
    Removed(OsString),
    Renamed(OsString, OsString, Inode),
}

const PAGE_BYTES: usize = 4096;

impl Content {
    pub(crate) fn file() -> Self {
        Self::File(Layers::new())
    }

    pub(crate) fn directory() -> Self {
        Self::Directory(Layers::new())
    }

    pub(crate) fn reach(&self) -> u64 {
        match self {
            Self::File(file) => file.reach(),
            Self::Directory(names) => names.reach(),
        }
    }

    pub(crate) fn sync(&mut self, reach: u64) {
        match self {
            Self::File(file) => file.sync(reach),
            Self::Directory(names) => names.sync(reach),
        }
    }

    pub(crate) fn lose(&mut self, reach: u64) {
        match self {
            Self::File(file) => file.lose(reach),
            Self::Directory(names) => names.lose(reach),
        }
    }

    /// Power is cut; with `random` a part of what was not synced is kept.
    pub(crate) fn cut(&mut self, random: Option<&mut StdRng>) {
        match (self, random) {
            (Self::File(file), None) => file.cut(|_| Vec::new()),
            (Self::Directory(names), None) => names.cut(|_| Vec::new()),
            (Self::File(file), Some(random)) => file.cut(|changes| torn(changes, random)),
            (Self::Directory(names), Some(random)) => names.cut(|mut changes| {
                let share = share(random);
                changes.retain(|_| random.gen_bool(share));
                changes
            }),
        }
    }
}

/// Some pages of some writes, in any order, the last one torn at a byte.
fn torn(changes: Vec<FileChange>, random: &mut StdRng) -> Vec<FileChange> {
    let share = share(random);
    let mut kept: Vec<FileChange> = changes.into_iter().flat_map(pages).filter(|_| random.gen_bool(share)).collect();
    kept.shuffle(random);
    if let Some(FileChange::Write { bytes, .. }) = kept.last_mut() {
        bytes.truncate(random.gen_range(0..=bytes.len()));
    }
    kept
}

/// Now and then nearly nothing gets through, now and then nearly all.
fn share(random: &mut StdRng) -> f64 {
    *[0.1, 0.5, 0.9, 1.0].choose(random).unwrap_or(&0.5)
}

/// A write as the kernel brings it to a disk: page by page of the file.
fn pages(change: FileChange) -> Vec<FileChange> {
    let FileChange::Write { mut offset, bytes } = change else { return vec![change] };
    let mut rest = bytes.as_slice();
    let mut pages = Vec::new();
    while !rest.is_empty() {
        let (page, behind) = rest.split_at(rest.len().min(PAGE_BYTES - offset % PAGE_BYTES));
        pages.push(FileChange::Write { offset, bytes: page.to_vec() });
        offset += page.len();
        rest = behind;
    }
    pages
}

impl Change<Vec<u8>> for FileChange {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => {
                let end = offset + bytes.len();
                if to.len() < end {
                    to.resize(end, 0);
                }
                to[*offset..end].copy_from_slice(bytes);
            }
            Self::Length(length) => to.resize(*length, 0),
        }
    }
}

impl Change<Names> for NameChange {
    fn apply(&self, to: &mut Names) {
        match self {
            Self::Added(name, inode) => {
                to.insert(name.clone(), *inode);
            }
            Self::Removed(name) => {
                to.remove(name);
            }
            Self::Renamed(from, name, inode) => {
                to.remove(from);
                to.insert(name.clone(), *inode);
            }
        }
    }
}
