//! The programs that lie beside this one.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

use crate::{Error, environment::Invocation};

/// The appliance's program.
pub const CHANCERY: &str = "chancery";

/// The watcher's program.
pub const CHANCERY_WATCHER: &str = "chancery-watcher";

/// Finds programs, and runs them in one directory, so that a socket named in a configuration there has a short path.
#[derive(Clone, Debug)]
pub struct Programs {
    beside: Vec<PathBuf>,
    working_directory: PathBuf,
}

impl Programs {
    /// Programs beside this one, run in `working_directory`.
    #[must_use]
    pub fn new(invocation: &Invocation, working_directory: &Path) -> Self {
        let running = env::current_exe().ok();
        // The name we were called by counts too: it may be a link in a directory of programs.
        let called = invocation.0.first().and_then(|name| directory_of(Path::new(name)));
        let beside = running.iter().filter_map(|path| path.parent().map(Path::to_owned)).chain(called).collect();
        Self { beside, working_directory: working_directory.to_owned() }
    }

    /// Programs run beside a configuration, and what it is called there.
    #[must_use]
    pub fn beside(invocation: &Invocation, config: &Path) -> (Self, String) {
        let directory = config.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
        let name = config.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (Self::new(invocation, directory), name)
    }

    /// The program's path.
    pub fn find(&self, name: &str) -> Result<PathBuf, Error> {
        let found = self.beside.iter().map(|directory| directory.join(name)).find(|path| path.is_file());
        found.ok_or_else(|| {
            let places: Vec<String> = self.beside.iter().map(|directory| directory.display().to_string()).collect();
            let reason = format!("not found in {}, where it belongs beside this program", places.join(" or "));
            Error::Program { program: name.to_owned(), reason }
        })
    }

    /// A command ready to be started.
    pub fn command<S: AsRef<OsStr>>(&self, name: &str, arguments: &[S]) -> Result<Command, Error> {
        let mut command = Command::new(self.find(name)?);
        command.args(arguments).current_dir(&self.working_directory).stdin(Stdio::null());
        // Each program finds its token by its own configuration, as it will when nobody has set this for it.
        command.env_remove("SOFTHSM2_CONF");
        Ok(command)
    }

    /// Runs a program to its end and returns what it printed; its stderr is ours.
    pub fn output(&self, name: &str, arguments: &[&str]) -> Result<String, Error> {
        self.output_of(name, arguments, Stdio::null())
    }

    /// As [`output`](Self::output), of a program that may have to ask for a PIN on our terminal.
    pub fn output_on_terminal(&self, name: &str, arguments: &[&str]) -> Result<String, Error> {
        self.output_of(name, arguments, Stdio::inherit())
    }

    fn output_of(&self, name: &str, arguments: &[&str], stdin: Stdio) -> Result<String, Error> {
        let program = || format!("{name} {}", arguments.join(" "));
        let mut command = self.command(name, arguments)?;
        let ended = command.stdin(stdin).stderr(Stdio::inherit()).output().map_err(|source| Error::Program {
            program: program(),
            reason: format!("could not be started: {source}"),
        })?;
        expect_success(&program(), ended.status)?;
        Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
    }
}

/// Refuses any end but a good one.
pub fn expect_success(program: &str, status: ExitStatus) -> Result<(), Error> {
    if status.success() {
        return Ok(());
    }
    Err(Error::Program { program: program.to_owned(), reason: format!("ended with {status}") })
}

/// The directory of a path that names one; a bare name was found by PATH and tells nothing.
fn directory_of(path: &Path) -> Option<PathBuf> {
    let parent = path.parent().filter(|parent| *parent != Path::new(""))?;
    parent.canonicalize().ok()
}

/// A path for people: from the working directory where it is below that.
#[must_use]
pub fn shown(path: &Path) -> String {
    let here = env::current_dir().unwrap_or_default();
    let shown = path.strip_prefix(&here).unwrap_or(path);
    let text = if shown == Path::new("") { OsString::from(".") } else { shown.as_os_str().to_owned() };
    quoted_for_shell(&text.to_string_lossy())
}

fn quoted_for_shell(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+,:@%=".contains(&byte);
    if text.bytes().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
