//! `C_InitToken` and `C_InitPIN`.

use std::path::Path;

use cryptoki::{context::Pkcs11, session::UserType, slot::Slot};

use crate::{
    Disposition, Error, Pin,
    pkcs11::{
        failure::call_failed,
        module,
        token::{self, auth_pin},
    },
};

/// `CK_TOKEN_INFO.label` is this many bytes; longer ones would be cut without a word.
const LONGEST_LABEL: usize = 32;

/// Makes a token of the first slot whose token is not initialised, and returns its serial number. After an interruption
/// the same call goes on.
///
/// # Errors
/// [`Error::TokenExists`] where a token has this label. An initialised token is never initialised again.
pub fn initialize_token(module: &Path, label: &str, so_pin: &Pin, user_pin: &Pin) -> Result<String, Error> {
    let name = format!("token \"{label}\"");
    if label.is_empty() || label.len() > LONGEST_LABEL || label.trim() != label {
        let cause = format!("a label is 1 to {LONGEST_LABEL} bytes, without spaces at its ends");
        return Err(Error::Call {
            attempted: format!("C_InitToken of {name}"),
            cause,
            disposition: Disposition::NotSent,
        });
    }
    let context = module::load(module)?;
    let failed = |error| call_failed(error, &format!("of {name}"));
    let slot = match token::list(&context)?.into_iter().find(|(_, info)| info.label() == label) {
        Some((_, info)) if info.user_pin_initialized() => return Err(Error::TokenExists { token: name }),
        // An earlier call ended between the two: nobody has used this token yet.
        Some((slot, _)) => slot,
        None => {
            let slot = free_slot(&context)?;
            context.init_token(slot, &auth_pin(so_pin), label).map_err(failed)?;
            slot
        }
    };
    let session = context.open_rw_session(slot).map_err(failed)?;
    session.login(UserType::So, Some(&auth_pin(so_pin))).map_err(failed)?;
    session.init_pin(&auth_pin(user_pin)).map_err(failed)?;
    session.logout().map_err(failed)?;
    Ok(context.get_token_info(slot).map_err(failed)?.serial_number().to_owned())
}

fn free_slot(context: &Pkcs11) -> Result<Slot, Error> {
    let slots = context.get_slots_with_token().map_err(|error| call_failed(error, "of the module"))?;
    let free = |slot: &Slot| context.get_token_info(*slot).is_ok_and(|info| !info.token_initialized());
    slots.into_iter().find(free).ok_or_else(|| Error::TokenNotFound {
        token: "a token not yet initialised".to_owned(),
        found: "initialised ones only".to_owned(),
    })
}
