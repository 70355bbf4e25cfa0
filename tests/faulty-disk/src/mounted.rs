//! The kernel's side: FUSE requests to calls of the disk. Nothing is cached in the kernel: a cut must be seen.

use std::{
    ffi::OsStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, SystemTime},
};

use fuser::{
    FileAttr, FileType, Filesystem, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry,
    ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, consts::FOPEN_DIRECT_IO,
};
use rustix::{fs::OFlags, io::Errno};

use crate::{
    disk::{Disk, ROOT},
    node::{Content, Inode, Node},
};

const NOT_CACHED: Duration = Duration::ZERO;
const BLOCK_BYTES: u32 = 4096;
const LONGEST_NAME: u32 = 255;
/// What `statfs` says where no end of the room is told.
const ROOM: u64 = 16 << 30;

pub(crate) struct Mounted {
    pub(crate) disk: Arc<Mutex<Disk>>,
}

impl Mounted {
    fn lock(&self) -> MutexGuard<'_, Disk> {
        lock(&self.disk)
    }

    fn create_node(
        &self,
        request: &Request<'_>,
        parent: Inode,
        node: (&OsStr, u32, Content),
    ) -> Result<FileAttr, Errno> {
        let (name, mode, content) = node;
        let owner = (request.uid(), request.gid());
        let mut disk = self.lock();
        let inode = disk.create(parent, Node { name: name.to_owned(), mode: mode & 0o7777, owner, content })?;
        attributes(&disk, inode)
    }

    fn sync(&self, inode: Inode, slow: bool, reply: ReplyEmpty) {
        let (begun, by) = {
            let mut disk = self.lock();
            (disk.begin_sync(inode), if slow { disk.slow_sync } else { Duration::ZERO })
        };
        let syncing = match begun {
            Ok(syncing) => syncing,
            Err(errno) => return reply.error(errno.raw_os_error()),
        };
        if by.is_zero() {
            return answer(self.lock().end_sync(syncing), reply);
        }
        // Other calls go on meanwhile.
        let disk = Arc::clone(&self.disk);
        thread::spawn(move || {
            thread::sleep(by);
            answer(lock(&disk).end_sync(syncing), reply);
        });
    }
}

impl Filesystem for Mounted {
    fn lookup(&mut self, _: &Request<'_>, parent: Inode, name: &OsStr, reply: ReplyEntry) {
        let disk = self.lock();
        match disk.look_up(parent, name).and_then(|inode| attributes(&disk, inode)) {
            Ok(attributes) => reply.entry(&NOT_CACHED, &attributes, 0),
            Err(errno) => reply.error(errno.raw_os_error()),
        }
    }

    fn getattr(&mut self, _: &Request<'_>, inode: Inode, _: Option<u64>, reply: ReplyAttr) {
        answer_attributes(attributes(&self.lock(), inode), reply);
    }

    fn setattr(
        &mut self,
        _: &Request<'_>,
        inode: Inode,
        mode: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<u64>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<u32>,
        reply: ReplyAttr,
    ) {
        let mut disk = self.lock();
        let moded = mode.map_or(Ok(()), |mode| disk.set_mode(inode, mode));
        let sized = moded.and_then(|()| size.map_or(Ok(()), |size| disk.truncate(inode, size as usize)));
        answer_attributes(sized.and_then(|()| attributes(&disk, inode)), reply);
    }

    fn mkdir(&mut self, request: &Request<'_>, parent: Inode, name: &OsStr, mode: u32, _: u32, reply: ReplyEntry) {
        match self.create_node(request, parent, (name, mode, Content::directory())) {
            Ok(attributes) => reply.entry(&NOT_CACHED, &attributes, 0),
            Err(errno) => reply.error(errno.raw_os_error()),
        }
    }

    fn create(
        &mut self,
        request: &Request<'_>,
        parent: Inode,
        name: &OsStr,
        mode: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        match self.create_node(request, parent, (name, mode, Content::file())) {
            Ok(attributes) => reply.created(&NOT_CACHED, &attributes, 0, 0, FOPEN_DIRECT_IO),
            Err(errno) => reply.error(errno.raw_os_error()),
        }
    }

    fn unlink(&mut self, _: &Request<'_>, parent: Inode, name: &OsStr, reply: ReplyEmpty) {
        answer(self.lock().remove(parent, name), reply);
    }

    fn rmdir(&mut self, _: &Request<'_>, parent: Inode, name: &OsStr, reply: ReplyEmpty) {
        answer(self.lock().remove(parent, name), reply);
    }

    fn rename(
        &mut self,
        _: &Request<'_>,
        parent: Inode,
        name: &OsStr,
        to: Inode,
        new_name: &OsStr,
        flags: u32,
        reply: ReplyEmpty,
    ) {
        if parent != to || flags != 0 {
            return reply.error(Errno::XDEV.raw_os_error());
        }
        answer(self.lock().rename(parent, name, new_name), reply);
    }

    fn open(&mut self, _: &Request<'_>, inode: Inode, _: i32, reply: ReplyOpen) {
        match self.lock().open(inode) {
            Ok(()) => reply.opened(0, FOPEN_DIRECT_IO),
            Err(errno) => reply.error(errno.raw_os_error()),
        }
    }

    fn read(
        &mut self,
        _: &Request<'_>,
        inode: Inode,
        _: u64,
        offset: i64,
        most: u32,
        _: i32,
        _: Option<u64>,
        reply: ReplyData,
    ) {
        match self.lock().read(inode, offset as usize, most as usize) {
            Ok(bytes) => reply.data(&bytes),
            Err(errno) => reply.error(errno.raw_os_error()),
        }
    }

    fn write(
        &mut self,
        _: &Request<'_>,
        inode: Inode,
        _: u64,
        offset: i64,
        bytes: &[u8],
        _: u32,
        flags: i32,
        _: Option<u64>,
        reply: ReplyWrite,
    ) {
        // The kernel's idea of where the end is may be older than a cut.
        let appends = OFlags::from_bits_retain(flags as u32).contains(OFlags::APPEND);
        match self.lock().write(inode, (!appends).then_some(offset as usize), bytes) {
            Ok(written) => reply.written(written as u32),
            Err(errno) => reply.error(errno.raw_os_error()),
        }
    }

    fn flush(&mut self, _: &Request<'_>, _: Inode, _: u64, _: u64, reply: ReplyEmpty) {
        answer(self.lock().powered(), reply);
    }

    fn fsync(&mut self, _: &Request<'_>, inode: Inode, _: u64, _: bool, reply: ReplyEmpty) {
        self.sync(inode, true, reply);
    }

    fn fsyncdir(&mut self, _: &Request<'_>, inode: Inode, _: u64, _: bool, reply: ReplyEmpty) {
        self.sync(inode, false, reply);
    }

    fn readdir(&mut self, _: &Request<'_>, inode: Inode, _: u64, offset: i64, mut reply: ReplyDirectory) {
        let disk = self.lock();
        let names = match disk.names(inode) {
            Ok(names) => names,
            Err(errno) => return reply.error(errno.raw_os_error()),
        };
        let dots = [(OsStr::new("."), inode), (OsStr::new(".."), ROOT)];
        let all = dots.into_iter().chain(names.iter().map(|(name, inode)| (name.as_os_str(), *inode)));
        for (position, (name, inode)) in all.enumerate().skip(offset as usize) {
            let kind = if disk.names(inode).is_ok() { FileType::Directory } else { FileType::RegularFile };
            if reply.add(inode, position as i64 + 1, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&mut self, _: &Request<'_>, _: Inode, reply: ReplyStatfs) {
        let disk = self.lock();
        if let Err(errno) = disk.powered() {
            return reply.error(errno.raw_os_error());
        }
        let blocks = |bytes: u64| bytes / u64::from(BLOCK_BYTES);
        let free = blocks(disk.free_bytes.unwrap_or(ROOM));
        reply.statfs(blocks(ROOM), free, free, 0, 0, BLOCK_BYTES, LONGEST_NAME, BLOCK_BYTES);
    }
}

fn lock(disk: &Mutex<Disk>) -> MutexGuard<'_, Disk> {
    disk.lock().unwrap_or_else(PoisonError::into_inner)
}

fn attributes(disk: &Disk, inode: Inode) -> Result<FileAttr, Errno> {
    let node = disk.node(inode)?;
    let (kind, size) = match &node.content {
        Content::File(file) => (FileType::RegularFile, file.written().len() as u64),
        Content::Directory(_) => (FileType::Directory, 0),
    };
    Ok(FileAttr {
        ino: inode,
        size,
        blocks: size.div_ceil(512),
        atime: SystemTime::UNIX_EPOCH,
        mtime: SystemTime::UNIX_EPOCH,
        ctime: SystemTime::UNIX_EPOCH,
        crtime: SystemTime::UNIX_EPOCH,
        kind,
        perm: node.mode as u16,
        nlink: 1,
        uid: node.owner.0,
        gid: node.owner.1,
        rdev: 0,
        blksize: BLOCK_BYTES,
        flags: 0,
    })
}

fn answer_attributes(attributes: Result<FileAttr, Errno>, reply: ReplyAttr) {
    match attributes {
        Ok(attributes) => reply.attr(&NOT_CACHED, &attributes),
        Err(errno) => reply.error(errno.raw_os_error()),
    }
}

fn answer(result: Result<(), Errno>, reply: ReplyEmpty) {
    match result {
        Ok(()) => reply.ok(),
        Err(errno) => reply.error(errno.raw_os_error()),
    }
}
