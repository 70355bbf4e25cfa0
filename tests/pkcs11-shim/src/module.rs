//! The real module.

use std::{ptr, sync::OnceLock};

use cryptoki_sys::{CK_FUNCTION_LIST, CKR_OK, Pkcs11};

use crate::control::give_up;

/// Its functions. It is loaded at the first call, and stays.
pub(crate) fn real() -> &'static CK_FUNCTION_LIST {
    static REAL: OnceLock<CK_FUNCTION_LIST> = OnceLock::new();
    REAL.get_or_init(|| load().unwrap_or_else(|why| give_up(&why)))
}

fn load() -> Result<CK_FUNCTION_LIST, String> {
    let path = std::env::var_os("PKCS11_SHIM_MODULE").ok_or("PKCS11_SHIM_MODULE is not set")?;
    let failed = |why: &str| format!("loading {}: {why}", path.display());
    let mut list = ptr::null_mut();
    // SAFETY: the test names a PKCS#11 module, whose initialisers are fit to run.
    let library = unsafe { Pkcs11::new(&path) }.map_err(|error| failed(&error.to_string()))?;
    // SAFETY: `list` is a place for a pointer; PKCS #11 v2.40, 5.2, says that it is all the function wants.
    let value = unsafe { library.C_GetFunctionList(&raw mut list) };
    // For as long as the process lives: the list points into it.
    std::mem::forget(library);
    if value != CKR_OK || list.is_null() {
        return Err(failed("it gives no list of functions"));
    }
    // SAFETY: the module gave a list of version 2, which stays where it is.
    Ok(unsafe { *list })
}
