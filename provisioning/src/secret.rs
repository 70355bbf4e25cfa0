//! PINs: made, kept in files, asked for. None is ever printed.

use std::{
    env,
    fs::File,
    io::Read,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use hsm_drivers::Pin;
use rand::{Rng, distributions::Alphanumeric, rngs::OsRng};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::{Error, files, report::Outcome};

/// Where a PIN comes from; a configuration has no field for the PIN itself.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(untagged)]
pub enum PinSource {
    /// A systemd credential of this name.
    Credential {
        /// Its name below `$CREDENTIALS_DIRECTORY`.
        credential: String,
    },
    /// A file only its owner can read.
    File {
        /// Its path, relative to the configuration's directory.
        file: PathBuf,
    },
    /// Asked for on the terminal.
    Prompt {
        /// Always true.
        prompt: bool,
    },
}

impl PinSource {
    /// Fetches the PIN of the token `label`; `directory` is the configuration's.
    pub fn read(&self, directory: &Path, label: &str) -> Result<Pin, Error> {
        match self {
            Self::File { file } => read(&directory.join(file)),
            Self::Credential { credential } => {
                let root = env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| Error::Config {
                    path: PathBuf::from(credential),
                    reason: "a systemd credential, but CREDENTIALS_DIRECTORY is not set: run below systemd".to_owned(),
                })?;
                // Its mode is systemd's affair: an access list shows there as permissions of the group.
                read_from(&Path::new(&root).join(credential), false)
            }
            Self::Prompt { .. } => ask(&format!("PIN of token \"{label}\"")),
        }
    }
}

/// Asks for a PIN on the terminal; it does not show there.
pub fn ask(what: &str) -> Result<Pin, Error> {
    rpassword::prompt_password(format!("{what}: ")).map(Pin::new).map_err(no_terminal)
}

/// As [`ask`], for a PIN that is still to be judged.
pub fn ask_text(what: &str) -> Result<Zeroizing<String>, Error> {
    rpassword::prompt_password(format!("{what}: ")).map(Zeroizing::new).map_err(no_terminal)
}

fn no_terminal(source: std::io::Error) -> Error {
    Error::File { attempted: "ask for the PIN on", path: PathBuf::from("/dev/tty"), source }
}

/// From here on no core is written of this program, and no other program of this user looks into it.
pub fn refuse_dumps() -> Result<(), Error> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|error| Error::File {
        attempted: "refuse core dumps of",
        path: PathBuf::from("this program"),
        source: error.into(),
    })
}

/// Why a PIN that a person chose is too easy, a clause in words; none for a good one.
#[must_use]
pub fn weakness(pin: &str) -> Option<&'static str> {
    let characters: Vec<char> = pin.chars().collect();
    let different: std::collections::BTreeSet<&char> = characters.iter().collect();
    let distance = |pair: &[char]| match pair {
        [one, other] => i64::from(u32::from(*other)) - i64::from(u32::from(*one)),
        _ => 0,
    };
    let steps: std::collections::BTreeSet<i64> = characters.windows(2).map(distance).collect();
    let lower = pin.to_lowercase();
    if characters.len() < SHORTEST {
        Some("it has fewer than 8 characters")
    } else if pin.len() > LONGEST {
        Some("it has more than 64 bytes")
    } else if characters.iter().any(|character| character.is_control()) || pin.trim() != pin {
        Some("it has control characters, or spaces at its ends")
    } else if different.len() < DIFFERENT {
        Some("it has fewer than 5 different characters")
    } else if steps.len() == 1 {
        Some("its characters are a row")
    } else if COMMON.iter().any(|common| lower.contains(common)) {
        Some("it has a word in it that everybody tries first")
    } else {
        None
    }
}

const SHORTEST: usize = 8;
const LONGEST: usize = 64;
const DIFFERENT: usize = 5;
const COMMON: [&str; 8] = ["password", "passw0rd", "chancery", "softhsm", "yubihsm", "12345678", "qwerty", "letmein"];

/// Reads a PIN file, unless others than its owner could read it too.
pub fn read(path: &Path) -> Result<Pin, Error> {
    read_from(path, true)
}

fn read_from(path: &Path, must_be_closed: bool) -> Result<Pin, Error> {
    let failed = |source| Error::File { attempted: "read the PIN from", path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    // The open file, not the name: what is checked is what is read.
    let mode = file.metadata().map_err(failed)?.mode() & 0o7777;
    if must_be_closed && mode & 0o077 != 0 {
        let reason =
            format!("mode {mode:04o} lets others read the PIN: chmod 600 it, and change the PIN if they may have");
        return Err(Error::Config { path: path.to_owned(), reason });
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(failed)?;
    let pin = text.trim_end_matches(['\n', '\r']);
    if pin.is_empty() {
        return Err(Error::Config { path: path.to_owned(), reason: "holds no PIN".to_owned() });
    }
    Ok(Pin::new(pin.to_owned()))
}

/// Makes a random PIN in a file of its own, unless there is one.
pub fn create(path: &Path) -> Result<Outcome, Error> {
    let pin: Zeroizing<String> =
        Zeroizing::new(OsRng.sample_iter(Alphanumeric).take(PIN_LENGTH).map(char::from).collect());
    files::create(path, pin.as_bytes(), files::SECRET)
}

/// 24 letters and digits are 142 bits, and inside the 4 to 255 characters SoftHSM takes.
const PIN_LENGTH: usize = 24;

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn a_pin_others_can_read_is_refused_with_the_remedy() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pin");
        create(&path).unwrap();
        read(&path).unwrap();
        for mode in [0o644, 0o640, 0o604, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = read(&path).unwrap_err();
            assert!(error.to_string().contains(&format!("mode {mode:04o}")), "{error}");
            assert!(error.to_string().contains("chmod 600"), "{error}");
            assert_eq!(error.exit_status(), 78);
        }
    }

    #[test]
    fn an_easy_pin_is_refused_with_the_reason() {
        for (pin, because) in [
            ("1234567", "fewer than 8"),
            ("aaaaaaaabbbb", "fewer than 5 different"),
            ("abcdefghi", "a row"),
            ("98765432", "a row"),
            ("my-Password-1", "everybody tries first"),
            (" 83kd72hf", "spaces at its ends"),
            (&"x7Kq".repeat(17), "more than 64"),
        ] {
            assert!(weakness(pin).is_some_and(|found| found.contains(because)), "{pin}: {:?}", weakness(pin));
        }
        assert_eq!(weakness("83kd72hf"), None);
    }

    #[test]
    fn an_empty_pin_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pin");
        files::create(&path, b"\n", files::SECRET).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("holds no PIN"));
    }
}
