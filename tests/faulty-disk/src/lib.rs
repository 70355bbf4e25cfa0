//! A file system for tests: it forgets what was not synced when its power is cut, and fails as told.
//!
//! It lives in memory, in the process of the test, and is mounted by FUSE; the test holds its [`FaultyDisk`]. It takes
//! POSIX at its word: nothing is durable but what a sync that returned 0 covers. `fsync` and `fdatasync` of a file make
//! its bytes and length durable and not its name; `fsync` of a directory makes the names in it durable and not what
//! they name. `sync_file_range` never reaches a FUSE file system, and makes nothing durable.
//!
//! It knows nothing of what is stored on it.

mod disk;
mod faults;
mod layers;
mod mounted;
mod node;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fuser::{BackgroundSession, MountOption};
use rustix::mount::UnmountFlags;

pub use disk::Image;
pub use faults::{Call, Fault};
pub use rustix::io::Errno;

/// A mounted disk. It is unmounted when this is dropped.
pub struct FaultyDisk {
    disk: Arc<Mutex<disk::Disk>>,
    at: PathBuf,
    // Ends the session when it is dropped.
    _session: BackgroundSession,
}

/// What a cut keeps of that which was not synced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unsynced {
    /// Nothing.
    Dropped,
    /// A random part, the same for the same seed: of names some changes; of bytes some pages, in any order, the last
    /// one torn.
    Torn(u64),
}

impl FaultyDisk {
    /// Mounts an empty one at a directory.
    ///
    /// # Errors
    /// It cannot be mounted; the error says what is needed.
    pub fn mount(at: &Path) -> io::Result<Self> {
        let disk = Arc::new(Mutex::new(disk::Disk::default()));
        let options = [MountOption::FSName("faulty-disk".to_owned()), MountOption::NoAtime];
        let session = fuser::spawn_mount2(mounted::Mounted { disk: Arc::clone(&disk) }, at, &options);
        let session = session.map_err(|error| {
            let needed = "mounting a FUSE file system needs /dev/fuse (a container has it with `--device /dev/fuse \
                          --cap-add SYS_ADMIN`) and, without root, the package fuse3";
            io::Error::new(error.kind(), format!("{}: {error}; {needed}", at.display()))
        })?;
        Ok(Self { disk, at: at.to_owned(), _session: session })
    }

    /// Cuts the power: what is not durable is gone, or a part of it. Every call fails with EIO until
    /// [`power_on`](Self::power_on).
    pub fn cut(&self, unsynced: Unsynced) {
        self.lock().cut(unsynced);
    }

    /// Cuts the power before the `nth` change from now, of files, names or what is durable. 1 is the next one.
    pub fn cut_before_change(&self, nth: u64, unsynced: Unsynced) {
        self.lock().plan_cut(nth, unsynced);
    }

    /// How many changes were asked for so far.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.lock().changes()
    }

    /// Whether the power is on.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.lock().is_on()
    }

    /// The power is back. A cut that was planned and has not come is forgotten.
    pub fn power_on(&self) {
        self.lock().power_on();
    }

    /// From now on files can grow by this many bytes altogether, and then fail with ENOSPC; none: there is room.
    pub fn fill(&self, free_bytes: Option<u64>) {
        self.lock().free_bytes = free_bytes;
    }

    /// Calls that fail, from now on.
    pub fn fail(&self, fault: Fault) {
        self.lock().faults.add(fault);
    }

    /// No call fails any more.
    pub fn mend(&self) {
        self.lock().faults.clear();
    }

    /// How many calls failed because they were told to.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.lock().faults.met()
    }

    /// Every sync of a file takes so much longer. What was written meanwhile is not part of it.
    pub fn slow_sync(&self, by: Duration) {
        self.lock().slow_sync = by;
    }

    /// All that is on the disk now, and what of it is not durable.
    #[must_use]
    pub fn image(&self) -> Image {
        self.lock().image()
    }

    /// Brings back the disk as it was when the image was made. Its power is on.
    pub fn restore(&self, image: &Image) {
        self.lock().restore(image);
    }

    fn lock(&self) -> MutexGuard<'_, disk::Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for FaultyDisk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FaultyDisk").field("at", &self.at).finish_non_exhaustive()
    }
}

impl Drop for FaultyDisk {
    fn drop(&mut self) {
        // A process that still has a file open would keep the session from ending.
        let _ = rustix::mount::unmount(&self.at, UnmountFlags::DETACH);
    }
}
