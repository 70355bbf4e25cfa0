//! Reading a PIN or password from where it is kept: the only place of the appliance that does.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, IsTerminal as _, Read as _},
    path::PathBuf,
};

use hsm_drivers::Pin;
use zeroize::Zeroizing;

use super::{SecretSource, files};

/// Why there is no PIN or password.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file is not there, or not fit to hold a secret.
    #[error(transparent)]
    File(#[from] files::BadFile),
    /// Reading failed.
    #[error("reading the secret of token \"{token}\"")]
    Read {
        /// The token.
        token: String,
        /// What the system said.
        source: io::Error,
    },
    /// A credential is named, and systemd gave none.
    #[error(
        "credential \"{0}\": CREDENTIALS_DIRECTORY is not set; start through systemd, with LoadCredential={0}:PATH"
    )]
    NoCredentials(String),
    /// Somebody should type it, and nobody is there.
    #[error("the secret of token \"{0}\" is to be typed, and there is no terminal")]
    NoTerminal(String),
    /// It cannot be a secret.
    #[error("the secret of token \"{token}\" {why}")]
    Unfit {
        /// The token.
        token: String,
        /// The end of the sentence.
        why: &'static str,
    },
}

impl SecretSource {
    /// The PIN or password of `token`. Blocks where somebody types it.
    ///
    /// # Errors
    /// None of them carries any of the secret.
    pub fn read(&self, token: &str) -> Result<Pin, SecretError> {
        match self {
            Self::Credential(name) => read_credential(std::env::var_os("CREDENTIALS_DIRECTORY"), name, token),
            Self::File(path) => read_file(files::open_private(path)?, token),
            Self::Prompt if io::stdin().is_terminal() => {
                let typed = rpassword::prompt_password(format!("PIN or password of token {token}: "));
                let typed = typed.map_err(|source| SecretError::Read { token: token.to_owned(), source })?;
                pin(Zeroizing::new(typed).as_bytes(), token)
            }
            Self::Prompt => Err(SecretError::NoTerminal(token.to_owned())),
        }
    }
}

/// The credential's mode is systemd's affair: an access list shows there as permissions of the group.
fn read_credential(directory: Option<OsString>, name: &str, token: &str) -> Result<Pin, SecretError> {
    let directory = directory.map(PathBuf::from).ok_or_else(|| SecretError::NoCredentials(name.to_owned()))?;
    read_file(files::open_readable(&directory.join(name))?, token)
}

fn read_file(file: File, token: &str) -> Result<Pin, SecretError> {
    // Of its full size from the start: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST_SECRET + 1));
    let source = file.take(LONGEST_SECRET as u64 + 1).read_to_end(&mut bytes);
    source.map_err(|source| SecretError::Read { token: token.to_owned(), source })?;
    pin(&bytes, token)
}

fn pin(bytes: &[u8], token: &str) -> Result<Pin, SecretError> {
    let unfit = |why| SecretError::Unfit { token: token.to_owned(), why };
    if bytes.len() > LONGEST_SECRET {
        return Err(unfit("is longer than 1024 bytes"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| unfit("is not UTF-8"))?;
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err(unfit("is empty"));
    }
    if line.contains(char::is_control) {
        return Err(unfit("has more than one line or a control character"));
    }
    Ok(Pin::new(line.to_owned()))
}

const LONGEST_SECRET: usize = 1024;

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt as _,
    };

    use super::*;

    fn read(text: &[u8], mode: u32) -> Result<Pin, SecretError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pin");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        SecretSource::File(path).read("main")
    }

    #[test]
    fn one_line_is_a_secret() {
        for good in ["123456", "123456\n", "123456\r\n", "pa ss", "pässword\n"] {
            assert!(read(good.as_bytes(), 0o600).is_ok(), "{good:?}");
        }
        let long = [b'1'; 1025];
        for bad in [&b""[..], b"\n", b"1\n2\n", b"1\n\n", b"1\0", b"\xff\n", &long] {
            assert!(matches!(read(bad, 0o600), Err(SecretError::Unfit { .. })), "{bad:?}");
        }
    }

    #[test]
    fn a_file_is_checked_again_when_it_is_read() {
        assert!(matches!(read(b"1", 0o644), Err(SecretError::File(files::BadFile::OpenToOthers { mode: 0o644, .. }))));
    }

    #[test]
    fn a_credential_is_read_where_systemd_puts_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("hsm-pin"), "123456").unwrap();
        let directory = || Some(folder.path().as_os_str().to_owned());
        assert!(read_credential(directory(), "hsm-pin", "main").is_ok());
        assert!(matches!(read_credential(directory(), "other", "main"), Err(SecretError::File(_))));
        let refused = read_credential(None, "hsm-pin", "main").unwrap_err();
        assert!(refused.to_string().contains("LoadCredential=hsm-pin"), "{refused}");
    }
}
