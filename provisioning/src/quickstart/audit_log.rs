//! The one thing read from the audit log: its own key, in its first entry.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::{Error, appliance_config::ApplianceConfig, files, report::Outcome, templates};

#[derive(Deserialize)]
struct Genesis {
    kind: String,
    log_key: String,
}

/// Whether a log was begun.
pub(super) fn exists(config: &ApplianceConfig) -> Result<bool, Error> {
    files::exists(&path(config))
}

/// The verifier key of the log.
pub(super) fn log_key(config: &ApplianceConfig) -> Result<String, Error> {
    let path = path(config);
    let failed = |source| Error::File { attempted: "read", path: path.clone(), source };
    let mut line = String::new();
    let begin = File::open(&path).map_err(failed)?.take(LONGEST_GENESIS);
    BufReader::new(begin).read_line(&mut line).map_err(failed)?;
    let wrong = |reason: String| Error::Config { path: path.clone(), reason };
    let genesis: Genesis =
        serde_json::from_str(&line).map_err(|error| wrong(format!("the first entry is no genesis: {error}")))?;
    if genesis.kind != "genesis" {
        return Err(wrong(format!("the first entry is of kind \"{}\", not \"genesis\"", genesis.kind)));
    }
    Ok(genesis.log_key)
}

/// Writes the log's key into `watcher.toml`, where that has none yet.
pub(super) fn tell_watcher(directory: &Path, config: &ApplianceConfig) -> Result<Outcome, Error> {
    let path = directory.join("watcher.toml");
    let text = files::read(&path)?;
    let line = format!("log_keys = [{}]", templates::quoted(&log_key(config)?));
    let lines = text.lines().map(|old| if old == templates::NO_LOG_KEY { line.as_str() } else { old });
    let told = lines.flat_map(|line| [line, "\n"]).collect::<String>();
    if told == text {
        return Ok(Outcome::Kept);
    }
    files::replace(&path, &told)?;
    Ok(Outcome::Made)
}

fn path(config: &ApplianceConfig) -> PathBuf {
    config.state_directory().join("log.jsonl")
}

const LONGEST_GENESIS: u64 = 64 * 1024;
