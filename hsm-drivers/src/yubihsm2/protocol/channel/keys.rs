//! Keys of the channel: the static ones of an authentication key, and those of a session derived from them.

use std::fmt;

use aes::{Aes128, cipher::KeyInit};
use cmac::{Cmac, Mac as _};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{CHALLENGE, ChannelError};

/// Value of an authentication key: one AES-128 key for encryption, one for MACs.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct StaticKeys {
    encryption: [u8; 16],
    mac: [u8; 16],
}

impl StaticKeys {
    /// Bytes of both keys together.
    pub const LENGTH: usize = 32;

    /// From a password, as all of Yubico's tools do: PBKDF2-HMAC-SHA-256, salt "Yubico", 10,000 rounds.
    #[must_use]
    pub fn from_password(password: &[u8]) -> Self {
        let mut both = Zeroizing::new([0; Self::LENGTH]);
        pbkdf2::pbkdf2_hmac::<Sha256>(password, b"Yubico", 10_000, &mut *both);
        Self::from_bytes(&both)
    }

    /// From the encryption key and the MAC key behind it.
    #[must_use]
    pub fn from_bytes(both: &[u8; Self::LENGTH]) -> Self {
        let (mut encryption, mut mac) = ([0; 16], [0; 16]);
        encryption.copy_from_slice(&both[..16]);
        mac.copy_from_slice(&both[16..]);
        Self { encryption, mac }
    }

    /// The encryption key and the MAC key behind it, as Put Authentication Key takes them.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; Self::LENGTH]> {
        let mut both = Zeroizing::new([0; Self::LENGTH]);
        both[..16].copy_from_slice(&self.encryption);
        both[16..].copy_from_slice(&self.mac);
        both
    }
}

impl fmt::Debug for StaticKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StaticKeys")
    }
}

/// The challenges of both sides.
#[derive(Clone, Copy)]
pub(super) struct Context {
    pub(super) host: [u8; CHALLENGE],
    pub(super) card: [u8; CHALLENGE],
}

/// Data derivation constants: GPC_SPE_014, table 4-1.
const CARD_CRYPTOGRAM: u8 = 0x00;
const HOST_CRYPTOGRAM: u8 = 0x01;
const S_ENC: u8 = 0x04;
const S_MAC: u8 = 0x06;
const S_RMAC: u8 = 0x07;

/// Keys of one session, under their names in the specification.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct SessionKeys {
    pub(super) s_enc: [u8; 16],
    pub(super) s_mac: [u8; 16],
    pub(super) s_rmac: [u8; 16],
}

impl SessionKeys {
    pub(super) fn derive(keys: &StaticKeys, context: &Context) -> Self {
        let derive = |key, constant| prf(key, constant, 128, context).finalize().into_bytes().into();
        Self {
            s_enc: derive(&keys.encryption, S_ENC),
            s_mac: derive(&keys.mac, S_MAC),
            s_rmac: derive(&keys.mac, S_RMAC),
        }
    }

    pub(super) fn card_cryptogram(&self, context: &Context) -> [u8; CHALLENGE] {
        first_half(prf(&self.s_mac, CARD_CRYPTOGRAM, 64, context))
    }

    pub(super) fn host_cryptogram(&self, context: &Context) -> [u8; CHALLENGE] {
        first_half(prf(&self.s_mac, HOST_CRYPTOGRAM, 64, context))
    }

    /// In constant time.
    pub(super) fn verify_card_cryptogram(&self, context: &Context, cryptogram: &[u8]) -> Result<(), ChannelError> {
        let expected = prf(&self.s_mac, CARD_CRYPTOGRAM, 64, context);
        verify(expected, cryptogram)
    }

    /// In constant time.
    pub(super) fn verify_host_cryptogram(&self, context: &Context, cryptogram: &[u8]) -> Result<(), ChannelError> {
        let expected = prf(&self.s_mac, HOST_CRYPTOGRAM, 64, context);
        verify(expected, cryptogram)
    }
}

fn verify(expected: Cmac<Aes128>, cryptogram: &[u8]) -> Result<(), ChannelError> {
    if cryptogram.len() != CHALLENGE {
        return Err(ChannelError::Cryptogram);
    }
    expected.verify_truncated_left(cryptogram).map_err(|_| ChannelError::Cryptogram)
}

fn first_half(mac: Cmac<Aes128>) -> [u8; CHALLENGE] {
    let whole: [u8; 16] = mac.finalize().into_bytes().into();
    let mut half = [0; CHALLENGE];
    half.copy_from_slice(&whole[..CHALLENGE]);
    half
}

/// KDF in counter mode with AES-CMAC (NIST SP 800-108), one block: label, constant, separator, length in bits, counter,
/// context (GPC_SPE_014, 4.1.5).
fn prf(key: &[u8; 16], constant: u8, bits: u16, context: &Context) -> Cmac<Aes128> {
    <Cmac<Aes128> as KeyInit>::new(key.into())
        .chain_update([0; 11])
        .chain_update([constant, 0])
        .chain_update(bits.to_be_bytes())
        .chain_update([1])
        .chain_update(context.host)
        .chain_update(context.card)
}
