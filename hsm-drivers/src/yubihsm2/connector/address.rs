//! How a configuration names the way to a device.

#[cfg(feature = "simulator")]
use std::{env, path::Path};
use std::{fmt, str::FromStr, time::Duration};

use super::{Connector, ConnectorError, http::HttpConnector};
#[cfg(feature = "simulator")]
use crate::simulator::Simulator;

/// The way to a device, by name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Address {
    /// `http://host:port` of a yubihsm-connector. It speaks no TLS; what it carries is encrypted from end to end.
    Http {
        /// Name or address; an IPv6 address stands in brackets.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// `usb:SERIAL`, by the serial number on the device.
    Usb {
        /// As the device info has it.
        serial: u32,
    },
    /// `simulator`: one in this process, the one that its environment names.
    Simulator,
}

/// A text that names no way to a device.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("\"{text}\" is no YubiHSM connector: write http://host:port, usb:SERIAL or simulator")]
pub struct NotAnAddress {
    /// The text.
    pub text: String,
}

impl Address {
    /// A connector there. `deadline` bounds each exchange as a whole, opening the connection included.
    ///
    /// # Errors
    /// The device cannot be opened. Over HTTP nothing is sent yet.
    pub fn connect(&self, deadline: Duration) -> Result<Box<dyn Connector>, ConnectorError> {
        match self {
            Self::Http { host, port } => Ok(Box::new(HttpConnector::new(host.clone(), *port, deadline))),
            #[cfg(feature = "usb")]
            Self::Usb { serial } => Ok(Box::new(super::usb::UsbConnector::open(*serial, deadline)?)),
            #[cfg(not(feature = "usb"))]
            Self::Usb { .. } => Err(not_built(self, "usb")),
            #[cfg(feature = "simulator")]
            Self::Simulator => simulated(),
            #[cfg(not(feature = "simulator"))]
            Self::Simulator => Err(not_built(self, "simulator")),
        }
    }
}

/// The device that the environment of this process names.
#[cfg(feature = "simulator")]
fn simulated() -> Result<Box<dyn Connector>, ConnectorError> {
    match Simulator::from_environment(env::var_os, Path::new("")) {
        Ok(simulator) => Ok(Box::new(simulator)),
        Err(error) => Err(ConnectorError::NotSent(error.to_string())),
    }
}

#[cfg(not(all(feature = "simulator", feature = "usb")))]
fn not_built(address: &Address, feature: &str) -> ConnectorError {
    ConnectorError::NotSent(format!("connector {address}: this program was built without the feature {feature}"))
}

impl FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let parsed = match text.split_once(':') {
            None if text == "simulator" => Some(Self::Simulator),
            Some(("usb", serial)) => number(serial).map(|serial| Self::Usb { serial }),
            Some(("http", rest)) => rest.strip_prefix("//").and_then(host_and_port),
            _ => None,
        };
        parsed.ok_or_else(|| NotAnAddress { text: text.to_owned() })
    }
}

/// A path, a user or a space would have no meaning, and must not slip into a request.
fn host_and_port(text: &str) -> Option<Address> {
    let (host, port) = text.rsplit_once(':')?;
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_[]:".contains(&byte);
    let port = number(port).and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0)?;
    (!host.is_empty() && host.bytes().all(is_host)).then(|| Address::Http { host: host.to_owned(), port })
}

/// Digits only: no sign.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { host, port } => write!(f, "http://{host}:{port}"),
            Self::Usb { serial } => write!(f, "usb:{serial}"),
            Self::Simulator => f.write_str("simulator"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_as_it_is_written() {
        for text in ["http://127.0.0.1:12345", "http://localhost:1", "http://[::1]:12345", "usb:7550054", "simulator"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        // As printed on the device.
        assert_eq!("usb:0007550054".parse(), Ok(Address::Usb { serial: 7_550_054 }));
    }

    #[test]
    fn nothing_else_is_an_address() {
        for bad in [
            "",
            "http://",
            "http://host",
            "https://host:1",
            "usb:",
            "usb:x",
            "usb:-1",
            "usb",
            "host:1",
            "http:host:1",
            "http://host:1/",
            "http://:1",
            "http://user@host:1",
            "http://host:99999",
            "http://host:0",
            "http://host:+1",
            "http://ho\r\nst:1",
            "simulator:1",
        ] {
            let error = bad.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains("http://host:port"), "{bad}: {error}");
        }
    }
}
