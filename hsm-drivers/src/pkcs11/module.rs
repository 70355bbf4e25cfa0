//! A vendor's shared library, loaded and initialised once per process.

mod file;

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error as CryptokiError, RvError},
};

use super::failure::call_failed;
use crate::{Disposition, Error};

/// `C_Initialize` belongs to the process, not to whoever calls it, so what is initialised is kept here.
static LOADED: Mutex<Vec<(PathBuf, Pkcs11)>> = Mutex::new(Vec::new());

/// The module at `path`, ready for calls from any thread.
pub(super) fn load(path: &Path) -> Result<Pkcs11, Error> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, context)) = loaded.iter().find(|(known, _)| known == path) {
        return Ok(context.clone());
    }
    let context = open(path)?;
    match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(CryptokiError::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(error) => return Err(call_failed(error, &format!("of {}", path.display()))),
    }
    loaded.push((path.to_owned(), context.clone()));
    Ok(context)
}

/// The system's loader says of a file for another machine that it cannot be opened, so the file is looked at first.
fn open(path: &Path) -> Result<Pkcs11, Error> {
    let module = path.display().to_string();
    if let Some(reason) = file::deviation(path) {
        return Err(Error::ModuleUnfit { module, reason });
    }
    Pkcs11::new(path).map_err(|error| {
        let cause = error.to_string();
        if cause.contains(ENTRY) {
            let reason = format!(
                "it is a shared library and no PKCS#11 module, for it has no {ENTRY}: name the vendor's PKCS#11 module in \
                 the configuration"
            );
            return Error::ModuleUnfit { module, reason };
        }
        // Not final: a package may be half installed just now.
        Error::Call {
            attempted: format!("loading PKCS#11 module {module}"),
            cause: format!("{cause}: install the vendor's package, and what it needs, whole"),
            disposition: Disposition::NotSent,
        }
    })
}

/// What every module has (PKCS #11 v2.40, 5.4).
const ENTRY: &str = "C_GetFunctionList";
