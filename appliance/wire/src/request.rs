//! The body of `PUT /v1/signatures/{request_id}`.

use std::{fmt, str::FromStr};

use hsm_types::{Digest, KeyPath};
use serde::{Deserialize, Serialize};

use crate::{Decimal, NotCanonical, canonical, sha256_hex};

/// A request's name, unique per watcher: 1 to 128 of `A-Z a-z 0-9 . _ : -`, beginning with a letter or digit.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(value_type = String, pattern = "^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$")
)]
pub struct RequestId(String);

/// A text that is no [`RequestId`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not in the grammar: 1 to 128 of A-Z a-z 0-9 . _ : -, beginning with a letter or digit")]
pub struct BadRequestId;

impl RequestId {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RequestId {
    type Err = BadRequestId;

    fn from_str(text: &str) -> Result<Self, BadRequestId> {
        let fits = (1..=128).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte))
            && text.starts_with(|first: char| first.is_ascii_alphanumeric());
        if fits { Ok(Self(text.to_owned())) } else { Err(BadRequestId) }
    }
}

impl TryFrom<String> for RequestId {
    type Error = BadRequestId;

    fn try_from(text: String) -> Result<Self, BadRequestId> {
        text.parse()
    }
}

impl From<RequestId> for String {
    fn from(id: RequestId) -> Self {
        id.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One transaction's signatures: all items are signed or none.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignatureRequest {
    /// 1 to 256, all of one key family.
    #[cfg_attr(feature = "openapi", schema(min_items = 1, max_items = 256))]
    pub items: Vec<Item>,
    /// What the watcher says this pays; required on a `declared` key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Transfer>,
    /// The unsigned transaction; required on a `verified` key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// The accepted request this one is a variant of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<RequestId>,
    /// RFC 3339; after it the token is not asked any more. Not part of the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub expires_at: Option<String>,
}

impl SignatureRequest {
    /// SHA-256, in hexadecimal, of the RFC 8785 form of the decoded body without `expires_at`: two bodies with the same
    /// content are the same request.
    ///
    /// # Errors
    /// None in practice: every field has a JSON form.
    pub fn content(&self) -> Result<String, NotCanonical> {
        let timeless = Self { expires_at: None, ..self.clone() };
        Ok(sha256_hex(&canonical(&timeless)?))
    }
}

/// One signature asked for: `digest` for ECDSA keys, `message` for Ed25519.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Item {
    /// `key` or `key/child`.
    #[cfg_attr(feature = "openapi", schema(
        value_type = String,
        pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,39}(/(0|[1-9][0-9]{0,9}))?$",
        example = "btc-hot",
    ))]
    pub key: KeyPath,
    /// 32 bytes, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, pattern = "^[0-9A-Fa-f]{64}$"))]
    pub digest: Option<Digest>,
    /// The message itself, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(
        value_type = Option<String>,
        max_length = 8192,
        pattern = "^([0-9A-Fa-f]{2})*$",
    ))]
    pub message: Option<MessageHex>,
}

/// Bytes in hexadecimal, read in either case and written in lower case.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct MessageHex(pub Vec<u8>);

impl TryFrom<String> for MessageHex {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, hex::FromHexError> {
        hex::decode(text).map(Self)
    }
}

impl From<MessageHex> for String {
    fn from(message: MessageHex) -> Self {
        hex::encode(message.0)
    }
}

/// What a transaction pays, in the watcher's words.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Transfer {
    /// Name of an asset of the policy.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[!-~]{1,128}$"))]
    pub asset: String,
    /// In the chain's native asset, main unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(
        value_type = Option<String>,
        max_length = 100,
        pattern = r"^(0|[1-9][0-9]*)(\.[0-9]+)?$",
    ))]
    pub fee: Option<Decimal>,
    /// Every payment; change is left out.
    #[cfg_attr(feature = "openapi", schema(max_items = 1000))]
    pub outputs: Vec<Output>,
}

/// One payment.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Output {
    /// An address of the asset's chain.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[!-~]{1,128}$"))]
    pub destination: String,
    /// In the asset's main unit.
    #[cfg_attr(feature = "openapi", schema(
        value_type = String,
        max_length = 100,
        pattern = r"^(0|[1-9][0-9]*)(\.[0-9]+)?$",
        example = "0.1",
    ))]
    pub amount: Decimal,
    /// The withdrawal this output pays; bound for ever to the first that used it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<RequestId>,
}

/// An unsigned transaction.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Evidence {
    /// `psbt` or `eip2718`.
    #[cfg_attr(feature = "openapi", schema(pattern = "^(psbt|eip2718)$"))]
    pub format: String,
    /// Base64.
    #[cfg_attr(feature = "openapi", schema(content_encoding = "base64"))]
    pub data: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(body: &str) -> String {
        serde_json::from_str::<SignatureRequest>(body).unwrap().content().unwrap()
    }

    #[test]
    fn spelling_does_not_change_the_content() {
        let plain = r#"{"items":[{"key":"k","digest":"00000000000000000000000000000000000000000000000000000000000000ab"}],
            "transfer":{"asset":"BTC","fee":"0.1","outputs":[{"destination":"d","amount":"1"}]}}"#;
        let other = r#"{"transfer":{"outputs":[{"amount":"1.00","destination":"d"}],"fee":"0.10","asset":"BTC"},
            "expires_at":"2030-01-01T00:00:00Z","evidence":null,
            "items":[{"digest":"00000000000000000000000000000000000000000000000000000000000000AB","key":"k"}]}"#;
        assert_eq!(content(plain), content(other));
        assert_ne!(content(plain), content(&plain.replace("\"1\"", "\"1.1\"")));
    }

    #[test]
    fn unknown_and_repeated_fields_are_errors() {
        for bad in [
            r#"{"items":[],"surprise":1}"#,
            r#"{"items":[],"items":[]}"#,
            r#"{"items":[{"key":"k","digest":"ab"}]}"#,
            r#"{"items":[{"key":"k","digits":"ab"}]}"#,
            r#"{}"#,
        ] {
            assert!(serde_json::from_str::<SignatureRequest>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn request_ids_outside_the_grammar_are_refused() {
        assert!("wd-1042:a.b_C".parse::<RequestId>().is_ok());
        for bad in ["", "-a", ".", "a b", "a/b", "a\n", &"a".repeat(129)] {
            assert!(bad.parse::<RequestId>().is_err(), "{bad:?}");
        }
    }
}
