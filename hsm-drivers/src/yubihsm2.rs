//! YubiHSM 2, through a yubihsm-connector or over USB.

mod anchor;
pub mod attestation;
#[cfg(feature = "ceremony")]
pub mod ceremony;
mod chain_code;
mod command;
pub mod connector;
mod der;
mod failure;
mod key;
mod log;
pub(crate) mod probe;
pub mod protocol;
mod rights;
pub mod session;

use std::{collections::HashMap, fmt};

use hsm_types::{ChainCode, KeyLabel, PublicKey, RawSignature, ToSign};

pub use self::command::PublicKeyData;
use self::{
    connector::{Address, Connector, DEADLINE},
    key::Key,
    protocol::channel::StaticKeys,
    session::{Credentials, Session},
};
use crate::{
    Device, DeviceInfo, DeviceLog, Disposition, Error, Pin, Protection,
    device::{Generations, too_long},
};

/// The device takes 2,048 bytes before firmware 2.4, less what the command and the secure channel need.
const LONGEST_MESSAGE: usize = 2000;

/// The authentication key every device leaves the factory with, and its password.
const FACTORY: (u16, &str) = (1, "password");

/// Object id of the key and of the certificate that are in every device from the factory, to attest with.
const FACTORY_ATTESTATION: u16 = 0;

/// One session of a YubiHSM 2. The device works serially, so one is enough.
pub struct Yubihsm2Device {
    /// None after an error that makes the session unfit.
    session: Option<Session>,
    /// For the next session: the device forgets one that was idle.
    credentials: Credentials,
    keys: HashMap<KeyLabel, Key>,
    /// What each label meant when it was found first.
    pinned: HashMap<KeyLabel, PublicKey>,
}

impl Yubihsm2Device {
    /// Opens a session with an authentication key, by its password. The connector is named as in [`Address`].
    ///
    /// # Errors
    /// As [`Yubihsm2Device::open`], and where the connector is none, or cannot be opened.
    pub fn open_at(connector: &str, authentication_key: u16, password: &Pin) -> Result<Self, Error> {
        let address: Address = connector.parse().map_err(|error| failure::no_address(&error))?;
        refuse_factory_password(authentication_key, password)?;
        let connector = address.connect(DEADLINE).map_err(|error| failure::not_connected(&error))?;
        Self::open(connector, authentication_key, password)
    }

    /// Opens a session with an authentication key, by its password, which is tried once.
    ///
    /// # Errors
    /// [`Error::PinRefused`] where the device does not accept the password, [`Error::FactoryPassword`] where everybody
    /// knows it, [`Error::SessionsFull`] where the device has no session left, [`Error::WrapRights`]
    /// where the key could take others away.
    pub fn open(connector: Box<dyn Connector>, authentication_key: u16, password: &Pin) -> Result<Self, Error> {
        refuse_factory_password(authentication_key, password)?;
        let keys = StaticKeys::from_password(password.expose().as_bytes());
        let credentials = Credentials { id: authentication_key, keys };
        let session = open_session(connector, &credentials)?;
        Ok(Self { session: Some(session), credentials, keys: HashMap::new(), pinned: HashMap::new() })
    }

    /// Changes a session that was idle for another. Keys are looked at anew there: another device may be plugged in.
    fn refresh(&mut self) -> Result<(), Error> {
        let Some(session) = self.session.take_if(|session| session.is_idle()) else { return Ok(()) };
        self.keys.clear();
        let connector = session.close().ok_or_else(given_up)?;
        self.session = Some(open_session(connector, &self.credentials)?);
        Ok(())
    }

    /// Runs one command; an error that ends the session drops it.
    fn run<T>(&mut self, command: impl FnOnce(&mut Session) -> Result<T, Error>) -> Result<T, Error> {
        let result = command(self.session.as_mut().ok_or_else(given_up)?);
        if result.as_ref().is_err_and(Error::ends_session) {
            self.session = None;
        }
        result
    }

    /// Finds the key anew. One found before must be the same still.
    fn find(&mut self, label: &KeyLabel) -> Result<Key, Error> {
        self.refresh()?;
        self.keys.remove(label);
        let found = self.run(|session| key::find(session, label))?;
        let pinned = self.pinned.entry(label.clone()).or_insert_with(|| found.public_key.clone());
        if *pinned != found.public_key {
            let finding = format!("its public key is {} now and was {pinned} before", found.public_key);
            return Err(Error::KeyUnfit { key: label.clone(), findings: vec![finding] });
        }
        self.keys.insert(label.clone(), found.clone());
        Ok(found)
    }

    fn key(&mut self, label: &KeyLabel) -> Result<Key, Error> {
        self.refresh()?;
        match self.keys.get(label) {
            Some(key) => Ok(key.clone()),
            None => self.find(label),
        }
    }
}

impl Device for Yubihsm2Device {
    fn info(&mut self) -> Result<DeviceInfo, Error> {
        self.refresh()?;
        self.run(device_info)
    }

    fn public_key(&mut self, key: &KeyLabel) -> Result<PublicKey, Error> {
        self.find(key).map(|found| found.public_key)
    }

    fn protection(&mut self, key: &KeyLabel) -> Result<Protection, Error> {
        self.find(key).map(|found| found.protection)
    }

    fn chain_code(&mut self, label: &KeyLabel) -> Result<Option<ChainCode>, Error> {
        let key = self.find(label)?;
        self.run(|session| chain_code::read(session, label, key.id))
    }

    fn sign(&mut self, label: &KeyLabel, input: &ToSign) -> Result<RawSignature, Error> {
        let key = self.key(label)?;
        key.check_input(label, input)?;
        if let Some(signature) = self.run(|session| key.sign(session, label, input))? {
            return Ok(signature);
        }
        // The object id names nothing any more. The label may name the same key under another id.
        let key = self.find(label)?;
        let signature = self.run(|session| key.sign(session, label, input))?;
        signature.ok_or_else(|| Error::UnknownKey { key: label.clone() })
    }

    fn attestation(&mut self, label: &KeyLabel) -> Result<Option<Vec<u8>>, Error> {
        let key = self.find(label)?;
        let attempted = format!("Sign Attestation Certificate for key \"{label}\"");
        let failed = |error| failure::command_failed(&error, &attempted);
        let certificate =
            self.run(|session| session.sign_attestation_certificate(key.id, FACTORY_ATTESTATION).map_err(failed))?;
        Ok(Some(certificate))
    }

    fn attestation_issuer(&mut self) -> Result<Option<Vec<u8>>, Error> {
        self.refresh()?;
        let failed = |error| failure::command_failed(&error, "Get Opaque for the certificate of the device");
        self.run(|session| session.opaque(FACTORY_ATTESTATION).map(Some).map_err(failed))
    }

    fn read_anchor(&mut self) -> Result<Option<Vec<u8>>, Error> {
        self.refresh()?;
        self.run(anchor::find).map(Generations::newest)
    }

    fn write_anchor(&mut self, anchor: &[u8]) -> Result<(), Error> {
        too_long(anchor)?;
        self.refresh()?;
        let authentication_key = self.credentials.id;
        self.run(|session| anchor::write(session, authentication_key, anchor))
    }

    fn device_log(&mut self) -> Option<&mut dyn DeviceLog> {
        Some(self)
    }
}

/// What the device says about itself.
fn device_info(session: &mut Session) -> Result<DeviceInfo, Error> {
    let info = session.device_info().map_err(|error| failure::command_failed(&error, "Get Device Info"))?;
    let [major, minor, build] = info.version;
    Ok(DeviceInfo {
        driver: "yubihsm".to_owned(),
        manufacturer: "Yubico".to_owned(),
        model: "YubiHSM 2".to_owned(),
        serial: format!("{:010}", info.serial),
        firmware: format!("{major}.{minor}.{build}"),
        label: String::new(),
        longest_message: LONGEST_MESSAGE,
    })
}

/// Nothing is asked of the device: whoever configured this would let anybody in.
fn refuse_factory_password(authentication_key: u16, password: &Pin) -> Result<(), Error> {
    if (authentication_key, password.expose()) == FACTORY {
        return Err(Error::FactoryPassword { token: failure::token(authentication_key) });
    }
    Ok(())
}

fn open_session(connector: Box<dyn Connector>, credentials: &Credentials) -> Result<Session, Error> {
    let session = Session::open(connector, credentials);
    let mut session = session.map_err(|error| failure::open_failed(&error, credentials.id))?;
    rights::refuse_wrap_rights(&mut session, credentials.id)?;
    Ok(session)
}

fn given_up() -> Error {
    Error::Call {
        attempted: "YubiHSM command".to_owned(),
        cause: "the session was given up after an earlier error".to_owned(),
        disposition: Disposition::Broken,
    }
}

impl fmt::Debug for Yubihsm2Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Yubihsm2Device").field("session", &self.session).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
