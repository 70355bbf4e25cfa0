//! The secure channel, Secure Channel Protocol '03' (GPC_SPE_014) as the YubiHSM 2 speaks it: AES-128, in Yubico's frames.
//!
//! [`host`] is the end of whoever asks, [`card`] the device's. Both come from one handshake:
//! Create Session brings a challenge from each side, from which both derive the session's keys; each proves by a
//! cryptogram that it knows the authentication key; then every message is encrypted and carries a MAC.

mod cipher;
mod keys;

pub mod card;
pub mod host;

pub use keys::StaticKeys;

use super::BadFrame;

/// Bytes of a challenge, and of a cryptogram.
pub const CHALLENGE: usize = 8;
/// Bytes of a MAC as sent; the chain keeps all sixteen.
pub const MAC: usize = 8;
/// Bytes a message grows by in a session at most: header, session, padding and MAC.
pub const OVERHEAD: usize = 3 + 1 + cipher::BLOCK + MAC;

/// Why a message of the channel is not accepted. After any of these the session is worth nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ChannelError {
    /// Not a frame, another response, or an error the device sent in clear.
    #[error(transparent)]
    Frame(#[from] BadFrame),
    /// The parts do not have their lengths.
    #[error("the message has {length} bytes of data, which is no message of a session")]
    Length {
        /// Bytes there were.
        length: usize,
    },
    /// The other side does not know the authentication key.
    #[error("the other side does not know the authentication key: its cryptogram is wrong")]
    Cryptogram,
    /// The message was altered, repeated or left out.
    #[error("the MAC of the message is wrong")]
    Mac,
    /// The message belongs to another session.
    #[error("the message belongs to session {found}, not {expected}")]
    OtherSession {
        /// Session of this channel.
        expected: u8,
        /// Session found.
        found: u8,
    },
    /// Decrypted, the message is not padded as it must be.
    #[error("the decrypted message does not end in its padding")]
    Padding,
    /// The session carried as many messages as it may.
    #[error("the session is worn out after {} messages", cipher::MOST_MESSAGES)]
    WornOut,
}
