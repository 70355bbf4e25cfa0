//! The ceremony's beginning: a plan that can be carried out, a directory of its own, everybody present.

use std::{env, fs, path::Path};

use appliance_wire::{
    ceremony::{Begun, What},
    sha256_hex,
};

use super::{Options, Run, steps::Steps};
use crate::{
    Error, files,
    plan::{Plan, PlannedKind},
    programs::CHANCERY,
    token,
};

/// What a directory must not hold before a ceremony begins there.
const IN_THE_WAY: [&str; 7] =
    ["chancery.toml", "policy.toml", "watcher.toml", "transcript.json", "state", "backup", "shares"];

const CHECKED_POLICY: &str = ".policy.check.toml";

/// The plan as it is to be carried out.
pub(super) fn plan(options: &Options) -> Result<Plan, Error> {
    let mut plan = Plan::read(&options.plan)?;
    if options.rehearsal {
        let soft = plan.tokens.iter().any(|token| matches!(token.kind, PlannedKind::Pkcs11 { .. }));
        let module = if soft { token::find_module(None)? } else { Path::new("").to_owned() };
        plan = plan.into_rehearsal(&module);
        if options.automatic {
            plan = plan.with_secrets_in_files();
        }
    }
    if options.automatic && plan.asks_for_secrets() {
        let reason =
            "the plan has secrets that somebody types, and with --yes nobody does: write { file = \"PATH\" } there";
        return Err(Error::Argument { argument: "--yes", reason: reason.to_owned() });
    }
    Ok(plan)
}

/// The steps of this ceremony so far; those of another are refused.
pub(super) fn steps(options: &Options, plan: &Plan, directory: &Path) -> Result<Steps, Error> {
    let in_the_way = |reason: &str| Err(Error::InTheWay { path: directory.to_owned(), reason: reason.to_owned() });
    let steps = Steps::open(directory, options.rehearsal)?;
    let Some(first) = steps.all().first() else {
        for name in IN_THE_WAY {
            if files::exists(&directory.join(name))? {
                return in_the_way(&format!(
                    "{name} is there already, and a ceremony begins with nothing: name another directory"
                ));
            }
        }
        return Ok(steps);
    };
    let of_plan = matches!(&first.what, What::Begun(begun) if begun.plan_sha256 == plan.sha256);
    if !of_plan {
        return in_the_way(
            "a ceremony with another plan, or with this one before it was changed, was begun here: bring that plan",
        );
    }
    if first.rehearsal != options.rehearsal {
        let (was, is) = if first.rehearsal { ("rehearsal", "rehearse") } else { ("ceremony", "run") };
        return in_the_way(&format!("what was begun here is a {was}: go on with `{is}`"));
    }
    if !options.resume {
        return in_the_way("a ceremony was begun here: go on with --resume, or name another directory");
    }
    Ok(steps)
}

/// SHA-256 of this program's file.
pub(super) fn own_sha256() -> Result<String, Error> {
    let failed = |source| Error::File { attempted: "read", path: "this program".into(), source };
    let path = env::current_exe().map_err(failed)?;
    fs::read(path).map(|bytes| sha256_hex(&bytes)).map_err(failed)
}

impl Run {
    pub(super) fn begin(&mut self, head: &str) -> Result<(), Error> {
        self.check_policy()?;
        let plan = &self.plan;
        let mut lines = vec![
            format!("Origin {}, profile {}.", plan.origin, plan.profile),
            format!("Plan {} (SHA-256 {}).", plan.path.display(), plan.sha256),
            String::new(),
            "Who must be present:".to_owned(),
        ];
        lines.extend(plan.participants.iter().map(|one| format!("  [ ] {} ({})", one.name, one.role)));
        lines.extend([String::new(), "What will be done:".to_owned()]);
        lines.extend(super::Task::of(plan).iter().skip(1).map(|task| format!("  - {}", task.title(plan))));
        self.screen.show(head, &lines);
        self.screen.confirm("begin")?;
        let begun = Begun {
            name: plan.name.clone(),
            origin: plan.origin.clone(),
            profile: plan.profile.clone(),
            plan_sha256: plan.sha256.clone(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            program_sha256: self.program_sha256.clone(),
            participants: plan.participants.clone(),
            backup: plan.backup.clone(),
        };
        self.steps.append(What::Begun(begun))
    }

    /// The appliance's own judgement of the policy, before anything is made for it.
    pub(super) fn check_policy(&self) -> Result<(), Error> {
        let path = self.path(CHECKED_POLICY);
        let watchers = self.plan.pki.iter().flat_map(|pki| &pki.watchers);
        let unlike = |(number, name): (usize, &String)| (name.clone(), format!("{number:064x}"));
        let text = super::output::filled(&self.plan.policy, watchers.enumerate().map(unlike));
        files::replace(&path, &text)?;
        let checked = self.programs.output(CHANCERY, &["policy", "check", CHECKED_POLICY]).map(drop);
        fs::remove_file(&path).map_err(|source| Error::File { attempted: "remove", path, source })?;
        checked
    }
}
