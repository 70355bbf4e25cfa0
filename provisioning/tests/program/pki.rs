use std::{fs, path::Path, sync::Arc, time::Duration};

use provisioning::pki::{self, Authority, Leaf};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection,
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::WebPkiClientVerifier,
};
use sha2::{Digest, Sha256};
use x509_cert::{
    Certificate,
    der::{DecodePem, Encode},
};

use crate::harness::Place;

mod renewal;

/// A directory with everything `init` puts into `pki/`.
fn place() -> Place {
    let place = Place::new();
    let directory = place.path("");
    Authority::make(&directory).unwrap();
    let authority = Authority::open(&directory).unwrap();
    authority.issue(&directory, &Leaf::loopback_server()).unwrap();
    authority.issue(&directory, &Leaf::first_watcher()).unwrap();
    place
}

fn pair(place: &Place, name: &str) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let chain = CertificateDer::from_pem_file(place.path(&format!("{name}.crt"))).unwrap();
    (vec![chain], PrivateKeyDer::from_pem_file(place.path(&format!("{name}.key"))).unwrap())
}

/// A whole TLS 1.3 handshake in memory, each end verifying the other.
fn shake_hands(
    authority: &Place,
    server: (&Place, &str),
    client: (&Place, &str),
    name: &str,
) -> Result<(), rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority.path("ca.crt")).unwrap()).unwrap();
    let roots = Arc::new(roots);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone());
    let list = authority.path("revoked.crl");
    let lists = list.exists().then(|| CertificateRevocationListDer::from_pem_file(&list).unwrap());
    let verifier = verifier.with_crls(lists).build().unwrap();
    let (chain, key) = pair(server.0, server.1);
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)?;
    let (chain, key) = pair(client.0, client.1);
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)?;
    let mut server = ServerConnection::new(Arc::new(server))?;
    let mut client = ClientConnection::new(Arc::new(client), ServerName::try_from(name.to_owned()).unwrap())?;
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            server.process_new_packets()?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets()?;
        }
    }
    Ok(())
}

fn certificate(path: &Path) -> Certificate {
    Certificate::from_pem(fs::read(path).unwrap()).unwrap()
}

#[test]
fn appliance_and_watcher_accept_each_other_by_every_loopback_name() {
    let place = place();
    for name in ["localhost", "127.0.0.1", "::1"] {
        shake_hands(&place, (&place, "server"), (&place, "watcher"), name).unwrap();
    }
    shake_hands(&place, (&place, "server"), (&place, "watcher"), "signer.example").unwrap_err();
}

#[test]
fn a_certificate_is_good_for_one_end_and_one_authority() {
    let (place, other) = (place(), place());
    shake_hands(&place, (&place, "watcher"), (&place, "watcher"), "localhost").unwrap_err();
    shake_hands(&place, (&place, "server"), (&place, "server"), "localhost").unwrap_err();
    shake_hands(&place, (&place, "server"), (&other, "watcher"), "localhost").unwrap_err();
    shake_hands(&place, (&other, "server"), (&place, "watcher"), "localhost").unwrap_err();
}

#[test]
fn subjects_and_serials_differ_and_validity_is_ten_years_and_one() {
    let place = place();
    let read = |name: &str| certificate(&place.path(&format!("{name}.crt"))).tbs_certificate;
    let all = [read("ca"), read("server"), read("watcher")];
    let subjects = all.each_ref().map(|certificate| certificate.subject.to_string());
    assert!(subjects[0].starts_with("CN=Chancery CA "), "{subjects:?}");
    assert_eq!(subjects[1..], ["CN=chancery server", "CN=btc-watcher"]);
    assert!(all.iter().all(|certificate| certificate.issuer == all[0].subject));
    assert!(all[0].serial_number != all[1].serial_number && all[1].serial_number != all[2].serial_number);
    let days = all.each_ref().map(|certificate| {
        let validity = &certificate.validity;
        (validity.not_after.to_unix_duration() - validity.not_before.to_unix_duration()).as_secs() / 86_400
    });
    assert_eq!(days, [3650, 365, 365]);
    let path = place.path("watcher.crt");
    assert!(!pki::expires_within(&path, Duration::from_secs(364 * 86_400)).unwrap());
    assert!(pki::expires_within(&path, Duration::from_secs(366 * 86_400)).unwrap());
}

#[test]
fn a_policy_names_a_watcher_by_the_hash_of_its_public_key() {
    let place = Place::initialised();
    let watcher = certificate(&place.path("box/pki/watcher.crt")).tbs_certificate.subject_public_key_info;
    let hash = hex::encode(Sha256::digest(watcher.to_der().unwrap()));
    let policy: toml::Table = place.read("box/policy.toml").parse().unwrap();
    assert_eq!(policy["watcher"][0]["public_keys_sha256"][0].as_str(), Some(hash.as_str()));

    let issued = place.run(&["pki", "issue", "btc-watcher-2", "--days", "90", "--directory", "box/pki"]).succeeded();
    let second = certificate(&place.path("box/pki/btc-watcher-2.crt")).tbs_certificate;
    let hash = hex::encode(Sha256::digest(second.subject_public_key_info.to_der().unwrap()));
    assert!(issued.out.contains(&format!("public_keys_sha256 = [\"{hash}\"]")), "{}", issued.out);
    assert_eq!(second.subject.to_string(), "CN=btc-watcher-2");
    assert_eq!(place.mode("box/pki/btc-watcher-2.key"), 0o600);
}

#[test]
fn a_certificate_is_not_overwritten_and_one_moved_away_is_issued_over_its_key() {
    let place = place();
    let issue = ["pki", "issue", "watcher", "--directory", ".", "--json"];
    place.run(&issue).refused(1, "`pki renew` replaces it");
    let key = fs::read(place.path("watcher.key")).unwrap();
    let old = fs::read(place.path("watcher.crt")).unwrap();
    fs::rename(place.path("watcher.crt"), place.path("watcher.old")).unwrap();
    place.run(&issue).succeeded();
    assert_eq!(fs::read(place.path("watcher.key")).unwrap(), key);
    assert_ne!(fs::read(place.path("watcher.crt")).unwrap(), old);
    shake_hands(&place, (&place, "server"), (&place, "watcher"), "localhost").unwrap();
}

#[test]
fn a_server_is_issued_for_the_names_given() {
    let place = place();
    let names = ["--server", "--san", "signer.internal", "--san", "10.0.0.7"];
    place.run(&[&["pki", "issue", "signer", "--directory", "."], &names[..]].concat()).succeeded();
    for name in ["signer.internal", "10.0.0.7"] {
        shake_hands(&place, (&place, "signer"), (&place, "watcher"), name).unwrap();
    }
    shake_hands(&place, (&place, "signer"), (&place, "watcher"), "localhost").unwrap_err();
    place.run(&["pki", "issue", "x", "--directory", ".", "--server"]).refused(2, "--san");
}

#[test]
fn a_name_cannot_leave_the_directory_or_replace_the_authority() {
    let place = place();
    place.run(&["pki", "issue", "../x", "--directory", "."]).refused(2, "NAME");
    fs::rename(place.path("ca.crt"), place.path("kept.crt")).unwrap();
    fs::copy(place.path("kept.crt"), place.path("ca.crt")).unwrap();
    place.run(&["pki", "issue", "ca", "--directory", "."]).refused(1, "is not overwritten");
}

#[test]
fn an_authority_kept_elsewhere_is_missed_in_words() {
    let place = place();
    fs::rename(place.path("ca.key"), place.path("elsewhere")).unwrap();
    place.run(&["pki", "issue", "x", "--directory", "."]).refused(78, "the CA's key is not here");
}
