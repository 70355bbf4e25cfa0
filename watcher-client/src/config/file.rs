//! The shape of `watcher.toml`, without judgement.

use std::path::PathBuf;

use serde::Deserialize;

use super::{chain::ChainSection, run::RunSection};

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
    pub(super) witness: Option<WitnessSection>,
    #[serde(default)]
    pub(super) chain: Vec<ChainSection>,
    pub(super) run: Option<RunSection>,
}

/// `[witness]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WitnessSection {
    pub(super) name: String,
    pub(super) key: PathBuf,
    pub(super) listen: Option<String>,
    #[serde(default)]
    pub(super) other: Vec<OtherSection>,
}

/// `[[witness.other]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OtherSection {
    pub(super) url: String,
    pub(super) key: String,
    pub(super) ca: Option<PathBuf>,
}
