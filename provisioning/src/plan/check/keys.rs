//! Keys: each in one token, none of the appliance's own, and all that the policy names.

use std::collections::{BTreeMap, BTreeSet};

use hsm_types::Algorithm;
use serde::Deserialize;

use crate::{
    plan::{
        KeyInToken, PlannedToken,
        document::{self, Section},
        mistakes::Mistakes,
    },
    token::PlannedKey,
};

/// What begins so belongs to the appliance.
const OWN: &str = "chancery-";

pub(super) fn keys(
    sections: Vec<Section<document::Key>>,
    tokens: &[PlannedToken],
    has_custodians: bool,
    mistakes: &mut Mistakes,
) -> Vec<KeyInToken> {
    let mut names = BTreeSet::new();
    let mut keys = Vec::new();
    for section in sections {
        let document::Key { name, algorithm, children, backup, .. } = &section.value;
        if name.as_str().starts_with(OWN) {
            mistakes.add(
                section.line_of("name"),
                format!("key \"{name}\": names that begin with {OWN} are the appliance's own"),
            );
        }
        if !names.insert(name.as_str().to_owned()) {
            mistakes.add(section.line_of("name"), format!("key \"{name}\": is there twice"));
        }
        if *children && *algorithm != Algorithm::Secp256k1 {
            let message = format!("key \"{name}\": {algorithm} keys have no children, only secp256k1 keys have");
            mistakes.add(section.line_of("children"), message);
        }
        if *backup && !has_custodians {
            mistakes.add(
                section.line_of("backup"),
                format!("key \"{name}\": a backup needs a section [backup] with custodians"),
            );
        }
        let Some(token) = token_of(&section, tokens, mistakes) else { continue };
        if *backup && !tokens.iter().any(|spare| spare.spare && spare.driver() == token.driver()) {
            let message = format!(
                "key \"{name}\": its backup is proven by a restore, and there is no spare token with driver \"{}\": add a \
                 [[token]] with spare = true",
                token.driver()
            );
            mistakes.add(section.line_of("backup"), message);
        }
        if *backup && *algorithm == Algorithm::Ed25519 && token.is_softhsm() {
            let message = format!("key \"{name}\": SoftHSM wraps no ed25519 key, so that it could not be backed up");
            mistakes.add(section.line_of("backup"), message);
        }
        let key = PlannedKey { label: name.clone(), algorithm: *algorithm, children: *children };
        keys.push(KeyInToken { key, token: token.name.clone(), backup: *backup });
    }
    keys
}

fn token_of<'a>(
    section: &Section<document::Key>,
    tokens: &'a [PlannedToken],
    mistakes: &mut Mistakes,
) -> Option<&'a PlannedToken> {
    let name = &section.value.name;
    let mut main = tokens.iter().filter(|token| !token.spare);
    let found = match &section.value.token {
        Some(wanted) => main.find(|token| token.name == *wanted),
        None => match (main.next(), main.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        },
    };
    if found.is_none() {
        let message = format!("key \"{name}\": say which token it is made in, one that is no spare: token = \"NAME\"");
        mistakes.add(section.line_of("token"), message);
    }
    found
}

/// What of a policy has to do with keys. The appliance judges the rest.
#[derive(Deserialize)]
struct PolicyKeys {
    #[serde(default)]
    key: Vec<PolicyKey>,
}

#[derive(Deserialize)]
struct PolicyKey {
    name: String,
    algorithm: String,
    #[serde(default)]
    children: bool,
}

/// A policy with a key that no token has could not be installed, when all is done.
pub(super) fn expect_in(keys: &[KeyInToken], policy: &str, mistakes: &mut Mistakes) {
    let named: PolicyKeys = match toml::from_str(policy) {
        Ok(named) => named,
        Err(error) => return mistakes.add(1, format!("policy: {}", error.message())),
    };
    let made: BTreeMap<&str, &PlannedKey> = keys.iter().map(|key| (key.key.label.as_str(), &key.key)).collect();
    for PolicyKey { name, algorithm, children } in named.key {
        match made.get(name.as_str()) {
            None => mistakes.add(1, format!("policy: it names key \"{name}\", which the plan does not make")),
            Some(key) if key.algorithm.name() != algorithm => {
                mistakes
                    .add(1, format!("policy: key \"{name}\" is {algorithm} there and {} in the plan", key.algorithm));
            }
            Some(key) if children && !key.children => {
                mistakes.add(1, format!("policy: key \"{name}\" has children there and none in the plan"));
            }
            Some(_) => {}
        }
    }
}
