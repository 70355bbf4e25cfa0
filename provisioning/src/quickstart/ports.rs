//! Which ports the listeners get.

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
    path::Path,
};

use super::Options;
use crate::{Error, appliance_config::ApplianceConfig, files};

/// The two ports of a quickstart, free when they were chosen.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) watcher: u16,
    pub(super) monitor: u16,
}

/// What the options say, else what the configuration says, else the usual ones.
pub(super) fn choose(options: &Options) -> Result<Ports, Error> {
    let path = options.directory.join("chancery.toml");
    let (mut watcher, mut monitor) = (8443, 9464);
    if files::exists(&path)? {
        let config = ApplianceConfig::read(&path)?;
        watcher = config.watcher_address().port();
        monitor = config.monitor_address()?.port();
    }
    // Both are held while the second is chosen, so that one free port is not given out twice.
    let first = bind(options.watcher_port, watcher, "--watcher-port")?;
    let second = bind(options.monitor_port, monitor, "--monitor-port")?;
    Ok(Ports { watcher: port_of(&first)?, monitor: port_of(&second)? })
}

impl Ports {
    /// Puts the ports into configurations that name others.
    pub(super) fn write(&self, directory: &Path) -> Result<(), Error> {
        // First and whatever the other says: a run that was cut off may have written only one of them.
        self.tell_watcher(&directory.join("watcher.toml"))?;
        let path = directory.join("chancery.toml");
        let config = ApplianceConfig::read(&path)?;
        let (watcher, monitor) = (config.watcher_address().port(), config.monitor_address()?.port());
        if (watcher, monitor) == (self.watcher, self.monitor) {
            return Ok(());
        }
        let address = |port: u16| format!("127.0.0.1:{port}\"");
        // By way of words no configuration holds: the two may change places.
        let text = files::read(&path)?.replace(&address(watcher), "@WATCHER@").replace(&address(monitor), "@MONITOR@");
        let text = text.replace("@WATCHER@", &address(self.watcher)).replace("@MONITOR@", &address(self.monitor));
        files::replace(&path, &text)
    }

    fn tell_watcher(&self, path: &Path) -> Result<(), Error> {
        let text = files::read(path)?;
        let url = format!("url = \"https://127.0.0.1:{}\"", self.watcher);
        let is_ours = |line: &str| line.starts_with("url = \"https://127.0.0.1:");
        let lines = text.lines().map(|line| if is_ours(line) { url.as_str() } else { line });
        let told = lines.flat_map(|line| [line, "\n"]).collect::<String>();
        if told == text { Ok(()) } else { files::replace(path, &told) }
    }
}

/// A listener on the port named, or on the preferred one; 0 takes any that is free.
fn bind(named: Option<u16>, preferred: u16, flag: &'static str) -> Result<TcpListener, Error> {
    let port = named.unwrap_or(preferred);
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| {
        if error.kind() == io::ErrorKind::AddrInUse {
            return Error::PortTaken { port, flag };
        }
        Error::Argument { argument: flag, reason: format!("port {port} of 127.0.0.1 cannot be used: {error}") }
    })
}

fn port_of(listener: &TcpListener) -> Result<u16, Error> {
    let address = listener.local_addr();
    let wrong =
        |error| Error::Argument { argument: "--watcher-port", reason: format!("no port to listen on: {error}") };
    address.map(|address| address.port()).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(directory: &Path, watcher_port: Option<u16>, monitor_port: Option<u16>) -> Options {
        let directory = directory.to_owned();
        Options { directory, once: true, with: None, demonstration: None, module: None, watcher_port, monitor_port }
    }

    #[test]
    fn zero_picks_two_different_free_ports() {
        let directory = tempfile::tempdir().unwrap();
        let ports = choose(&options(directory.path(), Some(0), Some(0))).unwrap();
        assert!(ports.watcher != 0 && ports.monitor != 0 && ports.watcher != ports.monitor);
    }

    #[test]
    fn a_taken_port_is_told_with_the_flag_that_chooses_another() {
        let directory = tempfile::tempdir().unwrap();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = choose(&options(directory.path(), Some(0), Some(port))).unwrap_err().to_string();
        assert!(error.contains(&port.to_string()) && error.contains("--monitor-port"), "{error}");
    }

    #[test]
    fn a_configuration_keeps_its_ports_until_others_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let free = choose(&options(directory.path(), Some(0), Some(0))).unwrap();
        let values = crate::templates::Values {
            origin: "x",
            token: None,
            watcher_port: free.watcher,
            monitor_port: free.monitor,
            console: true,
            watcher_key_sha256: "00",
        };
        let (path, watcher) = (directory.path().join("chancery.toml"), directory.path().join("watcher.toml"));
        files::replace(&path, &crate::templates::chancery_toml(&values)).unwrap();
        files::replace(&watcher, &crate::templates::watcher_toml(&values)).unwrap();
        let kept = choose(&options(directory.path(), None, None)).unwrap();
        assert_eq!((kept.watcher, kept.monitor), (free.watcher, free.monitor));

        let swapped = Ports { watcher: free.monitor, monitor: free.watcher };
        swapped.write(directory.path()).unwrap();
        let config = ApplianceConfig::read(&path).unwrap();
        assert_eq!(config.watcher_address().port(), free.monitor);
        assert_eq!(config.monitor_address().unwrap().port(), free.watcher);
        assert!(files::read(&watcher).unwrap().contains(&format!("https://127.0.0.1:{}\"", free.monitor)));

        // A run was cut off between the two.
        let text = files::read(&watcher).unwrap().replace(&free.monitor.to_string(), "1");
        files::replace(&watcher, &text).unwrap();
        swapped.write(directory.path()).unwrap();
        assert!(files::read(&watcher).unwrap().contains(&format!("https://127.0.0.1:{}\"", free.monitor)));
    }
}
