//! The encryption of wrapped objects: AES-CCM (RFC 3610) with a nonce of 13 bytes, in front, and a MAC of 16, behind.

use aes::{
    Aes128, Aes192, Aes256,
    cipher::{BlockCipher, BlockEncrypt, BlockSizeUser, KeyInit, consts::U16},
};
use ccm::{Ccm, aead::Aead, consts::U13};
use rand::{RngCore, rngs::OsRng};
use zeroize::Zeroizing;

use crate::{
    simulator::objects::Object,
    yubihsm2::protocol::{Algorithm, ErrorCode},
};

const NONCE: usize = 13;

pub(super) fn encrypt(wrap_key: &Object, message: &[u8]) -> Result<Vec<u8>, ErrorCode> {
    let mut nonce = [0; NONCE];
    OsRng.fill_bytes(&mut nonce);
    let seal = match wrap_key.info.algorithm {
        Algorithm::AES128_CCM_WRAP => seal::<Aes128>,
        Algorithm::AES192_CCM_WRAP => seal::<Aes192>,
        _ => seal::<Aes256>,
    };
    Ok([&nonce[..], &seal(&wrap_key.value, &nonce, message)?].concat())
}

pub(super) fn decrypt(wrap_key: &Object, message: &[u8]) -> Result<Zeroizing<Vec<u8>>, ErrorCode> {
    let (nonce, sealed) = message.split_first_chunk::<NONCE>().ok_or(ErrorCode::WRONG_LENGTH)?;
    let open = match wrap_key.info.algorithm {
        Algorithm::AES128_CCM_WRAP => open::<Aes128>,
        Algorithm::AES192_CCM_WRAP => open::<Aes192>,
        _ => open::<Aes256>,
    };
    open(&wrap_key.value, nonce, sealed).map(Zeroizing::new)
}

fn seal<C>(key: &[u8], nonce: &[u8; NONCE], message: &[u8]) -> Result<Vec<u8>, ErrorCode>
where
    C: BlockCipher + BlockEncrypt + BlockSizeUser<BlockSize = U16> + KeyInit,
{
    let cipher = Ccm::<C, U16, U13>::new_from_slice(key).map_err(|_| ErrorCode::INVALID_DATA)?;
    cipher.encrypt(nonce.into(), message).map_err(|_| ErrorCode::INVALID_DATA)
}

fn open<C>(key: &[u8], nonce: &[u8; NONCE], sealed: &[u8]) -> Result<Vec<u8>, ErrorCode>
where
    C: BlockCipher + BlockEncrypt + BlockSizeUser<BlockSize = U16> + KeyInit,
{
    let cipher = Ccm::<C, U16, U13>::new_from_slice(key).map_err(|_| ErrorCode::INVALID_DATA)?;
    cipher.decrypt(nonce.into(), sealed).map_err(|_| ErrorCode::INVALID_DATA)
}
