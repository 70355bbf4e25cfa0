//! One key in two devices: wrapped out of the one, unwrapped into the other, never in plain outside of them.

use hsm_types::KeyLabel;

use super::{
    Ceremony, Replica,
    original::Original,
    wrap_key::{self, WrapKey},
};
use crate::{
    Error,
    ceremony::{Act, not_begun},
};

pub(super) fn replicate(from: &mut Ceremony, label: &KeyLabel, to: &mut Ceremony) -> Result<Replica, Error> {
    if from.serial == to.serial {
        return Err(not_begun(Act::Replication, label, "both are the same device"));
    }
    let (from, to) = (from.session()?, to.session()?);
    wrap_key::delete_all(from)?;
    wrap_key::delete_all(to)?;
    let original = Original::read(from, label, Act::Replication)?;
    if original.is_there(to)? {
        return original.prove_again(to);
    }
    let wrap_key = WrapKey::random([from, to])?;
    let wrapped = wrap_key.export(from, &original)?;
    original.bring_in(to, &wrap_key, &wrapped)
}
