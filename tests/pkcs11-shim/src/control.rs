//! Which faults a call meets.

use std::{
    os::unix::fs::MetadataExt,
    path::PathBuf,
    process,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread,
    time::Duration,
};

use cryptoki_sys::CK_RV;

use crate::{
    fault::{self, Action, Fault, When},
    journal, sessions, uses,
};

/// How often a call that hangs looks whether it still should.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What a file is known by: one renamed into its place is another.
type Mark = (u64, u64, i64, i64, u64);

#[derive(Default)]
struct Known {
    mark: Option<Mark>,
    faults: Arc<Vec<Fault>>,
}

fn path() -> Option<&'static PathBuf> {
    static PATH: OnceLock<Option<PathBuf>> = OnceLock::new();
    PATH.get_or_init(|| std::env::var_os("PKCS11_SHIM_FAULTS").map(PathBuf::from)).as_ref()
}

/// Every fault there is now.
pub(crate) fn faults() -> Arc<Vec<Fault>> {
    static KNOWN: OnceLock<Mutex<Known>> = OnceLock::new();
    let mut known = KNOWN.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    let mark = path()
        .and_then(|path| path.metadata().ok())
        .map(|file| (file.dev(), file.ino(), file.mtime(), file.mtime_nsec(), file.len()));
    if mark != known.mark {
        let text = path().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        known.faults = Arc::new(fault::parse(&text).unwrap_or_else(|wrong| give_up(&wrong)));
        known.mark = mark;
    }
    Arc::clone(&known.faults)
}

/// A test that is wrong must not pass.
pub(crate) fn give_up(why: &str) -> ! {
    eprintln!("pkcs11-shim: {why}");
    process::abort()
}

/// The faults of this call, counted. What ends or delays it has been done; what changes its result is left.
///
/// # Errors
/// The value to return; nothing is to be forwarded.
pub(crate) fn arrive(function: &str, asks_length: bool) -> Result<Vec<Fault>, CK_RV> {
    let firing = firing(function, asks_length);
    let mut left = Vec::new();
    let mut value = None;
    for fault in firing {
        // Before anything happens: a call that hangs has no end yet, and one that crashes has none.
        if happens_before(&fault.action) {
            journal::note_met(function, fault.identity);
        }
        match fault.action {
            Action::Return(code) => value = Some((code, fault.identity)),
            Action::Delay(time) => thread::sleep(time),
            Action::Hang => hang(fault.identity),
            Action::Crash => process::abort(),
            Action::Logout => sessions::lose_login(),
            Action::CloseSessions => sessions::close_all(),
            Action::Try(attempt) => journal::note_attempt(function, &attempt.outcome(), fault.identity),
            Action::Bend(_)
            | Action::AnotherKey
            | Action::Attribute(..)
            | Action::Point(_)
            | Action::Serial(_)
            | Action::Flags(_)
            | Action::Slots(_)
            | Action::Objects(_) => left.push(fault),
        }
    }
    match value {
        None => Ok(left),
        Some((code, identity)) => {
            journal::note(function, code, &[identity]);
            Err(code)
        }
    }
}

fn firing(function: &str, asks_length: bool) -> Vec<Fault> {
    let faults = faults();
    let meant = |fault: &&Fault| {
        let counts = !(asks_length && matches!(fault.action, Action::Bend(_)));
        counts && fault.function.as_deref().is_none_or(|meant| meant == function)
    };
    let mut meant: Vec<Fault> = faults.iter().filter(meant).cloned().collect();
    let identities: Vec<u64> =
        meant.iter().filter(|fault| fault.when != When::Always).map(|fault| fault.identity).collect();
    if identities.is_empty() {
        return meant;
    }
    let Some(path) = path() else { return Vec::new() };
    let mut uses = path.clone().into_os_string();
    uses.push(".uses");
    let counted = uses::count(uses.as_ref(), &identities);
    let mut counted = counted.unwrap_or_else(|error| give_up(&format!("counting calls: {error}"))).into_iter();
    meant.retain(|fault| match fault.when {
        When::Always => true,
        When::Calls { first, last } => counted.next().is_some_and(|call| (first..=last).contains(&call)),
    });
    meant
}

fn hang(identity: u64) {
    while faults().iter().any(|fault| fault.identity == identity) {
        thread::sleep(LOOK_AGAIN);
    }
}

/// Whether it is no matter of the call's result.
fn happens_before(action: &Action) -> bool {
    matches!(action, Action::Delay(_) | Action::Hang | Action::Crash | Action::Logout | Action::CloseSessions)
}
