//! The simulator as the driver's way to a device: one in this process.

use super::Simulator;
use crate::yubihsm2::connector::{Connector, ConnectorError};

impl Connector for Simulator {
    /// Always an answer. A fault that closes the connection gives the beginning of one.
    fn exchange(&mut self, message: &[u8]) -> Result<Vec<u8>, ConnectorError> {
        Ok(Self::exchange(self, message))
    }
}
