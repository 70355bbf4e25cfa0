//! Tokens: where they are, who opens them, and that no two are one.

use std::{collections::BTreeMap, path::Path};

use hsm_drivers::yubihsm2::{ceremony::RoleName, connector::Address};

use crate::{
    plan::{
        PlannedKind, PlannedRole, PlannedToken,
        document::{self, Section},
        is_softhsm,
        mistakes::Mistakes,
        role,
    },
    secret::PinSource,
};

/// PKCS#11 knows no longer label.
const LONGEST_LABEL: usize = 32;
/// Everything is made in this domain of a YubiHSM 2.
const DOMAIN: [u8; 1] = [1];
/// The factory's authentication key.
const FACTORY: u16 = 1;
const SOFTWARE: &str = "is a software token, and profile \"production\" admits none";

type TokenSection = Section<document::Token>;

pub(super) fn tokens(
    sections: Vec<TokenSection>,
    roles: Vec<Section<document::Role>>,
    production: bool,
    directory: &Path,
    mistakes: &mut Mistakes,
) -> Vec<PlannedToken> {
    if !sections.iter().any(|section| !section.value.spare) {
        mistakes.add(1, "token: there is none to serve");
    }
    let roles = checked_roles(roles, mistakes);
    let mut tokens: Vec<PlannedToken> = Vec::new();
    for section in &sections {
        let token = &section.value;
        if tokens.iter().any(|other| other.name == token.name) {
            mistakes.add(section.line_of("name"), format!("token \"{}\": is there twice", token.name));
        }
        if !crate::pki::is_name(&token.name) {
            mistakes
                .add(section.line_of("name"), format!("token \"{}\": write 1 to 40 of A-Z a-z 0-9 . _ -", token.name));
        }
        let kind = match token.driver.as_str() {
            "pkcs11" => pkcs11(section, production, mistakes),
            "yubihsm" => yubihsm(section, &roles, production, directory, mistakes),
            _ => {
                mistakes.add(section.line_of("driver"), "token.driver: write \"pkcs11\" or \"yubihsm\"");
                None
            }
        };
        let Some(kind) = kind else { continue };
        let planned =
            PlannedToken { name: token.name.clone(), spare: token.spare, environment: token.environment.clone(), kind };
        if let Some(same) = tokens.iter().find(|other| is_same(other, &planned)) {
            let message = format!(
                "token \"{}\": it is the token \"{}\" once more, and a restore there proves nothing",
                planned.name, same.name
            );
            mistakes.add(section.line, message);
        }
        refuse_other_environment(&tokens, &planned, section, mistakes);
        tokens.push(planned);
    }
    tokens
}

fn pkcs11(section: &TokenSection, production: bool, mistakes: &mut Mistakes) -> Option<PlannedKind> {
    let token = &section.value;
    refuse(section, &["connector", "passwords", "domains", "attestation_ca"], mistakes);
    let module = needed(section, "module", token.module.clone(), mistakes);
    let label = needed(section, "label", token.label.clone(), mistakes);
    let so_pin = needed(section, "so_pin", token.so_pin.clone(), mistakes);
    let pin = needed(section, "pin", token.pin.clone(), mistakes);
    if let Some(label) = &label
        && (label.is_empty() || label.len() > LONGEST_LABEL || label.trim() != label)
    {
        mistakes
            .add(section.line_of("label"), format!("token \"{}\": a label is 1 to {LONGEST_LABEL} bytes", token.name));
    }
    if module.as_ref().is_some_and(|module| module.is_relative()) {
        mistakes.add(section.line_of("module"), format!("token \"{}\": write the module's whole path", token.name));
    }
    if production && module.as_ref().is_some_and(|module| is_softhsm(module)) {
        mistakes.add(section.line_of("module"), format!("token \"{}\": {SOFTWARE}", token.name));
    }
    if so_pin == pin && matches!(pin, Some(PinSource::File { .. })) {
        let message =
            format!("token \"{}\": security officer and user have one PIN: give each its own file", token.name);
        mistakes.add(section.line_of("so_pin"), message);
    }
    for (key, source) in [("so_pin", &so_pin), ("pin", &pin)] {
        source_is_good(section, key, source.as_ref(), mistakes);
    }
    Some(PlannedKind::Pkcs11 { module: module?, label: label?, so_pin: so_pin?, pin: pin? })
}

fn yubihsm(
    section: &TokenSection,
    roles: &BTreeMap<RoleName, u16>,
    production: bool,
    directory: &Path,
    mistakes: &mut Mistakes,
) -> Option<PlannedKind> {
    let token = &section.value;
    refuse(section, &["module", "label", "so_pin", "pin"], mistakes);
    let connector = needed(section, "connector", token.connector.clone(), mistakes)?;
    let connector: Address = match connector.parse() {
        Ok(address) => address,
        Err(error) => {
            mistakes.add(section.line_of("connector"), format!("token \"{}\": {error}", token.name));
            return None;
        }
    };
    let simulated = connector == Address::Simulator;
    if production && simulated {
        mistakes.add(section.line_of("connector"), format!("token \"{}\": {SOFTWARE}", token.name));
    }
    if token.attestation_ca.is_none() && !simulated {
        let message = format!(
            "token \"{}\": name its maker's certificates, against which its attestations are validated: \
                               attestation_ca = \"FILE.pem\", the root last",
            token.name
        );
        mistakes.add(section.line, message);
    }
    if token.domains.as_ref().is_some_and(|domains| domains[..] != DOMAIN) {
        mistakes.add(
            section.line_of("domains"),
            format!("token \"{}\": everything is made in domain 1: domains = [1]", token.name),
        );
    }
    let passwords: BTreeMap<RoleName, &PinSource> =
        token.passwords.iter().map(|(role, source)| (RoleName::from(*role), source)).collect();
    for (role, source) in &passwords {
        if !roles.contains_key(role) {
            mistakes.add(
                section.line_of("passwords"),
                format!("token \"{}\": there is no [[role]] \"{role}\"", token.name),
            );
        }
        source_is_good(section, "passwords", Some(source), mistakes);
    }
    let mut planned = Vec::new();
    for (role, id) in roles {
        match passwords.get(role) {
            Some(password) => planned.push(PlannedRole { role: *role, id: *id, password: (*password).clone() }),
            None => mistakes
                .add(section.line_of("passwords"), format!("token \"{}\": the {role} has no password", token.name)),
        }
    }
    for role in [RoleName::Administrator, RoleName::Signer] {
        if !roles.contains_key(&role) {
            mistakes.add(section.line, format!("token \"{}\": it needs a [[role]] \"{role}\"", token.name));
        }
    }
    let attestation_ca = token.attestation_ca.as_ref().map(|path| directory.join(path));
    Some(PlannedKind::Yubihsm { connector, roles: planned, attestation_ca })
}

/// Ids by role; what a role is given beyond the least is refused by name.
fn checked_roles(sections: Vec<Section<document::Role>>, mistakes: &mut Mistakes) -> BTreeMap<RoleName, u16> {
    let mut roles = BTreeMap::new();
    for section in sections {
        let document::Role { role, id, capabilities } = &section.value;
        let role = RoleName::from(*role);
        if *id == 0 || *id == FACTORY || roles.values().any(|other| other == id) {
            let message = format!("role \"{role}\": {id} is the factory's object id, another role's, or none");
            mistakes.add(section.line_of("id"), message);
        }
        if roles.insert(role, *id).is_some() {
            mistakes.add(section.line_of("role"), format!("role \"{role}\": is there twice"));
        }
        if let Some(wanted) = capabilities {
            for mistake in role::mistakes(role, wanted) {
                mistakes.add(section.line_of("capabilities"), mistake);
            }
        }
    }
    roles
}

fn needed<T>(section: &TokenSection, key: &str, value: Option<T>, mistakes: &mut Mistakes) -> Option<T> {
    if value.is_none() {
        mistakes.add(section.line, format!("token \"{}\": {key} is missing", section.value.name));
    }
    value
}

fn refuse(section: &TokenSection, keys: &[&str], mistakes: &mut Mistakes) {
    for key in keys.iter().filter(|key| section.has(key)) {
        let message =
            format!("token \"{}\": {key} is nothing a {} token has", section.value.name, section.value.driver);
        mistakes.add(section.line_of(key), message);
    }
}

/// A ceremony has no systemd below it, and `prompt = false` says nothing.
fn source_is_good(section: &TokenSection, key: &str, source: Option<&PinSource>, mistakes: &mut Mistakes) {
    if matches!(source, Some(PinSource::Credential { .. } | PinSource::Prompt { prompt: false })) {
        let message =
            format!("token \"{}\": {key}: write {{ prompt = true }} or {{ file = \"PATH\" }}", section.value.name);
        mistakes.add(section.line_of(key), message);
    }
}

/// As far as a plan tells; the serial numbers tell for certain.
fn is_same(one: &PlannedToken, other: &PlannedToken) -> bool {
    match (&one.kind, &other.kind) {
        (
            PlannedKind::Pkcs11 { module, label, .. },
            PlannedKind::Pkcs11 { module: other_module, label: other_label, .. },
        ) => module == other_module && label == other_label && one.environment == other.environment,
        (PlannedKind::Yubihsm { connector, .. }, PlannedKind::Yubihsm { connector: other_connector, .. }) => {
            connector == other_connector && one.environment == other.environment
        }
        _ => false,
    }
}

/// One program opens all PKCS#11 tokens, and its environment has one value for each variable.
fn refuse_other_environment(
    before: &[PlannedToken],
    token: &PlannedToken,
    section: &TokenSection,
    mistakes: &mut Mistakes,
) {
    if token.driver() != "pkcs11" {
        return;
    }
    for other in before.iter().filter(|other| other.driver() == "pkcs11") {
        for (name, value) in &token.environment {
            if other.environment.get(name).is_some_and(|set| set != value) {
                let message = format!(
                    "token \"{}\": token \"{}\" has another {name}, and one program opens both: name a \
                                       configuration of the module that shows both",
                    token.name, other.name
                );
                mistakes.add(section.line_of("environment"), message);
            }
        }
    }
}
