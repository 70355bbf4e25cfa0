//! What the transports' tests share: a small CA, and clients that can misbehave.

use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt, sync::Arc, time::Duration};

use axum::body::{Body, Bytes};
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, StatusCode, client::conn::http2, header::HeaderMap};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
    version::TLS13,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{Limits, TlsFiles};

/// A test that waits longer than this has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Limits whose times are short, and bounds small.
pub(super) fn short() -> Limits {
    Limits {
        connections: 4,
        handshakes: 2,
        connections_per_peer: 3,
        handshake: Duration::from_secs(1),
        header: Duration::from_millis(200),
        body: Duration::from_millis(200),
        body_bytes: 64 << 10,
        bodies_bytes: 128 << 10,
        idle: Duration::from_millis(400),
        request: Duration::from_secs(2),
        write: Duration::from_millis(300),
        drain: Duration::from_secs(1),
    }
}

/// A CA, the files of a listener, and certificates of clients.
pub(super) struct Pki {
    pub(super) directory: TempDir,
    ca: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key.
pub(super) struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: KeyPair,
    pem: String,
}

impl Pki {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "test CA");
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let pki = Self { directory: TempDir::new().unwrap(), ca };
        pki.write(
            "server",
            &pki.issue(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]),
        );
        fs::write(pki.directory.path().join("ca.crt"), pki.ca.pem()).unwrap();
        pki
    }

    /// A certificate of this CA, as `adjust` wants it.
    pub(super) fn issue(&self, adjust: impl FnOnce(&mut CertificateParams)) -> Identity {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "leaf");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        adjust(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.ca).unwrap();
        Identity { chain: vec![certificate.der().clone()], pem: certificate.pem(), key }
    }

    /// One that is not valid any more.
    pub(super) fn issue_expired(&self) -> Identity {
        self.issue(|params| {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        })
    }

    pub(super) fn write(&self, name: &str, identity: &Identity) {
        let directory = self.directory.path();
        fs::write(directory.join(format!("{name}.crt")), &identity.pem).unwrap();
        let key = directory.join(format!("{name}.key"));
        fs::write(&key, identity.key.serialize_pem()).unwrap();
        fs::set_permissions(key, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Writes `ca.crl`, in which this CA revokes the certificates with these serial numbers.
    pub(super) fn revoke(&self, serials: &[u64]) {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(2090, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.ca).unwrap();
        fs::write(self.directory.path().join("ca.crl"), list.pem().unwrap()).unwrap();
    }

    pub(super) fn files(&self) -> TlsFiles {
        let file = |name: &str| self.directory.path().join(name);
        TlsFiles {
            certificate: file("server.crt"),
            private_key: file("server.key"),
            client_ca: file("ca.crt"),
            client_crl: None,
        }
    }

    /// A client that trusts this CA.
    pub(super) fn client(&self, identity: Option<&Identity>, alpn: &[&[u8]]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match identity {
            Some(identity) => {
                let key = PrivateKeyDer::try_from(identity.key.serialize_der()).unwrap();
                builder.with_client_auth_cert(identity.chain.clone(), key).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        config
    }
}

/// A TLS connection to `address`.
pub(super) async fn connect(address: SocketAddr, client: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(client)).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

/// Sends `request` and returns all that comes back until the other side closes.
pub(super) async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, request: &[u8]) -> String {
    stream.write_all(request).await.unwrap();
    stream.flush().await.unwrap();
    until_closed(&mut stream).await
}

/// All that comes until the other side closes, in whatever manner.
pub(super) async fn until_closed<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut answer = Vec::new();
    drop(timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("closed in time"));
    String::from_utf8(answer).unwrap()
}

/// An answer, taken apart.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) async fn read(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let body = timeout(PATIENCE, body.collect()).await.expect("answered in time").unwrap().to_bytes();
        Self { status: parts.status, headers: parts.headers, body }
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The problem's code; also demands that the answer is a whole problem document.
    pub(super) fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem: appliance_wire::Problem = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem.status, self.status.as_u16());
        assert!(!problem.detail.is_empty());
        problem.code().unwrap().name().to_owned()
    }
}

/// Calls over one HTTP/2 connection.
pub(super) struct Http2(http2::SendRequest<Full<Bytes>>);

impl Http2 {
    pub(super) async fn open(stream: TlsStream<TcpStream>) -> Self {
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    pub(super) async fn call(&mut self, request: Request<Full<Bytes>>) -> Answer {
        let response = timeout(PATIENCE, self.0.send_request(request)).await.expect("answered in time").unwrap();
        Answer::read(response.map(Body::new)).await
    }

    pub(super) async fn get(&mut self, path: &str) -> Answer {
        self.call(Request::get(format!("https://localhost{path}")).body(Full::default()).unwrap()).await
    }
}
