//! YubiHSM 2, through the crate `yubihsm` and a yubihsm-connector.

mod chain_code;
mod der;
mod failure;
mod key;
pub mod protocol;

use std::{collections::HashMap, fmt};

use hsm_types::{ChainCode, KeyLabel, PublicKey, RawSignature, ToSign};
use yubihsm::{Client, Connector, Credentials, HttpConfig};

use self::key::Key;
use crate::{Device, DeviceInfo, Disposition, Error, Pin};

/// The device takes 2,048 bytes less the command's own; the crate panics above that, so the limit is here.
const LONGEST_MESSAGE: usize = 2000;

/// One session of a YubiHSM 2. The device works serially, so one is enough.
pub struct Yubihsm2Device {
    /// None after an error that makes the session unfit: the crate would go on using it.
    client: Option<Client>,
    keys: HashMap<KeyLabel, Key>,
    /// What each label meant when it was found first.
    pinned: HashMap<KeyLabel, PublicKey>,
}

impl Yubihsm2Device {
    /// Opens a session with an authentication key, by its password.
    ///
    /// # Errors
    /// [`Error::PinRefused`] where the device does not accept the password.
    pub fn open(connector: Connector, authentication_key: u16, password: &Pin) -> Result<Self, Error> {
        let credentials = Credentials::from_password(authentication_key, password.expose().as_bytes());
        // The device forgets a session after 30 idle seconds; the client then opens another with the same key.
        let client = Client::open(connector, credentials, true)
            .map_err(|error| failure::open_failed(&error, authentication_key))?;
        Ok(Self { client: Some(client), keys: HashMap::new(), pinned: HashMap::new() })
    }

    /// Runs one command; an error that ends the session drops the client with it.
    fn run<T>(&mut self, command: impl FnOnce(&Client) -> Result<T, Error>) -> Result<T, Error> {
        let client = self.client.as_ref().ok_or_else(|| Error::Call {
            attempted: "YubiHSM command".to_owned(),
            cause: "the session was given up after an earlier error".to_owned(),
            disposition: Disposition::Broken,
        })?;
        let result = command(client);
        if result.as_ref().is_err_and(Error::ends_session) {
            self.client = None;
        }
        result
    }

    /// Finds the key anew. One found before must be the same still.
    fn find(&mut self, label: &KeyLabel) -> Result<Key, Error> {
        self.keys.remove(label);
        let found = self.run(|client| key::find(client, label))?;
        let pinned = self.pinned.entry(label.clone()).or_insert_with(|| found.public_key.clone());
        if *pinned != found.public_key {
            let finding = format!("its public key is {} now and was {pinned} before", found.public_key);
            return Err(Error::KeyUnfit { key: label.clone(), findings: vec![finding] });
        }
        self.keys.insert(label.clone(), found.clone());
        Ok(found)
    }

    fn key(&mut self, label: &KeyLabel) -> Result<Key, Error> {
        match self.keys.get(label) {
            Some(key) => Ok(key.clone()),
            None => self.find(label),
        }
    }
}

impl Device for Yubihsm2Device {
    fn info(&mut self) -> Result<DeviceInfo, Error> {
        let info = self
            .run(|client| client.device_info().map_err(|error| failure::command_failed(&error, "Get Device Info")))?;
        Ok(DeviceInfo {
            driver: "yubihsm".to_owned(),
            manufacturer: "Yubico".to_owned(),
            model: "YubiHSM 2".to_owned(),
            serial: info.serial_number.to_string(),
            firmware: format!("{}.{}.{}", info.major_version, info.minor_version, info.build_version),
            label: String::new(),
            longest_message: LONGEST_MESSAGE,
        })
    }

    fn public_key(&mut self, key: &KeyLabel) -> Result<PublicKey, Error> {
        self.find(key).map(|found| found.public_key)
    }

    fn chain_code(&mut self, label: &KeyLabel) -> Result<Option<ChainCode>, Error> {
        let key = self.find(label)?;
        self.run(|client| chain_code::read(client, label, key.id))
    }

    fn sign(&mut self, label: &KeyLabel, input: &ToSign) -> Result<RawSignature, Error> {
        let key = self.key(label)?;
        key.check_input(label, input)?;
        if let Some(signature) = self.run(|client| key.sign(client, label, input))? {
            return Ok(signature);
        }
        // The object id names nothing any more. The label may name the same key under another id.
        let key = self.find(label)?;
        let signature = self.run(|client| key.sign(client, label, input))?;
        signature.ok_or_else(|| Error::UnknownKey { key: label.clone() })
    }
}

/// The yubihsm-connector at `http://host:port`. Nothing is sent yet.
///
/// Keep it on the same machine: the crate misreads a response whose body comes in a second TCP segment. The secure
/// channel notices, so that costs the session and never gives a wrong signature.
///
/// # Errors
/// Any other form: the connector offers no TLS that the crate could speak, and a path or user has no meaning.
pub fn http_connector(url: &str) -> Result<Connector, Error> {
    let bad = || Error::Call {
        attempted: format!("YubiHSM connector \"{url}\""),
        cause: "not of the form http://host:port".to_owned(),
        disposition: Disposition::NotSent,
    };
    let (host, port) = url.strip_prefix("http://").and_then(|rest| rest.rsplit_once(':')).ok_or_else(bad)?;
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_[]:".contains(&byte);
    if host.is_empty() || !host.bytes().all(is_host) || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad());
    }
    let port = port.parse().map_err(|_| bad())?;
    Ok(Connector::http(&HttpConfig { addr: host.to_owned(), port, ..HttpConfig::default() }))
}

impl fmt::Debug for Yubihsm2Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Yubihsm2Device").field("open", &self.client.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_host_port_is_a_connector() {
        for good in ["http://127.0.0.1:12345", "http://localhost:1", "http://[::1]:12345"] {
            assert!(http_connector(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "http://",
            "http://host",
            "https://host:1",
            "usb:0001",
            "host:1",
            "http://host:1/",
            "http://:1",
            "http://user@host:1",
            "http://host:99999",
            "http://host:+1",
            "simulator",
        ] {
            let error = http_connector(bad).map(|_| ()).unwrap_err();
            assert!(error.to_string().contains("http://host:port"), "{bad}");
        }
    }
}
