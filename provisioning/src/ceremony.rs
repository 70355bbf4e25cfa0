//! A key ceremony: a plan carried out step by step before witnesses, each step shown, confirmed and written down.
//!
//! Steps are data ([`task::Task`]); each is one function that may be called again after an interruption at any point.
//! What a step did is in [`steps`] before the next begins, and no secret ever is.

mod backups;
mod begin;
mod custody;
mod end;
mod facts;
mod keys;
mod officers;
mod output;
mod page;
mod screen;
mod set_up;
mod steps;
mod task;
mod tokens;

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use appliance_wire::ceremony::{Resumed, What};

pub use self::{
    backups::{read as read_backup, text_of as text_of_backup},
    custody::{Given, gather},
    officers::renew,
    page::page,
    screen::Screen,
};
use self::{custody::Live, steps::Steps, task::Task, tokens::Tokens};
use crate::{Error, environment::Invocation, files, plan::Plan, programs::Programs, report::Report};

/// What a ceremony is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// The plan's file.
    pub plan: PathBuf,
    /// Where everything is kept.
    pub out: PathBuf,
    /// Nobody is asked: confirmations are taken as given, shares go into files.
    pub automatic: bool,
    /// Go on where an interruption came.
    pub resume: bool,
    /// Practice, on tokens that are thrown away.
    pub rehearsal: bool,
}

/// A ceremony that goes on.
struct Run {
    plan: Plan,
    directory: PathBuf,
    steps: Steps,
    screen: Screen,
    tokens: Tokens,
    /// The secret and its shares, from the split until the backups are made.
    live: Option<Live>,
    programs: Programs,
    program_sha256: String,
    _lock: File,
}

/// Carries a plan out, and returns the directory.
///
/// # Errors
/// Whatever stops it. What was done is written down; `--resume` goes on.
pub fn run(options: &Options, invocation: &Invocation, report: &Report) -> Result<PathBuf, Error> {
    let plan = begin::plan(options)?;
    files::create_directory(&options.out)?;
    let directory = files::absolute(&options.out)?;
    invocation.ensure(&tokens::variables(&plan, &directory))?;
    let lock = files::lock_directory(&directory)?;
    let screen = Screen { automatic: options.automatic, rehearsal: options.rehearsal, json: report.is_json() };
    let steps = begin::steps(options, &plan, &directory)?;
    let mut run = Run {
        tokens: Tokens::new(&directory, screen),
        programs: Programs::new(invocation, &directory),
        program_sha256: begin::own_sha256()?,
        plan,
        directory,
        steps,
        screen,
        live: None,
        _lock: lock,
    };
    run.all()?;
    Ok(run.directory)
}

impl Run {
    /// Every step that is not done.
    fn all(&mut self) -> Result<(), Error> {
        let tasks = Task::of(&self.plan);
        let is_over = self.acts().any(|what| matches!(what, What::Ended(_)));
        if self.acts().next().is_some() && !is_over {
            let program_sha256 = self.program_sha256.clone();
            self.steps.append(What::Resumed(Resumed { program_sha256 }))?;
            // Its file may have changed since.
            self.check_policy()?;
        }
        for (position, task) in tasks.iter().enumerate() {
            let head = format!("{}/{} {}", position + 1, tasks.len(), task.title(&self.plan));
            if task.is_done(self)? {
                self.screen.say(&format!("{head}: was done before"));
                continue;
            }
            self.one(*task, &head)?;
        }
        self.screen.clear();
        Ok(())
    }

    fn one(&mut self, task: Task, head: &str) -> Result<(), Error> {
        match task {
            Task::Begin => self.begin(head),
            Task::Token(index) => self.set_up(index, head),
            Task::Key(index) => self.make_key(index, head),
            Task::Split => self.split(head),
            Task::Share(index) => self.hand_out(index, head),
            Task::Backup => self.back_up(head),
            Task::Restore => self.prove_restore(head),
            Task::Files => self.write_files(head),
            Task::Sign => self.sign(head),
            Task::Log => self.begin_log(head),
        }
    }

    fn acts(&self) -> impl DoubleEndedIterator<Item = &What> {
        self.steps.acts()
    }

    fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.directory.join(below)
    }
}
