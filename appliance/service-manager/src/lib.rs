//! The service manager that started this process: told how things stand, by `sd_notify(3)`. Knows nothing of what the
//! process does; where nobody asked to be told, nothing is sent.

use std::{
    env,
    ffi::{OsStr, OsString},
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    process,
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

mod supervised;
#[cfg(test)]
mod tests;

/// Who is told, where there is somebody. Its socket is named by the environment of this process, which is only read: a
/// child is to be given an environment of its own.
#[derive(Debug, Default)]
pub struct ServiceManager {
    listener: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

/// A manager that is stuck holds nobody up for longer.
const SEND_WITHIN: Duration = Duration::from_secs(1);

impl ServiceManager {
    /// The one that `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` tell of. A socket that cannot be used is said in
    /// the log, and nobody is told anything.
    #[must_use]
    pub fn of_environment() -> Self {
        Self::of(|name| env::var_os(name)).unwrap_or_else(|error| {
            tracing::warn!(%error, "the service manager cannot be told anything: NOTIFY_SOCKET");
            Self::default()
        })
    }

    fn of(variable: impl Fn(&str) -> Option<OsString>) -> io::Result<Self> {
        let Some(name) = variable("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else { return Ok(Self::default()) };
        let (address, socket) = (address(&name)?, UnixDatagram::unbound()?);
        socket.set_write_timeout(Some(SEND_WITHIN))?;
        let number = |name| variable(name)?.to_str()?.parse::<u64>().ok();
        let is_ours = variable("WATCHDOG_PID").is_none() || number("WATCHDOG_PID") == Some(process::id().into());
        let watchdog = number("WATCHDOG_USEC").filter(|usec| is_ours && *usec > 0).map(Duration::from_micros);
        Ok(Self { listener: Some((socket, address)), watchdog })
    }

    /// How long it may hear nothing of [`alive`](Self::alive) before it takes this process for stuck.
    #[must_use]
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// The start is done, or the reload.
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={}", line(status)));
    }

    /// Files are read again; [`ready`](Self::ready) ends it.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1_000_000 + now.tv_nsec / 1_000));
    }

    /// The end has begun.
    pub fn stopping(&self, status: &str) {
        self.send(&format!("STOPPING=1\nSTATUS={}", line(status)));
    }

    /// How things stand, in a sentence.
    pub fn status(&self, status: &str) {
        self.send(&format!("STATUS={}", line(status)));
    }

    /// It lives: to be said at least twice within [`watchdog`](Self::watchdog).
    pub fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    /// The start or the end may take so much longer, from now.
    pub fn needs(&self, longer: Duration) {
        self.send(&format!("EXTEND_TIMEOUT_USEC={}", longer.as_micros()));
    }

    fn send(&self, message: &str) {
        let Some((socket, address)) = &self.listener else { return };
        // Not connected: the manager may have made its socket anew.
        if let Err(error) = socket.send_to_addr(message.as_bytes(), address) {
            tracing::warn!(%error, message, "the service manager was not told");
        }
    }
}

/// A path, or `@` and a name of the abstract kind (unix(7)).
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        [b'/', ..] => SocketAddr::from_pathname(name),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a path nor @ and a name")),
    }
}

/// A line break would begin another word of the protocol.
fn line(status: &str) -> String {
    status.replace(['\n', '\r'], " ")
}
