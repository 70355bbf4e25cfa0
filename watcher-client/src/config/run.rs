//! `[run]` of `watcher.toml`: the daemon's journal, its API for the exchange's backend, and who is told.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use reqwest::Url;
use serde::Deserialize;

/// What the daemon is.
#[derive(Clone, Debug)]
pub struct RunConfig {
    /// Its journal.
    pub journal: PathBuf,
    /// Where the backend reaches it.
    pub listen: SocketAddr,
    /// The file that holds what a caller must show (`authorization: Bearer ...`).
    pub token_file: PathBuf,
    /// TLS of the API; without it, it listens on loopback only.
    pub tls: Option<ApiTls>,
    /// Who is told of events.
    pub webhooks: Vec<WebhookConfig>,
}

/// PEM files of the API's own TLS.
#[derive(Clone, Debug)]
pub struct ApiTls {
    /// Its certificate.
    pub certificate: PathBuf,
    /// The certificate's key.
    pub private_key: PathBuf,
}

/// Somebody who is told of events.
#[derive(Clone, Debug)]
pub struct WebhookConfig {
    /// Where to.
    pub url: Url,
    /// The file with the secret that signs what is told.
    pub secret_file: PathBuf,
    /// PEM: the CAs its certificate may come from, where the url is `https`.
    pub ca: Option<PathBuf>,
}

/// As written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunSection {
    journal: Option<PathBuf>,
    listen: String,
    token_file: PathBuf,
    certificate: Option<PathBuf>,
    private_key: Option<PathBuf>,
    #[serde(default)]
    webhook: Vec<WebhookSection>,
}

/// `[[run.webhook]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookSection {
    url: String,
    secret_file: PathBuf,
    ca: Option<PathBuf>,
}

/// Adds what is wrong to `problems`. A config with problems is used by nobody.
pub(super) fn check(section: RunSection, folder: &Path, problems: &mut Vec<String>) -> Option<RunConfig> {
    let listen = section.listen.parse::<SocketAddr>().ok();
    if listen.is_none() {
        let text = &section.listen;
        problems.push(format!("key `run.listen`: \"{text}\" is no IP address and port, like 127.0.0.1:9470"));
    }
    let tls = match (section.certificate, section.private_key) {
        (Some(certificate), Some(private_key)) => {
            Some(ApiTls { certificate: folder.join(certificate), private_key: folder.join(private_key) })
        }
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            problems.push("keys `run.certificate` and `run.private_key` go together".to_owned());
            None
        }
    };
    if listen.is_some_and(|address| !address.ip().is_loopback()) && tls.is_none() {
        problems.push(
            "key `run.listen`: outside loopback the API speaks TLS only: set `run.certificate` and `run.private_key`"
                .to_owned(),
        );
    }
    let mut webhooks: Vec<WebhookConfig> = Vec::new();
    for one in section.webhook.into_iter().filter_map(|one| webhook(one, folder, problems)).collect::<Vec<_>>() {
        if webhooks.iter().any(|known| known.url == one.url) {
            problems.push(format!("key `run.webhook.url`: \"{}\" is there twice; each is told once", one.url));
        }
        webhooks.push(one);
    }
    Some(RunConfig {
        journal: folder.join(section.journal.unwrap_or_else(|| "watcher.journal".into())),
        listen: listen?,
        token_file: folder.join(section.token_file),
        tls,
        webhooks,
    })
}

fn webhook(section: WebhookSection, folder: &Path, problems: &mut Vec<String>) -> Option<WebhookConfig> {
    if section.url.starts_with("https") && section.ca.is_none() {
        problems.push("key `run.webhook.ca`: name the CAs that the receiver's certificate may come from".to_owned());
    }
    match Url::parse(&section.url) {
        Ok(url) if ["http", "https"].contains(&url.scheme()) => Some(WebhookConfig {
            url,
            secret_file: folder.join(section.secret_file),
            ca: section.ca.map(|ca| folder.join(ca)),
        }),
        Ok(_) | Err(_) => {
            problems.push(format!("key `run.webhook.url`: \"{}\" is no http or https URL", section.url));
            None
        }
    }
}
