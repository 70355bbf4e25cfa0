//! `[witness]` of `watcher.toml`: under which name and key this watcher cosigns, and who else does.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use appliance_wire::WitnessKey;
use reqwest::Url;

use super::file::WitnessSection;

/// What a watcher is as a witness.
#[derive(Clone, Debug)]
pub struct WitnessConfig {
    /// Its name: a URL without its scheme, such as `exchange.example/watcher-a`.
    pub name: String,
    /// PEM: its private key, Ed25519.
    pub key: PathBuf,
    /// Where other watchers may submit checkpoints, over plain HTTP.
    pub listen: Option<SocketAddr>,
    /// Witnesses that are asked for their cosignatures.
    pub others: Vec<OtherWitness>,
}

/// A witness of others (C2SP tlog-witness).
#[derive(Clone, Debug)]
pub struct OtherWitness {
    /// Its submission prefix, without a slash at the end.
    pub url: String,
    /// Its name and key.
    pub key: WitnessKey,
    /// PEM: the CAs its certificate may come from, where `url` is `https`.
    pub ca: PathBuf,
}

/// Adds what is wrong to `problems`. A config with problems is used by nobody.
pub(super) fn check(
    section: WitnessSection,
    folder: &Path,
    signer_ca: &Path,
    problems: &mut Vec<String>,
) -> WitnessConfig {
    // The name must be one that fits into a verifier key; which key does not matter here.
    if let Err(error) = WitnessKey::new(&section.name, &A_POINT) {
        problems.push(format!("key `witness.name`: \"{}\": {error}; write it like {NAME_EXAMPLE}", section.name));
    }
    let key = folder.join(&section.key);
    if !key.is_file() {
        problems.push(format!(
            "key `witness.key`: there is no file {}; make it with `chancery-watcher witness key --name {} --out {}`",
            key.display(),
            section.name,
            key.display()
        ));
    }
    let listen = section.listen.and_then(|text| {
        let address = text.parse().ok();
        if address.is_none() {
            problems.push(format!("key `witness.listen`: \"{text}\" is no IP address and port, like 10.0.0.7:8480"));
        }
        address
    });
    let mut others: Vec<OtherWitness> = Vec::new();
    for other in section.other {
        match (checked_url(&other.url), WitnessKey::parse(&other.key)) {
            (Ok(_), Ok(key)) if others.iter().any(|known| known.key == key) || key.name() == section.name => {
                problems.push(format!("key `witness.other`: {key} is there already; each witness is another one"));
            }
            (Ok(url), Ok(key)) => {
                let ca = other.ca.map_or_else(|| signer_ca.to_owned(), |ca| folder.join(ca));
                others.push(OtherWitness { url, key, ca });
            }
            (url, key) => {
                problems.extend(url.err());
                problems.extend(key.err().map(|error| {
                    format!("key `witness.other.key`: \"{}\": {error}; ask its operator for the line", other.key)
                }));
            }
        }
    }
    WitnessConfig { name: section.name, key, listen, others }
}

fn checked_url(text: &str) -> Result<String, String> {
    let bad =
        |why: String| Err(format!("key `witness.other.url`: \"{text}\" {why}; write it like http://10.0.0.8:8480"));
    match Url::parse(text) {
        Err(error) => bad(format!("is no URL ({error})")),
        Ok(url) if !["http", "https"].contains(&url.scheme()) => bad("is neither http nor https".to_owned()),
        Ok(url) if url.query().is_some() || url.fragment().is_some() => bad("has a query or a fragment".to_owned()),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            bad("holds a name or a password".to_owned())
        }
        Ok(url) => Ok(url.as_str().trim_end_matches('/').to_owned()),
    }
}

const NAME_EXAMPLE: &str = "exchange.example/watcher-a";

/// The base point of the curve, as good a public key as any.
const A_POINT: [u8; 32] = {
    let mut bytes = [0x66; 32];
    bytes[0] = 0x58;
    bytes
};
