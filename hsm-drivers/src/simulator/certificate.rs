//! Attestation: certificates by which a device says how a key came into it (user guide, "Attestation").
//!
//! A simulated maker, made with each fresh device, signs the certificate of the device's attestation key; that key, or
//! one put by the user, signs those of the keys attested. All three are P-256 here, where Yubico's are RSA.

use std::{str::FromStr, time::Duration};

use p256::ecdsa::{Signature, SigningKey, signature::Signer};
use rand::{RngCore, rngs::OsRng};
use x509_cert::{
    Certificate, TbsCertificate, Version,
    der::{
        Any, Decode, Encode,
        asn1::{BitString, ObjectIdentifier, OctetString, UtcTime, Utf8StringRef},
    },
    ext::{Extension, pkix::BasicConstraints},
    name::Name,
    serial_number::SerialNumber,
    spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned},
    time::{Time, Validity},
};

use super::objects::Object;
use crate::yubihsm2::protocol::Algorithm;

const ID_EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP256K1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.10");
const PRIME256V1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const ID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
/// Yubico's arc; the number of the extension follows.
const YUBIHSM: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.41482.4");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");

/// 2020-01-01 to 2049-12-31, in seconds since 1970.
const NOT_BEFORE: u64 = 1_577_836_800;
const NOT_AFTER: u64 = 2_524_607_999;

type Result<T> = x509_cert::der::Result<T>;

/// Who signs: a P-256 key, and its certificate, of which name and dates are taken.
pub(super) struct Issuer<'a> {
    pub(super) key: &'a [u8],
    pub(super) certificate: &'a [u8],
}

/// What a device says of itself in its certificates.
#[derive(Clone, Copy)]
pub(super) struct Device {
    pub(super) firmware: [u8; 3],
    pub(super) serial: u32,
}

/// The certificate of a simulated maker: self-signed.
pub(super) fn maker(key: &[u8], public: &[u8]) -> Result<Vec<u8>> {
    let name = Name::from_str("CN=Simulated YubiHSM maker,O=not Yubico")?;
    let time = |seconds| UtcTime::from_unix_duration(Duration::from_secs(seconds)).map(Time::UtcTime);
    let validity = Validity { not_before: time(NOT_BEFORE)?, not_after: time(NOT_AFTER)? };
    let subject = (name.clone(), public_key(Algorithm::EC_P256, public)?);
    sign(key, name, validity, subject, vec![authority()?])
}

/// The certificate of a device's attestation key.
pub(super) fn device(maker: &Issuer<'_>, device: Device, public: &[u8]) -> Result<Vec<u8>> {
    let name = Name::from_str(&format!("CN=YubiHSM Attestation ({})", device.serial))?;
    let mut extensions = identity(device)?;
    extensions.push(authority()?);
    let above = Certificate::from_der(maker.certificate)?.tbs_certificate;
    let subject = (name, public_key(Algorithm::EC_P256, public)?);
    sign(maker.key, above.subject, above.validity, subject, extensions)
}

/// The attestation of a key.
pub(super) fn attestation(issuer: &Issuer<'_>, device: Device, object: &Object, public: &[u8]) -> Result<Vec<u8>> {
    let info = &object.info;
    let name = Name::from_str(&format!("CN=YubiHSM Attestation id:0x{:04x}", info.id))?;
    let mut extensions = identity(device)?;
    extensions.push(bits(3, &[info.origin.0])?);
    extensions.push(bits(4, &info.domains.0.to_be_bytes())?);
    extensions.push(bits(5, &info.capabilities.0.to_be_bytes())?);
    extensions.push(extension(6, info.id.to_der()?)?);
    extensions.push(extension(9, Utf8StringRef::new(info.label.text().unwrap_or_default())?.to_der()?)?);
    let above = Certificate::from_der(issuer.certificate)?.tbs_certificate;
    let subject = (name, public_key(info.algorithm, public)?);
    sign(issuer.key, above.subject, above.validity, subject, extensions)
}

/// Firmware version and serial number, in every certificate of a device.
fn identity(device: Device) -> Result<Vec<Extension>> {
    let firmware = OctetString::new(device.firmware)?.to_der()?;
    Ok(vec![extension(1, firmware)?, extension(2, device.serial.to_der()?)?])
}

fn bits(number: u32, bytes: &[u8]) -> Result<Extension> {
    extension(number, BitString::from_bytes(bytes)?.to_der()?)
}

fn extension(number: u32, value: Vec<u8>) -> Result<Extension> {
    let extn_id = YUBIHSM.push_arc(number)?;
    Ok(Extension { extn_id, critical: false, extn_value: OctetString::new(value)? })
}

fn authority() -> Result<Extension> {
    let value = BasicConstraints { ca: true, path_len_constraint: None }.to_der()?;
    Ok(Extension { extn_id: BASIC_CONSTRAINTS, critical: true, extn_value: OctetString::new(value)? })
}

fn public_key(algorithm: Algorithm, public: &[u8]) -> Result<SubjectPublicKeyInfoOwned> {
    let on_curve = |curve: ObjectIdentifier| -> Result<_> {
        let parameters = Some(Any::from(curve));
        let point = [&[0x04], public].concat();
        Ok((AlgorithmIdentifierOwned { oid: ID_EC_PUBLIC_KEY, parameters }, BitString::from_bytes(&point)?))
    };
    let (algorithm, subject_public_key) = match algorithm {
        Algorithm::EC_K256 => on_curve(SECP256K1)?,
        Algorithm::EC_P256 => on_curve(PRIME256V1)?,
        _ => (AlgorithmIdentifierOwned { oid: ID_ED25519, parameters: None }, BitString::from_bytes(public)?),
    };
    Ok(SubjectPublicKeyInfoOwned { algorithm, subject_public_key })
}

fn sign(
    key: &[u8],
    issuer: Name,
    validity: Validity,
    (subject, subject_public_key_info): (Name, SubjectPublicKeyInfoOwned),
    extensions: Vec<Extension>,
) -> Result<Vec<u8>> {
    let mut number = [0; 16];
    OsRng.fill_bytes(&mut number);
    // A serial number is positive, and of full length whatever the random bits are.
    number[0] = number[0] & 0x7f | 0x40;
    let signature = AlgorithmIdentifierOwned { oid: ECDSA_WITH_SHA256, parameters: None };
    let tbs_certificate = TbsCertificate {
        version: Version::V3,
        serial_number: SerialNumber::new(&number)?,
        signature: signature.clone(),
        issuer,
        validity,
        subject,
        subject_public_key_info,
        issuer_unique_id: None,
        subject_unique_id: None,
        extensions: Some(extensions),
    };
    let key = SigningKey::from_slice(key).map_err(|_| x509_cert::der::ErrorKind::Failed)?;
    let signed: Signature = key.sign(&tbs_certificate.to_der()?);
    let signature_value = BitString::from_bytes(signed.to_der().as_bytes())?;
    Certificate { tbs_certificate, signature_algorithm: signature, signature: signature_value }.to_der()
}
