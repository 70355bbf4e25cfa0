//! A ceremony that has everything once.

use ed25519_dalek::{Signer, SigningKey};
use hsm_types::Algorithm;

use super::super::*;
use crate::LogKey;

pub(super) const SPLIT: &str = "00112233445566aa";
const BACKUP_KEY: &str = "0011223344556677";
const ORIGIN: &str = "exchange.example/signer-1";
/// The generators of secp256k1 and P-256: points that anybody knows.
const SECP256K1: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
const P256: &str = "036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296";

pub(super) struct Sample {
    pub(super) name: &'static str,
    pub(super) rehearsal: bool,
    pub(super) acts: Vec<What>,
}

impl Sample {
    pub(super) fn new() -> Self {
        let log = hex::encode(log_key().verifying_key().as_bytes());
        let share = |custodian: &str, index| {
            What::Share(ShareConfirmed { id: SPLIT.to_owned(), custodian: custodian.to_owned(), index })
        };
        let acts = vec![
            begun(),
            token("main", "0017000001", false),
            token("spare", "0017000002", true),
            split(SPLIT),
            share("carol", 1),
            share("dave", 2),
            key(LOG_KEY_LABEL, Algorithm::Ed25519, &log),
            attestation(LOG_KEY_LABEL),
            key("btc-vault", Algorithm::Secp256k1, SECP256K1),
            attestation("btc-vault"),
            What::Backup(BackedUp {
                token: "main".to_owned(),
                label: "btc-vault".parse().unwrap(),
                file: file("backup/btc-vault.json"),
                backup_key: BACKUP_KEY.to_owned(),
            }),
            What::Restore(Restored {
                token: "spare".to_owned(),
                label: "btc-vault".parse().unwrap(),
                public_key: SECP256K1.to_owned(),
                shares: vec![2, 1],
            }),
            policy(),
            What::Ended(Ended {}),
        ];
        Self { name: "first", rehearsal: false, acts }
    }

    /// Chained and signed.
    pub(super) fn text(&self) -> String {
        let mut steps: Vec<Step> = Vec::new();
        for (minute, act) in self.acts.iter().enumerate() {
            let mut act = act.clone();
            if let What::Begun(begun) = &mut act {
                begun.name = self.name.to_owned();
            }
            let time = format!("2026-11-21T12:{minute:02}:00Z");
            steps.push(Step::after(steps.last(), time, self.rehearsal, act).unwrap());
        }
        let signing = log_key();
        let key = LogKey::new(ORIGIN, signing.verifying_key().as_bytes()).unwrap();
        let text = signed_text(&key, steps.last().unwrap()).unwrap();
        Transcript::write(&steps, &key, &signing.sign(text.as_bytes()).to_bytes()).unwrap()
    }
}

fn log_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn begun() -> What {
    What::Begun(Begun {
        name: String::new(),
        origin: ORIGIN.to_owned(),
        profile: "production".to_owned(),
        plan_sha256: sha256_hex(b"plan"),
        program: "0.1.0".to_owned(),
        program_sha256: sha256_hex(b"program"),
        participants: vec![Participant { name: "alice".to_owned(), role: "administrator".to_owned() }],
        backup: Some(custody()),
    })
}

fn custody() -> Custody {
    Custody { threshold: 2, custodians: vec!["carol".to_owned(), "dave".to_owned()] }
}

pub(super) fn split(id: &str) -> What {
    What::Split(Split {
        id: id.to_owned(),
        custody: custody(),
        commitments: vec![P256.to_owned(); 2],
        backup_key: BACKUP_KEY.to_owned(),
        renewal_key: "ssh-ed25519 AAAA renewal".to_owned(),
    })
}

pub(super) fn token(name: &str, serial: &str, spare: bool) -> What {
    let capabilities = vec!["sign-ecdsa".to_owned()];
    What::Token(TokenReady {
        name: name.to_owned(),
        driver: "yubihsm".to_owned(),
        serial: serial.to_owned(),
        label: None,
        model: "YubiHSM 2".to_owned(),
        firmware: "2.4.0".to_owned(),
        spare,
        roles: vec![TokenRole { role: "signer".to_owned(), id: 2, capabilities }],
    })
}

fn key(label: &str, algorithm: Algorithm, public_key: &str) -> What {
    What::Key(KeyMade {
        token: "main".to_owned(),
        label: label.parse().unwrap(),
        algorithm,
        public_key: public_key.to_owned(),
        chain_code: (algorithm == Algorithm::Secp256k1).then(|| "11".repeat(32)),
        backup: algorithm == Algorithm::Secp256k1,
        facts: vec![Fact {
            name: "CKA_EXTRACTABLE".to_owned(),
            required: "false".to_owned(),
            found: "false".to_owned(),
        }],
    })
}

/// An Ed25519 key like no other in the sample.
pub(super) fn key_in(token: &str, label: &str, number: u8) -> What {
    let public = SigningKey::from_bytes(&[100 + number; 32]).verifying_key();
    let What::Key(made) = key(label, Algorithm::Ed25519, &hex::encode(public.as_bytes())) else { unreachable!() };
    What::Key(KeyMade { token: token.to_owned(), ..made })
}

fn attestation(label: &str) -> What {
    attestation_in("main", label)
}

pub(super) fn attestation_in(token: &str, label: &str) -> What {
    What::Attestation(Attested {
        token: token.to_owned(),
        label: label.parse().unwrap(),
        certificates: vec![file("attestation/key.der")],
        validated: "the device's own certificate".to_owned(),
    })
}

pub(super) fn policy() -> What {
    What::Policy(Policy { sha256: sha256_hex(b"policy") })
}

fn file(path: &str) -> FileHash {
    FileHash { path: path.to_owned(), sha256: sha256_hex(path.as_bytes()) }
}
