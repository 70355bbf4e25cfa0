//! What the worker gives up before a vendor's module is loaded into it. Knows the kernel, and nothing of devices.

mod files;

use std::{fs, os::unix::net::UnixStream, path::PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, PathBeneath, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, Scope,
};
use rustix::{
    fs::{FileType, Mode, OFlags, fstat, open},
    io::Errno,
    net::sockopt::socket_peercred,
    process::{
        DumpableBehavior, Resource, Rlimit, Signal, getppid, set_dumpable_behavior, set_parent_process_death_signal,
        setrlimit,
    },
    thread::set_no_new_privs,
};

use crate::{Disposition, Error};

/// Before the PIN arrives: what holds for the process, whatever it opens.
///
/// # Errors
/// Which of it the kernel refused, or that the parent is gone; the process must end.
pub(super) fn give_up_privileges(socket: &UnixStream) -> Result<(), String> {
    let refused = |what: &'static str| move |errno: Errno| format!("{what}: {errno}");
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(refused("asking to be ended with the appliance"))?;
    // A parent that ended before that was asked for sends no signal: by now somebody else is the parent.
    let peer = socket_peercred(socket).map_err(refused("asking who holds the other end of the socket"))?;
    if getppid() != Some(peer.pid) {
        return Err("whoever holds the other end of its socket did not start it, or has ended".to_owned());
    }
    set_no_new_privs(true).map_err(refused("giving up new privileges"))?;
    // A core dump would hold the PIN, and so would what a debugger of the same user reads.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(refused("giving up core dumps"))?;
    let no_core = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, no_core).map_err(refused("setting the limit of core dumps to 0"))
}

/// Takes from this thread, and from all it starts, the places of `forbidden`, binding TCP ports, signals to other
/// processes, and their abstract sockets. Says what this kernel cannot take, each a clause.
///
/// # Errors
/// The kernel can, and did not.
pub(super) fn confine(forbidden: &[PathBuf]) -> Result<Vec<String>, Error> {
    let mut caveats: Vec<String> = inherited_files().into_iter().collect();
    let status = restrict(&files::allowed(forbidden)).map_err(|error| Error::Call {
        attempted: "confining the token worker".to_owned(),
        cause: error.to_string(),
        disposition: Disposition::NotSent,
    })?;
    match status {
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => caveats.push(
            "this kernel has no Landlock: the module can open every file that the appliance can, its state and keys too"
                .to_owned(),
        ),
        LandlockStatus::Available { effective_abi, .. } => {
            let missing = SINCE.iter().filter(|(abi, _)| effective_abi < *abi);
            caveats.extend(missing.map(|(_, what)| format!("this kernel's Landlock is old: the module can {what}")));
        }
    }
    Ok(caveats)
}

/// From which version on Landlock can keep a process from what.
const SINCE: [(ABI, &str); 3] = [
    (ABI::V3, "truncate files it may not open"),
    (ABI::V4, "listen on TCP ports"),
    (ABI::V6, "send signals to the appliance and speak to abstract sockets"),
];

fn restrict(allowed: &[PathBuf]) -> Result<LandlockStatus, RulesetError> {
    // Whatever of this the kernel does not know is left out. TCP connections stay: HSMs are in the network.
    let ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::BindTcp)?
        .scope(Scope::from_all(NEWEST))?;
    let mut ruleset = ruleset.create()?;
    for path in allowed {
        // A link is no place of its own: it is the place it leads to that counts. What has vanished needs no rule.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let Ok(place) = open(path, flags, Mode::empty()) else { continue };
        let Some(access) = fstat(&place).ok().and_then(|stat| access(FileType::from_raw_mode(stat.st_mode))) else {
            continue;
        };
        ruleset = ruleset.add_rule(PathBeneath::new(place, access))?;
    }
    Ok(ruleset.restrict_self()?.landlock)
}

/// The newest version of Landlock asked for.
const NEWEST: ABI = ABI::V9;

fn access(kind: FileType) -> Option<BitFlags<AccessFs>> {
    let all = if kind.is_dir() { AccessFs::from_all(NEWEST) } else { AccessFs::from_file(NEWEST) };
    (!kind.is_symlink()).then_some(all)
}

/// Files that are open beside the socket, stdout and stderr, for the appliance was itself started with them.
fn inherited_files() -> Option<String> {
    let open = fs::read_dir("/proc/self/fd").ok()?;
    let named = open.filter_map(|entry| {
        let entry = entry.ok()?;
        let number: u32 = entry.file_name().to_str()?.parse().ok()?;
        let target = fs::read_link(entry.path()).ok()?;
        (number > 2 && outlives_exec(number)?).then(|| format!("{number} ({})", target.display()))
    });
    let named: Vec<_> = named.collect();
    (!named.is_empty()).then(|| {
        format!("the module can use open files that the appliance was started with: descriptors {}", named.join(", "))
    })
}

/// What this process opened itself does not.
fn outlives_exec(descriptor: u32) -> Option<bool> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{descriptor}")).ok()?;
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
    let flags = u32::from_str_radix(flags.trim(), 8).ok()?;
    Some(flags & OFlags::CLOEXEC.bits() == 0)
}
