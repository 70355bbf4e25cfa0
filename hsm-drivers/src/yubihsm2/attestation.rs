//! What a device's certificate about a key is worth: its chain up to a root the caller trusts, and what it says (Yubico,
//! "YubiHSM 2 User Guide", Attestation; RFC 5280). Ships no root, asks no device and knows no time: these certificates
//! are made with the dates of the device's own, and a key stays generated where it was.

mod signature;

use hsm_types::{Algorithm, PublicKey};
use x509_cert::{
    Certificate,
    der::{
        Decode,
        asn1::{BitString, ObjectIdentifier, OctetString, Utf8StringRef},
        oid::AssociatedOid,
    },
    ext::pkix::{BasicConstraints, KeyUsage},
    spki::SubjectPublicKeyInfoOwned,
};

use super::protocol::{Capabilities, Domains, Origin};

/// What a device says about a key it holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Attested {
    /// The key.
    pub public_key: PublicKey,
    /// Serial number of the device.
    pub serial: u32,
    /// Its firmware version: major, minor, build.
    pub firmware: [u8; 3],
    /// How the key came into the device.
    pub origin: Origin,
    /// Its domains.
    pub domains: Domains,
    /// What it may do, and have done to it.
    pub capabilities: Capabilities,
    /// Its object id.
    pub id: u16,
    /// Its label, where the firmware tells it.
    pub label: Option<String>,
}

/// A chain that proves nothing. Certificates are counted from the one about the key, which is 0.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadAttestation {
    /// Not a certificate in DER.
    #[error("attestation, certificate {number}: it cannot be read ({cause})")]
    Unreadable {
        /// Which one.
        number: usize,
        /// Why.
        cause: String,
    },
    /// Not signed by the next one.
    #[error("attestation, certificate {number}: {reason}")]
    NotSigned {
        /// Which one.
        number: usize,
        /// Why, a clause in words.
        reason: &'static str,
    },
    /// It may not sign the one before it.
    #[error("attestation, certificate {number}: it may not sign the one before, {reason}")]
    NoIssuer {
        /// Which one.
        number: usize,
        /// Why, a clause in words.
        reason: &'static str,
    },
    /// It does not say what it must.
    #[error("attestation, certificate {number}: {what} is missing or cannot be read")]
    Missing {
        /// Which one.
        number: usize,
        /// What.
        what: &'static str,
    },
}

/// What `certificate` says about a key, after its chain was followed: `issuers` are the device's own certificate and
/// those between it and `root`, in this order; `root` is trusted as it is. All are in DER.
///
/// # Errors
/// [`BadAttestation`]: the chain does not hold, or the certificate is none of a YubiHSM 2 about a key.
pub fn verify(certificate: &[u8], issuers: &[&[u8]], root: &[u8]) -> Result<Attested, BadAttestation> {
    let chain = [certificate].into_iter().chain(issuers.iter().copied()).chain([root]);
    follow(chain, !issuers.is_empty())
}

/// As [`verify`], but that `device`, the device's own certificate in DER, is believed: what the two say to each other, before
/// anybody asks whose device it is.
///
/// # Errors
/// As [`verify`].
pub fn verify_link(certificate: &[u8], device: &[u8]) -> Result<Attested, BadAttestation> {
    follow([certificate, device].into_iter(), true)
}

/// `with_device`: the second certificate is the device's, which need not be an authority's.
fn follow<'a>(chain: impl Iterator<Item = &'a [u8]>, with_device: bool) -> Result<Attested, BadAttestation> {
    let read = |(number, der)| read(der).map_err(|cause| BadAttestation::Unreadable { number, cause });
    let chain = chain.enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
    let pairs = chain.iter().zip(chain.iter().skip(1)).enumerate();
    for (number, (subject, issuer)) in pairs {
        signature::verify(subject, issuer).map_err(|reason| BadAttestation::NotSigned { number, reason })?;
        let only_the_device = number == 0 && with_device;
        let reason = if only_the_device { not_a_device(issuer) } else { not_an_authority(issuer) };
        if let Some(reason) = reason {
            return Err(BadAttestation::NoIssuer { number: number + 1, reason });
        }
    }
    let missing = |number| move |what| BadAttestation::Missing { number, what };
    let [leaf, device, ..] = &chain[..] else { return Err(missing(0)("its issuer")) };
    let attested = read_leaf(leaf).map_err(missing(0))?;
    if extension(device, SERIAL).and_then(number) != Some(attested.serial) {
        return Err(BadAttestation::NoIssuer { number: 1, reason: "for it names another device" });
    }
    Ok(attested)
}

/// A certificate with nothing in it that must be understood (RFC 5280, 4.2) and is not.
fn read(der: &[u8]) -> Result<Certificate, String> {
    let certificate = Certificate::from_der(der).map_err(|error| error.to_string())?;
    let known = [BasicConstraints::OID, KeyUsage::OID];
    let mut extensions = certificate.tbs_certificate.extensions.iter().flatten();
    match extensions.find(|extension| extension.critical && !known.contains(&extension.extn_id)) {
        Some(extension) => Err(format!("its critical extension {} is not known here", extension.extn_id)),
        None => Ok(certificate),
    }
}

/// A key in a device can sign anything, certificates like this one too: the certificate the device made about it, though
/// it is signed by the device, must not be taken for the device's.
fn not_a_device(issuer: &Certificate) -> Option<&'static str> {
    extension(issuer, OBJECT_ID).map(|_| "for it is about a key in a device")
}

/// RFC 5280, 6.1.4 (k) and (n).
fn not_an_authority(issuer: &Certificate) -> Option<&'static str> {
    let constraints = issuer.tbs_certificate.get::<BasicConstraints>();
    if !constraints.is_ok_and(|found| found.is_some_and(|(_, constraints)| constraints.ca)) {
        return Some("for it is no certificate authority");
    }
    match issuer.tbs_certificate.get::<KeyUsage>() {
        Ok(None) => None,
        Ok(Some((_, usage))) if usage.key_cert_sign() => None,
        _ => Some("for its key is not for certificates"),
    }
}

fn read_leaf(leaf: &Certificate) -> Result<Attested, &'static str> {
    let find = |id| extension(leaf, id);
    let bytes = |id| find(id).and_then(|value| BitString::from_der(value).ok());
    let small = |id| bytes(id).and_then(|bits| big_endian(bits.raw_bytes()));
    let firmware = find(FIRMWARE).and_then(|value| OctetString::from_der(value).ok());
    let origin = small(ORIGIN).and_then(|origin| u8::try_from(origin).ok());
    let domains = small(DOMAINS).and_then(|domains| u16::try_from(domains).ok());
    Ok(Attested {
        public_key: public_key(&leaf.tbs_certificate.subject_public_key_info).ok_or("a public key that is served")?,
        serial: find(SERIAL).and_then(number).ok_or("the serial number of the device")?,
        firmware: firmware.and_then(|bytes| bytes.as_bytes().try_into().ok()).ok_or("the firmware version")?,
        origin: origin.map(Origin).ok_or("the origin of the key")?,
        domains: domains.map(Domains).ok_or("the domains of the key")?,
        capabilities: small(CAPABILITIES).map(Capabilities).ok_or("the capabilities of the key")?,
        id: find(OBJECT_ID).and_then(number).ok_or("the object id of the key")?,
        label: find(LABEL).and_then(|value| Utf8StringRef::from_der(value).ok()).map(|text| text.as_str().to_owned()),
    })
}

fn extension(certificate: &Certificate, id: ObjectIdentifier) -> Option<&[u8]> {
    let extensions = certificate.tbs_certificate.extensions.as_ref()?;
    extensions.iter().find(|extension| extension.extn_id == id).map(|extension| extension.extn_value.as_bytes())
}

fn number<'a, T: Decode<'a>>(value: &'a [u8]) -> Option<T> {
    T::from_der(value).ok()
}

/// A number of up to eight bytes.
fn big_endian(bytes: &[u8]) -> Option<u64> {
    let fits = bytes.len() <= 8;
    fits.then(|| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn public_key(info: &SubjectPublicKeyInfoOwned) -> Option<PublicKey> {
    let curve = info.algorithm.parameters.as_ref().and_then(|curve| curve.decode_as::<ObjectIdentifier>().ok());
    let algorithm = match (info.algorithm.oid, curve) {
        (signature::EC_PUBLIC_KEY, Some(SECP256K1)) => Algorithm::Secp256k1,
        (signature::EC_PUBLIC_KEY, Some(signature::P256)) => Algorithm::P256,
        (ED25519, None) => Algorithm::Ed25519,
        _ => return None,
    };
    PublicKey::decode(algorithm, info.subject_public_key.as_bytes()?).ok()
}

const SECP256K1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.10");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// Yubico, "YubiHSM OIDs".
const FIRMWARE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.41482.4.1");
const SERIAL: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.41482.4.2");
const ORIGIN: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.41482.4.3");
const DOMAINS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.41482.4.4");
const CAPABILITIES: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.41482.4.5");
const OBJECT_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.41482.4.6");
const LABEL: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.41482.4.9");

#[cfg(test)]
mod tests;
