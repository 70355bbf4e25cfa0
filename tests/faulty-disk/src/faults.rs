//! Calls that fail as told. Knows no files.

use std::ffi::OsStr;

use rustix::io::Errno;

/// A kind of call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Call {
    /// A file is opened.
    Open,
    /// Bytes are read.
    Read,
    /// Bytes are written.
    Write,
    /// The length is set.
    Truncate,
    /// `fsync` or `fdatasync` of a file or directory. One that fails loses what it was to make durable: later syncs
    /// succeed and do not write it.
    Sync,
    /// A file or directory is created.
    Create,
    /// A name is changed.
    Rename,
    /// A name is removed.
    Remove,
}

/// Calls that fail.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Which.
    pub call: Call,
    /// Of files and directories of this name; of any, where there is none.
    pub name: Option<String>,
    /// With what.
    pub errno: Errno,
    /// How many.
    pub count: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Faults {
    waiting: Vec<Fault>,
    met: u64,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.waiting.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }

    pub(crate) fn met(&self) -> u64 {
        self.met
    }

    /// Fails where a fault waits for such a call.
    pub(crate) fn meet(&mut self, call: Call, name: &OsStr) -> Result<(), Errno> {
        let fits = |fault: &&mut Fault| {
            fault.count > 0 && fault.call == call && fault.name.as_ref().is_none_or(|wanted| name == wanted.as_str())
        };
        let Some(fault) = self.waiting.iter_mut().find(fits) else { return Ok(()) };
        fault.count -= 1;
        self.met += 1;
        Err(fault.errno)
    }
}
