//! Making a key: read back, compared, attested where the device can, named in words.

use std::fs;

use appliance_wire::ceremony::{Attested, FileHash, KeyMade, What};
use hsm_drivers::{
    Error as DeviceError, Protection,
    yubihsm2::{attestation, connector::Address},
};
use hsm_types::PublicKey;
use x509_cert::{Certificate, der::Encode};

use super::{Run, facts};
use crate::{
    Error, files,
    plan::{KeyInToken, PlannedKind, PlannedToken},
    token::{self, Device},
    words,
};

/// Whoever made a device: certificates in DER, and who that is, in words.
#[derive(Default)]
struct Maker {
    between: Vec<Vec<u8>>,
    root: Vec<u8>,
    whose: String,
}

impl Run {
    /// Whether all there is to say of the key is written down.
    pub(super) fn has_key(&self, key: &KeyInToken) -> bool {
        let attests = self.plan.token(&key.token).is_some_and(|token| token.driver() == "yubihsm");
        let made = self.made(key);
        made && (!attests
            || self.acts().any(
                |what| matches!(what, What::Attestation(one) if one.label == key.key.label && one.token == key.token),
            ))
    }

    fn made(&self, key: &KeyInToken) -> bool {
        self.acts()
            .any(|what| matches!(what, What::Key(made) if made.label == key.key.label && made.token == key.token))
    }

    pub(super) fn make_key(&mut self, index: usize, head: &str) -> Result<(), Error> {
        let Some(key) = self.plan.keys.get(index).cloned() else { return Ok(()) };
        let Some(token) = self.plan.token(&key.token).cloned() else { return Ok(()) };
        let label = &key.key.label;
        let children = if key.key.children { ", with children" } else { "" };
        let leaves =
            if key.backup { "it leaves the token wrapped only, for its backup" } else { "it never leaves the token" };
        let lines = [format!("A new {} key{children}: {leaves}.", key.key.algorithm)];
        self.screen.show(head, &lines);
        self.screen.confirm(label.as_str())?;
        if !self.made(&key) {
            self.make_and_read(&key, &token)?;
        }
        if token.driver() == "yubihsm" {
            self.attest(&key, &token)?;
        }
        self.screen.wait("    Everybody has heard the words and compared them. Press Enter: ")
    }

    fn make_and_read(&mut self, key: &KeyInToken, token: &PlannedToken) -> Result<(), Error> {
        let open = self.tokens.get(token)?;
        let public_key = ensure(&mut open.device, key)?;
        let chain_code = match &mut open.device {
            _ if !key.key.children => None,
            Device::Pkcs11(ceremony) => ceremony.chain_code(&key.key.label)?,
            Device::Yubihsm(ceremony) => ceremony.chain_code(&key.key.label)?,
        };
        let facts = facts::compared(key, token, &open.device.key_facts(&key.key.label)?);
        let text = hex::encode(public_key.to_bytes());
        self.screen.say(&format!("    public key   {text}"));
        self.screen.say(&format!("    in words     {}", words::fingerprint(&public_key.to_bytes())));
        for fact in &facts {
            let verdict = if fact.found == fact.required { "ok" } else { "NOT as required" };
            self.screen.say(&format!("    {}: {} [required {}] {verdict}", fact.name, fact.found, fact.required));
        }
        let findings = facts.iter().filter(|fact| fact.found != fact.required);
        let findings: Vec<String> =
            findings.map(|fact| format!("{} is {} and must be {}", fact.name, fact.found, fact.required)).collect();
        if !findings.is_empty() {
            return Err(DeviceError::KeyUnfit { key: key.key.label.clone(), findings }.into());
        }
        self.steps.append(What::Key(KeyMade {
            token: token.name.clone(),
            label: key.key.label.clone(),
            algorithm: key.key.algorithm,
            public_key: text,
            chain_code: chain_code.map(|code| code.to_hex()),
            backup: key.backup,
            facts,
        }))
    }

    /// The device's word about the key, kept, and followed up to its maker.
    fn attest(&mut self, key: &KeyInToken, token: &PlannedToken) -> Result<(), Error> {
        let label = &key.key.label;
        let Device::Yubihsm(ceremony) = &mut self.tokens.get(token)?.device else { return Ok(()) };
        let chain = ceremony.attest(label)?;
        let Maker { between, root, whose } = self.maker_of(token)?;
        let Some((certificate, device)) = chain.split_first() else {
            let findings = vec!["the device gives no certificate of it".to_owned()];
            return Err(DeviceError::KeyUnfit { key: label.clone(), findings }.into());
        };
        let mut issuers: Vec<&[u8]> = device.iter().map(Vec::as_slice).collect();
        issuers.extend(between.iter().map(Vec::as_slice));
        if let Err(bad) = attestation::verify(certificate, &issuers, &root) {
            return Err(DeviceError::KeyUnfit { key: label.clone(), findings: vec![bad.to_string()] }.into());
        }
        files::create_directory(&self.path("attestation"))?;
        let mut certificates = Vec::new();
        for (name, der) in [("key", certificate)].into_iter().chain(device.iter().map(|der| ("device", der))) {
            certificates.push(self.keep(&format!("attestation/{}-{label}.{name}.der", token.name), der)?);
        }
        let validated = format!("by the device's certificate, up to {whose}");
        self.screen.say(&format!("    attestation  validated {validated}"));
        self.steps.append(What::Attestation(Attested {
            token: token.name.clone(),
            label: label.clone(),
            certificates,
            validated,
        }))
    }

    /// The maker of the token's device.
    fn maker_of(&self, token: &PlannedToken) -> Result<Maker, Error> {
        let PlannedKind::Yubihsm { connector, attestation_ca, .. } = &token.kind else {
            return Ok(Maker::default());
        };
        let Some(path) = attestation_ca.as_ref().filter(|_| *connector != Address::Simulator) else {
            let root = self.tokens.simulated_maker(token);
            return Ok(Maker { between: Vec::new(), root, whose: "the simulator's own maker".to_owned() });
        };
        let wrong = |reason: &dyn std::fmt::Display| Error::Config { path: path.clone(), reason: reason.to_string() };
        let pem = files::read(path)?;
        let chain = Certificate::load_pem_chain(pem.as_bytes()).map_err(|error| wrong(&error))?;
        let chain = chain.iter().map(Certificate::to_der).collect::<Result<Vec<_>, _>>();
        let mut between = chain.map_err(|error| wrong(&error))?;
        let root = between.pop().ok_or_else(|| wrong(&"there is no certificate in it"))?;
        let whose = format!("the root of {} (SHA-256 {})", path.display(), appliance_wire::sha256_hex(&root));
        Ok(Maker { between, root, whose })
    }

    /// Writes a public file of the ceremony; one of the same name that an interrupted run left is replaced.
    pub(super) fn keep(&self, below: &str, bytes: &[u8]) -> Result<FileHash, Error> {
        let path = self.path(below);
        if files::create(&path, bytes, files::PUBLIC)? == crate::report::Outcome::Kept {
            fs::remove_file(&path).map_err(|source| Error::File {
                attempted: "replace",
                path: path.clone(),
                source,
            })?;
            files::create(&path, bytes, files::PUBLIC)?;
        }
        Ok(FileHash { path: below.to_owned(), sha256: appliance_wire::sha256_hex(bytes) })
    }
}

/// The key, made unless an interrupted run of this ceremony made it: the token was empty when it began.
fn ensure(device: &mut Device, key: &KeyInToken) -> Result<PublicKey, Error> {
    let label = &key.key.label;
    let protection = if key.backup { Protection::LeavesWrapped } else { Protection::NeverLeaves };
    let Some(listing) = device.listing(label)? else {
        return Ok(if key.key.children {
            token::make_parent(device, label, protection)?
        } else {
            device.generate_key(label, key.key.algorithm, protection)?
        });
    };
    let mut findings = listing.findings;
    let is = (listing.algorithm, listing.children, listing.backup);
    if is != (Some(key.key.algorithm), key.key.children, key.backup) {
        findings.push("it is there already, and is another kind of key than the plan says".to_owned());
    }
    match listing.public_key {
        Some(public_key) if findings.is_empty() => Ok(public_key),
        _ => Err(DeviceError::KeyUnfit { key: label.clone(), findings }.into()),
    }
}
