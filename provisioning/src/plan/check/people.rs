//! Who is present, and who holds shares.

use std::collections::BTreeSet;

use appliance_wire::ceremony::{Custody, Participant};

use crate::plan::{
    document::{self, Section},
    mistakes::Mistakes,
};

const ROLES: [&str; 4] = ["administrator", "custodian", "witness", "auditor"];
const LONGEST_NAME: usize = 60;

pub(super) fn participants(
    sections: Vec<Section<document::Participant>>,
    production: bool,
    mistakes: &mut Mistakes,
) -> Vec<Participant> {
    let mut names = BTreeSet::new();
    let mut participants = Vec::new();
    for section in sections {
        let document::Participant { name, role } = &section.value;
        if !is_name(name) {
            let message =
                format!("participant: \"{name}\" is no name: 1 to {LONGEST_NAME} letters, digits, spaces and . _ - '");
            mistakes.add(section.line_of("name"), message);
        }
        if !names.insert(name.clone()) {
            mistakes
                .add(section.line_of("name"), format!("participant: \"{name}\" is there twice: one person, one part"));
        }
        if !ROLES.contains(&role.as_str()) {
            mistakes.add(section.line_of("role"), format!("participant.role: write one of {}", ROLES.join(", ")));
        }
        participants.push(Participant { name: section.value.name, role: section.value.role });
    }
    let has = |role: &str| participants.iter().any(|participant| participant.role == role);
    if !has("administrator") {
        mistakes.add(1, "participant: nobody is the administrator, who runs the ceremony");
    }
    if production && !has("witness") && !has("auditor") {
        mistakes.add(1, "participant: nobody is witness or auditor: in production nobody makes keys unseen");
    }
    participants
}

pub(super) fn custody(
    section: Section<document::Backup>,
    participants: &[Participant],
    mistakes: &mut Mistakes,
) -> Option<Custody> {
    let (line, document::Backup { threshold, custodians }) = (section.line_of("custodians"), &section.value);
    let names: BTreeSet<&String> = custodians.iter().collect();
    if names.len() != custodians.len() {
        mistakes.add(line, "backup.custodians: somebody is there twice, and one person holds one share");
    }
    for name in &names {
        if !participants.iter().any(|participant| participant.name == **name && participant.role == "custodian") {
            mistakes.add(line, format!("backup.custodians: \"{name}\" is no [[participant]] whose role is custodian"));
        }
    }
    let count = custodians.len();
    if *threshold < 2 || usize::from(*threshold) > count || count > usize::from(u8::MAX) {
        let message =
            format!("backup.threshold: {threshold} of {count} cannot be: 2 at least, and no more than custodians");
        mistakes.add(section.line_of("threshold"), message);
    }
    Some(Custody { threshold: *threshold, custodians: section.value.custodians })
}

/// A name may stand in a file's name, on a screen and on paper.
fn is_name(name: &str) -> bool {
    let fits = |character: char| character.is_alphanumeric() || " ._-'".contains(character);
    name.chars().count() <= LONGEST_NAME
        && name.starts_with(char::is_alphanumeric)
        && name.chars().all(fits)
        && name.trim() == name
}
