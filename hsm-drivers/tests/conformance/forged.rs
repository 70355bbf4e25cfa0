//! Backups that somebody altered: with the backup key, and so with a seal that holds, and without. The seal is made here
//! again from what the file says, so that its form cannot change unnoticed.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use hsm_drivers::ceremony::{BackupKey, WrappedKey};
use serde_json::Value;
use sha2::{Digest, Sha256};

const SECRET: [u8; 32] = [0x5a; 32];

pub(crate) fn backup_key() -> BackupKey {
    BackupKey::from_secret(&SECRET)
}

/// The backup with this member of its file changed.
pub(crate) fn altered(backup: &WrappedKey, member: &str, value: impl Into<Value>) -> WrappedKey {
    let mut file = serde_json::to_value(backup).unwrap();
    let value = value.into();
    assert_ne!(file[member], value, "{member}");
    file[member] = value;
    serde_json::from_value(file).unwrap()
}

/// As [`altered`], by somebody who has [`backup_key`].
pub(crate) fn forged(backup: &WrappedKey, member: &str, value: impl Into<Value>) -> WrappedKey {
    let altered = altered(backup, member, value);
    let file = serde_json::to_value(&altered).unwrap();
    let seal = hex::encode(seal(&file));
    if altered == *backup { altered } else { self::altered(&altered, "seal", seal) }
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

fn derive(secret: &[u8], info: &[u8]) -> [u8; 32] {
    hmac(&hmac(&[], &[secret]), &[info, &[1]])
}

fn seal(file: &Value) -> Vec<u8> {
    let text = |member: &str| file[member].as_str().unwrap_or_default().to_owned();
    let wrapped = STANDARD.decode(text("wrapped")).unwrap();
    let public_key = [text("algorithm").as_bytes(), b"\n", &hex::decode(text("public_key")).unwrap()].concat();
    let id = match text("id").strip_prefix("0x") {
        Some(digits) => u16::from_str_radix(digits, 16).unwrap().to_string(),
        None => text("id"),
    };
    let mut place = vec![text("driver"), text("mechanism"), id];
    place.extend(["domains", "capabilities"].into_iter().filter(|member| file[*member].is_string()).map(text));
    let chain_code = hex::decode(text("chain_code")).unwrap();
    let parts = [wrapped.clone(), text("label").into(), public_key, chain_code, place.join("\n").into()];

    let key = derive(&derive(&SECRET, b"chancery backup key v1"), b"chancery backup seal v1");
    let hash: [u8; 32] = Sha256::digest(&wrapped).into();
    let tags = (0_u8..).zip(&parts).map(|(number, part)| hmac(&key, &[&[number], &hash, part]));
    tags.flat_map(|tag| tag[..16].to_vec()).collect()
}
