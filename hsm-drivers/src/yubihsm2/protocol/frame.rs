//! The frame every message travels in, in clear and inside a session: code, length of the data, data.

use super::{Command, ErrorCode, Reader};

/// One command or response.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Frame {
    /// Code of a command, of its response ([`Command::response`]), or [`Command::ERROR`].
    pub code: u8,
    /// What belongs to it.
    pub data: Vec<u8>,
}

/// Bytes that are no frame, or not the one expected.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadFrame {
    /// Header missing, or data of another length than it says.
    #[error("the message of {length} bytes does not have the length it announces")]
    Length {
        /// Bytes there were.
        length: usize,
    },
    /// A response to something else.
    #[error("the response has the code {found:#04x} where {command} was asked")]
    OtherResponse {
        /// The code found.
        found: u8,
        /// The command sent.
        command: Command,
    },
    /// The device says no.
    #[error("the device answered {0}")]
    Refused(ErrorCode),
}

impl Frame {
    /// A command.
    #[must_use]
    pub const fn command(command: Command, data: Vec<u8>) -> Self {
        Self { code: command.0, data }
    }

    /// The response to `command`.
    #[must_use]
    pub const fn response(command: Command, data: Vec<u8>) -> Self {
        Self { code: command.response(), data }
    }

    /// The response that says no.
    #[must_use]
    pub fn error(code: ErrorCode) -> Self {
        Self { code: Command::ERROR.0, data: vec![code.0] }
    }

    /// As it travels. Data longer than 65,535 bytes is cut there: no device takes a twentieth of it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let length = u16::try_from(self.data.len()).unwrap_or(u16::MAX);
        let mut bytes = Vec::with_capacity(3 + self.data.len());
        bytes.push(self.code);
        bytes.extend(length.to_be_bytes());
        bytes.extend(self.data.iter().take(length.into()));
        bytes
    }

    /// The one frame that `bytes` are.
    ///
    /// # Errors
    /// [`BadFrame::Length`]: too few bytes, or too many.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadFrame> {
        let bad = |_| BadFrame::Length { length: bytes.len() };
        let mut reader = Reader::new(bytes);
        let code = reader.u8().map_err(bad)?;
        let length = reader.u16().map_err(bad)?;
        let data = reader.bytes(length.into()).map_err(bad)?.to_vec();
        reader.end().map_err(bad)?;
        Ok(Self { code, data })
    }

    /// The data of the response to `command`.
    ///
    /// # Errors
    /// [`BadFrame::Refused`] where the device said no, [`BadFrame::OtherResponse`] where it answered something else.
    pub fn into_response(self, command: Command) -> Result<Vec<u8>, BadFrame> {
        match (self.code, &self.data[..]) {
            (code, _) if code == command.response() => Ok(self.data),
            (code, [error]) if code == Command::ERROR.0 => Err(BadFrame::Refused(ErrorCode(*error))),
            (found, _) => Err(BadFrame::OtherResponse { found, command }),
        }
    }
}
