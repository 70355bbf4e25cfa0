//! Where a verifier reads the log from: `log.jsonl` of a state directory, or the bundles of an export.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufReader, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use appliance_wire::tree::Hash;

use crate::{
    audit::{
        export::layout::{self, Bundle},
        journal::{self, LONGEST_LINE, Lines, Next},
        tiles::{TILE_WIDTH, Tiles},
    },
    own_file,
};

/// A copy of the log.
#[derive(Clone, Copy, Debug)]
pub enum LogCopy<'a> {
    /// A state directory, or a copy of one.
    State(&'a Path),
    /// What `audit export` wrote.
    Export(&'a Path),
}

impl<'a> LogCopy<'a> {
    /// Where it is.
    #[must_use]
    pub fn directory(self) -> &'a Path {
        match self {
            Self::State(directory) | Self::Export(directory) => directory,
        }
    }
}

/// Its entries, one after another.
#[derive(Debug)]
pub(super) enum Source {
    State(Lines),
    Export(Bundles),
}

impl Source {
    pub(super) fn next(&mut self) -> io::Result<Next<'_>> {
        match self {
            Self::State(lines) => lines.next(),
            Self::Export(bundles) => bundles.next(),
        }
    }

    /// Where the last entry ends: in the file it is in.
    pub(super) fn end(&self) -> u64 {
        match self {
            Self::State(lines) => lines.position(),
            Self::Export(bundles) => bundles.position,
        }
    }

    /// How far the reading is: bytes of `log.jsonl`, entries of an export.
    pub(super) fn progress(&self) -> u64 {
        match self {
            Self::State(lines) => lines.position(),
            Self::Export(bundles) => bundles.index,
        }
    }

    /// Where its entries can be read again.
    pub(super) fn again(&self, directory: &Path) -> io::Result<Again> {
        match self {
            Self::State(_) => Again::journal(directory),
            Self::Export(bundles) => Ok(Again::Export { directory: directory.to_owned(), size: bundles.size }),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::State(_) => "log.jsonl",
            Self::Export(_) => "the export",
        }
    }
}

/// The bundles of an export, read to the size of its checkpoint.
#[derive(Debug)]
pub(in crate::audit) struct Bundles {
    directory: PathBuf,
    size: u64,
    index: u64,
    open: Option<(Bundle, BufReader<File>)>,
    entry: Vec<u8>,
    position: u64,
}

impl Bundles {
    pub(in crate::audit) fn new(directory: &Path, size: u64) -> Self {
        Self { directory: directory.to_owned(), size, index: 0, open: None, entry: Vec::new(), position: 0 }
    }

    pub(in crate::audit) fn next(&mut self) -> io::Result<Next<'_>> {
        if self.index == self.size {
            return Ok(Next::Rest(0));
        }
        let (number, place) = (self.index / TILE_WIDTH as u64, self.index % TILE_WIDTH as u64);
        let (bundle, reader) = match &mut self.open {
            Some(open) if place > 0 => open,
            open => {
                self.position = 0;
                let (bundle, file) = Bundle::open(&self.directory, number, width(number, self.size))?;
                open.insert((bundle, BufReader::with_capacity(64 << 10, file)))
            }
        };
        let named = |error: io::Error| {
            let cut = error.kind() == io::ErrorKind::UnexpectedEof;
            if cut { io::Error::other(format!("bundle {number} ends within an entry")) } else { error }
        };
        let length = bundle.read_length(reader).map_err(named)?;
        if u64::from(length) >= LONGEST_LINE {
            return Err(io::Error::other(format!("bundle {number} has an entry of {length} bytes, longer than any")));
        }
        self.entry.resize(length as usize, 0);
        reader.read_exact(&mut self.entry).map_err(named)?;
        self.position += bundle.prefix() as u64 + u64::from(length);
        self.index += 1;
        let is_last = self.index == self.size || self.index.is_multiple_of(TILE_WIDTH as u64);
        if is_last && reader.read(&mut [0])? > 0 {
            return Err(io::Error::other(format!("bundle {number} goes on behind its last entry")));
        }
        Ok(Next::Line(&self.entry))
    }
}

/// Entries read once, to be read again by where they ended.
#[derive(Debug)]
pub(in crate::audit) enum Again {
    Journal(File),
    Export { directory: PathBuf, size: u64 },
}

impl Again {
    /// Those of `log.jsonl` in a state directory.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(in crate::audit) fn journal(directory: &Path) -> io::Result<Self> {
        own_file::open(&journal::path_in(directory), OpenOptions::new().read(true)).map(Self::Journal)
    }

    /// The entry that ended at `ends[index]`.
    pub(super) fn entry(&self, index: u64, ends: &[u64]) -> io::Result<Vec<u8>> {
        let end_of = |index: u64| ends.get(index as usize).copied();
        let end = end_of(index).ok_or_else(|| io::Error::other(format!("there is no entry {index} before")))?;
        let before = |first: bool| if first { 0 } else { end_of(index - 1).unwrap_or(0) };
        let read = |file: &File, start: u64, end: u64| {
            let mut bytes = vec![0; end.saturating_sub(start) as usize];
            file.read_exact_at(&mut bytes, start).map(|()| bytes)
        };
        match self {
            // Without the line's end.
            Self::Journal(file) => read(file, before(index == 0), end - 1),
            Self::Export { directory, size } => {
                let number = index / TILE_WIDTH as u64;
                let (bundle, file) = Bundle::open(directory, number, width(number, *size))?;
                let start = before(index.is_multiple_of(TILE_WIDTH as u64));
                read(&file, start + bundle.prefix() as u64, end)
            }
        }
    }
}

/// Entries of bundle `number` in an export of `size`.
fn width(number: u64, size: u64) -> usize {
    size.saturating_sub(number * TILE_WIDTH as u64).min(TILE_WIDTH as u64) as usize
}

/// The hash tiles of an export, compared with those its entries come to.
#[derive(Debug)]
pub(in crate::audit) struct TileCheck {
    directory: PathBuf,
    tiles: Tiles,
}

impl TileCheck {
    pub(in crate::audit) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), tiles: Tiles::default() }
    }

    pub(in crate::audit) fn leaf(&mut self, leaf: Hash) -> Result<(), String> {
        self.tiles.append(leaf);
        let full: Vec<_> = self.tiles.fresh().collect();
        for ((level, number), hashes) in &full {
            self.compare(*level, *number, hashes)?;
        }
        self.tiles.forget(&full.iter().map(|(place, _)| *place).collect::<Vec<_>>());
        Ok(())
    }

    pub(in crate::audit) fn finish(&self) -> Result<(), String> {
        self.tiles.partials().try_for_each(|((level, number), hashes)| self.compare(level, number, hashes))
    }

    fn compare(&self, level: u32, number: u64, hashes: &[Hash]) -> Result<(), String> {
        let path = layout::tile(level, number, hashes.len());
        let mut bytes = Vec::new();
        let file = File::open(self.directory.join(&path));
        let read = file.and_then(|file| file.take(hashes.as_flattened().len() as u64 + 1).read_to_end(&mut bytes));
        read.map_err(|error| format!("{path}: {error}"))?;
        if bytes == hashes.as_flattened() { Ok(()) } else { Err(format!("{path} is not what its entries come to")) }
    }
}
