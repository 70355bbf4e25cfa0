//! One key in a token and in a file: wrapped out under the ceremony's backup key, and unwrapped into a token again.

use hsm_types::KeyLabel;

use super::{BackupKey, Ceremony, Replica, WrappedKey, Wrapping, original::Original, wrap_key::WrapKey};
use crate::{Error, Pin, ceremony::Act, pkcs11::key};

pub(super) fn back_up(
    from: &Ceremony,
    label: &KeyLabel,
    backup_key: &BackupKey,
    so_pin: &Pin,
    user_pin: &Pin,
) -> Result<WrappedKey, Error> {
    let original = Original::read(&from.session, label, Act::Backup)?;
    let wrap_key = WrapKey::of(backup_key);
    let wrapped = wrap_key.wrap_out(&from.token, &from.session, label, so_pin, user_pin)?;
    // While a trusted key is there it is not fit to serve.
    key::find(&from.session, label)?;
    let Original { label, id, public_key, chain_code } = original;
    Ok(WrappedKey::new(label, public_key, chain_code, Wrapping::Pkcs11 { id }, wrapped, backup_key))
}

pub(super) fn restore(to: &Ceremony, backup: &WrappedKey, backup_key: &BackupKey) -> Result<Replica, Error> {
    backup.check(backup_key)?;
    let Wrapping::Pkcs11 { id } = &backup.wrapping else { return Err(backup.wrapping.refuse(&backup.label)) };
    let original = Original {
        label: backup.label.clone(),
        id: id.clone(),
        public_key: backup.public_key.clone(),
        chain_code: backup.chain_code.clone(),
    };
    if original.is_there(&to.session)? {
        return original.prove_again(&to.session);
    }
    original.bring_in(&to.session, &WrapKey::of(backup_key), &backup.wrapped)
}
