//! A program as a child of this one: its output in a file, and ended with the value that holds it.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{Result, ensure};

const STOPS_WITHIN: Duration = Duration::from_secs(30);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
const LINES_SHOWN: usize = 15;

/// A running program.
pub(crate) struct Program {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts a command; what it writes goes to the end of `log`.
    pub(crate) fn start(mut command: Command, log: &Path) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let out = File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        let child = command.spawn().map_err(|error| format!("{name} could not be started: {error}"))?;
        Ok(Self { name, child, log: log.to_owned() })
    }

    /// An error where it has ended, with the last lines it wrote.
    pub(crate) fn check(&mut self) -> Result<()> {
        let Some(status) = self.child.try_wait()? else { return Ok(()) };
        Err(format!("{} ended with {status}; {}", self.name, self.last_lines()).into())
    }

    /// kill -9.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Ends it in order.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.ask_to_end()?;
        // Not asleep as a whole: connections to it are to be closed meanwhile.
        let begun = Instant::now();
        while self.child.try_wait()?.is_none() {
            ensure(begun.elapsed() < STOPS_WITHIN, || format!("{} does not end; {}", self.name, self.last_lines()))?;
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        Ok(())
    }

    /// The last lines it wrote.
    pub(crate) fn last_lines(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = &lines[lines.len().saturating_sub(LINES_SHOWN)..];
        format!("{} ends with:\n  {}", self.log.display(), last.join("\n  "))
    }

    fn ask_to_end(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_none() {
            kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        }
        Ok(())
    }

    fn terminate(&mut self) -> Result<()> {
        let begun = Instant::now();
        self.ask_to_end()?;
        while self.child.try_wait()?.is_none() {
            if begun.elapsed() > STOPS_WITHIN {
                self.child.kill()?;
            }
            thread::sleep(BETWEEN_LOOKS);
        }
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Whatever went wrong before is being told.
        let _ = self.terminate();
    }
}

/// An address on this machine that nobody listens at yet.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
