//! The sections `[[witness]]`: whose cosignatures of the log's checkpoints are kept.

use std::collections::BTreeSet;

use appliance_wire::WitnessKey;

use super::{WitnessConfig, token};
use crate::toml_document::Section;

/// Every witness; `None` where one is mistaken.
pub(super) fn witnesses(root: &Section<'_>) -> Option<Vec<WitnessConfig>> {
    let (mut names, mut keys) = (BTreeSet::new(), BTreeSet::new());
    let read = |section: Section<'_>| {
        let (name, key) = (token::name(&section), key(&section));
        if name.as_ref().is_some_and(|name| !names.insert(name.clone())) {
            section.mistake("name", "another witness has this name");
        }
        if key.as_ref().is_some_and(|key| !keys.insert(key.to_string())) {
            section.mistake("key", "another witness has this key");
        }
        Some(WitnessConfig { name: name?, key: key? })
    };
    // Collected twice, so that a witness behind a mistaken one is read too.
    let witnesses: Vec<_> = root.sections("witness").into_iter().map(read).collect();
    witnesses.into_iter().collect()
}

fn key(section: &Section<'_>) -> Option<WitnessKey> {
    let text = section.text("key")?;
    let key = WitnessKey::parse(&text);
    key.map_err(|error| {
        section.mistake("key", format!("{error}; copy the line that `chancery-watcher witness key` printed"));
    })
    .ok()
}
