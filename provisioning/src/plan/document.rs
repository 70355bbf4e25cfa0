//! The plan's text, section by section: what it says, not yet whether that can be.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use hsm_types::{Algorithm, KeyLabel};
use serde::{Deserialize, de::DeserializeOwned};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{mistakes::Mistakes, role::Word};
use crate::secret::PinSource;

/// A section, and the lines of its keys.
#[derive(Debug)]
pub(super) struct Section<T> {
    pub(super) line: usize,
    keys: BTreeMap<String, usize>,
    pub(super) value: T,
}

#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) name: Option<Section<String>>,
    pub(super) origin: Option<Section<String>>,
    pub(super) profile: Option<Section<String>>,
    pub(super) policy: Option<Section<PathBuf>>,
    pub(super) participants: Vec<Section<Participant>>,
    pub(super) backup: Option<Section<Backup>>,
    pub(super) tokens: Vec<Section<Token>>,
    pub(super) roles: Vec<Section<Role>>,
    pub(super) keys: Vec<Section<Key>>,
    pub(super) pki: Option<Section<Pki>>,
    pub(super) appliance: Option<Section<Appliance>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Participant {
    pub(super) name: String,
    pub(super) role: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Backup {
    pub(super) threshold: u8,
    pub(super) custodians: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Token {
    pub(super) name: String,
    pub(super) driver: String,
    #[serde(default)]
    pub(super) spare: bool,
    pub(super) module: Option<PathBuf>,
    pub(super) label: Option<String>,
    #[serde(default)]
    pub(super) environment: BTreeMap<String, String>,
    pub(super) so_pin: Option<PinSource>,
    pub(super) pin: Option<PinSource>,
    pub(super) connector: Option<String>,
    #[serde(default)]
    pub(super) passwords: BTreeMap<Word, PinSource>,
    pub(super) domains: Option<Vec<u8>>,
    pub(super) attestation_ca: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Role {
    pub(super) role: Word,
    pub(super) id: u16,
    pub(super) capabilities: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Key {
    pub(super) name: KeyLabel,
    pub(super) algorithm: Algorithm,
    #[serde(default)]
    pub(super) children: bool,
    #[serde(default)]
    pub(super) backup: bool,
    pub(super) token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pki {
    #[serde(default)]
    pub(super) server_names: Vec<String>,
    #[serde(default)]
    pub(super) watchers: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Appliance {
    pub(super) watcher_address: Option<SocketAddr>,
    pub(super) monitor_address: Option<SocketAddr>,
}

impl<T> Section<T> {
    /// Where the key is, or else where the section begins.
    pub(super) fn line_of(&self, key: &str) -> usize {
        self.keys.get(key).copied().unwrap_or(self.line)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }
}

impl Document {
    /// As much of it as can be read, and what cannot.
    pub(super) fn read(text: &str) -> (Self, Mistakes) {
        let mut mistakes = Mistakes::of(text);
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let line = mistakes.line(&error.span().unwrap_or(text.len()..text.len()));
            mistakes.add(line, error.message());
        }
        let mut document = Self::default();
        // What can be made of a text with broken syntax is a guess, and its mistakes would be, too.
        if mistakes.is_empty() {
            for (key, value) in table.into_inner() {
                let line = mistakes.line(&key.span());
                document.take(key.get_ref(), line, value, &mut mistakes);
            }
        }
        (document, mistakes)
    }

    fn take(&mut self, key: &str, line: usize, value: Spanned<DeValue<'_>>, mistakes: &mut Mistakes) {
        match key {
            "name" => self.name = one(key, line, value, mistakes),
            "origin" => self.origin = one(key, line, value, mistakes),
            "profile" => self.profile = one(key, line, value, mistakes),
            "policy" => self.policy = one(key, line, value, mistakes),
            "backup" => self.backup = one(key, line, value, mistakes),
            "pki" => self.pki = one(key, line, value, mistakes),
            "appliance" => self.appliance = one(key, line, value, mistakes),
            "participant" => self.participants = all(key, line, value, mistakes),
            "token" => self.tokens = all(key, line, value, mistakes),
            "role" => self.roles = all(key, line, value, mistakes),
            "key" => self.keys = all(key, line, value, mistakes),
            _ => mistakes.add(line, format!("`{key}` is no part of a plan")),
        }
    }
}

fn all<T: DeserializeOwned>(
    name: &str,
    line: usize,
    value: Spanned<DeValue<'_>>,
    mistakes: &mut Mistakes,
) -> Vec<Section<T>> {
    let DeValue::Array(sections) = value.into_inner() else {
        mistakes.add(line, format!("write each as a section [[{name}]]"));
        return Vec::new();
    };
    let read = |section: Spanned<DeValue<'_>>| {
        let line = mistakes.line(&section.span());
        one(name, line, section, mistakes)
    };
    sections.into_iter().filter_map(read).collect()
}

fn one<T: DeserializeOwned>(
    name: &str,
    line: usize,
    value: Spanned<DeValue<'_>>,
    mistakes: &mut Mistakes,
) -> Option<Section<T>> {
    let table = value.get_ref().as_table();
    let keys = table.iter().flat_map(|table| table.iter());
    let keys = keys.map(|(key, _)| (key.get_ref().to_string(), mistakes.line(&key.span()))).collect();
    let span = value.span();
    match T::deserialize(toml::de::ValueDeserializer::from(value)) {
        Ok(value) => Some(Section { line, keys, value }),
        Err(error) => {
            let place = error.span().map_or(line, |span| mistakes.line(&span));
            // An absent key has no place but the section's.
            let place = if error.span() == Some(span) { line } else { place };
            mistakes.add(place, format!("{name}: {}", error.message()));
            None
        }
    }
}
