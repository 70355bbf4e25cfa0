//! The name people use for a key, and the path of a child under it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::LAST_CHILD;

/// A key's `CKA_LABEL` (PKCS#11) or object label (YubiHSM 2), and its name in policy and requests.
///
/// 1 to 40 of `A-Z a-z 0-9 . _ -`, beginning with a letter or digit: what both kinds of device, file names and metric
/// labels can carry unescaped. 40 is the YubiHSM's limit.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyLabel(String);

/// Why a text is no [`KeyLabel`] or [`KeyPath`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadKeyLabel {
    /// Not in the grammar of [`KeyLabel`].
    #[error("\"{0}\" is no key name: 1 to 40 of A-Z a-z 0-9 . _ -, beginning with a letter or digit")]
    Label(String),
    /// The part behind the slash is no child index.
    #[error("\"{0}\" is no child: a decimal number from 0 to 2147483647 without leading zeros")]
    Child(String),
}

impl KeyLabel {
    /// The label as the device knows it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyLabel {
    type Err = BadKeyLabel;

    fn from_str(text: &str) -> Result<Self, BadKeyLabel> {
        let fits = (1..=40).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
            && text.starts_with(|first: char| first.is_ascii_alphanumeric());
        if fits { Ok(Self(text.to_owned())) } else { Err(BadKeyLabel::Label(text.to_owned())) }
    }
}

impl TryFrom<String> for KeyLabel {
    type Error = BadKeyLabel;

    fn try_from(text: String) -> Result<Self, BadKeyLabel> {
        text.parse()
    }
}

impl From<KeyLabel> for String {
    fn from(label: KeyLabel) -> Self {
        label.0
    }
}

impl fmt::Display for KeyLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `key` or `key/child`: what an item of a request names.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyPath {
    /// The key the device holds.
    pub label: KeyLabel,
    /// The child, where one is named: 0 to [`LAST_CHILD`].
    pub child: Option<u32>,
}

impl FromStr for KeyPath {
    type Err = BadKeyLabel;

    fn from_str(text: &str) -> Result<Self, BadKeyLabel> {
        let Some((label, child)) = text.split_once('/') else {
            return Ok(Self { label: text.parse()?, child: None });
        };
        let index = child.parse().ok().filter(|index: &u32| *index <= LAST_CHILD && index.to_string() == child);
        let index = index.ok_or_else(|| BadKeyLabel::Child(child.to_owned()))?;
        Ok(Self { label: label.parse()?, child: Some(index) })
    }
}

impl TryFrom<String> for KeyPath {
    type Error = BadKeyLabel;

    fn try_from(text: String) -> Result<Self, BadKeyLabel> {
        text.parse()
    }
}

impl From<KeyPath> for String {
    fn from(path: KeyPath) -> Self {
        path.to_string()
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.child {
            None => write!(f, "{}", self.label),
            Some(child) => write!(f, "{}/{child}", self.label),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_outside_the_grammar_are_refused() {
        for good in ["a", "btc-hot", "9.x_y", &"k".repeat(40)] {
            assert_eq!(good.parse::<KeyLabel>().unwrap().as_str(), good);
        }
        for bad in ["", "-a", ".a", "a b", "a/b", "ä", "a\0", &"k".repeat(41)] {
            assert!(bad.parse::<KeyLabel>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_child_has_one_spelling() {
        assert_eq!("k/0".parse::<KeyPath>().unwrap().child, Some(0));
        assert_eq!("k/2147483647".parse::<KeyPath>().unwrap().to_string(), "k/2147483647");
        for bad in ["k/", "k/00", "k/01", "k/+1", "k/2147483648", "k/-1", "k/1/2", "/1", "k/ 1"] {
            assert!(bad.parse::<KeyPath>().is_err(), "{bad:?}");
        }
    }
}
