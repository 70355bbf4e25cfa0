//! RFC 8785: the one spelling of a JSON value, the bytes that are hashed and signed.

use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

/// Bytes that are JSON of the right shape, but not in the one canonical spelling, or not of that shape at all.
#[derive(Debug, thiserror::Error)]
pub enum NotCanonical {
    /// Not JSON, or not of the expected shape.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// Of the right shape, but spelt otherwise: white space, member order, unknown members, number forms.
    #[error("the bytes are not the RFC 8785 form of what they say")]
    Spelling,
}

/// The RFC 8785 form of `value`, one of our own types: member names in ASCII, whole numbers below 2^53, no floats.
///
/// Within those bounds `serde_json` writes that form once members are sorted, which its map does, and four times faster
/// than a general canonicalizer; the tests hold the two together.
///
/// # Errors
/// A value JSON cannot express; none of our types has one.
pub fn canonical<T: Serialize>(value: &T) -> Result<Vec<u8>, NotCanonical> {
    Ok(serde_json::to_vec(&serde_json::to_value(value)?)?)
}

/// Reads a value and demands that `bytes` is its canonical form, so that one value has one hash.
///
/// # Errors
/// See [`NotCanonical`].
pub fn from_canonical<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, NotCanonical> {
    let value = serde_json::from_slice(bytes)?;
    if canonical(&value)? == bytes { Ok(value) } else { Err(NotCanonical::Spelling) }
}

/// SHA-256 in lower-case hexadecimal.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Body, Denied, Entry};

    fn referee(value: &impl Serialize) -> Vec<u8> {
        serde_json_canonicalizer::to_vec(value).unwrap()
    }

    proptest! {
        #[test]
        fn entries_are_written_as_a_general_canonicalizer_writes_them(
            index in 0_u64..1 << 53,
            detail in any::<String>(),
            wall_offset in -(1_i64 << 53)..1 << 53,
        ) {
            let denied = Denied {
                asked: None,
                watcher: detail.clone(),
                request_id: "a".parse().unwrap(),
                content: String::new(),
                code: "denied".to_owned(),
                rule: Some(detail.clone()),
                detail,
            };
            let (time, salt) = (String::new(), String::new());
            let entry = Entry { index, time, elapsed: index, policy: 1, salt, format: None, body: Body::Denied(denied) };
            let bytes = canonical(&entry).unwrap();
            prop_assert_eq!(&bytes, &referee(&entry));
            prop_assert_eq!(from_canonical::<Entry>(&bytes).unwrap(), entry);
            prop_assert_eq!(canonical(&wall_offset).unwrap(), referee(&wall_offset));
        }
    }

    #[test]
    fn another_spelling_of_the_same_value_is_refused() {
        let value = serde_json::json!({ "b": 1, "a": "\u{1}\u{7f}\u{2028}\n" });
        let bytes = canonical(&value).unwrap();
        assert_eq!(bytes, referee(&value));
        for other in [r#"{"b":1,"a":"x"}"#, r#"{"a":"x", "b":1}"#, r#"{"a":"\u0078","b":1}"#] {
            let spelling = from_canonical::<serde_json::Value>(other.as_bytes());
            assert!(matches!(spelling, Err(NotCanonical::Spelling)), "{other}");
        }
    }
}
