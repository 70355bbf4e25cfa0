//! One HTTP exchange with the signer: TLS 1.3 both ways, bounded in time and size. Knows nothing of keys and logs.

use std::{path::PathBuf, time::Duration};

use reqwest::{
    Method, RequestBuilder, Response,
    header::{CONTENT_TYPE, RETRY_AFTER},
};

use crate::{Config, ConfigError, Error};

mod error;
mod probe;
mod reply;
mod stream;
pub(crate) mod tls;

pub use error::TransportError;
pub(crate) use reply::Reply;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(30);
const LARGEST_REPLY_BYTES: usize = 4 * 1024 * 1024;

/// The way to one signer.
#[derive(Debug)]
pub(crate) struct Transport {
    http: reqwest::Client,
    tls: rustls::ClientConfig,
    place: Place,
}

/// What error messages name.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) ca: PathBuf,
    pub(crate) certificate: PathBuf,
}

impl Transport {
    /// Reads the certificates and prepares connections; connects nowhere yet.
    pub(crate) fn new(config: &Config) -> Result<Self, ConfigError> {
        let tls = tls::client_config(config)?;
        let http = reqwest::Client::builder()
            .use_preconfigured_tls(tls.clone())
            .https_only(true)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(EXCHANGE_TIMEOUT)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| ConfigError::new(&config.certificate, error.to_string()))?;
        let place = Place { url: config.url.clone(), ca: config.ca.clone(), certificate: config.certificate.clone() };
        Ok(Self { http, tls, place })
    }

    /// Sends `body` to `path` (beginning with `/v1`) and reads the whole answer.
    pub(crate) async fn exchange(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Reply, Error> {
        let mut request = self.http.request(method, format!("{}{path}", self.place.url));
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        self.send(request).await
    }

    /// Posts a text and reads the whole answer.
    pub(crate) async fn post_text(&self, path: &str, text: &str) -> Result<Reply, Error> {
        let request = self.http.post(format!("{}{path}", self.place.url));
        self.send(request.header(CONTENT_TYPE, "text/plain; charset=utf-8").body(text.to_owned())).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Reply, Error> {
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Err(self.explain(error).await.into()),
        };
        self.read(response).await
    }

    async fn read(&self, mut response: Response) -> Result<Reply, Error> {
        let status = response.status().as_u16();
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let content_type = header(CONTENT_TYPE).unwrap_or_default().to_owned();
        let retry_after_s = header(RETRY_AFTER).and_then(|seconds| seconds.trim().parse().ok());
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(None) => return Ok(Reply { status, content_type, retry_after_s, body }),
                Ok(Some(chunk)) if body.len() + chunk.len() > LARGEST_REPLY_BYTES => {
                    let what = format!("longer than {LARGEST_REPLY_BYTES} bytes");
                    return Err(Error::Unexpected { status, what });
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Err(error) => return Err(self.explain(error).await.into()),
            }
        }
    }

    /// Says what a failed exchange means. TLS 1.3 shows a refused client certificate only at the first read, and the
    /// alert may be lost behind a reset of the connection: then a bare handshake, which sends nothing, asks again.
    async fn explain(&self, failure: reqwest::Error) -> TransportError {
        let told = error::translate(&failure, &self.place);
        if failure.is_timeout() { told } else { self.ask_why(told).await }
    }

    async fn ask_why(&self, told: TransportError) -> TransportError {
        let unexplained = matches!(told, TransportError::Broken { .. } | TransportError::NotReachable { .. });
        if !unexplained {
            return told;
        }
        match probe::handshake(&self.tls, &self.place.url).await {
            Some(found) => error::of_tls(&found, &self.place),
            None => told,
        }
    }
}
