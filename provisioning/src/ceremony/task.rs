//! The steps of a plan as data: their order, what each is called, and how it is told that one is done.

use appliance_wire::ceremony::What;

use super::Run;
use crate::{Error, files, plan::Plan};

/// One step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Task {
    /// Who is there, and what will be done.
    Begin,
    /// The token at this place in the plan.
    Token(usize),
    /// The key at this place in the plan.
    Key(usize),
    /// The backup secret.
    Split,
    /// The share with this number, from 1.
    Share(u8),
    /// Every key that has one is wrapped into a file.
    Backup,
    /// Every backup is proven on a spare token.
    Restore,
    /// Certificates, configuration, policy.
    Files,
    /// The transcript.
    Sign,
    /// The audit log begins.
    Log,
}

impl Task {
    /// All of a plan, in order.
    pub(super) fn of(plan: &Plan) -> Vec<Self> {
        let mut tasks = vec![Self::Begin];
        tasks.extend((0..plan.tokens.len()).map(Self::Token));
        tasks.extend((0..plan.keys.len()).map(Self::Key));
        if let Some(custody) = &plan.backup {
            tasks.push(Self::Split);
            tasks.extend((1..).zip(&custody.custodians).map(|(index, _)| Self::Share(index)));
        }
        if plan.backed_up().next().is_some() {
            tasks.extend([Self::Backup, Self::Restore]);
        }
        tasks.extend([Self::Files, Self::Sign, Self::Log]);
        tasks
    }

    /// What it is called on the screen.
    pub(super) fn title(self, plan: &Plan) -> String {
        match self {
            Self::Begin => format!("Begin: {}", plan.name),
            Self::Token(index) => plan.tokens.get(index).map_or_else(String::new, |token| {
                format!("Set up token {}{}", token.name, if token.spare { " (spare)" } else { "" })
            }),
            Self::Key(index) => plan
                .keys
                .get(index)
                .map_or_else(String::new, |key| format!("Make key {} in token {}", key.key.label, key.token)),
            Self::Split => "Make and split the backup secret".to_owned(),
            Self::Share(index) => format!("Share {index}: {}", custodian(plan, index)),
            Self::Backup => "Back up keys".to_owned(),
            Self::Restore => "Prove the backups by a restore".to_owned(),
            Self::Files => "Write certificates, configuration and policy".to_owned(),
            Self::Sign => "Sign the transcript".to_owned(),
            Self::Log => "Begin the audit log".to_owned(),
        }
    }

    /// Whether all of it is written down.
    pub(super) fn is_done(self, run: &Run) -> Result<bool, Error> {
        let has = |fits: &dyn Fn(&What) -> bool| run.acts().any(fits);
        let backed_up = |fits: &dyn Fn(&What, &str) -> bool| {
            run.plan.backed_up().all(|key| run.acts().any(|what| fits(what, key.key.label.as_str())))
        };
        Ok(match self {
            Self::Begin => has(&|what| matches!(what, What::Begun(_))),
            Self::Token(index) => run
                .plan
                .tokens
                .get(index)
                .is_none_or(|token| has(&|what| matches!(what, What::Token(ready) if ready.name == token.name))),
            Self::Key(index) => run.plan.keys.get(index).is_none_or(|key| run.has_key(key)),
            Self::Split => run.split_in_force().is_some() && run.unconfirmed().is_empty(),
            Self::Share(index) => run.split_in_force().is_some() && !run.unconfirmed().contains(&index),
            Self::Backup => backed_up(&|what, label| matches!(what, What::Backup(one) if one.label.as_str() == label)),
            Self::Restore => {
                backed_up(&|what, label| matches!(what, What::Restore(one) if one.label.as_str() == label))
            }
            Self::Files => has(&|what| matches!(what, What::Files(_))),
            Self::Sign => files::exists(&run.path(super::end::TRANSCRIPT))?,
            Self::Log => files::exists(&run.path(super::end::LOG))?,
        })
    }
}

/// Who holds this share.
pub(super) fn custodian(plan: &Plan, index: u8) -> &str {
    let position = usize::from(index).checked_sub(1);
    let custodians = plan.backup.as_ref().map(|custody| &custody.custodians[..]).unwrap_or_default();
    position.and_then(|position| custodians.get(position)).map_or("", String::as_str)
}
