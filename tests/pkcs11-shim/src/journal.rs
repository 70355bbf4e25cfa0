//! What was called, for tests to count.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    sync::OnceLock,
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

/// Notes one call with the faults that had a part in it.
pub(crate) fn note(function: &str, value: CK_RV, faults: &[u64]) {
    static FILE: OnceLock<Option<File>> = OnceLock::new();
    if faults.is_empty() && FREQUENT.contains(&function) {
        return;
    }
    let open = || OpenOptions::new().append(true).create(true).open(std::env::var_os("PKCS11_SHIM_JOURNAL")?).ok();
    if let Some(mut file) = FILE.get_or_init(open).as_ref() {
        let faults: String = faults.iter().map(|fault| format!(" {fault}")).collect();
        let line = format!("{} {function} {}{faults}\n", std::process::id(), return_name(value));
        // One write: lines of other threads and processes do not come between.
        let _ = file.write_all(line.as_bytes());
    }
}
