//! Which formats this version of the watcher writes and reads: of its journal, and of its state directory.

use appliance_wire::{Format, NewerFormat};

/// Of both: what says none is of format 1. Raised with everything an older version could not read, or would read as less
/// than it is.
const FORMAT: u64 = 1;

/// Refuses what a newer version wrote.
pub(crate) fn check(found: &Format) -> Result<(), NewerFormat> {
    let own = Format { number: FORMAT, version: env!("CARGO_PKG_VERSION").to_owned() };
    found.check("chancery-watcher", &own)
}
