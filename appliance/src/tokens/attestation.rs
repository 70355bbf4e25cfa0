//! A device's own word about its keys, followed up to the maker's certificate that the configuration names.

use std::path::Path;

use base64::{Engine, engine::general_purpose::STANDARD};
use hsm_drivers::{
    Error, Protection,
    yubihsm2::{
        attestation::{self, Attested},
        protocol::Origin,
    },
};
use hsm_types::KeyLabel;
use x509_cert::{Certificate, der::Encode};

use super::line::Held;

/// Certificates of a maker of devices: between those of the devices and the root, then the root, which is trusted.
#[derive(Debug)]
pub(super) struct AttestationCa {
    between: Vec<Vec<u8>>,
    root: Vec<u8>,
}

/// A key's certificate, and that of the device that made it, in DER.
#[derive(Clone, Debug)]
pub struct Attestation {
    pub(super) certificate: Vec<u8>,
    pub(super) device: Vec<u8>,
}

impl Attestation {
    /// Both in base64 (RFC 4648), the key's first.
    #[must_use]
    pub fn to_base64(&self) -> Vec<String> {
        [&self.certificate, &self.device].map(|certificate| STANDARD.encode(certificate)).into()
    }
}

impl AttestationCa {
    /// Reads a PEM file; the root stands last in it.
    ///
    /// # Errors
    /// It cannot be read, or holds no certificate.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let failed = |reason: &dyn std::fmt::Display| format!("attestation_ca {}: {reason}", path.display());
        let pem = std::fs::read(path).map_err(|error| failed(&error))?;
        let certificates = Certificate::load_pem_chain(&pem).map_err(|error| failed(&error))?;
        let certificates = certificates.iter().map(Certificate::to_der);
        let mut between = certificates.collect::<Result<Vec<_>, _>>().map_err(|error| failed(&error))?;
        let root = between.pop().ok_or_else(|| failed(&"there is no certificate in it"))?;
        Ok(Self { between, root })
    }

    /// Whether the attestation holds, and is about this key in the device of this serial number.
    ///
    /// # Errors
    /// [`Error::KeyUnfit`] says what is wrong.
    pub(super) fn check(
        &self,
        key: &KeyLabel,
        held: &Held,
        attestation: &Attestation,
        serial: &str,
    ) -> Result<(), Error> {
        let between = self.between.iter().map(Vec::as_slice);
        let issuers: Vec<&[u8]> = std::iter::once(attestation.device.as_slice()).chain(between).collect();
        let findings = match attestation::verify(&attestation.certificate, &issuers, &self.root) {
            Ok(attested) => deviations(&attested, held, serial),
            Err(bad) => vec![bad.to_string()],
        };
        if findings.is_empty() { Ok(()) } else { Err(Error::KeyUnfit { key: key.clone(), findings }) }
    }
}

fn deviations(attested: &Attested, held: &Held, serial: &str) -> Vec<String> {
    let mut findings = Vec::new();
    if attested.public_key != held.public_key {
        findings.push(format!("it is attested with another public key, {}", attested.public_key));
    }
    if serial.parse() != Ok(attested.serial) {
        findings.push(format!("it is attested by device {}, this is device {serial}", attested.serial));
    }
    let wrapped = attested.origin.0 & Origin::WRAPPED.0 != 0;
    let generated = attested.origin.0 & Origin::GENERATED.0 != 0;
    if !generated || (wrapped && held.protection == Protection::NeverLeaves) {
        findings.push(format!("it is attested as not made in a device (origin {:#04x})", attested.origin.0));
    }
    findings
}
