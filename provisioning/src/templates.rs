//! The text of the files `init` writes.

use std::path::Path;

/// What the texts depend on.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    /// `[audit_log] origin`.
    pub origin: &'a str,
    /// The PKCS#11 module; None where `chancery.toml` is there already and names it.
    pub module: Option<&'a Path>,
    /// The token's label.
    pub token_label: &'a str,
    /// Where watchers connect.
    pub watcher_port: u16,
    /// Where the monitor listens.
    pub monitor_port: u16,
    /// SHA-256 of the watcher's SubjectPublicKeyInfo.
    pub watcher_key_sha256: &'a str,
}

/// `chancery.toml`.
#[must_use]
pub fn chancery_toml(values: &Values<'_>) -> String {
    fill(CHANCERY, values)
}

/// `watcher.toml`, whose `log_keys` are empty until the log begins.
#[must_use]
pub fn watcher_toml(values: &Values<'_>) -> String {
    fill(WATCHER, values)
}

/// `policy.toml`.
#[must_use]
pub fn policy_toml(values: &Values<'_>) -> String {
    fill(POLICY, values)
}

/// A TOML basic string; JSON's escapes are among TOML's.
#[must_use]
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The line of `watcher.toml` before the log has a key.
pub const NO_LOG_KEY: &str = "log_keys = []";

fn fill(template: &str, values: &Values<'_>) -> String {
    let module = values.module.unwrap_or(Path::new(""));
    template
        .replace("@ORIGIN@", &quoted(values.origin))
        .replace("@MODULE@", &quoted(&module.to_string_lossy()))
        .replace("@LABEL@", &quoted(values.token_label))
        .replace("@WATCHER_PORT@", &values.watcher_port.to_string())
        .replace("@MONITOR_PORT@", &values.monitor_port.to_string())
        .replace("@WATCHER_KEY@", &quoted(values.watcher_key_sha256))
}

const CHANCERY: &str = include_str!("templates/chancery.toml");
const WATCHER: &str = include_str!("templates/watcher.toml");
const POLICY: &str = include_str!("templates/policy.toml");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_toml_whatever_the_paths() {
        let values = Values {
            origin: "x.example/a",
            module: Some(Path::new("/opt/a \"b\"\\c/é.so")),
            token_label: "chancery",
            watcher_port: 8443,
            monitor_port: 9464,
            watcher_key_sha256: "00",
        };
        let parse = |text: String| text.parse::<toml::Table>().unwrap();
        let chancery = parse(chancery_toml(&values));
        assert_eq!(chancery["token"][0]["module"].as_str(), Some("/opt/a \"b\"\\c/é.so"));
        assert_eq!(chancery["watcher_listener"]["address"].as_str(), Some("127.0.0.1:8443"));
        assert_eq!(parse(policy_toml(&values))["watcher"][0]["public_keys_sha256"][0].as_str(), Some("00"));
        assert!(parse(watcher_toml(&values))["log_keys"].as_array().unwrap().is_empty());
        assert_eq!(watcher_toml(&values).lines().filter(|line| *line == NO_LOG_KEY).count(), 1);
    }
}
