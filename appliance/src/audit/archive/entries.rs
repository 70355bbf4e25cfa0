//! Entries that are in the archive and no longer in the store. Believes nothing: who asks holds them against the tree.

use std::{
    io::{self, BufReader, ErrorKind, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::audit::{export::layout::Bundle, journal::LONGEST_LINE, tiles::TILE_WIDTH, unreadable::Unreadable};

/// Where the archive is, where the configuration names one.
#[derive(Clone, Debug, Default)]
pub struct Archive(Option<PathBuf>);

const ADVICE: &str = "bring the archive back to where state.archive_directory says, or stop the appliance and make a \
                      whole store with `chancery audit rebuild --from log`";

impl Archive {
    /// The one in `directory`, an export.
    #[must_use]
    pub fn at(directory: Option<&Path>) -> Self {
        Self(directory.map(Path::to_owned))
    }

    /// Bytes of an entry, as its bundle says.
    pub(in crate::audit) fn entry(&self, index: u64) -> Result<Arc<[u8]>, Unreadable> {
        let unreadable = |what: String| Unreadable::new(format!("entry {index} is archived, and {what}: {ADVICE}"));
        let Some(directory) = &self.0 else {
            return Err(unreadable("the configuration names no state.archive_directory".to_owned()));
        };
        let entry = read(directory, index);
        entry.map(Arc::from).map_err(|error| unreadable(format!("{} cannot be read: {error}", self.place_of(index))))
    }

    /// The file that holds an entry.
    pub(in crate::audit) fn place_of(&self, index: u64) -> String {
        let number = index / TILE_WIDTH as u64;
        let directory = self.0.as_deref().unwrap_or(Path::new("the archive"));
        let path = |bundle: Bundle| directory.join(bundle.path(number, TILE_WIDTH));
        let long = path(Bundle::LongEntries);
        if long.exists() { long } else { path(Bundle::Entries) }.display().to_string()
    }
}

/// Only full bundles are archived.
fn read(directory: &Path, index: u64) -> io::Result<Vec<u8>> {
    let (bundle, file) = Bundle::open(directory, index / TILE_WIDTH as u64, TILE_WIDTH)?;
    let cut = |error: io::Error| {
        let is_cut = error.kind() == ErrorKind::UnexpectedEof;
        if is_cut { io::Error::other("it ends before the entry does") } else { error }
    };
    let mut reader = BufReader::new(file);
    for _ in 0..index % TILE_WIDTH as u64 {
        let length = bundle.read_length(&mut reader).map_err(cut)?;
        reader.seek_relative(length.into())?;
    }
    let length = bundle.read_length(&mut reader).map_err(cut)?;
    if u64::from(length) >= LONGEST_LINE {
        return Err(io::Error::other(format!("it has an entry of {length} bytes, longer than any")));
    }
    let mut entry = vec![0; length as usize];
    reader.read_exact(&mut entry).map_err(cut)?;
    Ok(entry)
}
