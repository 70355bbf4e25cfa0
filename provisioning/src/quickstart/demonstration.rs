//! The demonstration as a child of this process, ended with it.

use std::{
    io,
    path::Path,
    process::{Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use super::{Appliance, Interrupt, Options};
use crate::{
    Error,
    init::Initialised,
    programs::{self, CHANCERY_WATCHER, Programs},
    report::{Outcome, Report},
};

const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// How it is called.
pub(super) fn command(
    program: &Path,
    options: &Options,
    made: &Initialised,
    programs: &Programs,
    stays: bool,
    is_json: bool,
) -> Result<Command, Error> {
    let mut command = Command::new(program);
    command.arg(&made.directory).stdin(Stdio::null());
    if let Some(with) = options.with {
        command.args(["--with", with.name()]).arg("--watcher").arg(programs.find(CHANCERY_WATCHER)?);
    }
    if stays {
        command.arg("--stay");
    }
    if is_json {
        command.stdout(io::stderr());
    }
    Ok(command)
}

/// Runs it to its end, which a signal to us, or the appliance's end, brings about.
pub(super) fn run(
    mut command: Command,
    appliance: &mut Appliance,
    interrupt: &Interrupt,
    report: &mut Report,
) -> Result<(), Error> {
    let name = programs::shown(Path::new(command.get_program()));
    let arguments: Vec<String> = command.get_args().map(|argument| programs::shown(Path::new(argument))).collect();
    report.say(&format!("\n{name} {}", arguments.join(" ")));
    report.step("the demonstration", || {
        let failed = |reason: String| Error::Program { program: name.clone(), reason };
        let mut child = command.spawn().map_err(|error| failed(format!("could not be started: {error}")))?;
        let (mut interrupted, mut broken) = (false, None);
        let mut told = false;
        let status: ExitStatus = loop {
            if let Some(status) = child.try_wait().map_err(|error| failed(error.to_string()))? {
                break status;
            }
            if told {
                thread::sleep(BETWEEN_LOOKS);
                continue;
            }
            interrupted = interrupt.came_within(BETWEEN_LOOKS);
            if !interrupted {
                broken = appliance.check().err();
                // Ctrl-C reaches both of us, and its end can be seen before our own signal.
                interrupted = broken.is_some() && interrupt.came_within(BETWEEN_LOOKS);
            }
            if interrupted || broken.is_some() {
                // A Ctrl-C has reached it already; another signal has not.
                kill_process(Pid::from_child(&child), Signal::TERM).map_err(|error| failed(error.to_string()))?;
                told = true;
            }
        };
        match broken {
            Some(error) if !interrupted => Err(error),
            _ if interrupted && !status.success() => Err(Error::Interrupted),
            Some(_) | None => programs::expect_success(&name, status).map(|()| (Outcome::Done, ())),
        }
    })
}
