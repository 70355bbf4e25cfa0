//! `CKA_EC_POINT` in the forms vendors give it.

/// How the point is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    /// DER OCTET STRING, as the standard says.
    Wrapped,
    Bare,
    /// DER BIT STRING.
    Bits,
    /// Compressed (SEC1, 2.3.3), in an OCTET STRING.
    Compressed,
    /// The standard's form without its last byte.
    Truncated,
}

impl Form {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "wrapped" => Self::Wrapped,
            "bare" => Self::Bare,
            "bits" => Self::Bits,
            "compressed" => Self::Compressed,
            "truncated" => Self::Truncated,
            _ => return None,
        })
    }

    /// A point of the standard's form in this one. What is none is left as it is.
    pub(crate) fn of(self, wrapped: &[u8]) -> Vec<u8> {
        let Some(([0x04, length], point)) = wrapped.split_first_chunk() else { return wrapped.to_vec() };
        if usize::from(*length) != point.len() {
            return wrapped.to_vec();
        }
        match self {
            Self::Wrapped => wrapped.to_vec(),
            Self::Bare => point.to_vec(),
            Self::Bits => [&[0x03, length + 1, 0x00], point].concat(),
            Self::Compressed => match (point.split_first_chunk::<33>(), point.last()) {
                (Some(([0x04, x @ ..], [_, ..])), Some(last)) => [&[0x04, 33, 2 + (last & 1)], &x[..]].concat(),
                _ => wrapped.to_vec(),
            },
            Self::Truncated => wrapped.split_last().map_or_else(Vec::new, |(_, rest)| rest.to_vec()),
        }
    }
}
