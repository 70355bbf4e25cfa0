//! What was called, for tests to count.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    sync::{LazyLock, OnceLock},
    time::{SystemTime, UNIX_EPOCH},
};

use cryptoki_sys::CK_RV;

use crate::codes::return_name;

/// Called for every signature, or many times a start: noted only where a fault changed them.
const FREQUENT: &[&str] = &[
    "C_SignInit",
    "C_Sign",
    "C_FindObjectsInit",
    "C_FindObjects",
    "C_FindObjectsFinal",
    "C_GetAttributeValue",
    "C_GetSessionInfo",
];

/// This process and no other: a number alone is given again to a later one.
fn process() -> &'static str {
    static PROCESS: LazyLock<String> = LazyLock::new(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        format!("{}@{}", std::process::id(), now.as_micros())
    });
    &PROCESS
}

/// Notes one call that was answered, with the faults that changed its answer.
pub(crate) fn note(function: &str, value: CK_RV, faults: &[u64]) {
    if faults.is_empty() && FREQUENT.contains(&function) {
        return;
    }
    let faults: String = faults.iter().map(|fault| format!(" {fault}")).collect();
    write(&format!("{} {function} {}{faults}\n", process(), return_name(value)));
}

/// Notes that a call has met a fault after which it may have no answer. Where it has one, that is noted as well.
pub(crate) fn note_met(function: &str, fault: u64) {
    write(&format!("{} {function} met {fault}\n", process()));
}

/// Notes what came of something that was tried during a call; the call's own answer is noted as ever.
pub(crate) fn note_attempt(function: &str, outcome: &str, fault: u64) {
    write(&format!("{} {function} {outcome} {fault}\n", process()));
}

fn write(line: &str) {
    static FILE: OnceLock<Option<File>> = OnceLock::new();
    let open = || OpenOptions::new().append(true).create(true).open(std::env::var_os("PKCS11_SHIM_JOURNAL")?).ok();
    if let Some(mut file) = FILE.get_or_init(open).as_ref() {
        // One write: lines of other threads and processes do not come between.
        let _ = file.write_all(line.as_bytes());
    }
}
