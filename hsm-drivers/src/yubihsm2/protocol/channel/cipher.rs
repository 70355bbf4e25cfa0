//! What both ends do to a message: pad, encrypt, chain the MACs.

use aes::{
    Aes128,
    cipher::{Block, BlockDecrypt, BlockEncrypt, KeyInit},
};
use cmac::{Cmac, Mac as _};

use super::{ChannelError, MAC};

/// Bytes of an AES block.
pub(super) const BLOCK: usize = 16;

/// The MAC sent is short, so that keys are not used for ever.
pub(super) const MOST_MESSAGES: u32 = 1 << 20;

/// MAC over `message` behind `chain`, which all sixteen bytes of it then replace (GPC_SPE_014, 6.2.4).
pub(super) fn mac(key: &[u8; 16], chain: &[u8; 16], message: &[u8]) -> Cmac<Aes128> {
    <Cmac<Aes128> as KeyInit>::new(key.into()).chain_update(chain).chain_update(message)
}

/// The next chain, and the MAC as sent.
pub(super) fn sign(key: &[u8; 16], chain: &[u8; 16], message: &[u8]) -> ([u8; 16], [u8; MAC]) {
    let whole: [u8; 16] = mac(key, chain, message).finalize().into_bytes().into();
    let mut sent = [0; MAC];
    sent.copy_from_slice(&whole[..MAC]);
    (whole, sent)
}

/// The next chain, where `sent` is the MAC of `message`. In constant time.
pub(super) fn verify(
    key: &[u8; 16],
    chain: &[u8; 16],
    message: &[u8],
    sent: &[u8; MAC],
) -> Result<[u8; 16], ChannelError> {
    let expected = mac(key, chain, message);
    expected.clone().verify_truncated_left(sent).map_err(|_| ChannelError::Mac)?;
    Ok(expected.finalize().into_bytes().into())
}

/// AES-CBC under the initial vector of message `counter`, padded with 0x80 and zeros (GPC_SPE_014, 6.2.6).
pub(super) fn encrypt(key: &[u8; 16], counter: u32, message: &[u8]) -> Vec<u8> {
    let aes = Aes128::new(key.into());
    let mut previous = initial_vector(&aes, counter);
    let mut bytes = message.to_vec();
    bytes.push(0x80);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    for chunk in bytes.chunks_exact_mut(BLOCK) {
        chunk.iter_mut().zip(previous).for_each(|(byte, other)| *byte ^= other);
        aes.encrypt_block(Block::<Aes128>::from_mut_slice(chunk));
        previous = *Block::<Aes128>::from_slice(chunk);
    }
    bytes
}

/// Undoes [`encrypt`].
pub(super) fn decrypt(key: &[u8; 16], counter: u32, ciphertext: &[u8]) -> Result<Vec<u8>, ChannelError> {
    if ciphertext.is_empty() || !ciphertext.len().is_multiple_of(BLOCK) {
        return Err(ChannelError::Length { length: ciphertext.len() });
    }
    let aes = Aes128::new(key.into());
    let mut previous = initial_vector(&aes, counter);
    let mut bytes = Vec::with_capacity(ciphertext.len());
    for chunk in ciphertext.chunks_exact(BLOCK) {
        let mut block = *Block::<Aes128>::from_slice(chunk);
        aes.decrypt_block(&mut block);
        bytes.extend(block.iter().zip(previous).map(|(byte, other)| byte ^ other));
        previous = *Block::<Aes128>::from_slice(chunk);
    }
    let end = bytes.iter().rposition(|byte| *byte != 0).ok_or(ChannelError::Padding)?;
    if bytes.get(end) != Some(&0x80) || bytes.len() - end > BLOCK {
        return Err(ChannelError::Padding);
    }
    bytes.truncate(end);
    Ok(bytes)
}

/// The message counter as one block, encrypted. Response and command share it on this device.
fn initial_vector(aes: &Aes128, counter: u32) -> Block<Aes128> {
    let mut block = Block::<Aes128>::from(u128::from(counter).to_be_bytes());
    aes.encrypt_block(&mut block);
    block
}
