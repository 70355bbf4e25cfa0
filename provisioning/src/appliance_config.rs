//! What provisioning reads of `chancery.toml`. The appliance judges the file; what is not read here is not looked at.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use hsm_drivers::pkcs11::ceremony::Ceremony;
use serde::Deserialize;

use crate::{
    Error,
    environment::{self, Variables},
    files,
    secret::PinSource,
};

/// A `chancery.toml` and where it lies.
#[derive(Debug)]
pub struct ApplianceConfig {
    path: PathBuf,
    directory: PathBuf,
    file: ConfigFile,
}

#[derive(Debug, Deserialize)]
struct ConfigFile {
    watcher_listener: Listener,
    monitor_listener: Option<Listener>,
    state: State,
    #[serde(default, rename = "token")]
    tokens: Vec<Token>,
}

#[derive(Debug, Deserialize)]
struct Listener {
    address: SocketAddr,
}

#[derive(Debug, Deserialize)]
struct State {
    directory: PathBuf,
}

/// One `[[token]]`.
#[derive(Debug, Deserialize)]
pub struct Token {
    name: String,
    driver: String,
    module: Option<PathBuf>,
    label: Option<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    pin: Option<PinSource>,
}

impl ApplianceConfig {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let path = files::absolute(path)?;
        let text = files::read(&path)?;
        let file = toml::from_str(&text)
            .map_err(|error| Error::Config { path: path.clone(), reason: error.to_string().trim_end().to_owned() })?;
        let directory = path.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(Self { path, directory, file })
    }

    /// Where watchers connect.
    #[must_use]
    pub fn watcher_address(&self) -> SocketAddr {
        self.file.watcher_listener.address
    }

    /// Where `/readyz` is.
    pub fn monitor_address(&self) -> Result<SocketAddr, Error> {
        let listener = self.file.monitor_listener.as_ref();
        listener.map(|listener| listener.address).ok_or_else(|| self.wrong("has no [monitor_listener]".to_owned()))
    }

    /// The directory of the audit log.
    #[must_use]
    pub fn state_directory(&self) -> PathBuf {
        self.directory.join(&self.file.state.directory)
    }

    /// The token called `name`, or the only PKCS#11 token there is.
    pub fn token(&self, name: Option<&str>) -> Result<&Token, Error> {
        let fits = |token: &&Token| token.driver == "pkcs11" && name.is_none_or(|name| token.name == name);
        let fitting: Vec<&Token> = self.file.tokens.iter().filter(fits).collect();
        match (fitting.as_slice(), name) {
            ([token], _) => Ok(token),
            ([], None) => Err(self.wrong("names no token with driver \"pkcs11\"".to_owned())),
            ([], Some(name)) => Err(self.wrong(format!("names no token \"{name}\" with driver \"pkcs11\""))),
            _ => Err(self.wrong("names more than one PKCS#11 token: say which with --token NAME".to_owned())),
        }
    }

    /// What must be in the environment before the token's module is loaded.
    #[must_use]
    pub fn variables(&self, token: &Token) -> Variables {
        let resolved = |(name, value): (&String, &String)| (name.clone(), environment::resolve(value, &self.directory));
        token.environment.iter().map(resolved).collect()
    }

    /// Opens the token; its environment must be set.
    pub fn open(&self, token: &Token) -> Result<Ceremony, Error> {
        let missing = |field: &str| self.wrong(format!("token \"{}\" has no {field}", token.name));
        let module = self.directory.join(token.module.as_ref().ok_or_else(|| missing("module"))?);
        let label = token.label.as_ref().ok_or_else(|| missing("label"))?;
        let pin = token.pin.as_ref().ok_or_else(|| missing("pin"))?;
        if !files::exists(&module)? {
            let reason = format!(
                "token \"{}\": there is no PKCS#11 module at {}: install it (SoftHSM: the package softhsm2), or correct \
                 the line `module`",
                token.name,
                module.display()
            );
            return Err(self.wrong(reason));
        }
        Ok(Ceremony::open(&module, label, &pin.read(&self.directory, label)?)?)
    }

    fn wrong(&self, reason: String) -> Error {
        Error::Config { path: self.path.clone(), reason }
    }
}
