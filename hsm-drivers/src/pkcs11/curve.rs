//! `CKA_EC_PARAMS`: which curve a key is on.

use hsm_types::Algorithm;

/// id-Ed25519, 1.3.101.112 (RFC 8410).
const ED25519_OID: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
/// PrintableString "edwards25519" (PKCS #11 v3.0, 2.3.5).
const ED25519_NAME: &[u8] = b"\x13\x0cedwards25519";
/// 1.3.6.1.4.1.11591.15.1, from before RFC 8410, in older modules.
const ED25519_OLD_OID: &[u8] = &[0x06, 0x09, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01];
/// secp256k1, 1.3.132.0.10 (SEC 2).
const SECP256K1_OID: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a];
/// prime256v1, 1.2.840.10045.3.1.7 (ANSI X9.62).
const P256_OID: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// The algorithm of keys with these parameters; none for a curve that is not served.
pub(super) fn read(ec_params: &[u8]) -> Option<Algorithm> {
    match ec_params {
        SECP256K1_OID => Some(Algorithm::Secp256k1),
        P256_OID => Some(Algorithm::P256),
        ED25519_OID | ED25519_NAME | ED25519_OLD_OID => Some(Algorithm::Ed25519),
        _ => None,
    }
}

/// How the parameters are written: `oid`, `name`, or `old_oid` of Ed25519; none for a curve that is not served.
pub(super) fn form(ec_params: &[u8]) -> Option<&'static str> {
    match ec_params {
        ED25519_NAME => Some("name"),
        ED25519_OLD_OID => Some("old_oid"),
        _ => read(ec_params).map(|_| "oid"),
    }
}

/// The parameters to generate with, in the order to try: modules differ in which form of Ed25519 they take.
#[cfg(feature = "ceremony")]
pub(super) fn encodings(algorithm: Algorithm) -> &'static [&'static [u8]] {
    match algorithm {
        Algorithm::Secp256k1 => &[SECP256K1_OID],
        Algorithm::P256 => &[P256_OID],
        Algorithm::Ed25519 => &[ED25519_OID, ED25519_NAME],
    }
}
