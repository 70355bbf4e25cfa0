//! Evidence, kept by its hash beside the log: what an auditor reads to decide again. The log holds only the hash.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use appliance_wire::sha256_hex;

use crate::own_file;

/// The directory `evidence`.
#[derive(Clone, Debug)]
pub(super) struct EvidenceFiles {
    directory: PathBuf,
}

/// Evidence with the hash it is kept under.
pub(super) type Kept = (String, Arc<[u8]>);

impl EvidenceFiles {
    /// The evidence of the state directory `state`.
    pub(super) fn of(state: &Path) -> Self {
        Self { directory: state.join("evidence") }
    }

    /// Makes evidence durable. What is there already was written whole before, for a file gets its name last.
    pub(super) fn keep(&self, evidence: &[Kept]) -> io::Result<()> {
        if evidence.is_empty() {
            return Ok(());
        }
        if !self.directory.is_dir() {
            fs::DirBuilder::new().mode(0o700).create(&self.directory)?;
            if let Some(state) = self.directory.parent() {
                fs::File::open(state)?.sync_all()?;
            }
        }
        for (sha256, bytes) in evidence {
            if self.has(sha256) {
                continue;
            }
            own_file::put(&self.directory.join(sha256), bytes)?;
        }
        fs::File::open(&self.directory)?.sync_all()
    }

    /// Whether evidence is kept under this hash.
    pub(super) fn has(&self, sha256: &str) -> bool {
        self.directory.join(sha256).exists()
    }

    /// The hashes something is kept under; none where the directory is not there.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let files = match fs::read_dir(&self.directory) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for file in files {
            names.extend(file?.file_name().into_string().ok().filter(|name| is_hash(name)));
        }
        Ok(names)
    }

    /// The evidence with this hash; none where it is not there.
    ///
    /// # Errors
    /// It cannot be read, or is not what it was.
    pub(super) fn read(&self, sha256: &str) -> Result<Option<Vec<u8>>, String> {
        if !is_hash(sha256) {
            return Err(format!("\"{sha256}\" is no hash of evidence"));
        }
        let path = self.directory.join(sha256);
        match fs::read(&path) {
            Ok(bytes) if sha256_hex(&bytes) == sha256 => Ok(Some(bytes)),
            Ok(_) => Err(format!("the evidence in {} was changed", path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }
}

fn is_hash(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}
