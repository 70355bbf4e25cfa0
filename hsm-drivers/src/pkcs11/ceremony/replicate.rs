//! One key in two tokens: wrapped out of the one, unwrapped into the other, never in plain outside of them.

use hsm_types::KeyLabel;

use super::{Ceremony, Replica, original::Original, wrap_key::WrapKey};
use crate::{
    Error, Pin,
    ceremony::{Act, not_begun},
    pkcs11::key,
};

pub(super) fn replicate(
    from: &Ceremony,
    label: &KeyLabel,
    so_pin: &Pin,
    user_pin: &Pin,
    to: &Ceremony,
) -> Result<Replica, Error> {
    if from.token.is(&to.token)? {
        return Err(not_begun(Act::Replication, label, "both are the same token"));
    }
    let original = Original::read(&from.session, label, Act::Replication)?;
    if original.is_there(&to.session)? {
        return original.prove_again(&to.session);
    }
    let wrap_key = WrapKey::random(&from.session)?;
    let wrapped = wrap_key.wrap_out(&from.token, &from.session, label, so_pin, user_pin)?;
    let replica = original.bring_in(&to.session, &wrap_key, &wrapped)?;
    // The original as well: while a trusted key is there it is not fit to serve.
    key::find(&from.session, label)?;
    Ok(replica)
}
