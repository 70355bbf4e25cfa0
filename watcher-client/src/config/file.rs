//! The shape of `watcher.toml`, without judgement.

use std::path::PathBuf;

use serde::Deserialize;

/// As written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigFile {
    pub(super) url: String,
    pub(super) ca: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) private_key: PathBuf,
    pub(super) state_directory: PathBuf,
    pub(super) log_keys: Vec<String>,
}
