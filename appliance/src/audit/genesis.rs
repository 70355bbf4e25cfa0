//! The first entries of a new log. Made beside its place and moved there whole: there is a log, or there is none.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::Path,
};

use appliance_wire::{Body, Genesis, KeyEntry, PolicyEntry, tree::Frontier};

use super::{
    anchor::AnchorFile,
    draft::Draft,
    journal::Journal,
    log::{Log, Tip},
    start::clock,
    store::Store,
    tiles::Tiles,
    unreadable::Unreadable,
};
use crate::{state::State, state_format};

/// What a log begins with.
#[derive(Clone, Debug)]
pub struct FirstEntries {
    /// Entry 0.
    pub genesis: Genesis,
    /// The first policy.
    pub policy: PolicyEntry,
    /// The keys it names.
    pub keys: Vec<KeyEntry>,
}

/// Creates the log of `directory`, which must not exist, or be empty.
///
/// # Errors
/// There is something already, or it cannot be written.
pub fn create(directory: &Path, first: FirstEntries) -> Result<(), Unreadable> {
    let refuse = |error: &dyn std::fmt::Display| Unreadable::at(directory, error);
    if fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(refuse(&"there is a log, or a part of one: a second genesis would hide it"));
    }
    let mut building = directory.as_os_str().to_owned();
    building.push(".creating");
    let building = Path::new(&building);
    if building.exists() {
        fs::remove_dir_all(building).map_err(|error| refuse(&error))?;
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(building).map_err(|error| refuse(&error))?;
    write(building, first).map_err(|error| refuse(&error))?;

    fs::File::open(building).and_then(|building| building.sync_all()).map_err(|error| refuse(&error))?;
    fs::rename(building, directory).map_err(|error| refuse(&error))?;
    sync_names_above(directory).map_err(|error| refuse(&error))
}

/// Makes the names of a directory and of those above it durable, up to where the disk is mounted: any may be new, also
/// from an attempt before. One that may not be read is none that was made here.
fn sync_names_above(directory: &Path) -> io::Result<()> {
    let directory = directory.canonicalize()?;
    let disk = fs::metadata(&directory)?.dev();
    for above in directory.ancestors().skip(1) {
        match fs::File::open(above) {
            Ok(above) if above.metadata()?.dev() == disk => above.sync_all()?,
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn write(directory: &Path, first: FirstEntries) -> Result<(), Unreadable> {
    let io = |error: io::Error| Unreadable::new(error.to_string());
    state_format::create(directory).map_err(|error| Unreadable::new(error.to_string()))?;
    let (mut state, mut frontier) = (State::default(), Frontier::default());
    let clock = clock(&state).map_err(io)?;
    let mut draft = Draft::new(clock.now(), 0);
    let bodies = [Body::Genesis(first.genesis), Body::Policy(first.policy)];
    for body in bodies.into_iter().chain(first.keys.into_iter().map(Body::Key)) {
        draft.push(&mut state, &mut frontier, body)?;
    }
    let mut journal = Journal::create(directory).map_err(io)?;
    let log = Log::new(Store::create(directory)?, Tip::default(), Tiles::default());
    let mut anchor = AnchorFile::create(directory).map_err(io)?;
    draft.commit(&frontier, &mut journal, &log, &mut anchor).map(drop)
}
