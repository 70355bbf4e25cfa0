//! Domains: sixteen compartments of a device. A session reaches an object that shares one with its authentication key.

use std::{fmt, str::FromStr};

/// A set of the domains 1 to 16; domain 1 is the lowest bit.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Domains(pub u16);

/// A word that names no domain.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("\"{word}\" is no domain of a YubiHSM 2: write numbers from 1 to 16, with commas between")]
pub struct NotADomain {
    /// The word.
    pub word: String,
}

impl Domains {
    /// All sixteen.
    pub const ALL: Self = Self(0xffff);

    /// One domain by its number; none outside 1 to 16.
    #[must_use]
    pub const fn one(number: u8) -> Option<Self> {
        if number >= 1 && number <= 16 { Some(Self(1 << (number - 1))) } else { None }
    }

    /// Whether there is one in both.
    #[must_use]
    pub const fn overlap(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether all of `other` are in this set.
    #[must_use]
    pub const fn contain(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Their numbers, ascending.
    pub fn numbers(self) -> impl Iterator<Item = u8> {
        (1..=16).filter(move |number| self.0 >> (number - 1) & 1 == 1)
    }
}

/// Their numbers with commas between.
impl fmt::Display for Domains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, number) in self.numbers().enumerate() {
            write!(f, "{}{number}", if position == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// Numbers with commas between.
impl FromStr for Domains {
    type Err = NotADomain;

    fn from_str(text: &str) -> Result<Self, NotADomain> {
        text.split(',').map(str::trim).try_fold(Self::default(), |set, word| {
            let one = word.parse().ok().and_then(Self::one);
            one.map(|one| Self(set.0 | one.0)).ok_or_else(|| NotADomain { word: word.to_owned() })
        })
    }
}
