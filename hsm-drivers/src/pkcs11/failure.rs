//! What `CKR_...` codes mean for the signature and the session.

use cryptoki::{
    context::Function,
    error::{Error as CryptokiError, RvError},
};

use crate::{Disposition, Error};

/// The error of a call; `on` completes the sentence "C_Something ...": `with key "btc-hot"`.
pub(super) fn call_failed(error: CryptokiError, on: &str) -> Error {
    if let CryptokiError::Pkcs11(code, function) = error {
        return Error::Call {
            attempted: format!("C_{function:?} {on}"),
            cause: code_name(code),
            disposition: disposition(code, function),
        };
    }
    Error::Call { attempted: format!("PKCS#11 call {on}"), cause: error.to_string(), disposition: Disposition::Broken }
}

/// The object was deleted, or the session that knew it is not what it was.
pub(super) fn is_stale_handle(error: &CryptokiError) -> bool {
    matches!(error, CryptokiError::Pkcs11(RvError::ObjectHandleInvalid | RvError::KeyHandleInvalid, _))
}

/// A code not known to be a plain no is taken for a broken session: opening afresh costs little, staying may cost all.
fn disposition(code: RvError, function: Function) -> Disposition {
    if is_plain_refusal(code) {
        Disposition::Refused
    } else if matches!(function, Function::Sign) {
        Disposition::OutcomeUnknown
    } else {
        Disposition::Broken
    }
}

/// The codes by which a working token in a working session says no.
fn is_plain_refusal(code: RvError) -> bool {
    matches!(
        code,
        RvError::ActionProhibited
            | RvError::AttributeReadOnly
            | RvError::AttributeSensitive
            | RvError::AttributeTypeInvalid
            | RvError::AttributeValueInvalid
            | RvError::CurveNotSupported
            | RvError::DataInvalid
            | RvError::DataLenRange
            | RvError::DomainParamsInvalid
            | RvError::FunctionNotSupported
            | RvError::FunctionRejected
            | RvError::KeyFunctionNotPermitted
            | RvError::KeySizeRange
            | RvError::KeyTypeInconsistent
            | RvError::MechanismInvalid
            | RvError::MechanismParamInvalid
            | RvError::PinExpired
            | RvError::PinIncorrect
            | RvError::PinInvalid
            | RvError::PinLenRange
            | RvError::PinLocked
            | RvError::PinTooWeak
            | RvError::SessionReadOnly
            | RvError::TemplateIncomplete
            | RvError::TemplateInconsistent
            | RvError::TokenWriteProtected
    )
}

/// The code as the standard writes it: `CKR_DEVICE_REMOVED`.
pub(super) fn code_name(code: RvError) -> String {
    if let RvError::VendorDefined(value) | RvError::UnknownErrorCode(value) = code {
        return format!("return value {value:#x}");
    }
    let mut name = "CKR".to_owned();
    for character in format!("{code:?}").chars() {
        if character.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(character.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_named_as_in_the_standard() {
        assert_eq!(code_name(RvError::DeviceRemoved), "CKR_DEVICE_REMOVED");
        assert_eq!(code_name(RvError::SlotIdInvalid), "CKR_SLOT_ID_INVALID");
        assert_eq!(code_name(RvError::VendorDefined(0x8000_0001)), "return value 0x80000001");
    }

    #[test]
    fn only_sign_itself_leaves_the_outcome_unknown() {
        let after = |code, function| call_failed(CryptokiError::Pkcs11(code, function), "with key").disposition();
        assert_eq!(after(RvError::GeneralError, Function::Sign), Disposition::OutcomeUnknown);
        assert_eq!(after(RvError::GeneralError, Function::SignInit), Disposition::Broken);
        assert_eq!(after(RvError::SessionHandleInvalid, Function::SignInit), Disposition::Broken);
        assert_eq!(after(RvError::DataLenRange, Function::Sign), Disposition::Refused);
    }
}
