//! The names of PKCS#11's numbers.

use cryptoki_sys::*;

macro_rules! names {
    ($($name:ident)*) => { &[$((stringify!($name), $name)),*] };
}

const RETURN_VALUES: &[(&str, CK_RV)] = names! {
    CKR_OK CKR_HOST_MEMORY CKR_SLOT_ID_INVALID CKR_GENERAL_ERROR CKR_FUNCTION_FAILED CKR_ARGUMENTS_BAD
    CKR_ATTRIBUTE_SENSITIVE CKR_ATTRIBUTE_TYPE_INVALID CKR_DATA_INVALID CKR_DATA_LEN_RANGE CKR_DEVICE_ERROR
    CKR_DEVICE_MEMORY CKR_DEVICE_REMOVED CKR_FUNCTION_CANCELED CKR_FUNCTION_NOT_SUPPORTED CKR_KEY_HANDLE_INVALID
    CKR_KEY_FUNCTION_NOT_PERMITTED CKR_MECHANISM_INVALID CKR_OBJECT_HANDLE_INVALID CKR_OPERATION_ACTIVE
    CKR_OPERATION_NOT_INITIALIZED CKR_PIN_INCORRECT CKR_PIN_INVALID CKR_PIN_EXPIRED CKR_PIN_LOCKED CKR_SESSION_CLOSED
    CKR_SESSION_COUNT CKR_SESSION_HANDLE_INVALID CKR_TOKEN_NOT_PRESENT CKR_TOKEN_NOT_RECOGNIZED
    CKR_USER_ALREADY_LOGGED_IN CKR_USER_NOT_LOGGED_IN CKR_USER_PIN_NOT_INITIALIZED CKR_USER_TOO_MANY_TYPES
    CKR_BUFFER_TOO_SMALL CKR_CRYPTOKI_NOT_INITIALIZED CKR_CRYPTOKI_ALREADY_INITIALIZED CKR_FUNCTION_REJECTED
};

const ATTRIBUTES: &[(&str, CK_ATTRIBUTE_TYPE)] = names! {
    CKA_TOKEN CKA_PRIVATE CKA_LABEL CKA_KEY_TYPE CKA_ID CKA_SENSITIVE CKA_DECRYPT CKA_UNWRAP CKA_SIGN CKA_SIGN_RECOVER
    CKA_DERIVE CKA_EXTRACTABLE CKA_LOCAL CKA_NEVER_EXTRACTABLE CKA_ALWAYS_SENSITIVE CKA_MODIFIABLE CKA_EC_PARAMS
    CKA_EC_POINT CKA_ALWAYS_AUTHENTICATE CKA_VALUE
};

const TOKEN_FLAGS: &[(&str, CK_FLAGS)] = names! {
    CKF_USER_PIN_COUNT_LOW CKF_USER_PIN_FINAL_TRY CKF_USER_PIN_LOCKED CKF_TOKEN_INITIALIZED
};

fn number_of(names: &[(&str, CK_ULONG)], name: &str) -> Option<CK_ULONG> {
    names.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
}

/// `CKR_DEVICE_ERROR`, or any number as `0x80000001`.
pub(crate) fn return_value(name: &str) -> Option<CK_RV> {
    match name.strip_prefix("0x") {
        Some(digits) => CK_RV::from_str_radix(digits, 16).ok(),
        None => number_of(RETURN_VALUES, name),
    }
}

/// The name of a return value, or the number as [`return_value`] reads it.
pub(crate) fn return_name(value: CK_RV) -> String {
    let known = RETURN_VALUES.iter().find(|(_, number)| *number == value);
    known.map_or_else(|| format!("{value:#x}"), |(name, _)| (*name).to_owned())
}

/// `CKA_DERIVE`.
pub(crate) fn attribute(name: &str) -> Option<CK_ATTRIBUTE_TYPE> {
    number_of(ATTRIBUTES, name)
}

/// `CKF_USER_PIN_LOCKED`.
pub(crate) fn token_flag(name: &str) -> Option<CK_FLAGS> {
    number_of(TOKEN_FLAGS, name)
}
