//! The daemon's API, as the commands ask it: at the address and with the token of the same `watcher.toml`.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use reqwest::{
    Method, Url,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error as TlsError, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
    version::TLS13,
};
use serde::{Serialize, de::DeserializeOwned};

use super::failure::Failure;
use crate::{
    ApiTls, Config, ConfigError, RunConfig,
    run::{WatcherProblem, problem::causes, token::Token},
    transport::tls,
};

const TIMEOUT: Duration = Duration::from_secs(90);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The running daemon.
pub(super) struct Daemon {
    http: reqwest::Client,
    base: Url,
    token: Token,
}

/// Why the daemon gave no answer.
pub(super) enum Unanswered {
    /// Nothing answers there.
    NotRunning(String),
    /// It refused, or said what cannot be read.
    Failed(String),
}

impl From<Unanswered> for Failure {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::NotRunning(what) | Unanswered::Failed(what) => Self::Failed(what),
        }
    }
}

impl Daemon {
    pub(super) fn new(config: &Config, file: &Path) -> Result<Self, Failure> {
        let missing = || ConfigError::new(file, "has no `[run]`: this command asks the daemon that it describes");
        let run = config.run.as_ref().ok_or_else(missing).map_err(crate::Error::from)?;
        let token = Token::read(&run.token_file).map_err(crate::Error::from)?;
        let tls = match &run.tls {
            Some(tls) => this_certificate(tls).map_err(crate::Error::from)?,
            None => tls::none().map_err(|error| Failure::Failed(causes(&error)))?,
        };
        let http = reqwest::Client::builder().use_preconfigured_tls(tls).timeout(TIMEOUT);
        let http = http.connect_timeout(CONNECT_TIMEOUT).no_proxy();
        let http = http.build().map_err(|error| Failure::Failed(causes(&error)))?;
        let base = address(run).parse().map_err(|error| Failure::Failed(format!("`run.listen`: {error}")))?;
        Ok(Self { http, base, token })
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, Unanswered> {
        self.ask(Method::GET, path, &(), None::<&()>).await
    }

    pub(super) async fn get_with<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &impl Serialize,
    ) -> Result<T, Unanswered> {
        self.ask(Method::GET, path, query, None::<&()>).await
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: Option<&impl Serialize>,
    ) -> Result<T, Unanswered> {
        self.ask(Method::POST, path, &(), body).await
    }

    pub(super) async fn put<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: Option<&impl Serialize>,
    ) -> Result<T, Unanswered> {
        self.ask(Method::PUT, path, &(), body).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        query: &impl Serialize,
        body: Option<&impl Serialize>,
    ) -> Result<T, Unanswered> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1").extend(path);
        }
        let mut request = self.http.request(method, url).query(query).header(AUTHORIZATION, self.token.header());
        if let Some(body) = body {
            let body = serde_json::to_vec(body).map_err(|error| Unanswered::Failed(error.to_string()))?;
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let answer = request.send().await.map_err(|error| self.unanswered(error))?;
        let status = answer.status();
        let bytes = answer.bytes().await.map_err(|error| self.unanswered(error))?;
        if status.is_success() {
            let read = serde_json::from_slice(&bytes);
            return read.map_err(|error| Unanswered::Failed(format!("the daemon's answer cannot be read: {error}")));
        }
        let problem: Option<WatcherProblem> = serde_json::from_slice(&bytes).ok();
        let what =
            problem.map_or_else(|| status.to_string(), |problem| format!("{}: {}", problem.title, problem.detail));
        Err(Unanswered::Failed(what))
    }

    fn unanswered(&self, error: reqwest::Error) -> Unanswered {
        let (is_connect, base) = (error.is_connect(), &self.base);
        let why = causes(&error.without_url());
        if is_connect {
            Unanswered::NotRunning(format!("no daemon answers at {base}: {why}; start `chancery-watcher run`"))
        } else {
            Unanswered::Failed(format!(
                "the daemon at {base} did not answer: {why}; what was asked may be done all the same"
            ))
        }
    }
}

/// Where a daemon that listens everywhere is reached from its own machine.
fn address(run: &RunConfig) -> String {
    let ip = match run.listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    let scheme = if run.tls.is_some() { "https" } else { "http" };
    format!("{scheme}://{}/", SocketAddr::new(ip, run.listen.port()))
}

/// Believes the one certificate that the config names, under whatever name it is reached.
fn this_certificate(tls: &ApiTls) -> Result<ClientConfig, ConfigError> {
    let bad = |what: String| ConfigError::new(&tls.certificate, what);
    let certificate = CertificateDer::from_pem_file(&tls.certificate)
        .map_err(|error| bad(format!("`run.certificate`: no certificate in PEM ({error})")))?;
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(OneCertificate { certificate, provider: Arc::clone(&provider) });
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13]);
    let builder = builder.map_err(|error| bad(error.to_string()))?;
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

#[derive(Debug)]
struct OneCertificate {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for OneCertificate {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        if *shown == self.certificate {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(TlsError::General(
                "it shows another certificate than `run.certificate`; was it told (SIGHUP)?".to_owned(),
            ))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
