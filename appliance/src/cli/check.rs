//! `chancery check`.

use std::path::Path;

use super::{
    Failure,
    output::{print, print_json},
};
use crate::config::{Config, ConfigError};

pub(super) fn run(path: &Path, json: bool) -> Result<(), Failure> {
    match Config::load(path) {
        Ok(config) => {
            if json {
                print_json(&serde_json::json!({ "ok": true, "sha256": config.sha256, "mistakes": [] }));
            } else {
                print(format!("{} is good (profile {})", path.display(), config.profile.name()));
            }
            Ok(())
        }
        Err(ConfigError::Mistaken { mistakes, path }) if json => {
            print_json(&serde_json::json!({ "ok": false, "mistakes": mistakes.0 }));
            Err(Failure::fatal(format!("{}: {} mistakes", path.display(), mistakes.0.len())))
        }
        Err(error) => Err(error.into()),
    }
}
