//! The way to a device: one message there, one back. Knows nothing of what the messages say.

mod address;
pub mod http;
#[cfg(feature = "usb")]
pub mod usb;

use std::time::Duration;

pub use address::{Address, NotAnAddress};

/// How long an exchange may take that nobody set a time for. The device answers within a second, unless another session
/// has it generate an RSA key.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// A way to one device. Messages are those of [`protocol`](super::protocol), whole.
pub trait Connector: Send {
    /// Sends a message and waits for the answer to it, both bounded in time and in length.
    ///
    /// # Errors
    /// [`ConnectorError`] says whether the device can have seen the message. After either, the next call begins afresh.
    fn exchange(&mut self, message: &[u8]) -> Result<Vec<u8>, ConnectorError>;
}

/// No answer. What was attempted, on what, and why, in words.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ConnectorError {
    /// No byte of the message went out.
    #[error("{0}")]
    NotSent(String),
    /// The message went out, in part at least; the device may have done what it says.
    #[error("{0}")]
    NoAnswer(String),
}
