//! What certificates lie in a directory.

use std::{fs, path::Path};

use serde::Serialize;

use super::{OLD, RevocationList, Use, certificate::CertificateFacts};
use crate::{Error, files};

/// One certificate.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// Its file in the directory; `NAME.crt.old-...` was replaced.
    pub file: String,
    /// `ca`, `server`, `watcher` or `other`.
    #[serde(rename = "use")]
    pub usage: &'static str,
    /// SHA-256 of its SubjectPublicKeyInfo: what a policy names a watcher by.
    pub public_key_sha256: String,
    /// Its serial number, hexadecimal.
    pub serial: String,
    /// Its end, RFC 3339.
    pub not_after: String,
    /// Whether the directory's revocation list names it.
    pub revoked: bool,
}

/// All certificates of a directory, by file name.
pub fn list(directory: &Path) -> Result<Vec<Listed>, Error> {
    let revoked = RevocationList::open(directory)?;
    let failed = |source| Error::File { attempted: "list", path: directory.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let file = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if !file.ends_with(".crt") && !file.contains(&format!(".crt.{OLD}")) {
            continue;
        }
        let facts = CertificateFacts::read(&files::absolute(directory)?.join(&file))?;
        found.push(Listed {
            usage: match facts.usage {
                Some(Use::Server(_)) => "server",
                Some(Use::Watcher) => "watcher",
                None if facts.is_ca => "ca",
                None => "other",
            },
            public_key_sha256: facts.public_key_sha256,
            revoked: revoked.contains(&facts.serial),
            serial: hex::encode(facts.serial),
            not_after: facts.not_after.to_string(),
            file,
        });
    }
    found.sort_by(|one, other| one.file.cmp(&other.file));
    Ok(found)
}
