//! One key in a device and in a file: wrapped out under the ceremony's backup key, and unwrapped into a device again.

use hsm_types::KeyLabel;

use super::{
    BackupKey, Ceremony, Replica, WrappedKey, Wrapping, generate,
    original::Original,
    wrap_key::{self, WrapKey},
};
use crate::{
    Error, Protection,
    ceremony::{Act, not_begun},
};

pub(super) fn back_up(from: &mut Ceremony, label: &KeyLabel, backup_key: &BackupKey) -> Result<WrappedKey, Error> {
    let session = from.session()?;
    wrap_key::delete_all(session)?;
    let original = Original::read(session, label, Act::Backup)?;
    let wrapped = WrapKey::of(backup_key).export(session, &original)?;
    let Original { label, id, domains, capabilities, public_key, chain_code } = original;
    let wrapping = Wrapping::Yubihsm { id, domains, capabilities };
    Ok(WrappedKey::new(label, public_key, chain_code, wrapping, wrapped, backup_key))
}

pub(super) fn restore(to: &mut Ceremony, backup: &WrappedKey, backup_key: &BackupKey) -> Result<Replica, Error> {
    backup.check(backup_key)?;
    let &Wrapping::Yubihsm { id, domains, capabilities } = &backup.wrapping else {
        return Err(backup.wrapping.refuse(&backup.label));
    };
    let original = Original {
        label: backup.label.clone(),
        id,
        domains,
        capabilities,
        public_key: backup.public_key.clone(),
        chain_code: backup.chain_code.clone(),
    };
    refuse_foreign(&original, to)?;
    let session = to.session()?;
    wrap_key::delete_all(session)?;
    if original.is_there(session)? {
        return original.prove_again(session);
    }
    original.bring_in(session, &WrapKey::of(backup_key), &backup.wrapped)
}

/// The wrap key is given no more than such a key needs, whatever the backup says.
fn refuse_foreign(original: &Original, to: &Ceremony) -> Result<(), Error> {
    let Original { label, domains, capabilities, public_key, .. } = original;
    let least = generate::capabilities(public_key.algorithm(), Protection::LeavesWrapped);
    let refused = |cause: String| Err(not_begun(Act::Restore, label, cause));
    if *capabilities != least {
        return refused(format!("by the backup its capabilities are {capabilities}, and a key has {least}"));
    }
    if !to.domains.contain(*domains) {
        let cause = format!("it was in domains {domains}, and this authentication key is in {}", to.domains);
        return refused(cause);
    }
    Ok(())
}
