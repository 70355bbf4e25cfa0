//! What a caller of the daemon's API must show: the content of one file.

use std::{fmt, path::Path};

use subtle::ConstantTimeEq;

use crate::{ConfigError, private_file};

/// Shorter ones are guessed.
const SHORTEST: usize = 32;

/// The token.
#[derive(Clone)]
pub(crate) struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// Reads the file.
    pub(crate) fn read(file: &Path) -> Result<Self, ConfigError> {
        let bad = |what: String| {
            ConfigError::new(file, format!("{what}; make one with `(umask 077; openssl rand -hex 32 > FILE)`"))
        };
        let text = private_file::read(file).map_err(|error| bad(format!("`run.token_file`: {error}")))?;
        let token = text.trim();
        if token.len() < SHORTEST || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(bad(format!("holds no token: at least {SHORTEST} letters and digits in one line")));
        }
        Ok(Self(token.to_owned()))
    }

    /// Whether this is the value of a header `authorization` that shows it.
    pub(super) fn is_shown(&self, header: &[u8]) -> bool {
        let Some((scheme, shown)) = header.split_at_checked(7) else { return false };
        scheme.eq_ignore_ascii_case(b"bearer ") && bool::from(shown.ct_eq(self.0.as_bytes()))
    }

    /// The value of a header that shows it.
    pub(crate) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }
}
