//! Who may knock: certificates of the CA, and of them only those whose key the policy names.

use std::{fs, path::Path};

use appliance_wire::sha256_hex;
use libtest_mimic::Trial;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PublicKeyData, date_time_ymd,
};

use crate::harness::{
    Installation, Running, block_on,
    body::digest,
    installation::POLICY,
    trial,
    watcher::Watcher,
    wire::{self, Connection},
};

mod in_service;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = in_service::trials();
    trials.extend([
        trial("certificates::only_one_our_ca_issued_to_a_client_and_that_is_in_time_gets_an_answer", strangers),
        trial("certificates::one_the_policy_does_not_name_is_told_so_and_leaves_no_entry", not_in_the_policy),
        trial("certificates::a_renewed_one_over_the_same_key_is_the_same_watcher", renewed),
        trial("certificates::a_key_taken_out_of_the_policy_ends_open_connections_too", taken_out),
    ]);
    trials
}

/// Status of the answer to a request with this certificate; `None` where the connection ends without one.
fn answer_to(installation: &Installation, running: &Running, name: Option<&str>) -> Option<u16> {
    let tls = wire::tls(&installation.path("pki"), name);
    block_on(async {
        // In TLS 1.3 a client learns of its refusal only when it reads.
        let mut connection = Connection::open(running.watcher, &tls).await.ok()?;
        connection.request("GET", "/healthz", b"").await.ok().map(|answer| answer.status)
    })
}

fn params(name: &str, usage: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params
}

/// Writes `NAME.crt` and `NAME.key`.
fn issue(pki: &Path, name: &str, params: &CertificateParams, issuer: &Issuer<'_, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    fs::write(pki.join(format!("{name}.crt")), params.signed_by(&key, issuer).unwrap().pem()).unwrap();
    fs::write(pki.join(format!("{name}.key")), key.serialize_pem()).unwrap();
}

fn strangers() {
    let installation = Installation::new();
    let running = installation.start();
    let pki = installation.path("pki");
    let client = ExtendedKeyUsagePurpose::ClientAuth;

    let ca_pem = fs::read_to_string(pki.join("ca.crt")).unwrap();
    let ca_key = KeyPair::from_pem(&fs::read_to_string(pki.join("ca.key")).unwrap()).unwrap();
    let ca_name = format!("Chancery CA {}", &sha256_hex(&ca_key.subject_public_key_info())[..8]);
    let ca = Issuer::from_ca_cert_pem(&ca_pem, ca_key).unwrap();
    issue(&pki, "of-our-ca", &params("of-our-ca", client.clone()), &ca);
    issue(&pki, "for-a-server", &params("for-a-server", ExtendedKeyUsagePurpose::ServerAuth), &ca);
    let mut expired = params("expired", client.clone());
    (expired.not_before, expired.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    issue(&pki, "expired", &expired, &ca);
    let mut not_yet = params("not-yet", client.clone());
    (not_yet.not_before, not_yet.not_after) = (date_time_ymd(2090, 1, 1), date_time_ymd(2091, 1, 1));
    issue(&pki, "not-yet", &not_yet, &ca);

    // The same name as ours, another key.
    let mut other = CertificateParams::default();
    other.distinguished_name.push(DnType::CommonName, ca_name);
    other.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    other.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let other_key = KeyPair::generate().unwrap();
    let other = Issuer::new(other, other_key);
    issue(&pki, "of-another-ca", &params("btc-watcher", client), &other);

    let before = running.total("chancery_auth_failures_total");
    for name in [None, Some("of-another-ca"), Some("expired"), Some("not-yet"), Some("for-a-server")] {
        assert_eq!(answer_to(&installation, &running, name), None, "{name:?}");
    }
    assert_eq!(running.total("chancery_auth_failures_total"), before + 5);
    for name in ["of-our-ca", "watcher"] {
        assert_eq!(answer_to(&installation, &running, Some(name)), Some(200), "{name}");
    }
    // Not TLS at all.
    let answered = block_on(async {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(running.watcher).await.unwrap();
        stream.write_all(b"GET /v1/keys HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).contains("HTTP")
    });
    assert!(!answered);
    running.stop();
}

fn not_in_the_policy() {
    let installation = Installation::new();
    let sha256 = installation.issue("stranger");
    let running = installation.start();
    let stranger = Watcher::named(&installation, &running, "stranger");
    // Its start is recorded before it answers.
    Watcher::new(&installation, &running).get("/v1/keys").good();
    let before = (installation.entries().len(), running.total("chancery_auth_failures_total"));
    let mut calls = 0;
    for (method, path, body) in [
        ("PUT", "/v1/signatures/a", digest("raw", 1).to_string()),
        ("PUT", "/v1/signatures/.a", "{".to_owned()),
        ("GET", "/v1/signatures/a", String::new()),
        ("GET", "/v1/keys", String::new()),
        ("GET", "/v1/keys/raw", String::new()),
        ("GET", "/v1/limits", String::new()),
        ("GET", "/v1/log/checkpoint", String::new()),
        ("GET", "/v1/log/checkpoint/cosigned", String::new()),
        ("POST", "/v1/log/cosignatures", "x".to_owned()),
        ("GET", "/v1/log/entries/0", String::new()),
        ("GET", "/v1/log/proof/inclusion?index=0&size=1", String::new()),
        ("GET", "/v1/log/proof/consistency?from=1&to=2", String::new()),
        ("POST", "/v1/freeze", r#"{"reason":"x"}"#.to_owned()),
        ("GET", "/openapi.json", String::new()),
    ] {
        let problem = stranger.call(method, path, body).problem();
        assert_eq!(problem.type_uri, "urn:chancery:problem:unauthenticated", "{method} {path}");
        assert!(problem.detail.contains(&sha256), "{method} {path}: {}", problem.detail);
        calls += 1;
    }
    assert_eq!(stranger.get("/healthz").status, 200);
    assert_eq!(running.total("chancery_auth_failures_total"), before.1 + calls);
    assert_eq!(installation.entries().len(), before.0);
    running.stop();
}

fn renewed() {
    let installation = Installation::new();
    let running = installation.start();
    let body = digest("raw", 1);
    let first = Watcher::new(&installation, &running).put("a", &body);
    assert_eq!(first.status, 200);
    let old = fs::read(installation.path("pki/watcher.crt")).unwrap();
    installation.run("chancery-provision", &["pki", "renew", "watcher", "--directory", "pki"]);
    assert_ne!(fs::read(installation.path("pki/watcher.crt")).unwrap(), old);
    assert_eq!(Watcher::new(&installation, &running).put("a", &body).body, first.body);
    running.stop();
}

fn taken_out() {
    let installation = Installation::new();
    let successor = installation.issue("successor");
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let path = "/v1/signatures/a";
    let body = digest("raw", 1).to_string();
    let mut open = watcher.block_on(watcher.connect());
    let first = watcher.block_on(open.request("PUT", path, body.as_bytes())).unwrap();
    assert_eq!(first.status, 200);

    let next = POLICY.replace("version = 1", "version = 2").replace("WATCHER", &successor);
    installation.write_policy(&next);
    installation.run("chancery", &["policy", "install", "policy.toml"]);

    for (method, path, body) in [("PUT", path, body.as_str()), ("GET", path, ""), ("GET", "/v1/keys", "")] {
        let answer = watcher.block_on(open.request(method, path, body.as_bytes())).unwrap();
        assert_eq!(answer.code(), "unauthenticated", "{method} {path}");
    }
    // A certificate's successor is the same watcher.
    assert_eq!(Watcher::named(&installation, &running, "successor").put("a", &body).body, first.body);
    running.stop();
    installation.assert_log_verifies();
}
