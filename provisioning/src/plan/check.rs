//! Whether what a plan says can be, and gives nobody more than needed.

mod keys;
mod people;
mod tokens;

use std::path::Path;

use appliance_wire::ceremony::SELF_TEST_LABEL;

use super::{
    KeyInToken, Plan, PlannedPki,
    document::{Document, Section},
    mistakes::Mistakes,
};
use crate::{files, init, pki, token};

/// Where watchers connect unless the plan says otherwise.
pub(super) const WATCHERS: ([u8; 4], u16) = ([127, 0, 0, 1], 8443);
/// Where the monitor listens then.
pub(super) const MONITOR: ([u8; 4], u16) = ([127, 0, 0, 1], 9464);

/// The text of the policy that the plan names.
pub(super) fn policy(document: &Document, directory: &Path, mistakes: &mut Mistakes) -> Option<String> {
    let named = document.policy.as_ref()?;
    match files::read(&directory.join(&named.value)) {
        Ok(text) => Some(text),
        Err(error) => {
            mistakes.add(named.line, format!("policy: {}", error.chain()));
            None
        }
    }
}

pub(super) fn plan(
    document: Document,
    path: &Path,
    sha256: String,
    policy: Option<String>,
    mistakes: &mut Mistakes,
) -> Option<Plan> {
    let Document { name, origin, profile, policy: _, participants, backup, tokens, roles, keys, pki, appliance } =
        document;
    let name = required("name", name, mistakes);
    let origin = required("origin", origin, mistakes).filter(|origin| is_origin(origin, mistakes));
    let profile = required("profile", profile, mistakes).filter(|profile| is_profile(profile, mistakes));
    let production = profile.as_ref().is_some_and(|profile| profile.value == "production");
    let participants = people::participants(participants, production, mistakes);
    let custody = backup.and_then(|backup| people::custody(backup, &participants, mistakes));
    let directory = path.parent().unwrap_or(Path::new("/"));
    let tokens = tokens::tokens(tokens, roles, production, directory, mistakes);
    let mut all = Vec::new();
    for (number, token) in tokens.iter().filter(|token| !token.spare).enumerate() {
        all.extend(own_keys(&token.name, number == 0));
    }
    let wanted = keys.len();
    let found = keys::keys(keys, &tokens, custody.is_some(), mistakes);
    let all_found = found.len() == wanted;
    all.extend(found);
    let pki = pki.and_then(|pki| certificates(pki, mistakes));
    if policy.is_none() {
        mistakes.add(1, "policy: name the first policy's file; without one the audit log cannot begin");
    }
    let policy = policy?;
    if all_found {
        keys::expect_in(&all, &policy, mistakes);
    }
    let (watcher, monitor) =
        appliance.map_or((None, None), |section| (section.value.watcher_address, section.value.monitor_address));
    Some(Plan {
        path: path.to_owned(),
        sha256,
        name: name?.value,
        origin: origin?.value,
        profile: profile?.value,
        participants,
        backup: custody,
        tokens,
        keys: all,
        policy,
        pki,
        watcher_address: watcher.unwrap_or(WATCHERS.into()),
        monitor_address: monitor.unwrap_or(MONITOR.into()),
        rehearsal: false,
    })
}

fn required<T>(key: &str, found: Option<Section<T>>, mistakes: &mut Mistakes) -> Option<Section<T>> {
    if found.is_none() {
        mistakes.add(1, format!("{key}: is missing"));
    }
    found
}

fn is_origin(origin: &Section<String>, mistakes: &mut Mistakes) -> bool {
    let checked = init::check_origin(&origin.value);
    checked.map_err(|error| mistakes.add(origin.line, error.to_string())).is_ok()
}

fn is_profile(profile: &Section<String>, mistakes: &mut Mistakes) -> bool {
    let is = ["production", "development"].contains(&profile.value.as_str());
    if !is {
        mistakes.add(profile.line, "profile: write \"production\" or \"development\"");
    }
    is
}

/// The appliance's own keys, named by no plan: the log key in the first token, one to try it out in each.
fn own_keys(token: &str, is_first: bool) -> impl Iterator<Item = KeyInToken> {
    let wanted = token::own_keys().filter(move |key| is_first || key.label.as_str() == SELF_TEST_LABEL);
    wanted.map(|key| KeyInToken { key, token: token.to_owned(), backup: false })
}

fn certificates(section: Section<super::document::Pki>, mistakes: &mut Mistakes) -> Option<PlannedPki> {
    let line = section.line_of("watchers");
    let super::document::Pki { server_names, watchers } = section.value;
    let mut names = std::collections::BTreeSet::new();
    for name in &watchers {
        if !pki::is_name(name) || name == "server" {
            mistakes.add(line, format!("pki.watchers: \"{name}\" cannot be a certificate's name"));
        }
        if !names.insert(name) {
            mistakes.add(line, format!("pki.watchers: \"{name}\" is there twice"));
        }
    }
    Some(PlannedPki { server_names, watchers })
}
