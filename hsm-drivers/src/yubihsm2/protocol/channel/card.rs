//! The device's end.

use std::fmt;

use super::{
    CHALLENGE, ChannelError, MAC, StaticKeys, cipher,
    keys::{Context, SessionKeys},
};
use crate::yubihsm2::protocol::{BadFrame, Command, Frame};

/// A session offered; the host has not yet shown that it knows the key.
pub struct Handshake {
    session: u8,
    context: Context,
    keys: SessionKeys,
}

/// One session, ready for commands.
pub struct Channel {
    session: u8,
    keys: SessionKeys,
    chain: [u8; 16],
    /// Of the command that is answered next.
    counter: u32,
}

impl Handshake {
    /// Offers `session` in answer to the host's challenge. The device's own `challenge` must be random.
    #[must_use]
    pub fn begin(session: u8, keys: &StaticKeys, host: [u8; CHALLENGE], challenge: [u8; CHALLENGE]) -> Self {
        let context = Context { host, card: challenge };
        Self { session, context, keys: SessionKeys::derive(keys, &context) }
    }

    /// Data of the response to Create Session.
    #[must_use]
    pub fn response(&self) -> Vec<u8> {
        [&[self.session][..], &self.context.card, &self.keys.card_cryptogram(&self.context)].concat()
    }

    /// Takes the whole message Authenticate Session.
    ///
    /// # Errors
    /// The host does not know the key.
    pub fn authenticate(self, message: &[u8]) -> Result<Channel, ChannelError> {
        let (proof, chain) =
            verify_command(&self.keys, &[0; 16], self.session, Command::AUTHENTICATE_SESSION, message)?;
        self.keys.verify_host_cryptogram(&self.context, proof)?;
        Ok(Channel { session: self.session, keys: self.keys, chain, counter: 1 })
    }
}

impl Channel {
    /// Opens the whole message Session Message: the frame inside.
    ///
    /// # Errors
    /// Altered, repeated or foreign.
    pub fn open(&mut self, message: &[u8]) -> Result<Frame, ChannelError> {
        let (ciphertext, chain) =
            verify_command(&self.keys, &self.chain, self.session, Command::SESSION_MESSAGE, message)?;
        let inner = cipher::decrypt(&self.keys.s_enc, self.counter, ciphertext)?;
        self.chain = chain;
        Ok(Frame::decode(&inner)?)
    }

    /// Encrypts the response to the command opened last: the whole message.
    #[must_use]
    pub fn seal(&mut self, response: &Frame) -> Vec<u8> {
        let ciphertext = cipher::encrypt(&self.keys.s_enc, self.counter, &response.encode());
        self.counter = self.counter.saturating_add(1);
        let with_room = [&[self.session][..], &ciphertext, &[0; MAC]].concat();
        let mut message = Frame::response(Command::SESSION_MESSAGE, with_room).encode();
        message.truncate(message.len() - MAC);
        let (_, sent) = cipher::sign(&self.keys.s_rmac, &self.chain, &message);
        message.extend(sent);
        message
    }
}

/// What a message of this session carries between session and MAC, and the chain behind it.
fn verify_command<'a>(
    keys: &SessionKeys,
    chain: &[u8; 16],
    session: u8,
    command: Command,
    message: &'a [u8],
) -> Result<(&'a [u8], [u8; 16]), ChannelError> {
    let frame = Frame::decode(message)?;
    if frame.code != command.0 {
        return Err(BadFrame::OtherResponse { found: frame.code, command }.into());
    }
    let bad = ChannelError::Length { length: frame.data.len() };
    let (covered, sent) = message.split_last_chunk::<MAC>().ok_or(bad)?;
    let (&[_, _, _, found], carried) = covered.split_first_chunk().ok_or(bad)?;
    if found != session {
        return Err(ChannelError::OtherSession { expected: session, found });
    }
    Ok((carried, cipher::verify(&keys.s_mac, chain, covered, sent)?))
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("session", &self.session).finish_non_exhaustive()
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("session", &self.session).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The MAC alone is no proof: GPC_SPE_014 asks for the cryptogram as well.
    #[test]
    fn a_wrong_cryptogram_under_a_right_mac_opens_nothing() {
        let keys = StaticKeys::from_password(b"password");
        for altered in [false, true] {
            let offered = Handshake::begin(3, &keys, [1; 8], [2; 8]);
            let mut proof = offered.keys.host_cryptogram(&offered.context);
            proof[7] ^= u8::from(altered);
            let mut message = [&[Command::AUTHENTICATE_SESSION.0, 0, 17, 3][..], &proof].concat();
            message.extend(cipher::sign(&offered.keys.s_mac, &[0; 16], &message).1);
            let outcome = offered.authenticate(&message).map(drop);
            assert_eq!(outcome, if altered { Err(ChannelError::Cryptogram) } else { Ok(()) });
        }
    }
}
