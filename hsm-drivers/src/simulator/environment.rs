//! The device that a token's environment names: `CHANCERY_SIMULATOR`, the file it is kept in, and
//! `CHANCERY_SIMULATOR_SIGNING_MS`, the milliseconds a signature takes.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{BadState, Options, Simulator};

const FILE: &str = "CHANCERY_SIMULATOR";
const DEFAULT_FILE: &str = "simulator.state";
const SIGNING_TIME: &str = "CHANCERY_SIMULATOR_SIGNING_MS";

impl Simulator {
    /// The file of the device that these variables name, be it there or not.
    pub fn file(variable: impl Fn(&'static str) -> Option<OsString>, directory: &Path) -> PathBuf {
        directory.join(variable(FILE).unwrap_or_else(|| DEFAULT_FILE.into()))
    }

    /// Powers on the device named by these variables. Relative paths start at `directory`.
    ///
    /// # Errors
    /// As [`Simulator::open`]. [`BadState::Missing`] where there is no such device: a new one would be no stand-in for
    /// one that is lost.
    pub fn from_environment(
        variable: impl Fn(&'static str) -> Option<OsString>,
        directory: &Path,
    ) -> Result<Self, BadState> {
        let file = Self::file(&variable, directory);
        let signing_time = match variable(SIGNING_TIME) {
            None => Duration::ZERO,
            Some(text) => {
                let milliseconds = text.to_str().and_then(|text| text.parse().ok());
                Duration::from_millis(milliseconds.ok_or(BadState::Variable { name: SIGNING_TIME })?)
            }
        };
        match file.try_exists() {
            Ok(true) => Self::open(Some(&file), Options { signing_time, ..Options::default() }),
            Ok(false) => Err(BadState::Missing { path: file }),
            Err(cause) => Err(BadState::File { path: file, cause }),
        }
    }
}
