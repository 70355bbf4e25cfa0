//! The appliance as a child of this process: started, asked, stopped; never left behind.

use std::{
    fs::{self, OpenOptions},
    io,
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{http, interrupt::Interrupt};
use crate::Error;

/// A running appliance; dropping it stops it.
#[derive(Debug)]
pub(super) struct Appliance {
    child: Child,
    log: PathBuf,
    log_begins: u64,
}

impl Appliance {
    /// Starts the command with its output appended to `log`.
    pub(super) fn start(mut command: Command, log: PathBuf) -> Result<Self, Error> {
        let failed = |source| Error::File { attempted: "write the appliance's log to", path: log.clone(), source };
        let out = OpenOptions::new().append(true).create(true).open(&log).map_err(failed)?;
        let log_begins = out.metadata().map_err(failed)?.len();
        command.stderr(out.try_clone().map_err(failed)?).stdout(out);
        let child = command.spawn().map_err(|source| Error::Program {
            program: command.get_program().to_string_lossy().into_owned(),
            reason: format!("could not be started: {source}"),
        })?;
        Ok(Self { child, log, log_begins })
    }

    /// Waits until `/readyz` answers 200.
    pub(super) fn wait_until_ready(
        &mut self,
        address: SocketAddr,
        patience: Duration,
        interrupt: &Interrupt,
    ) -> Result<(), Error> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.ended()? {
                return Err(self.went_wrong(format!("ended before it was ready ({status})")));
            }
            let answer = match http::status_of(address, "/readyz") {
                Ok(200) => return Ok(()),
                Ok(status) => format!("answers {status}"),
                Err(error) => error.to_string(),
            };
            if start.elapsed() > patience {
                let reason =
                    format!("was not ready after {} s (http://{address}/readyz: {answer})", patience.as_secs());
                return Err(self.went_wrong(reason));
            }
            if interrupt.came_within(BETWEEN_QUESTIONS) {
                return Err(Error::Interrupted);
            }
        }
    }

    /// An error where it has ended.
    pub(super) fn check(&mut self) -> Result<(), Error> {
        match self.ended()? {
            None => Ok(()),
            Some(status) => Err(self.went_wrong(format!("ended by itself ({status})"))),
        }
    }

    /// Waits for Ctrl-C; the appliance's own end before that is an error.
    pub(super) fn wait_for(&mut self, interrupt: &Interrupt) -> Result<(), Error> {
        while !interrupt.came_within(BETWEEN_LOOKS) {
            if let Some(status) = self.ended()? {
                // Ctrl-C reaches both of us, and its end can be seen before our own signal.
                if interrupt.came_within(BETWEEN_LOOKS) {
                    return Ok(());
                }
                return Err(self.went_wrong(format!("ended by itself ({status})")));
            }
        }
        // On Ctrl-C it is stopping already; a second signal would only hurry it.
        self.ended_within(GRACE).map(|_| ())
    }

    /// Asks the appliance to stop and waits for its end.
    pub(super) fn stop(&mut self) -> Result<(), Error> {
        let status = self.terminate()?;
        if status.success() {
            return Ok(());
        }
        Err(self.went_wrong(format!("did not stop in order ({status})")))
    }

    fn terminate(&mut self) -> Result<ExitStatus, Error> {
        if let Some(status) = self.ended()? {
            return Ok(status);
        }
        // As long as it is not reaped its number is its own.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM).map_err(|error| self.system(error.into()))?;
        }
        if let Some(status) = self.ended_within(STOPS_WITHIN)? {
            return Ok(status);
        }
        self.child.kill().map_err(|error| self.system(error))?;
        self.child.wait().map_err(|error| self.system(error))
    }

    fn ended_within(&mut self, patience: Duration) -> Result<Option<ExitStatus>, Error> {
        let start = Instant::now();
        loop {
            let ended = self.ended()?;
            if ended.is_some() || start.elapsed() > patience {
                return Ok(ended);
            }
            std::thread::sleep(BETWEEN_QUESTIONS);
        }
    }

    fn ended(&mut self) -> Result<Option<ExitStatus>, Error> {
        self.child.try_wait().map_err(|error| self.system(error))
    }

    fn system(&self, source: io::Error) -> Error {
        Error::Program { program: "chancery serve".to_owned(), reason: source.to_string() }
    }

    fn went_wrong(&self, reason: String) -> Error {
        let bytes = fs::read(&self.log).unwrap_or_default();
        let start = usize::try_from(self.log_begins).unwrap_or(0).min(bytes.len());
        let text = String::from_utf8_lossy(bytes.get(start..).unwrap_or_default()).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let end = lines.get(lines.len().saturating_sub(LINES_SHOWN)..).unwrap_or_default();
        let log_end =
            if end.is_empty() { "  (nothing was written)".to_owned() } else { format!("  {}", end.join("\n  ")) };
        Error::Appliance { reason, log: self.log.clone(), log_end }
    }
}

impl Drop for Appliance {
    fn drop(&mut self) {
        // Whatever went wrong before is being reported; an appliance left running would only hide it.
        let _ = self.terminate();
    }
}

const BETWEEN_QUESTIONS: Duration = Duration::from_millis(50);
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);
const STOPS_WITHIN: Duration = Duration::from_secs(30);
const GRACE: Duration = Duration::from_secs(2);
const LINES_SHOWN: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, directory: &tempfile::TempDir) -> Appliance {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Appliance::start(command, directory.path().join("appliance.log")).unwrap()
    }

    #[test]
    fn an_early_end_is_told_with_the_end_of_the_log() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("appliance.log"), "an earlier run\n").unwrap();
        let mut appliance = shell("echo the token is gone >&2; exit 78", &directory);
        let address = "127.0.0.1:1".parse().unwrap();
        let interrupt = Interrupt::watch().unwrap();
        let error = appliance.wait_until_ready(address, STOPS_WITHIN, &interrupt).unwrap_err().to_string();
        assert!(error.contains("ended before it was ready") && error.contains("the token is gone"), "{error}");
        assert!(!error.contains("an earlier run"), "{error}");
    }

    #[test]
    fn an_appliance_stops_when_asked() {
        let directory = tempfile::tempdir().unwrap();
        let mut appliance = shell("trap 'exit 0' TERM; echo up; while :; do sleep 0.05; done", &directory);
        while fs::read_to_string(&appliance.log).unwrap().is_empty() {
            std::thread::sleep(BETWEEN_QUESTIONS);
        }
        appliance.stop().unwrap();
    }
}
