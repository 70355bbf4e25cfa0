//! The chain code of a key: what its children are derived with.

use std::{fmt, str::FromStr};

/// 32 bytes from the token's random generator, kept beside a key that has children.
///
/// As precious as the key, for without it no child can be spent; and a matter of privacy, for whoever has it can list
/// and link all children (but derive no private key). So it is shown in entries and backups by [`Self::to_hex`] alone,
/// never by a log line.
#[derive(Clone, Eq, PartialEq)]
pub struct ChainCode([u8; 32]);

/// A text that is no [`ChainCode`]. It is not shown: it may be one with a slip of the pen.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a chain code is 64 hexadecimal digits, this is not")]
pub struct BadChainCode;

impl ChainCode {
    /// From the bytes a token holds.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// As the token holds it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// 64 lower-case digits: the form of entries, transcripts and answers.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl FromStr for ChainCode {
    type Err = BadChainCode;

    fn from_str(text: &str) -> Result<Self, BadChainCode> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| BadChainCode)?;
        Ok(Self(bytes))
    }
}

impl fmt::Debug for ChainCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChainCode(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_code_is_read_back_and_never_shown() {
        let code = ChainCode::new([0xa5; 32]);
        assert_eq!(code.to_hex(), "a5".repeat(32));
        assert_eq!(code.to_hex().parse(), Ok(code.clone()));
        assert_eq!(format!("{code:?}"), "ChainCode(..)");
        for bad in ["", "a5", &"a5".repeat(31), &"a5".repeat(33), &"g5".repeat(32)] {
            assert_eq!(bad.parse::<ChainCode>(), Err(BadChainCode), "{bad}");
        }
    }
}
