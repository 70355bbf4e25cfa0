//! The sections `[[watcher]]`.

use std::collections::BTreeSet;

use super::catalogue::{Catalogue, name_of};
use crate::toml_document::{Element, Section};

/// Who may ask for signatures.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Watcher {
    /// Its name in rules and entries.
    pub name: String,
    /// SHA-256 of each SubjectPublicKeyInfo its certificates may have. Each is one watcher's only.
    pub public_keys_sha256: Vec<[u8; 32]>,
}

pub(super) fn watchers(root: &Section<'_>) -> Catalogue<Watcher> {
    let mut known = BTreeSet::new();
    Catalogue::read(root, "watcher", |section| watcher(section, &mut known))
}

fn watcher(section: &Section<'_>, known: &mut BTreeSet<[u8; 32]>) -> Option<Watcher> {
    let name = name_of(section);
    let elements = section.texts(HASHES)?;
    if elements.is_empty() {
        section.mistake(HASHES, "is empty; write at least one");
    }
    let hashes: Vec<_> = elements.iter().map(|element| hash(section, element, known)).collect();
    Some(Watcher { name: name?, public_keys_sha256: hashes.into_iter().collect::<Option<_>>()? })
}

fn hash(section: &Section<'_>, element: &Element, known: &mut BTreeSet<[u8; 32]>) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    if hex::decode_to_slice(&element.text, &mut hash).is_err() {
        section.mistake_on(
            element.line,
            HASHES,
            format!("\"{}\" is no SHA-256: write 64 hexadecimal digits", element.text),
        );
        return None;
    }
    if !known.insert(hash) {
        let message = format!("{} is there twice: a public key is one watcher's, once", element.text);
        section.mistake_on(element.line, HASHES, message);
    }
    Some(hash)
}

const HASHES: &str = "public_keys_sha256";
