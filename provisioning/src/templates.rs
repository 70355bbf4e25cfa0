//! The text of the files `init` writes.

use std::path::Path;

use hsm_drivers::yubihsm2::connector::Address;

/// What the texts depend on.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    /// `[audit_log] origin`.
    pub origin: &'a str,
    /// The token's section; None where `chancery.toml` is there already and has it.
    pub token: Option<String>,
    /// Where watchers connect.
    pub watcher_port: u16,
    /// Where the monitor listens.
    pub monitor_port: u16,
    /// Whether the console page is there.
    pub console: bool,
    /// SHA-256 of the watcher's SubjectPublicKeyInfo.
    pub watcher_key_sha256: &'a str,
}

/// `chancery.toml`.
#[must_use]
pub fn chancery_toml(values: &Values<'_>) -> String {
    fill(CHANCERY, values)
}

/// The section `[[token]]` of a SoftHSM token.
#[must_use]
pub fn softhsm_section(module: &Path, label: &str) -> String {
    SOFTHSM.replace("@MODULE@", &quoted(&module.to_string_lossy())).replace("@LABEL@", &quoted(label))
}

/// The section `[[token]]` of a YubiHSM 2, real or not.
#[must_use]
pub fn yubihsm_section(connector: &Address, signer: u16) -> String {
    let environment = if *connector == Address::Simulator { "CHANCERY_SIMULATOR = \"token/simulator\"" } else { "" };
    YUBIHSM
        .replace("@CONNECTOR@", &quoted(&connector.to_string()))
        .replace("@ENVIRONMENT@", environment)
        .replace("@SIGNER@", &signer.to_string())
}

/// `watcher.toml`, whose `log_keys` are empty until the log begins.
#[must_use]
pub fn watcher_toml(values: &Values<'_>) -> String {
    fill(WATCHER, values)
}

/// `policy.toml`, of one of the templates [`POLICY`], [`POLICY_LITECOIN`], [`POLICY_ANVIL`].
#[must_use]
pub fn policy_toml(template: &str, values: &Values<'_>) -> String {
    fill(template, values)
}

/// A TOML basic string; JSON's escapes are among TOML's.
#[must_use]
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A policy for bitcoin on a chain of one's own.
pub const POLICY: &str = include_str!("templates/policy.toml");
/// A policy for Litecoin on a chain of one's own.
pub const POLICY_LITECOIN: &str = include_str!("templates/policy-litecoin.toml");
/// A policy for ether on anvil's chain.
pub const POLICY_ANVIL: &str = include_str!("templates/policy-anvil.toml");

/// The line of `watcher.toml` before the log has a key.
pub const NO_LOG_KEY: &str = "log_keys = []";

fn fill(template: &str, values: &Values<'_>) -> String {
    template
        .replace("@ORIGIN@", &quoted(values.origin))
        .replace("@TOKEN@", values.token.as_deref().unwrap_or_default())
        .replace("@WATCHER_PORT@", &values.watcher_port.to_string())
        .replace("@MONITOR_PORT@", &values.monitor_port.to_string())
        .replace("@CONSOLE@", &values.console.to_string())
        .replace("@WATCHER_KEY@", &quoted(values.watcher_key_sha256))
}

const CHANCERY: &str = include_str!("templates/chancery.toml");
const SOFTHSM: &str = include_str!("templates/softhsm.toml");
const YUBIHSM: &str = include_str!("templates/yubihsm.toml");
const WATCHER: &str = include_str!("templates/watcher.toml");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_toml_whatever_the_paths() {
        let values = Values {
            origin: "x.example/a",
            token: Some(softhsm_section(Path::new("/opt/a \"b\"\\c/é.so"), "chancery")),
            watcher_port: 8443,
            monitor_port: 9464,
            console: true,
            watcher_key_sha256: "00",
        };
        let parse = |text: String| text.parse::<toml::Table>().unwrap();
        let chancery = parse(chancery_toml(&values));
        assert_eq!(chancery["token"][0]["module"].as_str(), Some("/opt/a \"b\"\\c/é.so"));
        assert_eq!(chancery["watcher_listener"]["address"].as_str(), Some("127.0.0.1:8443"));
        assert_eq!(chancery["monitor_listener"]["console"].as_bool(), Some(true));
        for (connector, environment) in [(Address::Simulator, 1), (Address::Usb { serial: 7 }, 0)] {
            let yubihsm = Values { token: Some(yubihsm_section(&connector, 2)), ..values.clone() };
            let token = &parse(chancery_toml(&yubihsm))["token"][0];
            assert_eq!(token["connector"].as_str(), Some(connector.to_string().as_str()));
            assert_eq!(token["environment"].as_table().map(toml::Table::len), Some(environment));
        }
        for template in [POLICY, POLICY_LITECOIN, POLICY_ANVIL] {
            let policy = parse(policy_toml(template, &values));
            assert_eq!(policy["watcher"][0]["public_keys_sha256"][0].as_str(), Some("00"));
        }
        assert!(parse(watcher_toml(&values))["log_keys"].as_array().unwrap().is_empty());
        assert_eq!(watcher_toml(&values).lines().filter(|line| *line == NO_LOG_KEY).count(), 1);
    }
}
