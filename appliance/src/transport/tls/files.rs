//! Reading a listener's files, all PEM, and seeing that another content lies there.

use std::{
    fs::File,
    io::Read,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer,
    pem::{self, PemObject},
};
use zeroize::Zeroizing;

use super::{TransportError, content};
use crate::config::{BadFile, open_private, open_readable};

/// The files of a TLS listener, all PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The listener's certificate, then its intermediates.
    pub certificate: PathBuf,
    /// Its private key.
    pub private_key: PathBuf,
    /// The CA that issues the clients' certificates.
    pub client_ca: PathBuf,
    /// What that CA has revoked.
    pub client_crl: Option<PathBuf>,
}

/// Which content each file has, without reading it: inode, size, times of change. `None` where it is not there.
pub(in crate::transport) type Stamps = Vec<Option<[i128; 7]>>;

/// How the files are now.
pub(in crate::transport) fn stamps(files: &TlsFiles) -> Stamps {
    let TlsFiles { certificate, private_key, client_ca, client_crl } = files;
    let stamp = |file: &PathBuf| {
        let found = std::fs::metadata(file).ok()?;
        let (of_content, of_inode) =
            ([found.mtime().into(), found.mtime_nsec().into()], [found.ctime().into(), found.ctime_nsec().into()]);
        let [modified_s, modified_ns] = of_content;
        let [changed_s, changed_ns] = of_inode;
        let (device, inode, size) = (found.dev().into(), found.ino().into(), found.size().into());
        Some([device, inode, size, modified_s, modified_ns, changed_s, changed_ns])
    };
    [certificate, private_key, client_ca].into_iter().chain(client_crl).map(stamp).collect()
}

/// At least one certificate.
pub(super) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TransportError> {
    all(file)
}

/// At least one revocation list.
pub(super) fn revocation_lists(file: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, TransportError> {
    all(file)
}

/// The first private key of a file that only its owner can read.
pub(super) fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TransportError> {
    let text = Zeroizing::new(bytes(file, open_private(file)?)?);
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| pem_error(file, &error))
}

fn all<T: PemObject>(file: &Path) -> Result<Vec<T>, TransportError> {
    let text = bytes(file, open_readable(file)?)?;
    let found: Vec<T> = T::pem_slice_iter(&text).collect::<Result<_, _>>().map_err(|error| pem_error(file, &error))?;
    if found.is_empty() { Err(pem_error(file, &pem::Error::NoItemsFound)) } else { Ok(found) }
}

fn bytes(path: &Path, file: File) -> Result<Vec<u8>, TransportError> {
    let mut bytes = Vec::new();
    let read = file.take(LARGEST).read_to_end(&mut bytes);
    read.map_err(|reason| BadFile::Unreadable { path: path.to_owned(), reason })?;
    Ok(bytes)
}

fn pem_error(file: &Path, error: &pem::Error) -> TransportError {
    if matches!(error, pem::Error::NoItemsFound) {
        return content(
            file,
            "no PEM block of the right kind in it: expected one that begins with -----BEGIN".to_owned(),
        );
    }
    content(file, format!("not readable as PEM: {error}"))
}

/// A revocation list of a hundred thousand certificates; more is no file of a listener.
const LARGEST: u64 = 8 << 20;
