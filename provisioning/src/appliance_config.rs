//! What provisioning reads of `chancery.toml`. The appliance judges the file; what is not read here is not looked at.

mod served;
mod token;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::Deserialize;

pub use self::token::{Access, Token};

use crate::{Error, environment::Variables, files};

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
    #[serde(default)]
    console: bool,
}

#[derive(Debug, Deserialize)]
struct State {
    directory: PathBuf,
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

    /// Whether the console page is beside it.
    #[must_use]
    pub fn has_console(&self) -> bool {
        self.file.monitor_listener.as_ref().is_some_and(|listener| listener.console)
    }

    /// The directory of the audit log.
    #[must_use]
    pub fn state_directory(&self) -> PathBuf {
        self.directory.join(&self.file.state.directory)
    }

    /// The token called `name`, or the only one there is.
    pub fn token(&self, name: Option<&str>) -> Result<&Token, Error> {
        let fits = |token: &&Token| token.is_known() && name.is_none_or(|name| token.name == name);
        let fitting: Vec<&Token> = self.file.tokens.iter().filter(fits).collect();
        match (fitting.as_slice(), name) {
            ([token], _) => Ok(token),
            ([], None) => Err(self.wrong(format!("names no token with {DRIVERS}"))),
            ([], Some(name)) => Err(self.wrong(format!("names no token \"{name}\" with {DRIVERS}"))),
            _ => Err(self.wrong("names more than one token: say which with --token NAME".to_owned())),
        }
    }

    /// The token that `--token` calls `name`; without a name, the only one beside `other`.
    pub fn token_beside(&self, other: &Token, name: Option<&str>) -> Result<&Token, Error> {
        let mut beside = self.file.tokens.iter().filter(|token| token.is_known() && token.name != other.name);
        match (name, beside.next(), beside.next()) {
            (None, Some(only), None) => Ok(only),
            (None, None, _) => Err(self.wrong(format!("names no token beside \"{}\"", other.name))),
            (name, ..) => self.token(name),
        }
    }

    /// What must be in the environment before the module of either token is loaded, for one program opens both.
    pub fn variables_of_both(&self, one: &Token, other: &Token) -> Result<Variables, Error> {
        let mut variables = self.variables(one);
        for (name, value) in self.variables(other) {
            if variables.get(&name).is_some_and(|set| *set != value) {
                let reason = format!(
                    "tokens \"{}\" and \"{}\" have another {name} each, and one program can open but one of them then: \
                     name a configuration of the module that shows both",
                    one.name, other.name
                );
                return Err(self.wrong(reason));
            }
            variables.insert(name, value);
        }
        Ok(variables)
    }

    fn missing(&self, token: &Token, field: &str) -> Error {
        self.wrong(format!("token \"{}\" has no {field}", token.name))
    }

    fn wrong(&self, reason: String) -> Error {
        Error::Config { path: self.path.clone(), reason }
    }
}

const DRIVERS: &str = "driver \"pkcs11\" or \"yubihsm\"";
