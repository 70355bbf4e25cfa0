//! Where C2SP tlog-tiles puts what: names of tiles and bundles, and how entries lie in a bundle.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use crate::audit::tiles::TILE_WIDTH;

/// The note, beside the directory `tile`.
pub(in crate::audit) const CHECKPOINT: &str = "checkpoint";

/// How the entries of a bundle are told apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::audit) enum Bundle {
    /// As specified: each entry behind its length in 2 bytes.
    Entries,
    /// Ours, at a path of its own: each behind its length in 4 bytes. A bundle with an entry over 65,535 bytes cannot be
    /// written otherwise.
    LongEntries,
}

impl Bundle {
    /// The bundle of these entries.
    pub(super) fn of(entries: &[Vec<u8>]) -> (Self, Vec<u8>) {
        let fits = entries.iter().all(|entry| u16::try_from(entry.len()).is_ok());
        let bundle = if fits { Self::Entries } else { Self::LongEntries };
        let mut bytes = Vec::new();
        for entry in entries {
            let length = (entry.len() as u32).to_be_bytes();
            let (_, prefix) = length.split_at(length.len() - bundle.prefix());
            bytes.extend_from_slice(prefix);
            bytes.extend_from_slice(entry);
        }
        (bundle, bytes)
    }

    /// Bytes of a length.
    pub(in crate::audit) fn prefix(self) -> usize {
        match self {
            Self::Entries => 2,
            Self::LongEntries => 4,
        }
    }

    /// Reads the length of the entry behind it.
    pub(in crate::audit) fn read_length(self, reader: &mut impl Read) -> io::Result<u32> {
        let mut prefix = [0; 4];
        let (_, length) = prefix.split_at_mut(4 - self.prefix());
        reader.read_exact(length)?;
        Ok(u32::from_be_bytes(prefix))
    }

    /// Path of bundle `number` of this form.
    pub(in crate::audit) fn path(self, number: u64, width: usize) -> String {
        match self {
            Self::Entries => path("entries", number, width),
            Self::LongEntries => path("long-entries", number, width),
        }
    }

    /// Opens bundle `number` of an export, whichever form it has.
    pub(in crate::audit) fn open(export: &Path, number: u64, width: usize) -> io::Result<(Self, File)> {
        let open = |bundle: Self| File::open(export.join(bundle.path(number, width))).map(|file| (bundle, file));
        match open(Self::Entries) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let missing = |_| io::Error::other(format!("{} is missing", Self::Entries.path(number, width)));
                open(Self::LongEntries).map_err(missing)
            }
            opened => opened,
        }
    }
}

/// Path of a hash tile.
pub(in crate::audit) fn tile(level: u32, number: u64, width: usize) -> String {
    path(&level.to_string(), number, width)
}

/// Where partial tiles of this number lie, as long as it is not full.
pub(super) fn partials(path_of_full: &str) -> PathBuf {
    PathBuf::from(format!("{path_of_full}.p"))
}

fn path(of: &str, number: u64, width: usize) -> String {
    let mut digits = format!("{:03}", number % 1000);
    let mut rest = number / 1000;
    while rest > 0 {
        digits = format!("x{:03}/{digits}", rest % 1000);
        rest /= 1000;
    }
    let partial = if width < TILE_WIDTH { format!(".p/{width}") } else { String::new() };
    format!("tile/{of}/{digits}{partial}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        assert_eq!(tile(0, 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(tile(1, 0, 17), "tile/1/000.p/17");
        assert_eq!(Bundle::Entries.path(273, 112), "tile/entries/273.p/112");
        assert_eq!(Bundle::Entries.path(1_000, 256), "tile/entries/x001/000");
    }

    #[test]
    fn an_entry_too_long_for_two_bytes_makes_a_bundle_with_four() {
        assert_eq!(Bundle::of(&[b"ab".to_vec(), vec![]]), (Bundle::Entries, b"\0\x02ab\0\0".to_vec()));
        assert_eq!(Bundle::of(&[vec![7; 65_535]]).0, Bundle::Entries);
        let (bundle, bytes) = Bundle::of(&[b"ab".to_vec(), vec![7; 65_536]]);
        assert_eq!((bundle, &bytes[..10]), (Bundle::LongEntries, &b"\0\0\0\x02ab\0\x01\0\0"[..]));
    }
}
