//! Files that take the place of others, which are kept beside them and can be put back.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::export::layout::CHECKPOINT;

/// What took its place, and where what was there is kept.
#[derive(Debug)]
pub(super) struct InPlace(Vec<Replaced>);

#[derive(Debug)]
struct Replaced {
    place: PathBuf,
    kept: Option<PathBuf>,
}

impl InPlace {
    /// Moves these names from `building` into `directory`; what is there is kept as `NAME.SUFFIX-1`.
    pub(super) fn put(directory: &Path, building: &Path, names: &[&str], suffix: &str) -> io::Result<Self> {
        let mut replaced = Vec::new();
        for name in names {
            let kept = set_aside(directory, name, suffix)?;
            let place = directory.join(name);
            fs::rename(building.join(name), &place)?;
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
            if place.is_dir() {
                fs::remove_dir_all(place)?;
            } else if place.exists() {
                fs::remove_file(place)?;
            }
            if let Some(kept) = kept {
                fs::rename(kept, place)?;
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
    let place = directory.join(name);
    if !place.exists() {
        return Ok(None);
    }
    let mut free = (1..).map(|number: u32| directory.join(format!("{name}.{suffix}-{number}")));
    let kept = free.find(|kept| !kept.exists());
    if let Some(kept) = &kept {
        fs::rename(&place, kept)?;
    }
    Ok(kept)
}
