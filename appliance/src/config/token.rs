//! The sections `[[token]]`.

use std::{collections::BTreeSet, path::Path};

use hsm_drivers::yubihsm2::connector::Address;

use super::{
    DriverConfig, Profile, SecretSource, TokenConfig,
    reader::{private, readable},
};
use crate::toml_document::Section;

/// Every token; at least one.
pub(super) fn tokens(root: &Section<'_>, directory: &Path, profile: Option<Profile>) -> Option<Vec<TokenConfig>> {
    let sections = root.sections("token");
    if sections.is_empty() {
        root.absence_on(root.line_of("token"), "token", "write at least one section [[token]]");
    }
    let mut names = BTreeSet::new();
    let read = |section: Section<'_>| {
        let token = token(&section, directory, profile);
        let name = section.optional_text("name");
        if name.is_some_and(|name| !names.insert(name)) {
            section.mistake("name", "another token has this name");
        }
        token
    };
    // Collected twice, so that a token behind a mistaken one is read too.
    let tokens: Vec<_> = sections.into_iter().map(read).collect();
    tokens.into_iter().collect::<Option<Vec<_>>>().filter(|tokens| !tokens.is_empty())
}

fn token(section: &Section<'_>, directory: &Path, profile: Option<Profile>) -> Option<TokenConfig> {
    let name = name(section);
    let driver = section.text("driver");
    let driver_and_secret = match driver.as_deref() {
        Some("pkcs11") => pkcs11(section, directory, profile),
        Some("yubihsm") => yubihsm(section, directory, profile),
        Some(_) | None => {
            if driver.is_some() {
                section.mistake("driver", "write \"pkcs11\" or \"yubihsm\"");
            }
            // Either kind's keys may be meant.
            section.know(&["module", "label", "serial", "pin"]);
            section.know(&["connector", "authentication_key", "password", "attestation_ca"]);
            None
        }
    };
    let environment = section.text_map("environment");
    let sessions = if section.has("sessions") { section.integer("sessions", 1..=64) } else { Some(DEFAULT_SESSIONS) };
    let (driver, secret) = driver_and_secret?;
    let sessions = usize::try_from(sessions?).ok()?;
    Some(TokenConfig { name: name?, driver, environment: environment?, secret, sessions })
}

/// The `name` of a section.
pub(super) fn name(section: &Section<'_>) -> Option<String> {
    let name = section.text("name")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let fits = (1..=40).contains(&name.len()) && name.bytes().all(plain);
    if !fits {
        section.mistake("name", "write 1 to 40 of A-Z a-z 0-9 . _ -");
    }
    fits.then_some(name)
}

fn pkcs11(section: &Section<'_>, directory: &Path, profile: Option<Profile>) -> Option<(DriverConfig, SecretSource)> {
    let module = readable(section, "module", directory);
    if let Some(module) = &module
        && profile == Some(Profile::Production)
        && is_software(module)
    {
        section.mistake("module", SOFTWARE);
    }
    let label = bounded(section, "label", 32, section.text("label"));
    let serial = bounded(section, "serial", 16, section.optional_text("serial"));
    let pin = secret(section, "pin", directory);
    Some((DriverConfig::Pkcs11 { module: module?, label: label?, serial }, pin?))
}

/// Whether the module, by the name in the file or the one a link leads to, is SoftHSM.
fn is_software(module: &Path) -> bool {
    let names_softhsm =
        |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().to_lowercase().contains("softhsm"));
    names_softhsm(module) || module.canonicalize().is_ok_and(|target| names_softhsm(&target))
}

fn bounded(section: &Section<'_>, key: &'static str, most: usize, text: Option<String>) -> Option<String> {
    let text = text?;
    let fits = (1..=most).contains(&text.len());
    if !fits {
        section.mistake(key, format!("write 1 to {most} bytes: PKCS#11 knows no longer one"));
    }
    fits.then_some(text)
}

fn yubihsm(section: &Section<'_>, directory: &Path, profile: Option<Profile>) -> Option<(DriverConfig, SecretSource)> {
    let connector = section.text("connector").filter(|connector| is_connector(section, connector, profile));
    let authentication_key = section.integer("authentication_key", 1..=u64::from(u16::MAX));
    let password = secret(section, "password", directory);
    let attestation_ca = section.has("attestation_ca").then(|| readable(section, "attestation_ca", directory));
    let authentication_key = u16::try_from(authentication_key?).ok()?;
    let attestation_ca = attestation_ca.map_or(Some(None), |read| read.map(Some))?;
    Some((DriverConfig::Yubihsm { connector: connector?, authentication_key, attestation_ca }, password?))
}

fn is_connector(section: &Section<'_>, connector: &str, profile: Option<Profile>) -> bool {
    match connector.parse() {
        Ok(Address::Simulator) if profile == Some(Profile::Production) => section.mistake("connector", SOFTWARE),
        Ok(Address::Simulator | Address::Usb { .. } | Address::Http { .. }) => return true,
        Err(not_an_address) => section.mistake("connector", not_an_address.to_string()),
    }
    false
}

/// The one source the table under `key` names.
fn secret(section: &Section<'_>, key: &'static str, directory: &Path) -> Option<SecretSource> {
    if section.has(key) && !section.has_table(key) {
        // Whoever wrote it put a secret into this file: the message must not carry it further.
        section.mistake(key, format!("never stands in this file; {SOURCES}"));
        return None;
    }
    let source = section.section(key)?;
    let named = ["credential", "file", "prompt"].into_iter().filter(|name| source.has(name)).count();
    if named != 1 {
        section.mistake(key, SOURCES);
        return None;
    }
    if source.has("credential") {
        credential(&source)
    } else if source.has("file") {
        private(&source, "file", directory).map(SecretSource::File)
    } else {
        let typed = source.boolean("prompt")?;
        if !typed {
            section.mistake(key, SOURCES);
        }
        typed.then_some(SecretSource::Prompt)
    }
}

fn credential(source: &Section<'_>) -> Option<SecretSource> {
    let name = source.text("credential")?;
    let fits = !name.is_empty() && !name.contains(['/', '\0']) && name != "." && name != "..";
    if !fits {
        source.mistake("credential", "write the name of a systemd credential, without a slash");
    }
    fits.then_some(SecretSource::Credential(name))
}

const DEFAULT_SESSIONS: u64 = 4;
const SOFTWARE: &str = "is a software token: only profile \"development\" admits it";
const SOURCES: &str = "write one of { credential = \"NAME\" }, { file = \"PATH\" }, { prompt = true }";
