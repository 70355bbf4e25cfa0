//! `CKA_EC_POINT`: a point, in one of the three wrappings that vendors and versions have used.

use hsm_types::{Algorithm, PublicKey};

/// The public key in `bytes`: as a DER OCTET STRING (the standard), bare, or as a DER BIT STRING. The length alone
/// tells which, so nothing can be read in two ways; the point must lie on the curve.
pub(super) fn read(algorithm: Algorithm, bytes: &[u8]) -> Option<PublicKey> {
    let point = match (algorithm, bytes) {
        (Algorithm::Secp256k1 | Algorithm::P256, bare) if matches!(bare.len(), 33 | 65) => bare,
        (Algorithm::Secp256k1 | Algorithm::P256, [0x04, 33, point @ ..]) if point.len() == 33 => point,
        (Algorithm::Secp256k1 | Algorithm::P256, [0x04, 65, point @ ..]) if point.len() == 65 => point,
        (Algorithm::Secp256k1 | Algorithm::P256, [0x03, 34, 0x00, point @ ..]) if point.len() == 33 => point,
        (Algorithm::Secp256k1 | Algorithm::P256, [0x03, 66, 0x00, point @ ..]) if point.len() == 65 => point,
        (Algorithm::Ed25519, bare) if bare.len() == 32 => bare,
        (Algorithm::Ed25519, [0x04, 32, point @ ..]) if point.len() == 32 => point,
        (Algorithm::Ed25519, [0x03, 33, 0x00, point @ ..]) if point.len() == 32 => point,
        _ => return None,
    };
    PublicKey::decode(algorithm, point).ok()
}

/// As the standard has it: uncompressed, in a DER OCTET STRING.
#[cfg(feature = "ceremony")]
pub(super) fn write(public_key: &PublicKey) -> Vec<u8> {
    let point = public_key.to_uncompressed();
    // 32 or 65: one byte of length.
    let length = u8::try_from(point.len()).unwrap_or_default();
    [&[0x04, length], &point[..]].concat()
}

/// How `bytes` are written: `octet_string`, `bare` or `bit_string`; none where they are no point of this curve.
pub(super) fn form(algorithm: Algorithm, bytes: &[u8]) -> Option<&'static str> {
    read(algorithm, bytes)?;
    // By length, as it is read: a bare compressed point may begin like a wrapping.
    Some(match (bytes.len(), bytes) {
        (32 | 33 | 65, _) => "bare",
        (_, [0x03, ..]) => "bit_string",
        _ => "octet_string",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The generator of secp256k1, uncompressed (SEC 2).
    const GENERATOR: &str = "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798\
                             483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8";
    /// Test 1 of RFC 8032, 7.1.
    const ED25519: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

    fn bytes(prefix: &[u8], hex: &str) -> Vec<u8> {
        let mut bytes = prefix.to_vec();
        bytes.extend(hex::decode(hex).unwrap());
        bytes
    }

    #[test]
    fn each_wrapping_gives_the_same_key() {
        let compressed = format!("02{}", &GENERATOR[2..66]);
        let key = read(Algorithm::Secp256k1, &bytes(&[], GENERATOR)).unwrap();
        for (prefix, point) in [
            (&[0x04, 65][..], GENERATOR),
            (&[0x03, 66, 0], GENERATOR),
            (&[], &compressed),
            (&[0x04, 33], &compressed),
            (&[0x03, 34, 0], &compressed),
        ] {
            assert_eq!(read(Algorithm::Secp256k1, &bytes(prefix, point)), Some(key.clone()), "{prefix:?}");
            let named = match prefix {
                [] => "bare",
                [0x04, ..] => "octet_string",
                _ => "bit_string",
            };
            assert_eq!(form(Algorithm::Secp256k1, &bytes(prefix, point)), Some(named), "{prefix:?}");
        }
        let key = read(Algorithm::Ed25519, &bytes(&[], ED25519)).unwrap();
        for prefix in [&[0x04, 32][..], &[0x03, 33, 0]] {
            assert_eq!(read(Algorithm::Ed25519, &bytes(prefix, ED25519)), Some(key.clone()), "{prefix:?}");
        }
    }

    #[test]
    fn other_lengths_wrappings_and_curves_are_refused() {
        for (prefix, point) in [
            (&[0x04, 64][..], GENERATOR),
            (&[0x03, 66, 1], GENERATOR),
            (&[0x04, 0x81, 65], GENERATOR),
            (&[0x30, 65], GENERATOR),
            (&[0x04, 65, 0], GENERATOR),
            (&[], &GENERATOR[2..]),
            (&[], &GENERATOR[..128]),
            (&[], ""),
        ] {
            assert_eq!(read(Algorithm::Secp256k1, &bytes(prefix, point)), None, "{prefix:?}");
        }
        assert_eq!(read(Algorithm::P256, &bytes(&[], GENERATOR)), None, "not on this curve");
        assert_eq!(form(Algorithm::P256, &bytes(&[], GENERATOR)), None, "not on this curve");
        assert_eq!(read(Algorithm::Ed25519, &bytes(&[0x04, 33], ED25519)), None);
    }
}
