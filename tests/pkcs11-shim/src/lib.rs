//! A PKCS#11 module for tests: it forwards every function of v2.40 to a real module, and misbehaves as it is told.
//!
//! It knows PKCS#11 and nothing of who calls it. Three environment variables, read once:
//!
//! - `PKCS11_SHIM_MODULE`: the module to forward to;
//! - `PKCS11_SHIM_FAULTS`: the file of faults, looked at before every call; absent, or empty, nothing goes wrong;
//! - `PKCS11_SHIM_JOURNAL`: a file every rare call (sessions, logins, searches of slots) and every call that a fault
//!   changed is noted in, a line each: process (its number and when it
//!   began), function, return value, identities of the faults. A call that is delayed, hangs, crashes or loses sessions
//!   is noted with `met` in place of the value when that begins, and again when it is answered.
//!
//! The file of faults has a fault a line, `IDENTITY FUNCTION WHEN ACTION`; empty lines and such with `#` are skipped:
//!
//! - IDENTITY is a number no other line ever had: its calls are counted from when it appeared, over all processes;
//! - FUNCTION is `C_Sign` or another, or `*` for any;
//! - WHEN is `3` for the third such call, `3..5` for the third to the fifth, `3..` from the third on, `always`;
//! - ACTION is one of
//!   - `return CKR_DEVICE_ERROR` (or `return 0x80000001`), and nothing is forwarded;
//!   - `delay 250` (milliseconds), `hang` (until the line is gone), `crash`;
//!   - `logout`: login is lost until the next `C_Login`; `close-sessions`: all sessions are gone, and login with them;
//!   - of `C_Sign`: `flip 17` (a bit), `previous` (the signature made before this one), `high-s`, `zero-r`, `zero-s`,
//!     `short`, `long`; these do not count calls that ask for the length only;
//!   - of `C_SignInit`: `another-key` (of the same type);
//!   - of `C_GetAttributeValue`: `attribute CKA_EXTRACTABLE true`, `attribute CKA_EC_PARAMS 06052b8104000a`;
//!     `point wrapped`, `bare`, `bits`, `compressed`, `truncated`: the form of `CKA_EC_POINT`;
//!   - of `C_GetTokenInfo`: `serial TEXT`, `flags CKF_USER_PIN_FINAL_TRY`;
//!   - `slots 7`, `objects 1000`, for `* always`: all slots or objects have other numbers, by so much, and the old
//!     ones are invalid;
//!   - `try read PATH`, `list`, `write`, `make`, `rename PATH`, `try listen`, `try abstract NAME`, `try signal PID`: what
//!     a module has no business doing. The outcome is noted in place of the value: `done`, or `PermissionDenied`.

mod attempt;
mod codes;
mod control;
mod fault;
mod journal;
mod point;
mod sessions;
mod signature;
mod uses;

#[expect(unsafe_code, reason = "these are the functions of the C interface")]
mod functions;
#[expect(unsafe_code, reason = "a shared library is loaded")]
mod module;
#[expect(
    unsafe_code,
    reason = "the functions of the C interface whose results are changed read and write through pointers"
)]
mod special;

pub use functions::C_GetFunctionList;
