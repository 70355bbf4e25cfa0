//! Why evidence is refused.

/// Evidence the appliance does not sign for: each variant's text says where and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BadEvidence {
    /// The data is no base64.
    #[error("evidence.data is no base64")]
    Base64,
    /// A format nobody reads.
    #[error("evidence.format \"{0}\" is not known: write psbt or eip2718")]
    Format(String),
}
