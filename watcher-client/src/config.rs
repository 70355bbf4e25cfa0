//! `watcher.toml`: where the signer is, who we are, whose log we believe.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use appliance_wire::LogKey;
use reqwest::Url;

mod chain;
mod file;
mod run;
mod witness;

pub use chain::{ChainAsset, ChainConfig, Network, Strategy};
pub use run::{ApiTls, RunConfig, WebhookConfig};
pub use witness::{OtherWitness, WitnessConfig};

/// A checked `watcher.toml`. Paths are absolute or as seen from the current directory.
#[derive(Clone, Debug)]
pub struct Config {
    /// The signer's address without the `/v1`, such as `https://signer.internal:8443`.
    pub url: String,
    /// PEM: the CA the signer's certificate must come from. No other is believed.
    pub ca: PathBuf,
    /// PEM: our certificate, followed by intermediates where it has some.
    pub certificate: PathBuf,
    /// PEM: its private key.
    pub private_key: PathBuf,
    /// Where the last checkpoint and the public keys seen are remembered.
    pub state_directory: PathBuf,
    /// Keys that may have signed a checkpoint. All of them sign the same log: a replaced token brings a new key.
    pub log_keys: Vec<LogKey>,
    /// What it is as a witness of the log, where it is one.
    pub witness: Option<WitnessConfig>,
    /// The chains it serves as a daemon.
    pub chains: Vec<ChainConfig>,
    /// What it is as a daemon, where it is one.
    pub run: Option<RunConfig>,
}

/// A `watcher.toml`, or a file it names, that cannot be used: every problem at once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong, each with what to do.
    pub problems: Vec<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be used: {}", self.file.display(), self.problems.join("; "))
    }
}

impl std::error::Error for ConfigError {}

impl ConfigError {
    pub(crate) fn new(file: &Path, problem: impl Into<String>) -> Self {
        Self { file: file.to_owned(), problems: vec![problem.into()] }
    }
}

impl Config {
    /// Reads and checks a file. Relative paths in it are relative to its folder.
    ///
    /// # Errors
    /// All problems of the file together, each with its key and what to do.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(file).map_err(|error| {
            ConfigError::new(
                file,
                format!("{error}; name another with --config, or let `chancery-provision init` write one"),
            )
        })?;
        let parsed = toml::from_str(&text).map_err(|error| ConfigError::new(file, error.to_string().trim_end()))?;
        let folder = file.parent().unwrap_or(Path::new(""));
        Self::check(parsed, folder).map_err(|problems| ConfigError { file: file.to_owned(), problems })
    }

    fn check(parsed: file::ConfigFile, folder: &Path) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut existing = |key: &str, path: &Path| {
            let path = folder.join(path);
            if !path.is_file() {
                problems.push(format!("key `{key}`: there is no file {}; correct the path", path.display()));
            }
            path
        };
        let ca = existing("ca", &parsed.ca);
        let certificate = existing("certificate", &parsed.certificate);
        let private_key = existing("private_key", &parsed.private_key);
        let url = checked_url(&parsed.url).unwrap_or_else(|problem| {
            problems.push(problem);
            String::new()
        });
        let mut log_keys = Vec::new();
        for text in &parsed.log_keys {
            match LogKey::parse(text) {
                Ok(key) => log_keys.push(key),
                Err(error) => problems.push(format!(
                    "key `log_keys`: \"{text}\": {error}; copy the line `chancery status` shows as the log key"
                )),
            }
        }
        if parsed.log_keys.is_empty() {
            problems.push(
                "key `log_keys` is empty: without the log's key no receipt or checkpoint can be verified; \
                copy the line `chancery status` shows as the log key"
                    .to_owned(),
            );
        }
        let witness = parsed.witness.map(|section| witness::check(section, folder, &ca, &mut problems));
        let chains = chain::check_all(parsed.chain, folder, &mut problems);
        let run = parsed.run.and_then(|section| run::check(section, folder, &mut problems));
        let state_directory = folder.join(parsed.state_directory);
        let config = Self { url, ca, certificate, private_key, state_directory, log_keys, witness, chains, run };
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }
}

/// `https`, a host, and nothing behind the path; without a slash at the end.
fn checked_url(text: &str) -> Result<String, String> {
    let bad = |why: &str| Err(format!("key `url`: \"{text}\" {why}; write it like https://signer.internal:8443"));
    match Url::parse(text) {
        Err(error) => bad(&format!("is no URL ({error})")),
        Ok(url) if url.scheme() != "https" => bad("does not begin with https: the signer speaks TLS only"),
        Ok(url) if url.query().is_some() || url.fragment().is_some() => bad("has a query or a fragment"),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            bad("holds a name or a password: the certificate says who we are")
        }
        Ok(url) => Ok(url.as_str().trim_end_matches('/').to_owned()),
    }
}

#[cfg(test)]
mod tests;
