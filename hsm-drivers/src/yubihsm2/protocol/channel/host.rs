//! The end of whoever asks the device.

use std::fmt;

use super::{
    CHALLENGE, ChannelError, MAC, StaticKeys, cipher,
    keys::{Context, SessionKeys},
};
use crate::yubihsm2::protocol::{Command, Frame, Reader};

/// A session asked for, with the challenge that went out.
pub struct Handshake {
    keys: StaticKeys,
    challenge: [u8; CHALLENGE],
}

/// A session the device offered; the device has not yet seen that this side knows the key.
#[derive(Debug)]
pub struct Pending(Channel);

/// One session, ready for commands.
pub struct Channel {
    session: u8,
    keys: SessionKeys,
    chain: [u8; 16],
    /// Of the next command.
    counter: u32,
}

/// A command that is out. Its response is opened with this and nothing else.
#[derive(Debug)]
#[must_use = "the response to it must be opened, or the channel dropped"]
pub struct Sealed {
    /// What goes to the device.
    pub message: Vec<u8>,
    next_chain: [u8; 16],
}

impl Handshake {
    /// The handshake, and the message Create Session for the authentication key `id`. `challenge` must be random.
    #[must_use]
    pub fn begin(id: u16, keys: StaticKeys, challenge: [u8; CHALLENGE]) -> (Self, Vec<u8>) {
        let data = [&id.to_be_bytes()[..], &challenge].concat();
        (Self { keys, challenge }, Frame::command(Command::CREATE_SESSION, data).encode())
    }

    /// Takes the response to Create Session; gives the message Authenticate Session.
    ///
    /// # Errors
    /// [`ChannelError::Cryptogram`] where the device holds another key under that id (a wrong password, most often),
    /// [`ChannelError::Frame`] with what the device refused.
    pub fn answer(self, response: &[u8]) -> Result<(Pending, Vec<u8>), ChannelError> {
        let data = Frame::decode(response)?.into_response(Command::CREATE_SESSION)?;
        let bad = |_| ChannelError::Length { length: data.len() };
        let mut reader = Reader::new(&data);
        let session = reader.u8().map_err(bad)?;
        let context = Context { host: self.challenge, card: reader.array().map_err(bad)? };
        let cryptogram: [u8; CHALLENGE] = reader.array().map_err(bad)?;
        reader.end().map_err(bad)?;
        let keys = SessionKeys::derive(&self.keys, &context);
        keys.verify_card_cryptogram(&context, &cryptogram)?;

        let proof = keys.host_cryptogram(&context);
        let mut channel = Channel { session, keys, chain: [0; 16], counter: 1 };
        let (message, chain) = channel.signed(Command::AUTHENTICATE_SESSION, &proof);
        channel.chain = chain;
        Ok((Pending(channel), message))
    }
}

impl Pending {
    /// Number of the session in the device. It is taken there, whatever becomes of this side.
    #[must_use]
    pub const fn session(&self) -> u8 {
        self.0.session
    }

    /// Takes the response to Authenticate Session.
    ///
    /// # Errors
    /// The device refused, or answered something else.
    pub fn open(self, response: &[u8]) -> Result<Channel, ChannelError> {
        let data = Frame::decode(response)?.into_response(Command::AUTHENTICATE_SESSION)?;
        if data.is_empty() { Ok(self.0) } else { Err(ChannelError::Length { length: data.len() }) }
    }
}

impl Channel {
    /// Number of the session in the device.
    #[must_use]
    pub const fn session(&self) -> u8 {
        self.session
    }

    /// Encrypts a command. Only one may be out at a time.
    ///
    /// # Errors
    /// [`ChannelError::WornOut`] after about a million messages: open another session.
    pub fn seal(&mut self, command: &Frame) -> Result<Sealed, ChannelError> {
        if self.counter > cipher::MOST_MESSAGES {
            return Err(ChannelError::WornOut);
        }
        let ciphertext = cipher::encrypt(&self.keys.s_enc, self.counter, &command.encode());
        let (message, next_chain) = self.signed(Command::SESSION_MESSAGE, &ciphertext);
        Ok(Sealed { message, next_chain })
    }

    /// Opens the response to `sealed`: the frame inside, an error the device gave for the command included.
    ///
    /// # Errors
    /// [`ChannelError::Frame`] with [`Refused`](crate::yubihsm2::protocol::BadFrame::Refused): the device answered in
    /// clear and has no such session any more. Every error ends the session.
    pub fn open(&mut self, sealed: &Sealed, response: &[u8]) -> Result<Frame, ChannelError> {
        let data = Frame::decode(response)?.into_response(Command::SESSION_MESSAGE)?;
        let bad = ChannelError::Length { length: data.len() };
        let (covered, sent) = response.split_last_chunk::<MAC>().ok_or(bad)?;
        let (&found, rest) = data.split_first().ok_or(bad)?;
        let (ciphertext, _) = rest.split_last_chunk::<MAC>().ok_or(bad)?;
        cipher::verify(&self.keys.s_rmac, &sealed.next_chain, covered, sent)?;
        if found != self.session {
            return Err(ChannelError::OtherSession { expected: self.session, found });
        }
        let inner = cipher::decrypt(&self.keys.s_enc, self.counter, ciphertext)?;
        self.chain = sealed.next_chain;
        self.counter += 1;
        Ok(Frame::decode(&inner)?)
    }

    /// Session, data and MAC in their frame, and the chain behind it.
    fn signed(&self, command: Command, data: &[u8]) -> (Vec<u8>, [u8; 16]) {
        let with_room = [&[self.session][..], data, &[0; MAC]].concat();
        let mut message = Frame::command(command, with_room).encode();
        message.truncate(message.len() - MAC);
        let (chain, sent) = cipher::sign(&self.keys.s_mac, &self.chain, &message);
        message.extend(sent);
        (message, chain)
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handshake")
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("session", &self.session).finish_non_exhaustive()
    }
}
