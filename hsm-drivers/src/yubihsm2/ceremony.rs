//! Setting up devices and making keys. Only the ceremony and the tests build this; the appliance cannot create a key.

mod audit;
mod chain_code;
mod command;
mod generate;
mod initialize;
mod replicate;
mod wrap_key;

use hsm_types::{Algorithm, ChainCode, KeyLabel, PublicKey};

pub use self::initialize::{Role, initialize};
use super::{
    connector::Connector,
    failure, key,
    protocol::{Domains, ListFilter, ObjectType, channel::StaticKeys},
    session::{CommandError, Credentials, Session},
};
pub use crate::ceremony::{KeyListing, Replica};
use crate::{Disposition, Error, Pin, Protection};

/// A session of an administrator's authentication key.
#[derive(Debug)]
pub struct Ceremony {
    /// None after an error while it was opened anew.
    session: Option<Session>,
    credentials: Credentials,
    /// Those of the administrator: what is made lies in them.
    domains: Domains,
    serial: u32,
}

impl Ceremony {
    /// Opens a session with an administrator's authentication key, by its password, which is tried once.
    ///
    /// # Errors
    /// As [`Yubihsm2Device::open`](super::Yubihsm2Device::open), but that wrap rights are an administrator's to have.
    pub fn open(connector: Box<dyn Connector>, administrator: u16, password: &Pin) -> Result<Self, Error> {
        super::refuse_factory_password(administrator, password)?;
        let credentials = credentials(administrator, password);
        let mut session = open_session(connector, &credentials)?;
        let info = session.object_info(administrator, ObjectType::AUTHENTICATION_KEY);
        let info = info.map_err(|error| failed(&error, "Get Object Info", "the administrator's key"))?;
        let device = session.device_info().map_err(|error| failed(&error, "Get Device Info", "the ceremony"))?;
        Ok(Self { session: Some(session), credentials, domains: info.domains, serial: device.serial })
    }

    /// The device's serial number, as [`DeviceInfo`](crate::DeviceInfo) has it.
    #[must_use]
    pub fn serial(&self) -> String {
        format!("{:010}", self.serial)
    }

    /// Generates a key that can only sign, and never leave or leave wrapped only, and returns its public key once the
    /// device has proved, by what is read back and by one signature, that this is what it made.
    ///
    /// # Errors
    /// [`Error::KeyExists`] where an asymmetric key has this label. After any later error the key stays in the device,
    /// under its label, so that nobody takes it for one that was never made.
    pub fn generate_key(
        &mut self,
        label: &KeyLabel,
        algorithm: Algorithm,
        protection: Protection,
    ) -> Result<PublicKey, Error> {
        let domains = self.domains;
        let session = self.session()?;
        generate::refuse_existing(session, label)?;
        let id = generate::free_id(session, label)?;
        generate::generate_key(session, id, label, algorithm, protection, domains)
    }

    /// As [`Self::generate_key`], a secp256k1 key that may have children: first its chain code, from the device's random
    /// generator, then the key, so that an interruption leaves no key without one. A chain code that waits for its key
    /// is taken up.
    ///
    /// # Errors
    /// As [`Self::generate_key`], also where a key of this label was made without children: nothing is added to it.
    /// [`Error::KeyUnfit`] where two chain codes wait, or one that may not be used.
    pub fn generate_parent(
        &mut self,
        label: &KeyLabel,
        protection: Protection,
    ) -> Result<(PublicKey, ChainCode), Error> {
        let domains = self.domains;
        let session = self.session()?;
        generate::refuse_existing(session, label)?;
        let (id, chain_code) = chain_code::ensure(session, label, domains)?;
        let public_key = generate::generate_key(session, id, label, Algorithm::Secp256k1, protection, domains)?;
        Ok((public_key, chain_code))
    }

    /// Copies the key of this label, made to leave wrapped, with its chain code, into another device, and returns once
    /// the replica has proved, by what is read back and by a signature under the original's public key, that it is one.
    /// A replica that is there already is proved again. After an interruption at any point the same call goes on.
    ///
    /// The wrap key is random; it may export in this device and import in the other, this kind of key and no other. It
    /// is deleted in both, whatever comes of it; what an interrupted call left of it, the next one deletes first.
    ///
    /// # Errors
    /// Any deviation, on either side; [`Error::KeyExists`] where the other device has another key of this label. A key
    /// that did not prove a replica is deleted again; nothing that was there before is.
    pub fn replicate(&mut self, label: &KeyLabel, to: &mut Self) -> Result<Replica, Error> {
        replicate::replicate(self, label, to)
    }

    /// Every asymmetric key of the device, in no order.
    ///
    /// # Errors
    /// Any command that fails.
    pub fn list_keys(&mut self) -> Result<Vec<KeyListing>, Error> {
        let session = self.session()?;
        let of_list = |error, command: &str| failed(&error, command, "the list of keys");
        let filter = [ListFilter::Type(ObjectType::ASYMMETRIC_KEY)];
        let entries = session.list_objects(&filter).map_err(|error| of_list(error, "List Objects"))?;
        entries
            .into_iter()
            .map(|entry| {
                let reading = key::read(session, entry.id).map_err(|(error, command)| of_list(error, command))?;
                listing(session, reading)
            })
            .collect()
    }

    /// Entries that the device's log has room for. A device told to audit refuses to work without.
    ///
    /// # Errors
    /// The command fails.
    pub fn log_room(&mut self) -> Result<u8, Error> {
        let info = self.session()?.device_info();
        let info = info.map_err(|error| failed(&error, "Get Device Info", "the room of the log"))?;
        Ok(info.log_capacity.saturating_sub(info.log_used))
    }

    /// Lets the device forget its log, and says how many entries that were. An appliance that serves this device and has
    /// not recorded them will find a gap there, and hold its keys for suspect.
    ///
    /// # Errors
    /// Any command that fails.
    pub fn forget_log(&mut self) -> Result<usize, Error> {
        audit::forget_log(self.session()?)
    }

    /// The session, opened anew where it was idle: people type passwords meanwhile.
    fn session(&mut self) -> Result<&mut Session, Error> {
        if let Some(idle) = self.session.take_if(|session| session.is_idle())
            && let Some(connector) = idle.close()
        {
            self.session = Some(open_session(connector, &self.credentials)?);
        }
        self.session.as_mut().ok_or_else(|| Error::Call {
            attempted: "YubiHSM command".to_owned(),
            cause: "the session was given up after an earlier error".to_owned(),
            disposition: Disposition::Broken,
        })
    }
}

fn listing(session: &mut Session, reading: key::Reading) -> Result<KeyListing, Error> {
    let key::Reading { info, public_key, protection, mut findings } = reading;
    let algorithm = public_key.as_ref().map(PublicKey::algorithm);
    let name = info.label.text().map_or_else(|| format!("{:?}", info.label), str::to_owned);
    let chain_code = match (algorithm, name.parse::<KeyLabel>()) {
        (Some(Algorithm::Secp256k1), Ok(label)) => super::chain_code::read(session, &label, info.id),
        _ => Ok(None),
    };
    let children = match chain_code {
        Ok(chain_code) => chain_code.is_some(),
        Err(Error::KeyUnfit { findings: further, .. }) => {
            findings.extend(further);
            false
        }
        Err(error) => return Err(error),
    };
    let backup = protection == Protection::LeavesWrapped;
    Ok(KeyListing { label: name, algorithm, public_key, children, backup, findings })
}

fn credentials(id: u16, password: &Pin) -> Credentials {
    Credentials { id, keys: StaticKeys::from_password(password.expose().as_bytes()) }
}

fn open_session(connector: Box<dyn Connector>, credentials: &Credentials) -> Result<Session, Error> {
    Session::open(connector, credentials).map_err(|error| failure::open_failed(&error, credentials.id))
}

/// The error of a command, by its name in Yubico's documentation, and what it was for.
fn failed(error: &CommandError, command: &str, what: &str) -> Error {
    failure::command_failed(error, &format!("{command} for {what}"))
}
