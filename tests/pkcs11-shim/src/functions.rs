//! The functions that are forwarded as they are, and the list of all.

use std::{ffi::c_void, sync::OnceLock};

use cryptoki_sys::*;

use crate::{control, journal, module::real, sessions, special};

/// Answers a call: by its faults, or by what `forward` does with those that change results.
///
/// An error is a value to return as well: of a number that means nothing, say.
pub(crate) fn answer(
    function: &str,
    asks_length: bool,
    forward: impl FnOnce(&mut Firing) -> Result<CK_RV, CK_RV>,
) -> CK_RV {
    let faults = match control::arrive(function, asks_length) {
        Ok(faults) => faults,
        Err(value) => return value,
    };
    let mut firing = Firing { faults, fired: Vec::new() };
    let value = forward(&mut firing).unwrap_or_else(|refusal| refusal);
    journal::note(function, value, &firing.fired);
    value
}

/// The faults of a call that change its result, and those that did.
pub(crate) struct Firing {
    pub(crate) faults: Vec<crate::fault::Fault>,
    pub(crate) fired: Vec<u64>,
}

/// The argument as the real module knows it. The name tells what it is.
macro_rules! real_argument {
    (slot $slot:ident) => {
        sessions::real_slot($slot)?
    };
    (session $session:ident) => {
        sessions::live($session)?
    };
    (object $object:ident) => {
        sessions::real_object($object)?
    };
    (key $key:ident) => {
        sessions::real_key($key)?
    };
    ($other:ident $value:ident) => {
        $value
    };
}

macro_rules! forwarded {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => {$(
        #[expect(non_snake_case, reason = "the standard's name")]
        unsafe extern "C" fn $name($($argument: $kind),*) -> CK_RV {
            answer(stringify!($name), false, |_| {
                $(let $argument = real_argument!($argument $argument);)*
                let function = real().$name.ok_or(CKR_FUNCTION_NOT_SUPPORTED)?;
                // SAFETY: these are the caller's own arguments, and it called as the standard says.
                Ok(unsafe { function($($argument),*) })
            })
        }
    )*};
}

forwarded! {
    C_Initialize(a: *mut c_void);
    C_Finalize(a: *mut c_void);
    C_GetInfo(a: *mut CK_INFO);
    C_GetSlotInfo(slot: CK_SLOT_ID, a: *mut CK_SLOT_INFO);
    C_GetMechanismList(slot: CK_SLOT_ID, a: *mut CK_MECHANISM_TYPE, b: *mut CK_ULONG);
    C_GetMechanismInfo(slot: CK_SLOT_ID, a: CK_MECHANISM_TYPE, b: *mut CK_MECHANISM_INFO);
    C_InitToken(slot: CK_SLOT_ID, a: *mut CK_UTF8CHAR, b: CK_ULONG, c: *mut CK_UTF8CHAR);
    C_InitPIN(session: CK_SESSION_HANDLE, a: *mut CK_UTF8CHAR, b: CK_ULONG);
    C_SetPIN(session: CK_SESSION_HANDLE, a: *mut CK_UTF8CHAR, b: CK_ULONG, c: *mut CK_UTF8CHAR, d: CK_ULONG);
    C_CloseAllSessions(slot: CK_SLOT_ID);
    C_GetOperationState(session: CK_SESSION_HANDLE, a: *mut CK_BYTE, b: *mut CK_ULONG);
    C_SetOperationState(session: CK_SESSION_HANDLE, a: *mut CK_BYTE, b: CK_ULONG, key: CK_OBJECT_HANDLE, key2: CK_OBJECT_HANDLE);
    C_Logout(session: CK_SESSION_HANDLE);
    C_CreateObject(session: CK_SESSION_HANDLE, a: *mut CK_ATTRIBUTE, b: CK_ULONG, c: *mut CK_OBJECT_HANDLE);
    C_CopyObject(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, a: *mut CK_ATTRIBUTE, b: CK_ULONG, c: *mut CK_OBJECT_HANDLE);
    C_DestroyObject(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE);
    C_GetObjectSize(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, a: *mut CK_ULONG);
    C_SetAttributeValue(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, a: *mut CK_ATTRIBUTE, b: CK_ULONG);
    C_FindObjectsInit(session: CK_SESSION_HANDLE, a: *mut CK_ATTRIBUTE, b: CK_ULONG);
    C_FindObjectsFinal(session: CK_SESSION_HANDLE);
    C_EncryptInit(session: CK_SESSION_HANDLE, a: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE);
    C_Encrypt(session: CK_SESSION_HANDLE, a: *mut CK_BYTE, b: CK_ULONG, c: *mut CK_BYTE, d: *mut CK_ULONG);
    C_EncryptUpdate(session: CK_SESSION_HANDLE, a: *mut CK_BYTE, b: CK_ULONG, c: *mut CK_BYTE, d: *mut CK_ULONG);
    C_EncryptFinal(session: CK_SESSION_HANDLE, a: *mut CK_BYTE, b: *mut CK_ULONG);
    C_DecryptInit(session: CK_SESSION_HANDLE, a: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE);
    C_Decrypt(session: CK_SESSION_HANDLE, a: *mut CK_BYTE, b: CK_ULONG, c: *mut CK_BYTE, d: *mut CK_ULONG);
    C_DecryptUpdate(session: CK_SESSION_HANDLE, a: *mut CK_BYTE, b: CK_ULONG, c: *mut CK_BYTE, d: *mut CK_ULONG);
    C_DecryptFinal(session: CK_SESSION_HANDLE, a: *mut CK_BYTE, b: *mut CK_ULONG);
    C_DigestInit(session: CK_SESSION_HANDLE, a: *mut CK_MECHANISM);
    C_Digest(session: CK_SESSION_HANDLE, a: *mut CK_BYTE, b: CK_ULONG, c: *mut CK_BYTE, d: *mut CK_ULONG);
    C_DigestUpdate(session: CK_SESSION_HANDLE, a: *mut CK_BYTE, b: CK_ULONG);
    C_DigestKey(session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE);
    C_DigestFinal(session: CK_SESSION_HANDLE, a: *mut CK_BYTE, b: *mut CK_ULONG);
    C_SignUpdate(session: CK_SESSION_HANDLE, a: *mut CK_BYTE, b: CK_ULONG);
    C_SignFinal(session: CK_SESSION_HANDLE, a: *mut CK_BYTE, b: *mut CK_ULONG);
    C_SignRecoverInit(session: CK_SESSION_HANDLE, a: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE);
    C_SignRecover(session: CK_SESSION_HANDLE, a: *mut CK_BYTE, b: CK_ULONG, c: *mut CK_BYTE, d: *mut CK_ULONG);
    C_VerifyInit(session: CK_SESSION_HANDLE, a: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE);
    C_Verify(session: CK_SESSION_HANDLE, a: *mut CK_BYTE, b: CK_ULONG, c: *mut CK_BYTE, d: CK_ULONG);
    C_VerifyUpdate(session: CK_SESSION_HANDLE, a: *mut CK_BYTE, b: CK_ULONG);
    C_VerifyFinal(session: CK_SESSION_HANDLE, a: *mut CK_BYTE, b: CK_ULONG);
    C_VerifyRecoverInit(session: CK_SESSION_HANDLE, a: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE);
    C_VerifyRecover(session: CK_SESSION_HANDLE, a: *mut CK_BYTE, b: CK_ULONG, c: *mut CK_BYTE, d: *mut CK_ULONG);
    C_DigestEncryptUpdate(session: CK_SESSION_HANDLE, a: *mut CK_BYTE, b: CK_ULONG, c: *mut CK_BYTE, d: *mut CK_ULONG);
    C_DecryptDigestUpdate(session: CK_SESSION_HANDLE, a: *mut CK_BYTE, b: CK_ULONG, c: *mut CK_BYTE, d: *mut CK_ULONG);
    C_SignEncryptUpdate(session: CK_SESSION_HANDLE, a: *mut CK_BYTE, b: CK_ULONG, c: *mut CK_BYTE, d: *mut CK_ULONG);
    C_DecryptVerifyUpdate(session: CK_SESSION_HANDLE, a: *mut CK_BYTE, b: CK_ULONG, c: *mut CK_BYTE, d: *mut CK_ULONG);
    C_GenerateKey(session: CK_SESSION_HANDLE, a: *mut CK_MECHANISM, b: *mut CK_ATTRIBUTE, c: CK_ULONG, d: *mut CK_OBJECT_HANDLE);
    C_GenerateKeyPair(session: CK_SESSION_HANDLE, a: *mut CK_MECHANISM, b: *mut CK_ATTRIBUTE, c: CK_ULONG, d: *mut CK_ATTRIBUTE, e: CK_ULONG, f: *mut CK_OBJECT_HANDLE, g: *mut CK_OBJECT_HANDLE);
    C_WrapKey(session: CK_SESSION_HANDLE, a: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE, key2: CK_OBJECT_HANDLE, b: *mut CK_BYTE, c: *mut CK_ULONG);
    C_UnwrapKey(session: CK_SESSION_HANDLE, a: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE, b: *mut CK_BYTE, c: CK_ULONG, d: *mut CK_ATTRIBUTE, e: CK_ULONG, f: *mut CK_OBJECT_HANDLE);
    C_DeriveKey(session: CK_SESSION_HANDLE, a: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE, b: *mut CK_ATTRIBUTE, c: CK_ULONG, d: *mut CK_OBJECT_HANDLE);
    C_SeedRandom(session: CK_SESSION_HANDLE, a: *mut CK_BYTE, b: CK_ULONG);
    C_GenerateRandom(session: CK_SESSION_HANDLE, a: *mut CK_BYTE, b: CK_ULONG);
    C_GetFunctionStatus(session: CK_SESSION_HANDLE);
    C_CancelFunction(session: CK_SESSION_HANDLE);
    C_WaitForSlotEvent(a: CK_FLAGS, b: *mut CK_SLOT_ID, c: *mut c_void);
}

macro_rules! list {
    ($($name:ident = $function:path),*) => {
        CK_FUNCTION_LIST { version: CK_VERSION { major: 2, minor: 40 }, $($name: Some($function)),* }
    };
}

fn list() -> &'static CK_FUNCTION_LIST {
    static LIST: OnceLock<CK_FUNCTION_LIST> = OnceLock::new();
    LIST.get_or_init(|| {
        list!(
            C_Initialize = C_Initialize,
            C_Finalize = C_Finalize,
            C_GetInfo = C_GetInfo,
            C_GetFunctionList = C_GetFunctionList,
            C_GetSlotList = special::get_slot_list,
            C_GetSlotInfo = C_GetSlotInfo,
            C_GetTokenInfo = special::get_token_info,
            C_GetMechanismList = C_GetMechanismList,
            C_GetMechanismInfo = C_GetMechanismInfo,
            C_InitToken = C_InitToken,
            C_InitPIN = C_InitPIN,
            C_SetPIN = C_SetPIN,
            C_OpenSession = special::open_session,
            C_CloseSession = special::close_session,
            C_CloseAllSessions = C_CloseAllSessions,
            C_GetSessionInfo = special::get_session_info,
            C_GetOperationState = C_GetOperationState,
            C_SetOperationState = C_SetOperationState,
            C_Login = special::login,
            C_Logout = C_Logout,
            C_CreateObject = C_CreateObject,
            C_CopyObject = C_CopyObject,
            C_DestroyObject = C_DestroyObject,
            C_GetObjectSize = C_GetObjectSize,
            C_GetAttributeValue = special::get_attribute_value,
            C_SetAttributeValue = C_SetAttributeValue,
            C_FindObjectsInit = C_FindObjectsInit,
            C_FindObjects = special::find_objects,
            C_FindObjectsFinal = C_FindObjectsFinal,
            C_EncryptInit = C_EncryptInit,
            C_Encrypt = C_Encrypt,
            C_EncryptUpdate = C_EncryptUpdate,
            C_EncryptFinal = C_EncryptFinal,
            C_DecryptInit = C_DecryptInit,
            C_Decrypt = C_Decrypt,
            C_DecryptUpdate = C_DecryptUpdate,
            C_DecryptFinal = C_DecryptFinal,
            C_DigestInit = C_DigestInit,
            C_Digest = C_Digest,
            C_DigestUpdate = C_DigestUpdate,
            C_DigestKey = C_DigestKey,
            C_DigestFinal = C_DigestFinal,
            C_SignInit = special::sign_init,
            C_Sign = special::sign,
            C_SignUpdate = C_SignUpdate,
            C_SignFinal = C_SignFinal,
            C_SignRecoverInit = C_SignRecoverInit,
            C_SignRecover = C_SignRecover,
            C_VerifyInit = C_VerifyInit,
            C_Verify = C_Verify,
            C_VerifyUpdate = C_VerifyUpdate,
            C_VerifyFinal = C_VerifyFinal,
            C_VerifyRecoverInit = C_VerifyRecoverInit,
            C_VerifyRecover = C_VerifyRecover,
            C_DigestEncryptUpdate = C_DigestEncryptUpdate,
            C_DecryptDigestUpdate = C_DecryptDigestUpdate,
            C_SignEncryptUpdate = C_SignEncryptUpdate,
            C_DecryptVerifyUpdate = C_DecryptVerifyUpdate,
            C_GenerateKey = C_GenerateKey,
            C_GenerateKeyPair = C_GenerateKeyPair,
            C_WrapKey = C_WrapKey,
            C_UnwrapKey = C_UnwrapKey,
            C_DeriveKey = C_DeriveKey,
            C_SeedRandom = C_SeedRandom,
            C_GenerateRandom = C_GenerateRandom,
            C_GetFunctionStatus = C_GetFunctionStatus,
            C_CancelFunction = C_CancelFunction,
            C_WaitForSlotEvent = C_WaitForSlotEvent
        )
    })
}

/// The list of all functions (PKCS #11 v2.40, 5.4): the one symbol a module must have.
///
/// # Safety
/// `place` is null or a place for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn C_GetFunctionList(place: *mut *mut CK_FUNCTION_LIST) -> CK_RV {
    if place.is_null() {
        return CKR_ARGUMENTS_BAD;
    }
    // SAFETY: not null, and so a place for a pointer. The caller only reads what it points to.
    unsafe { *place = std::ptr::from_ref(list()).cast_mut() };
    CKR_OK
}
