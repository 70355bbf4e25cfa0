//! A certificate in the place of another. The one before stays beside it: a revocation names it too.

use std::path::{Path, PathBuf};

use super::{
    Authority, IssuedCertificate, Leaf, Pair, RevocationList,
    authority::leaf_pair,
    certificate::{self, CertificateFacts},
};
use crate::{Error, files};

/// A renewed certificate.
#[derive(Clone, Debug)]
pub struct Renewed {
    /// The new one.
    pub issued: IssuedCertificate,
    /// Whether it is a watcher's: then the policy names its key.
    pub for_watcher: bool,
    /// Whether its key is new too.
    pub new_key: bool,
    /// Where the one before is.
    pub before: PathBuf,
}

impl Authority {
    /// Issues `NAME.crt` anew for the same names and end, over the same key or a new one.
    ///
    /// The new pair is whole before it takes the place of the old one; an interrupted run is finished by the next.
    pub fn renew(&self, directory: &Path, name: &str, days: u32, new_key: bool) -> Result<Renewed, Error> {
        let pair = leaf_pair(directory, name)?;
        let next = pair.next();
        let before = self.renewable(&pair)?;
        if !files::exists(&next.certificate)? {
            self.make_next(directory, &pair, &before, days, new_key)?;
        }
        let superseded = pair.superseded(&before.serial);
        if files::exists(&next.key)? && certificate::is_over(&next.certificate, &next.read_key()?)? {
            files::supersede(&pair.key, &next.key, &superseded.key)?;
        }
        files::supersede(&pair.certificate, &next.certificate, &superseded.certificate)?;
        let issued = IssuedCertificate::read(directory, name)?;
        let new_key = issued.public_key_sha256 != before.public_key_sha256;
        let for_watcher = before.usage == Some(super::Use::Watcher);
        Ok(Renewed { issued, for_watcher, new_key, before: superseded.certificate })
    }

    /// What the certificate says, where this CA issued it.
    fn renewable(&self, pair: &Pair) -> Result<CertificateFacts, Error> {
        if !files::exists(&pair.certificate)? {
            let reason = "is not here: `pki issue` makes a first certificate".to_owned();
            return Err(Error::Config { path: pair.certificate.clone(), reason });
        }
        let facts = CertificateFacts::read(&pair.certificate)?;
        if facts.issuer != self.certificate()?.subject {
            let reason = "was issued by another CA than ca.crt here: move it away and use `pki issue`".to_owned();
            return Err(Error::Config { path: pair.certificate.clone(), reason });
        }
        Ok(facts)
    }

    fn make_next(
        &self,
        directory: &Path,
        pair: &Pair,
        before: &CertificateFacts,
        days: u32,
        new_key: bool,
    ) -> Result<(), Error> {
        let unusable = |reason: &str| Error::Config { path: pair.certificate.clone(), reason: reason.to_owned() };
        let usage = before.usage.clone();
        let usage = usage.ok_or_else(|| unusable("is neither a server's nor a watcher's: nothing here made it"))?;
        let next = pair.next();
        let key = if new_key {
            next.ensure_key()?
        } else {
            if RevocationList::open(directory)?.contains(&before.serial) {
                return Err(unusable("is revoked, and whoever has its key has it still: say --new-key"));
            }
            let key = pair.read_key()?;
            certificate::expect_key(pair, &files::read(&pair.certificate)?, &key)?;
            key
        };
        let leaf = Leaf { file: pair.name.clone(), subject: before.common_name.clone(), usage, days };
        self.certify(&next, &leaf, &key)
    }
}
