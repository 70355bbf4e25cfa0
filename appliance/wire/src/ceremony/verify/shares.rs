//! The backup secret in a transcript: split, confirmed by every custodian, or void.

use std::collections::BTreeSet;

use hsm_types::{Algorithm, PublicKey};

use crate::ceremony::{CeremonyBackup, Custody, ShareConfirmed, SharesVoid, Split};

/// The split in force, and who has confirmed.
#[derive(Debug, Default)]
pub(super) struct Shares {
    split: Option<Split>,
    confirmed: BTreeSet<u8>,
    void: BTreeSet<String>,
}

type Taken = Result<(), String>;

impl Shares {
    pub(super) fn split(&mut self, split: &Split, wanted: Option<&Custody>) -> Taken {
        let Custody { threshold, custodians } = &split.custody;
        if wanted != Some(&split.custody) {
            return Err(
                "the custodians, or how many of them are enough, are not those the ceremony began with".to_owned()
            );
        }
        if self.split.is_some() || self.void.contains(&split.id) {
            return Err("the secret was split already".to_owned());
        }
        let names: BTreeSet<&String> = custodians.iter().collect();
        if *threshold < 2 || usize::from(*threshold) > custodians.len() || names.len() != custodians.len() {
            return Err(format!("{threshold} of {} custodians cannot be", custodians.len()));
        }
        let is_point =
            |text: &String| hex::decode(text).is_ok_and(|bytes| PublicKey::decode(Algorithm::P256, &bytes).is_ok());
        if split.commitments.len() != usize::from(*threshold) || !split.commitments.iter().all(is_point) {
            return Err("the commitments are not as many points as shares are needed".to_owned());
        }
        self.split = Some(split.clone());
        Ok(())
    }

    pub(super) fn confirm(&mut self, share: &ShareConfirmed) -> Taken {
        let split = self.current(&share.id)?;
        let position = usize::from(share.index).checked_sub(1);
        let holder = position.and_then(|position| split.custody.custodians.get(position));
        if holder != Some(&share.custodian) {
            return Err(format!("share {} is not {}'s", share.index, share.custodian));
        }
        if !self.confirmed.insert(share.index) {
            return Err(format!("share {} was confirmed already", share.index));
        }
        Ok(())
    }

    /// A secret that somebody has not confirmed is given up; one that all have stays.
    pub(super) fn end(&mut self, void: &SharesVoid) -> Taken {
        self.current(&void.id)?;
        if self.settled().is_ok() {
            return Err("all shares were confirmed: they cannot become void".to_owned());
        }
        self.split = None;
        self.confirmed.clear();
        self.void.insert(void.id.clone());
        Ok(())
    }

    /// Fingerprint of the backup key, once every custodian has his share.
    pub(super) fn backup_key(&self) -> Result<&String, String> {
        let split = self.split.as_ref().ok_or("there is no backup secret yet")?;
        self.settled().map(|()| &split.backup_key)
    }

    /// Whether these are shares enough.
    pub(super) fn enough(&self, shares: &[u8]) -> Taken {
        let split = self.split.as_ref().ok_or("there is no backup secret yet")?;
        let different: BTreeSet<&u8> = shares.iter().filter(|index| self.confirmed.contains(index)).collect();
        if different.len() < usize::from(split.custody.threshold) || different.len() != shares.len() {
            return Err(format!("{} different shares are needed", split.custody.threshold));
        }
        Ok(())
    }

    /// No share is waited for.
    pub(super) fn settled(&self) -> Taken {
        let Some(split) = &self.split else { return Ok(()) };
        let missing = split.custody.custodians.len().saturating_sub(self.confirmed.len());
        if missing == 0 { Ok(()) } else { Err(format!("{missing} custodians have not confirmed their shares")) }
    }

    pub(super) fn into_backup(self) -> Option<CeremonyBackup> {
        let Split { id, custody: Custody { threshold, custodians }, commitments, backup_key, renewal_key } =
            self.split?;
        Some(CeremonyBackup { id, threshold, custodians, commitments, backup_key, renewal_key })
    }

    fn current(&self, id: &str) -> Result<&Split, String> {
        let split = self.split.as_ref().filter(|split| split.id == id);
        split.ok_or_else(|| "it is of a secret that is not the one in force".to_owned())
    }
}
