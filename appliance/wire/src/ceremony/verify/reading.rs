//! What the steps so far have said, and what the next may say.

use std::collections::BTreeSet;

use hsm_types::{Algorithm, ChainCode, PublicKey};

use super::shares::Shares;
use crate::ceremony::{
    Attested, BackedUp, Begun, Ceremony, CeremonyKey, CeremonyToken, Fact, FileHash, KeyMade, LOG_KEY_LABEL, Restored,
    SELF_TEST_LABEL, TokenReady, What,
};

/// The ceremony as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Reading {
    begun: Option<Begun>,
    ended: bool,
    tokens: Vec<CeremonyToken>,
    keys: Vec<CeremonyKey>,
    shares: Shares,
    /// Token and label.
    attested: BTreeSet<(String, String)>,
    restored: BTreeSet<String>,
    policy: Option<String>,
}

type Taken = Result<(), String>;

impl Reading {
    pub(super) fn take(&mut self, what: &What) -> Taken {
        if self.ended {
            return Err("it comes after the end".to_owned());
        }
        if self.begun.is_none() != matches!(what, What::Begun(_)) {
            return Err("a ceremony begins once, with its first step".to_owned());
        }
        match what {
            What::Begun(begun) => self.begin(begun),
            What::Token(token) => self.token(token),
            What::Split(split) => self.shares.split(split, self.begun.as_ref().and_then(|begun| begun.backup.as_ref())),
            What::Share(share) => self.shares.confirm(share),
            What::SharesVoid(void) => self.shares.end(void),
            What::Key(key) => self.key(key),
            What::Attestation(attested) => self.attestation(attested),
            What::Backup(backup) => self.backup(backup),
            What::Restore(restored) => self.restore(restored),
            What::Policy(policy) => self.policy(&policy.sha256),
            What::Files(files) => files.files.iter().try_for_each(file),
            What::Resumed(resumed) => sha256(&resumed.program_sha256),
            What::Ended(_) => self.end(),
        }
    }

    fn begin(&mut self, begun: &Begun) -> Taken {
        sha256(&begun.plan_sha256)?;
        sha256(&begun.program_sha256)?;
        if !["production", "development"].contains(&begun.profile.as_str()) {
            return Err(format!("there is no profile \"{}\"", begun.profile));
        }
        self.begun = Some(begun.clone());
        Ok(())
    }

    fn token(&mut self, token: &TokenReady) -> Taken {
        let TokenReady { name, driver, serial, spare, .. } = token;
        if !["pkcs11", "yubihsm"].contains(&driver.as_str()) {
            return Err(format!("there is no driver \"{driver}\""));
        }
        if self.tokens.iter().any(|known| known.name == *name) {
            return Err(format!("token \"{name}\" was there already"));
        }
        if let Some(same) = self.tokens.iter().find(|known| known.serial == *serial && known.driver == *driver) {
            return Err(format!(
                "tokens \"{name}\" and \"{}\" are one: both have the serial number {serial}",
                same.name
            ));
        }
        let (name, driver, serial) = (name.clone(), driver.clone(), serial.clone());
        self.tokens.push(CeremonyToken { name, driver, serial, spare: *spare });
        Ok(())
    }

    fn key(&mut self, key: &KeyMade) -> Taken {
        let KeyMade { token, label, algorithm, public_key, chain_code, backup, facts } = key;
        if self.token_called(token)?.spare {
            return Err(format!("key \"{label}\" was made in \"{token}\", which is for what is restored alone"));
        }
        public_key_of(*algorithm, public_key)?;
        let each_has_its_own = label.as_str() == SELF_TEST_LABEL;
        let same_label = |known: &CeremonyKey| known.label == *label && (known.token == *token || !each_has_its_own);
        if self.keys.iter().any(|known| same_label(known) || known.public_key == *public_key) {
            return Err(format!("the label \"{label}\", or its public key, is another key's already"));
        }
        if let Some(text) = chain_code
            && (*algorithm != Algorithm::Secp256k1 || text.parse::<ChainCode>().is_err())
        {
            return Err(format!("key \"{label}\" has a chain code that is none"));
        }
        if facts.is_empty() {
            return Err(format!("of key \"{label}\" nothing was read back"));
        }
        if let Some(Fact { name, required, found }) = facts.iter().find(|fact| fact.required != fact.found) {
            return Err(format!("key \"{label}\": {name} is {found} and must be {required}"));
        }
        self.keys.push(CeremonyKey {
            label: label.clone(),
            token: token.clone(),
            algorithm: *algorithm,
            public_key: public_key.clone(),
            chain_code: chain_code.clone(),
            backup_sha256: None,
            backup: *backup,
        });
        Ok(())
    }

    fn attestation(&mut self, attested: &Attested) -> Taken {
        let Attested { token, label, certificates, .. } = attested;
        let known = self.keys.iter().any(|key| key.label == *label && key.token == *token);
        if !known || certificates.is_empty() {
            return Err(format!("there is no key \"{label}\" in \"{token}\" yet, or no certificate"));
        }
        self.attested.insert((token.clone(), label.as_str().to_owned()));
        certificates.iter().try_for_each(file)
    }

    fn backup(&mut self, backup: &BackedUp) -> Taken {
        let BackedUp { token, label, file: wrapped, backup_key } = backup;
        file(wrapped)?;
        if self.shares.backup_key()? != backup_key {
            return Err(format!("key \"{label}\" is wrapped under another backup key than the one that was split"));
        }
        let key = self.keys.iter_mut().find(|key| key.label == *label && key.token == *token);
        let key = key.ok_or_else(|| format!("there is no key \"{label}\" in \"{token}\" yet"))?;
        if !key.backup {
            return Err(format!("key \"{label}\" never leaves its token"));
        }
        key.backup_sha256 = Some(wrapped.sha256.clone());
        Ok(())
    }

    fn restore(&mut self, restored: &Restored) -> Taken {
        let Restored { token, label, public_key, shares } = restored;
        let spare = self.token_called(token)?;
        let key = self.keys.iter().find(|key| key.label == *label && key.backup_sha256.is_some());
        let key = key.ok_or_else(|| format!("there is no backup of key \"{label}\" yet"))?;
        if !spare.spare || self.token_called(&key.token)?.driver != spare.driver {
            return Err(format!("\"{token}\" is no spare token for key \"{label}\""));
        }
        if key.public_key != *public_key {
            return Err(format!("what was restored is not key \"{label}\""));
        }
        self.shares.enough(shares)?;
        self.restored.insert(label.as_str().to_owned());
        Ok(())
    }

    fn policy(&mut self, document: &str) -> Taken {
        sha256(document)?;
        if self.policy.is_some() {
            return Err("the first policy was fixed already".to_owned());
        }
        self.policy = Some(document.to_owned());
        Ok(())
    }

    /// Nothing may be missing when it ends.
    fn end(&mut self) -> Taken {
        if !self.keys.iter().any(|key| key.label.as_str() == LOG_KEY_LABEL) {
            return Err(format!("no log key \"{LOG_KEY_LABEL}\" was made"));
        }
        for key in &self.keys {
            let label = key.label.as_str();
            let attested = || self.attested.contains(&(key.token.clone(), label.to_owned()));
            if self.token_called(&key.token)?.driver == "yubihsm" && !attested() {
                return Err(format!("key \"{label}\" has no attestation"));
            }
            if key.backup && key.backup_sha256.is_none() {
                return Err(format!("key \"{label}\" has no backup, and its plan wanted one"));
            }
            if key.backup && !self.restored.contains(label) {
                return Err(format!("that the backup of key \"{label}\" can be restored is not proven"));
            }
        }
        self.shares.settled()?;
        self.ended = true;
        Ok(())
    }

    fn token_called(&self, name: &str) -> Result<&CeremonyToken, String> {
        let token = self.tokens.iter().find(|token| token.name == name);
        token.ok_or_else(|| format!("there is no token \"{name}\" yet"))
    }

    /// All of it; log key, rehearsal and hash are for the signature to say.
    pub(super) fn finish(self) -> Result<Ceremony, String> {
        let begun = self.begun.filter(|_| self.ended).ok_or("the ceremony has no end: it was interrupted, or cut")?;
        Ok(Ceremony {
            name: begun.name,
            origin: begun.origin,
            profile: begun.profile,
            plan_sha256: begun.plan_sha256,
            rehearsal: false,
            log_key: String::new(),
            tokens: self.tokens,
            keys: self.keys,
            backup: self.shares.into_backup(),
            policy_sha256: self.policy,
            sha256: String::new(),
        })
    }
}

fn public_key_of(algorithm: Algorithm, text: &str) -> Taken {
    let bytes = hex::decode(text).ok().and_then(|bytes| PublicKey::decode(algorithm, &bytes).ok());
    match bytes {
        Some(public_key) if hex::encode(public_key.to_bytes()) == text => Ok(()),
        _ => Err(format!("\"{text}\" is no {algorithm} public key")),
    }
}

fn file(file: &FileHash) -> Taken {
    sha256(&file.sha256)
}

fn sha256(text: &str) -> Taken {
    let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    let fits = text.len() == 64 && text.as_bytes().iter().all(is_digit);
    if fits { Ok(()) } else { Err(format!("\"{text}\" is no SHA-256")) }
}
