//! Files that take the place of others, which are kept beside them and can be put back.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    io::Errno,
};

use super::export::layout::CHECKPOINT;
use crate::state_format;

/// What took its place, and where what was there is kept.
#[derive(Debug)]
pub(super) struct InPlace(Vec<Replaced>);

#[derive(Debug)]
struct Replaced {
    place: PathBuf,
    kept: Option<PathBuf>,
}

impl InPlace {
    /// Moves these names from `building` into `directory`; what is there is kept as `NAME.SUFFIX-1`. No moment is without
    /// one or the other, where the file system can exchange names.
    pub(super) fn put(directory: &Path, building: &Path, names: &[&str], suffix: &str) -> io::Result<Self> {
        // What was built may be nothing an older program can read.
        state_format::raise(directory).map_err(io::Error::other)?;
        let mut replaced = Vec::new();
        for name in names {
            let (built, place) = (building.join(name), directory.join(name));
            let kept = free_name(directory, name, suffix);
            match &kept {
                Some(kept) => {
                    fs::rename(&built, kept)?;
                    crate::testing_only::station("before-exchange");
                    exchange(&place, kept)?;
                    crate::testing_only::station("after-exchange");
                }
                None => fs::rename(built, &place)?,
            }
            replaced.push(Replaced { place, kept });
        }
        fs::File::open(directory)?.sync_all()?;
        Ok(Self(replaced))
    }

    /// Takes one more name away, with nothing in its place.
    pub(super) fn set_aside(&mut self, directory: &Path, name: &str, suffix: &str) -> io::Result<()> {
        let kept = set_aside(directory, name, suffix)?;
        self.0.push(Replaced { place: directory.join(name), kept });
        fs::File::open(directory)?.sync_all()
    }

    /// Puts back what was there.
    pub(super) fn put_back(&self) -> io::Result<()> {
        for Replaced { place, kept } in &self.0 {
            match kept {
                Some(kept) if place.exists() => {
                    exchange(place, kept)?;
                    remove(kept)?;
                }
                Some(kept) => fs::rename(kept, place)?,
                None if place.exists() => remove(place)?,
                None => {}
            }
        }
        Ok(())
    }

    /// Where what was there is kept.
    pub(super) fn kept(self) -> Vec<PathBuf> {
        self.0.into_iter().filter_map(|replaced| replaced.kept).collect()
    }
}

/// Keeps the last checkpoint under another name: the next is signed by another key.
///
/// # Errors
/// It cannot be renamed.
pub fn set_checkpoint_aside(directory: &Path) -> io::Result<()> {
    set_aside(directory, CHECKPOINT, "before-replace")?;
    fs::File::open(directory)?.sync_all()
}

/// Moves a name out of the way; none where there is nothing of that name.
pub(super) fn set_aside(directory: &Path, name: &str, suffix: &str) -> io::Result<Option<PathBuf>> {
    let kept = free_name(directory, name, suffix);
    if let Some(kept) = &kept {
        fs::rename(directory.join(name), kept)?;
    }
    Ok(kept)
}

/// Under which name to keep what is there; none where there is nothing.
fn free_name(directory: &Path, name: &str, suffix: &str) -> Option<PathBuf> {
    let mut free = (1..).map(|number: u32| directory.join(format!("{name}.{suffix}-{number}")));
    if directory.join(name).exists() { free.find(|kept| !kept.exists()) } else { None }
}

fn remove(place: &Path) -> io::Result<()> {
    if place.is_dir() { fs::remove_dir_all(place) } else { fs::remove_file(place) }
}

/// Lets two names change places, at once; one after the other on a file system that cannot.
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    match renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
        Err(Errno::INVAL | Errno::NOSYS) => {}
        exchanged => return exchanged.map_err(io::Error::from),
    }
    let mut spare = other.as_os_str().to_owned();
    spare.push(".next");
    fs::rename(other, &spare)?;
    fs::rename(one, other)?;
    fs::rename(spare, one)
}
