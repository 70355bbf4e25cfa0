//! Whether one certificate was signed by another: name, algorithm, signature (RFC 5280, 6.1.3).

use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey,
    VerificationAlgorithm,
};
use x509_cert::{
    Certificate,
    der::{Encode, asn1::ObjectIdentifier},
};

pub(super) const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
pub(super) const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const RSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const RSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");

/// Why `issuer` did not sign `subject`, a clause in words, where it did not.
pub(super) fn verify(subject: &Certificate, issuer: &Certificate) -> Result<(), &'static str> {
    let signed = &subject.tbs_certificate;
    if signed.issuer != issuer.tbs_certificate.subject {
        return Err("its issuer is not the subject of the next one");
    }
    if subject.signature_algorithm != signed.signature {
        return Err("it names two signature algorithms");
    }
    let unknown = "it is signed by an algorithm that is not known here";
    let algorithm = algorithm(subject, issuer).ok_or(unknown)?;
    // What was read, encoded again: where that is not what was signed, the signature does not hold.
    let message = signed.to_der().map_err(|_| "it cannot be encoded again")?;
    let key = &issuer.tbs_certificate.subject_public_key_info.subject_public_key;
    let key = UnparsedPublicKey::new(algorithm, key.as_bytes().unwrap_or_default());
    let signature = subject.signature.as_bytes().unwrap_or_default();
    key.verify(&message, signature).map_err(|_| "its signature does not hold under the key of the next one")
}

/// By the algorithm the subject names, and by the issuer's key.
fn algorithm(subject: &Certificate, issuer: &Certificate) -> Option<&'static dyn VerificationAlgorithm> {
    let key = &issuer.tbs_certificate.subject_public_key_info.algorithm;
    let curve = key.parameters.as_ref().and_then(|curve| curve.decode_as::<ObjectIdentifier>().ok());
    Some(match (subject.signature_algorithm.oid, key.oid, curve) {
        (RSA_SHA256, RSA, None) => &RSA_PKCS1_2048_8192_SHA256,
        (RSA_SHA384, RSA, None) => &RSA_PKCS1_2048_8192_SHA384,
        (RSA_SHA512, RSA, None) => &RSA_PKCS1_2048_8192_SHA512,
        (ECDSA_SHA256, EC_PUBLIC_KEY, Some(P256)) => &ECDSA_P256_SHA256_ASN1,
        (ECDSA_SHA384, EC_PUBLIC_KEY, Some(P256)) => &ECDSA_P256_SHA384_ASN1,
        (ECDSA_SHA256, EC_PUBLIC_KEY, Some(P384)) => &ECDSA_P384_SHA256_ASN1,
        (ECDSA_SHA384, EC_PUBLIC_KEY, Some(P384)) => &ECDSA_P384_SHA384_ASN1,
        _ => return None,
    })
}
