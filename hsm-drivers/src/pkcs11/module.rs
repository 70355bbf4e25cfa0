//! A vendor's shared library, loaded and initialised once per process.

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
    let context = Pkcs11::new(path).map_err(|error| Error::Call {
        attempted: format!("loading PKCS#11 module {}", path.display()),
        cause: error.to_string(),
        disposition: Disposition::NotSent,
    })?;
    match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(CryptokiError::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(error) => return Err(call_failed(error, &format!("of {}", path.display()))),
    }
    loaded.push((path.to_owned(), context.clone()));
    Ok(context)
}
