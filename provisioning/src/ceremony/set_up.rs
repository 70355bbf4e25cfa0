//! Setting a token up: shown, confirmed, and found to be a token of its own without keys.

use std::path::PathBuf;

use appliance_wire::ceremony::{TokenReady, TokenRole, What};

use super::Run;
use crate::{
    Error,
    plan::{PlannedKind, PlannedRole, PlannedToken, capabilities},
};

impl Run {
    pub(super) fn set_up(&mut self, index: usize, head: &str) -> Result<(), Error> {
        let Some(token) = self.plan.tokens.get(index).cloned() else { return Ok(()) };
        self.screen.show(head, &what_will_be_done(&token));
        self.screen.confirm(&token.name)?;
        self.tokens.set_up(&token)?;
        let open = self.tokens.get(&token)?;
        let (info, keys) = (open.device.info()?, open.device.list_keys()?);
        let in_the_way =
            |reason: String| Error::InTheWay { path: PathBuf::from(format!("token {}", token.name)), reason };
        if let Some(key) = keys.first() {
            let reason = format!("it holds keys already (\"{}\"), and a ceremony begins with an empty one", key.label);
            return Err(in_the_way(reason));
        }
        for what in self.steps.acts() {
            if let What::Token(other) = what
                && (other.driver.as_str(), &other.serial) == (token.driver(), &info.serial)
            {
                let reason = format!(
                    "it is the token \"{}\" once more (serial number {}): plug in another",
                    other.name, info.serial
                );
                return Err(in_the_way(reason));
            }
        }
        self.screen.say(&format!(
            "    {} {}, firmware {}, serial number {}",
            info.manufacturer, info.model, info.firmware, info.serial
        ));
        let label = (!info.label.is_empty()).then_some(info.label);
        self.steps.append(What::Token(TokenReady {
            name: token.name.clone(),
            driver: token.driver().to_owned(),
            serial: info.serial,
            label,
            model: info.model,
            firmware: info.firmware,
            spare: token.spare,
            roles: roles_of(&token),
        }))
    }
}

fn what_will_be_done(token: &PlannedToken) -> Vec<String> {
    match &token.kind {
        PlannedKind::Pkcs11 { module, label, .. } => vec![
            format!("A token without keys is initialised in the module {}: label {label},", module.display()),
            "with a PIN for its security officer and another for the appliance. A token that has keys is left alone."
                .to_owned(),
        ],
        PlannedKind::Yubihsm { connector, roles, .. } => {
            let mut lines = vec![
                format!(
                    "The YubiHSM 2 at {connector}, as it left the factory, gets an authentication key for each role,"
                ),
                "with no right it does not need; forced audit until it is reset; last, the factory's key is deleted."
                    .to_owned(),
            ];
            lines.extend(
                roles.iter().map(|role| {
                    format!("  {} (object {}): {}", role.role, role.id, capabilities(role.role).join(", "))
                }),
            );
            lines
        }
    }
}

fn roles_of(token: &PlannedToken) -> Vec<TokenRole> {
    let PlannedKind::Yubihsm { roles, .. } = &token.kind else { return Vec::new() };
    let ready = |role: &PlannedRole| TokenRole {
        role: role.role.name().to_owned(),
        id: role.id,
        capabilities: capabilities(role.role),
    };
    roles.iter().map(ready).collect()
}
