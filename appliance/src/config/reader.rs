//! The sections of `chancery.toml` but for the tokens.

use std::{
    net::SocketAddr,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use super::{Config, Profile, WatcherListener, files, token, witness};
use crate::toml_document::Section;

/// What the document says. `path` and `sha256` are the caller's to fill in.
pub(super) fn config(root: &Section<'_>, directory: &Path) -> Option<Config> {
    let profile = profile(root);
    let (state_directory, mirror_directory, archive_directory) = state(root, directory);
    let origin = origin(root);
    let watcher_listener = watcher_listener(root, directory);
    let admin_socket = admin_socket(root, directory);
    let (monitor_address, serves_console) = monitor_listener(root);
    let tokens = token::tokens(root, directory, profile);
    let witnesses = witness::witnesses(root);
    Some(Config {
        path: PathBuf::new(),
        directory: directory.to_owned(),
        sha256: String::new(),
        profile: profile?,
        state_directory: state_directory?,
        mirror_directory,
        archive_directory,
        origin: origin?,
        watcher_listener: watcher_listener?,
        admin_socket: admin_socket?,
        monitor_address,
        serves_console,
        tokens: tokens?,
        witnesses: witnesses?,
    })
}

/// The path under `key`, absolute.
pub(super) fn path(section: &Section<'_>, key: &'static str, directory: &Path) -> Option<PathBuf> {
    let text = section.text(key)?;
    if text.is_empty() {
        section.mistake(key, "is empty; write a path");
        return None;
    }
    Some(directory.join(text))
}

/// The path under `key`, of a file that can be read.
pub(super) fn readable(section: &Section<'_>, key: &'static str, directory: &Path) -> Option<PathBuf> {
    let path = path(section, key, directory)?;
    files::open_readable(&path).map_err(|why| section.mistake(key, why)).ok()?;
    Some(path)
}

/// Likewise, where the key is there at all. A mistake in it ends the start as any other does.
fn optional_readable(section: &Section<'_>, key: &'static str, directory: &Path) -> Option<PathBuf> {
    if section.has(key) { readable(section, key, directory) } else { None }
}

/// The path under `key`, of a file that only its owner can read.
pub(super) fn private(section: &Section<'_>, key: &'static str, directory: &Path) -> Option<PathBuf> {
    let path = path(section, key, directory)?;
    files::open_private(&path).map_err(|why| section.mistake(key, why)).ok()?;
    Some(path)
}

fn profile(root: &Section<'_>) -> Option<Profile> {
    match root.text("profile")?.as_str() {
        "production" => Some(Profile::Production),
        "development" => Some(Profile::Development),
        _ => {
            root.mistake("profile", "write \"production\" or \"development\"");
            None
        }
    }
}

/// The state directory, that of the mirror, and that of the archive.
fn state(root: &Section<'_>, directory: &Path) -> (Option<PathBuf>, Option<PathBuf>, Option<PathBuf>) {
    let Some(section) = root.section("state") else { return (None, None, None) };
    let state = path(&section, "directory", directory);
    let beside = |key: &'static str, advice: &str| {
        let other = section.optional_text(key).map(|text| directory.join(text))?;
        if state.as_ref().is_some_and(|state| other.starts_with(state) || state.starts_with(&other)) {
            section.mistake(key, format!("and state.directory lie in each other; {advice}"));
        }
        Some(other)
    };
    let mirror = beside("mirror_directory", "name a directory on another disk");
    let archive = beside("archive_directory", "name a directory of its own");
    (state, mirror, archive)
}

fn origin(root: &Section<'_>) -> Option<String> {
    let section = root.section("audit_log")?;
    let origin = section.text("origin")?;
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
    let fits = (1..=100).contains(&origin.chars().count()) && origin.chars().all(plain) && !origin.starts_with('/');
    if !fits {
        section.mistake("origin", "write 1 to 100 characters without white space or plus, not beginning with a slash");
    }
    fits.then_some(origin)
}

fn watcher_listener(root: &Section<'_>, directory: &Path) -> Option<WatcherListener> {
    let section = root.section("watcher_listener")?;
    let address = address(&section);
    let certificate = readable(&section, "certificate", directory);
    let private_key = private(&section, "private_key", directory);
    let client_ca = readable(&section, "client_ca", directory);
    let client_crl = optional_readable(&section, "client_crl", directory);
    Some(WatcherListener {
        address: address?,
        certificate: certificate?,
        private_key: private_key?,
        client_ca: client_ca?,
        client_crl,
    })
}

pub(super) fn admin_socket(root: &Section<'_>, directory: &Path) -> Option<PathBuf> {
    let section = root.section("admin_listener")?;
    let socket = path(&section, "socket", directory)?;
    let length = socket.as_os_str().as_bytes().len();
    if length > LONGEST_SOCKET_PATH {
        let message = format!("the path {} has {length} bytes; a socket's has at most 107", socket.display());
        section.mistake("socket", message);
        return None;
    }
    Some(socket)
}

/// Where it is, and whether it serves the console page.
fn monitor_listener(root: &Section<'_>) -> (Option<SocketAddr>, bool) {
    let Some(section) = root.optional_section("monitor_listener") else { return (None, false) };
    let address = address(&section);
    if address.is_some_and(|address| !address.ip().is_loopback()) {
        section.mistake("address", "is not on loopback; write 127.0.0.1:PORT or [::1]:PORT");
    }
    (address, section.boolean("console").unwrap_or_default())
}

fn address(section: &Section<'_>) -> Option<SocketAddr> {
    let text = section.text("address")?;
    let address = text.parse().ok();
    if address.is_none() {
        section.mistake("address", format!("\"{text}\" is no IP address and port, such as 127.0.0.1:8443"));
    }
    address
}

/// `sun_path` of Linux, less its final zero.
const LONGEST_SOCKET_PATH: usize = 107;
