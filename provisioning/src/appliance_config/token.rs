//! A `[[token]]`, and opening it for a ceremony.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use hsm_drivers::{
    Pin, pkcs11,
    simulator::Simulator,
    yubihsm2::{
        self,
        connector::{Address, Connector, DEADLINE},
    },
};
use serde::Deserialize;

use super::ApplianceConfig;
use crate::{
    Error,
    environment::{self, Variables},
    files,
    secret::{self, PinSource},
    token::{Device, YubiToken},
};

/// One `[[token]]`.
#[derive(Debug, Deserialize)]
pub struct Token {
    /// Its name in the file.
    pub name: String,
    driver: String,
    module: Option<PathBuf>,
    label: Option<String>,
    serial: Option<String>,
    connector: Option<String>,
    authentication_key: Option<u16>,
    password: Option<PinSource>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    pin: Option<PinSource>,
}

/// Who makes keys in a YubiHSM 2. The file names the appliance's authentication key, which makes none.
#[derive(Clone, Debug)]
pub struct Access {
    /// Object id of the administrator's authentication key.
    pub administrator: u16,
    /// Where its password is; asked for without.
    pub password_file: Option<PathBuf>,
}

impl Token {
    /// Whether it is a YubiHSM 2.
    #[must_use]
    pub fn is_yubihsm(&self) -> bool {
        self.driver == "yubihsm"
    }

    pub(super) fn is_known(&self) -> bool {
        self.is_yubihsm() || self.driver == "pkcs11"
    }
}

impl ApplianceConfig {
    /// What must be in the environment before the token's module is loaded. A YubiHSM 2 has none.
    #[must_use]
    pub fn variables(&self, token: &Token) -> Variables {
        if token.is_yubihsm() {
            return Variables::new();
        }
        let resolved = |(name, value): (&String, &String)| (name.clone(), environment::resolve(value, &self.directory));
        token.environment.iter().map(resolved).collect()
    }

    /// Opens a token of either kind; its environment must be set.
    pub fn open(&self, token: &Token, access: &Access) -> Result<Device, Error> {
        if token.is_yubihsm() {
            return self.open_yubihsm(token, access).map(Device::Yubihsm);
        }
        self.open_pkcs11(token, &self.pin(token)?).map(Device::Pkcs11)
    }

    /// Fetches the user PIN of a PKCS#11 token.
    pub fn pin(&self, token: &Token) -> Result<Pin, Error> {
        let source = token.pin.as_ref().ok_or_else(|| self.missing(token, "pin"))?;
        source.read(&self.directory, token.label.as_deref().unwrap_or(&token.name))
    }

    /// Opens a PKCS#11 token with a PIN fetched before.
    pub fn open_pkcs11(&self, token: &Token, pin: &Pin) -> Result<pkcs11::ceremony::Ceremony, Error> {
        let module = self.directory.join(token.module.as_ref().ok_or_else(|| self.missing(token, "module"))?);
        let label = token.label.as_ref().ok_or_else(|| self.missing(token, "label"))?;
        if !files::exists(&module)? {
            let reason = format!(
                "token \"{}\": there is no PKCS#11 module at {}: install it (SoftHSM: the package softhsm2), or correct \
                 the line `module`",
                token.name,
                module.display()
            );
            return Err(self.wrong(reason));
        }
        Ok(pkcs11::ceremony::Ceremony::open(&module, label, token.serial.as_deref(), pin)?)
    }

    /// Opens a YubiHSM 2 with its administrator's authentication key.
    pub fn open_yubihsm(&self, token: &Token, access: &Access) -> Result<yubihsm2::ceremony::Ceremony, Error> {
        let address = self.address(token)?;
        let password = match &access.password_file {
            Some(path) => secret::read(path)?,
            None => {
                let (id, name) = (access.administrator, &token.name);
                secret::ask(&format!("password of the administrator's authentication key {id} of token \"{name}\""))?
            }
        };
        let connector = self.connect(token, &address)?;
        Ok(yubihsm2::ceremony::Ceremony::open(connector, access.administrator, &password)?)
    }

    /// What a YubiHSM 2 of this configuration is to become: the appliance's authentication key is the one it names.
    pub fn to_set_up(&self, token: &Token, administrator: (u16, PathBuf)) -> Result<YubiToken, Error> {
        if !token.is_yubihsm() {
            return Err(self.wrong(format!("token \"{}\" is no YubiHSM 2", token.name)));
        }
        let id = token.authentication_key.ok_or_else(|| self.missing(token, "authentication_key"))?;
        let Some(PinSource::File { file }) = &token.password else {
            let reason = "the setup makes the appliance's password, in a file: write password = { file = \"PATH\" } until it \
                          has, then put it where you want it";
            return Err(self.wrong(format!("token \"{}\": {reason}", token.name)));
        };
        let simulator = Simulator::file(|name| token.environment.get(name).map(OsString::from), &self.directory);
        Ok(YubiToken {
            address: self.address(token)?,
            simulator,
            administrator,
            signer: (id, self.directory.join(file)),
        })
    }

    fn address(&self, token: &Token) -> Result<Address, Error> {
        let connector = token.connector.as_ref().ok_or_else(|| self.missing(token, "connector"))?;
        connector.parse().map_err(|error| self.wrong(format!("token \"{}\": {error}", token.name)))
    }

    /// A simulated device is the one that the token's environment names.
    fn connect(&self, token: &Token, address: &Address) -> Result<Box<dyn Connector>, Error> {
        let failed = |cause: String| Error::Connector { token: token.name.clone(), cause };
        if *address == Address::Simulator {
            let variable = |name: &str| token.environment.get(name).map(OsString::from);
            let simulator = Simulator::from_environment(variable, &self.directory);
            return simulator.map(|simulator| Box::new(simulator) as _).map_err(|error| failed(error.to_string()));
        }
        address.connect(DEADLINE).map_err(|error| failed(error.to_string()))
    }
}
