//! Standard multisig scripts, which are what was written or nothing: `OP_m <33-byte keys> OP_n OP_CHECKMULTISIG`.

use bitcoin::{
    ScriptBuf,
    opcodes::all::{OP_CHECKMULTISIG, OP_PUSHBYTES_33, OP_PUSHNUM_1},
    secp256k1,
};

use super::Spend;

const CHECKMULTISIG: u8 = OP_CHECKMULTISIG.to_u8();
const PUSH_KEY: u8 = OP_PUSHBYTES_33.to_u8();
/// `OP_n` is this and n.
const NUMBER_BASE: u8 = OP_PUSHNUM_1.to_u8() - 1;
const MOST_KEYS: u8 = 16;

/// The script read; none where it is anything else, or has a key twice or one that is no point.
pub(super) fn read(script: &[u8]) -> Option<Spend> {
    let [required, keys @ .., count, CHECKMULTISIG] = script else { return None };
    let (required, count) = (number(*required)?, number(*count)?);
    let pushes = keys.chunks_exact(34);
    if required > count || pushes.len() != usize::from(count) || !pushes.remainder().is_empty() {
        return None;
    }
    let keys = pushes.map(|push| match push {
        [PUSH_KEY, key @ ..] => secp256k1::PublicKey::from_slice(key).ok().map(|key| key.serialize()),
        _ => None,
    });
    let public_keys: Vec<_> = keys.collect::<Option<_>>()?;
    let distinct: std::collections::BTreeSet<_> = public_keys.iter().collect();
    (distinct.len() == public_keys.len()).then_some(Spend::Multisig { required, public_keys })
}

/// The script of which [`read`] read these.
pub(super) fn script(required: u8, public_keys: &[[u8; 33]]) -> ScriptBuf {
    let mut script = vec![NUMBER_BASE.saturating_add(required)];
    for key in public_keys {
        script.push(PUSH_KEY);
        script.extend(key);
    }
    script.push(NUMBER_BASE.saturating_add(public_keys.len().try_into().unwrap_or(u8::MAX)));
    script.push(CHECKMULTISIG);
    script.into()
}

fn number(opcode: u8) -> Option<u8> {
    opcode.checked_sub(NUMBER_BASE).filter(|number| (1..=MOST_KEYS).contains(number))
}
