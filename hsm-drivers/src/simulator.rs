//! A YubiHSM 2 of our own: it answers the real protocol, in the process or as a connector over HTTP. For development and
//! tests; its keys lie in a file in clear. It knows nothing of the driver that asks it but the
//! connector between them.
//!
//! What Yubico documents is done as documented: capabilities, delegated capabilities, domains, sixteen sessions of 30
//! idle seconds, the log of 62 entries, forced audit, wrapping, attestation. Where the documents are silent, the choice
//! is said in the module that makes it. RSA, HMAC, templates, OTP, other curves, symmetric keys and asymmetric
//! authentication are left out: such commands are `invalid-command`.
//!
//! [`Faults`] make it lie, forget, hang and answer in pieces.

mod audit;
mod certificate;
mod clock;
mod commands;
mod connector;
mod device;
mod environment;
mod faults;
mod keys;
mod log;
mod objects;
mod principal;
mod server;
mod sessions;
mod signature;
mod state;

use std::{io, net::TcpListener, path::Path, sync::Arc, time::Duration};

pub use self::{
    clock::{Clock, ManualClock, SystemClock},
    faults::{BadFault, Fault, Faults, Plan},
    server::Server,
    state::BadState,
};
use self::{
    device::{Device, Transport},
    state::{State, StateFile},
};

/// What a simulator is made with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Serial number of a fresh device; one read from a file keeps its own.
    pub serial: u32,
    /// Firmware version it reports.
    pub firmware: [u8; 3],
    /// How long every signature takes. A device works serially: all others wait.
    pub signing_time: Duration,
    /// What the idle times of sessions are measured with.
    pub clock: Arc<dyn Clock>,
    /// Whether the server also takes faults, at `/simulator/faults`.
    pub controls: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            serial: 17_000_001,
            firmware: [2, 4, 0],
            signing_time: Duration::ZERO,
            clock: Arc::new(SystemClock::default()),
            controls: false,
        }
    }
}

/// One simulated device, powered on.
#[derive(Debug)]
pub struct Simulator {
    device: Device,
    controls: bool,
}

impl Simulator {
    /// Powers the device on. With `file` it is the one kept there, or a fresh one from now on kept there (mode 0600,
    /// written at every change, and locked by `FILE.lock` beside it); without, it is fresh and forgotten with the
    /// value.
    ///
    /// A fresh device has the factory's authentication key 1 with the password `password`.
    ///
    /// # Errors
    /// [`BadState`]: the file cannot be read or written, is open elsewhere, or is not one of a simulator. It is left as it
    /// is.
    pub fn open(file: Option<&Path>, options: Options) -> Result<Self, BadState> {
        let (file, kept) = file.map(StateFile::take).transpose()?.unzip();
        let state = match kept.flatten() {
            Some(state) => state,
            None => State::fresh(options.serial)?,
        };
        let controls = options.controls;
        let device = Device::power_on(state, file, options)?;
        Ok(Self { device, controls })
    }

    /// One message in, its answer out, as a connector would carry them. A [`Fault::Hang`] waits an hour; one that
    /// closes the connection gives the bytes that were sent before.
    pub fn exchange(&mut self, message: &[u8]) -> Vec<u8> {
        let (mut answer, transport) = self.device.exchange(message);
        for fault in transport {
            match fault {
                Transport::Hang => self.device.wait(Duration::from_secs(3600)),
                Transport::Delay(time) => self.device.wait(time),
                Transport::CloseAfter(bytes) => answer.truncate(bytes),
                Transport::SplitAfter(_) => {}
            }
        }
        answer
    }

    /// Serves `POST /connector/api` and `GET /connector/status` until the server is dropped.
    ///
    /// # Errors
    /// The listener has no address, or no thread can be started.
    pub fn serve(self, listener: TcpListener) -> io::Result<Server> {
        Server::start(self.device, listener, self.controls)
    }

    /// The faults of this device. They stay settable while it serves.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.device.faults()
    }

    /// Certificate (DER) of the simulated maker, which signed that of the attestation key.
    #[must_use]
    pub fn ca_certificate(&self) -> Vec<u8> {
        self.device.ca_certificate().to_vec()
    }
}
