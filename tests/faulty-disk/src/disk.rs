//! The disk: files, names, power. Knows nothing of FUSE.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    time::Duration,
};

use rand::{SeedableRng, rngs::StdRng};
use rustix::io::Errno;

use crate::{
    Unsynced,
    faults::{Call, Faults},
    node::{Content, FileChange, Inode, NameChange, Names, Node},
};

pub(crate) const ROOT: Inode = 1;

#[derive(Debug)]
pub(crate) struct Disk {
    nodes: BTreeMap<Inode, Node>,
    next: Inode,
    /// Counts cuts; a sync that began before one does not end after it.
    life: u64,
    on: bool,
    changes: u64,
    planned: Option<(u64, Unsynced)>,
    pub(crate) faults: Faults,
    pub(crate) free_bytes: Option<u64>,
    pub(crate) slow_sync: Duration,
}

/// All that was on a disk at one time.
#[derive(Clone, Debug)]
pub struct Image(BTreeMap<Inode, Node>);

/// A sync that has begun.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Syncing {
    inode: Inode,
    reach: u64,
    life: u64,
}

impl Default for Disk {
    fn default() -> Self {
        let owner = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        let root = Node { name: OsString::new(), mode: 0o700, owner, content: Content::directory() };
        Self {
            nodes: BTreeMap::from([(ROOT, root)]),
            next: ROOT + 1,
            life: 0,
            on: true,
            changes: 0,
            planned: None,
            faults: Faults::default(),
            free_bytes: None,
            slow_sync: Duration::ZERO,
        }
    }
}

/// Power, and what is brought back.
impl Disk {
    pub(crate) fn cut(&mut self, unsynced: Unsynced) {
        self.on = false;
        self.planned = None;
        self.life += 1;
        let mut random = match unsynced {
            Unsynced::Dropped => None,
            Unsynced::Torn(seed) => Some(StdRng::seed_from_u64(seed)),
        };
        for node in self.nodes.values_mut() {
            node.content.cut(random.as_mut());
        }
        let mut found = BTreeSet::from([ROOT]);
        let mut open = vec![ROOT];
        while let Some(directory) = open.pop() {
            let Some(Content::Directory(names)) = self.nodes.get(&directory).map(|node| &node.content) else {
                continue;
            };
            open.extend(names.durable().values().filter(|inode| found.insert(**inode)));
        }
        self.nodes.retain(|inode, _| found.contains(inode));
    }

    pub(crate) fn plan_cut(&mut self, nth: u64, unsynced: Unsynced) {
        self.planned = Some((self.changes + nth, unsynced));
    }

    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    pub(crate) fn is_on(&self) -> bool {
        self.on
    }

    pub(crate) fn power_on(&mut self) {
        self.planned = None;
        self.on = true;
    }

    pub(crate) fn image(&self) -> Image {
        Image(self.nodes.clone())
    }

    pub(crate) fn restore(&mut self, image: &Image) {
        self.nodes.clone_from(&image.0);
        self.life += 1;
        self.power_on();
    }

    /// Every call passes here: without power, and where a fault waits, it fails.
    pub(crate) fn admit(&mut self, call: Call, name: &OsStr) -> Result<(), Errno> {
        self.powered()?;
        if !matches!(call, Call::Open | Call::Read) {
            self.changes += 1;
            if let Some((_, unsynced)) = self.planned.take_if(|(at, _)| *at <= self.changes) {
                self.cut(unsynced);
                return Err(Errno::IO);
            }
        }
        self.faults.meet(call, name)
    }

    pub(crate) fn powered(&self) -> Result<(), Errno> {
        if self.on { Ok(()) } else { Err(Errno::IO) }
    }
}

/// Names.
impl Disk {
    pub(crate) fn node(&self, inode: Inode) -> Result<&Node, Errno> {
        self.powered()?;
        self.nodes.get(&inode).ok_or(Errno::NOENT)
    }

    pub(crate) fn names(&self, directory: Inode) -> Result<&Names, Errno> {
        match &self.node(directory)?.content {
            Content::Directory(names) => Ok(names.written()),
            Content::File(_) => Err(Errno::NOTDIR),
        }
    }

    pub(crate) fn look_up(&self, directory: Inode, name: &OsStr) -> Result<Inode, Errno> {
        self.names(directory)?.get(name).copied().ok_or(Errno::NOENT)
    }

    pub(crate) fn create(&mut self, directory: Inode, node: Node) -> Result<Inode, Errno> {
        self.admit(Call::Create, &node.name)?;
        if self.names(directory)?.contains_key(&node.name) {
            return Err(Errno::EXIST);
        }
        let inode = self.next;
        self.next += 1;
        self.change_names(directory, NameChange::Added(node.name.clone(), inode))?;
        self.nodes.insert(inode, node);
        Ok(inode)
    }

    pub(crate) fn remove(&mut self, directory: Inode, name: &OsStr) -> Result<(), Errno> {
        self.admit(Call::Remove, name)?;
        let inode = self.look_up(directory, name)?;
        if self.names(inode).is_ok_and(|names| !names.is_empty()) {
            return Err(Errno::NOTEMPTY);
        }
        self.change_names(directory, NameChange::Removed(name.to_owned()))
    }

    /// Within one directory only: two directories are synced apart, and nobody here needs that.
    pub(crate) fn rename(&mut self, directory: Inode, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
        self.admit(Call::Rename, to)?;
        let inode = self.look_up(directory, from)?;
        if let Ok(there) = self.look_up(directory, to)
            && self.names(there).is_ok_and(|names| !names.is_empty())
        {
            return Err(Errno::NOTEMPTY);
        }
        self.change_names(directory, NameChange::Renamed(from.to_owned(), to.to_owned(), inode))?;
        let node = self.nodes.get_mut(&inode).ok_or(Errno::NOENT)?;
        to.clone_into(&mut node.name);
        Ok(())
    }

    fn change_names(&mut self, directory: Inode, change: NameChange) -> Result<(), Errno> {
        match &mut self.nodes.get_mut(&directory).ok_or(Errno::NOENT)?.content {
            Content::Directory(names) => names.change(change),
            Content::File(_) => return Err(Errno::NOTDIR),
        }
        Ok(())
    }
}

/// Bytes.
impl Disk {
    pub(crate) fn open(&mut self, inode: Inode) -> Result<(), Errno> {
        let name = self.node(inode)?.name.clone();
        self.admit(Call::Open, &name)
    }

    pub(crate) fn read(&mut self, inode: Inode, offset: usize, most: usize) -> Result<Vec<u8>, Errno> {
        let name = self.node(inode)?.name.clone();
        self.admit(Call::Read, &name)?;
        let Content::File(file) = &self.node(inode)?.content else { return Err(Errno::ISDIR) };
        let rest = file.written().get(offset..).unwrap_or_default();
        Ok(rest.get(..most).unwrap_or(rest).to_vec())
    }

    /// Writes at the offset, or at the end where there is none. Where there is room for some of it only, that is
    /// written.
    pub(crate) fn write(&mut self, inode: Inode, offset: Option<usize>, bytes: &[u8]) -> Result<usize, Errno> {
        let name = self.node(inode)?.name.clone();
        self.admit(Call::Write, &name)?;
        let Content::File(file) = &self.node(inode)?.content else { return Err(Errno::ISDIR) };
        let length = file.written().len();
        let offset = offset.unwrap_or(length);
        let room = self.free_bytes.map_or(u64::MAX, |free| free + length.saturating_sub(offset) as u64);
        let bytes = bytes.get(..usize::try_from(room).unwrap_or(usize::MAX)).unwrap_or(bytes);
        if bytes.is_empty() {
            return Err(Errno::NOSPC);
        }
        self.take_room(length, offset + bytes.len())?;
        self.change_file(inode, FileChange::Write { offset, bytes: bytes.to_vec() })?;
        Ok(bytes.len())
    }

    pub(crate) fn truncate(&mut self, inode: Inode, length: usize) -> Result<(), Errno> {
        let name = self.node(inode)?.name.clone();
        self.admit(Call::Truncate, &name)?;
        let Content::File(file) = &self.node(inode)?.content else { return Err(Errno::ISDIR) };
        self.take_room(file.written().len(), length)?;
        self.change_file(inode, FileChange::Length(length))
    }

    pub(crate) fn set_mode(&mut self, inode: Inode, mode: u32) -> Result<(), Errno> {
        self.powered()?;
        self.nodes.get_mut(&inode).ok_or(Errno::NOENT)?.mode = mode & 0o7777;
        Ok(())
    }

    /// A sync begins: of a file or a directory. One that fails loses what it reached.
    pub(crate) fn begin_sync(&mut self, inode: Inode) -> Result<Syncing, Errno> {
        let name = self.node(inode)?.name.clone();
        let admitted = self.admit(Call::Sync, &name);
        self.powered()?;
        let node = self.nodes.get_mut(&inode).ok_or(Errno::NOENT)?;
        let reach = node.content.reach();
        if let Err(errno) = admitted {
            node.content.lose(reach);
            return Err(errno);
        }
        Ok(Syncing { inode, reach, life: self.life })
    }

    /// The sync returns: what it reached when it began is durable.
    pub(crate) fn end_sync(&mut self, syncing: Syncing) -> Result<(), Errno> {
        self.powered()?;
        if self.life != syncing.life {
            return Err(Errno::IO);
        }
        self.nodes.get_mut(&syncing.inode).ok_or(Errno::NOENT)?.content.sync(syncing.reach);
        Ok(())
    }

    fn take_room(&mut self, length: usize, wanted: usize) -> Result<(), Errno> {
        if let Some(free) = &mut self.free_bytes {
            *free = free.checked_sub(wanted.saturating_sub(length) as u64).ok_or(Errno::NOSPC)?;
        }
        Ok(())
    }

    fn change_file(&mut self, inode: Inode, change: FileChange) -> Result<(), Errno> {
        match &mut self.nodes.get_mut(&inode).ok_or(Errno::NOENT)?.content {
            Content::File(file) => file.change(change),
            Content::Directory(_) => return Err(Errno::ISDIR),
        }
        Ok(())
    }
}
