//! The environment a PKCS#11 module reads when it is loaded.
//!
//! SoftHSM finds its configuration by `SOFTHSM2_CONF` and in no other way. Changing the environment of a running
//! process is not safe, so the program starts itself anew with it, under the same name and arguments.

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::Error;

/// The arguments this program was called with, its name first.
#[derive(Clone, Debug)]
pub struct Invocation(pub Vec<OsString>);

/// Variables and the values a module must find.
pub type Variables = BTreeMap<String, OsString>;

impl Invocation {
    /// Returns when every variable has its value; where one has not, the program begins afresh with all of them.
    pub fn ensure(&self, variables: &Variables) -> Result<(), Error> {
        if variables.iter().all(|(name, value)| env::var_os(name).as_ref() == Some(value)) {
            return Ok(());
        }
        let failed = |path: PathBuf, source| Error::File { attempted: "run again", path, source };
        let program = env::current_exe().map_err(|source| failed(PathBuf::from("this program"), source))?;
        let (name, arguments) = match self.0.split_first() {
            Some((name, arguments)) => (name.as_os_str(), arguments),
            None => (OsStr::new("chancery-provision"), &[][..]),
        };
        let mut again = Command::new(&program);
        Err(failed(program, again.arg0(name).args(arguments).envs(variables).exec()))
    }
}

/// A value as the module must see it: a relative path (a slash in it, and no colon) starts at the configuration's directory.
#[must_use]
pub fn resolve(value: &str, directory: &Path) -> OsString {
    let is_relative_path = value.contains('/') && !value.starts_with('/') && !value.contains(':');
    if is_relative_path { directory.join(value).into_os_string() } else { value.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_relative_paths_are_resolved() {
        let directory = Path::new("/etc/chancery");
        assert_eq!(resolve("token/softhsm2.conf", directory), "/etc/chancery/token/softhsm2.conf");
        for as_it_is in ["/a/b", "1", "http://127.0.0.1:12345", ""] {
            assert_eq!(resolve(as_it_is, directory), as_it_is);
        }
    }
}
