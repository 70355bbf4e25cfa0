//! `chancery-watcher`, run as its user types it.

use super::Installation;

/// Exit status, stdout, stderr.
pub(crate) fn run(installation: &Installation, arguments: &[&str]) -> (i32, String, String) {
    let arguments = [arguments, &["--config", "watcher.toml"]].concat();
    let output = installation.command("chancery-watcher", &arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}
