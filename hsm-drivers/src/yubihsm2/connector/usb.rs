//! A YubiHSM 2 on USB: messages go over two bulk endpoints, in packets of 64 bytes (Yubico, yubihsm-shell,
//! `lib/yubihsm_libusb.c`).

use std::{fmt, time::Duration};

use nusb::{
    Endpoint, MaybeFuture,
    transfer::{Buffer, Bulk, In, Out, TransferError},
};

use super::{Connector, ConnectorError};

const VENDOR: u16 = 0x1050;
const PRODUCT: u16 = 0x0030;
const INTERFACE: u8 = 0;
const TO_DEVICE: u8 = 0x01;
const FROM_DEVICE: u8 = 0x81;
/// Bytes asked for at once: above every message, and whole packets as USB wants it.
const ANSWER: usize = 4096;
/// How long what an earlier user left behind is waited for.
const STALE: Duration = Duration::from_millis(1);

/// One device, claimed.
pub struct UsbConnector {
    serial: u32,
    deadline: Duration,
    /// None after an error: an answer that comes late would be taken for the next one.
    endpoints: Option<Endpoints>,
}

struct Endpoints {
    to: Endpoint<Bulk, Out>,
    from: Endpoint<Bulk, In>,
}

impl UsbConnector {
    /// Claims the device with this serial number. `deadline` bounds either half of an exchange.
    ///
    /// # Errors
    /// It is not there, or somebody else (a yubihsm-connector, another worker) has it.
    pub fn open(serial: u32, deadline: Duration) -> Result<Self, ConnectorError> {
        let endpoints = Endpoints::open(serial)
            .map_err(|cause| ConnectorError::NotSent(format!("YubiHSM 2 with serial {serial} on USB: {cause}")))?;
        Ok(Self { serial, deadline, endpoints: Some(endpoints) })
    }

    fn failed(&self, cause: impl fmt::Display) -> String {
        format!("YubiHSM 2 with serial {} on USB: {cause}", self.serial)
    }

    fn run(&self, endpoints: &mut Endpoints, message: &[u8]) -> Result<Vec<u8>, ConnectorError> {
        let no_answer = |error: TransferError| ConnectorError::NoAnswer(self.failed(error));
        let write = |to: &mut Endpoint<Bulk, Out>, bytes: &[u8]| {
            to.transfer_blocking(Buffer::from(bytes), self.deadline).into_result().map_err(no_answer)
        };
        write(&mut endpoints.to, message)?;
        // A packet shorter than the rest ends the message, so that one of whole packets needs an empty one behind it.
        if message.len().is_multiple_of(endpoints.to.max_packet_size().max(1)) {
            write(&mut endpoints.to, &[])?;
        }
        let completion = endpoints.from.transfer_blocking(Buffer::new(ANSWER), self.deadline);
        let actual = completion.actual_len;
        let answer = completion.into_result().map_err(no_answer)?;
        Ok(answer.iter().take(actual).copied().collect())
    }
}

impl Endpoints {
    fn open(serial: u32) -> Result<Self, String> {
        let words = |error: nusb::Error| error.to_string();
        let is_it = |found: &nusb::DeviceInfo| {
            found.vendor_id() == VENDOR
                && found.product_id() == PRODUCT
                && found.serial_number().and_then(|text| text.parse().ok()) == Some(serial)
        };
        let found = nusb::list_devices().wait().map_err(words)?.find(is_it).ok_or("it is not plugged in")?;
        let device = found.open().wait().map_err(words)?;
        let interface = device.claim_interface(INTERFACE).wait().map_err(words)?;
        let to = interface.endpoint(TO_DEVICE).map_err(words)?;
        let mut from: Endpoint<Bulk, In> = interface.endpoint(FROM_DEVICE).map_err(words)?;
        // An answer nobody fetched would be taken for the first of ours.
        let _stale = from.transfer_blocking(Buffer::new(ANSWER), STALE);
        Ok(Self { to, from })
    }
}

impl Connector for UsbConnector {
    fn exchange(&mut self, message: &[u8]) -> Result<Vec<u8>, ConnectorError> {
        let mut endpoints = match self.endpoints.take() {
            Some(endpoints) => endpoints,
            None => Endpoints::open(self.serial).map_err(|cause| ConnectorError::NotSent(self.failed(cause)))?,
        };
        let answer = self.run(&mut endpoints, message)?;
        self.endpoints = Some(endpoints);
        Ok(answer)
    }
}

impl fmt::Debug for UsbConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UsbConnector({})", self.serial)
    }
}
