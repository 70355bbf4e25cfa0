//! Certificates renewed, revoked and spoiled while the appliance serves.

use std::fs;

use libtest_mimic::Trial;

use super::answer_to;
use crate::harness::{
    Installation, Running, block_on, eventually,
    installation::POLICY,
    trial,
    watcher::Watcher,
    wire::{self, Connection},
};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial("certificates::a_renewed_one_of_the_appliance_is_taken_up_by_itself", renewed_server),
        trial("certificates::a_hangup_reads_them_again_and_ends_nothing", hangup),
        trial("certificates::a_pair_that_does_not_match_is_refused_and_the_old_one_serves_on", mismatched),
        trial("certificates::a_revoked_watcher_is_out_at_once_on_open_connections_and_resumed_sessions", revoked),
        trial("certificates::a_watcher_taken_out_of_the_policy_is_out_in_a_resumed_session_too", taken_out_resumed),
        trial("certificates::a_revocation_list_that_its_ca_did_not_sign_is_no_start", foreign_list),
        trial("certificates::a_spoiled_revocation_list_leaves_the_one_before_in_force", spoiled_list),
        trial("certificates::their_ends_are_in_status_and_metrics", ends),
    ]
}

/// Begins a revocation list and names it in the configuration.
fn with_list(installation: &Installation) {
    revoke(installation, &[]);
    installation.edit_config(|config| {
        config.replace("client_ca = \"pki/ca.crt\"", "client_ca = \"pki/ca.crt\"\nclient_crl = \"pki/revoked.crl\"")
    });
}

fn revoke(installation: &Installation, names: &[&str]) {
    installation.run("chancery-provision", &[&["pki", "revoke", "--directory", "pki"], names].concat());
}

fn renew(installation: &Installation, name: &str) {
    installation.run("chancery-provision", &["pki", "renew", name, "--new-key", "--directory", "pki"]);
}

/// How often it said that it read the certificates again.
fn readings(running: &Running) -> usize {
    running.logged().matches("the certificates were read again").count()
}

fn served_certificate(installation: &Installation, running: &Running) -> Vec<u8> {
    let tls = wire::tls(&installation.path("pki"), Some("watcher"));
    block_on(async { Connection::open(running.watcher, &tls).await.unwrap().server_certificate() })
}

fn renewed_server() {
    let installation = Installation::new();
    let running = installation.start();
    let before = served_certificate(&installation, &running);
    let watcher = Watcher::new(&installation, &running);
    let mut open = watcher.block_on(watcher.connect());
    renew(&installation, "server");
    eventually("the new certificate is served", || {
        (served_certificate(&installation, &running) != before).then_some(())
    });
    // Who was in stays in.
    assert_eq!(watcher.block_on(open.request("GET", "/v1/keys", b"")).unwrap().status, 200);
    assert_eq!(watcher.get("/v1/keys").status, 200);
    assert!(!running.logged().contains("are not replaced"));
    running.stop();
}

fn hangup() {
    let installation = Installation::new();
    let running = installation.start();
    assert_eq!(readings(&running), 0);
    running.hang_up();
    eventually("they were read again", || (readings(&running) == 1).then_some(()));
    assert_eq!(Watcher::new(&installation, &running).get("/v1/keys").status, 200);
    running.stop();
}

fn mismatched() {
    let installation = Installation::new();
    let running = installation.start();
    let before = served_certificate(&installation, &running);
    let key = fs::read(installation.path("pki/server.key")).unwrap();
    let others = fs::read(installation.path("pki/watcher.key")).unwrap();
    fs::write(installation.path("pki/server.key"), others).unwrap();
    running.hang_up();
    let reason =
        eventually("it says so", || Some(installation.status()["certificates"]["not_reloaded"].as_str()?.to_owned()));
    assert!(reason.contains("server.key") && reason.contains("not the key of"), "{reason}");
    assert!(running.logged().contains("those read before stay in force"));
    assert_eq!(running.metric("chancery_certificates_not_reloaded"), 1);
    let (status, ready) = running.monitor("/readyz");
    assert!(status == 200 && ready.contains("not the key of"), "{status} {ready}");
    let text = installation.run("chancery", &["status"]).stdout;
    assert!(String::from_utf8(text).unwrap().contains("NOT RELOADED"));
    assert_eq!(served_certificate(&installation, &running), before);
    assert_eq!(Watcher::new(&installation, &running).get("/v1/keys").status, 200);

    fs::write(installation.path("pki/server.key"), key).unwrap();
    eventually("it is mended by itself", || {
        installation.status()["certificates"]["not_reloaded"].is_null().then_some(())
    });
    assert_eq!(running.metric("chancery_certificates_not_reloaded"), 0);
    running.stop();
}

fn revoked() {
    let installation = Installation::with_second_watcher();
    with_list(&installation);
    let running = installation.start();
    let (watcher, second) = (Watcher::new(&installation, &running), Watcher::named(&installation, &running, "second"));
    let mut open = watcher.block_on(watcher.connect());
    assert_eq!(watcher.block_on(open.request("GET", "/v1/keys", b"")).unwrap().status, 200);
    assert_eq!(second.get("/v1/keys").status, 200);
    // There is a session to resume.
    assert!(watcher.block_on(async { watcher.connect().await.is_resumed() }));

    revoke(&installation, &["watcher"]);
    running.hang_up();
    eventually("the list is in force", || (readings(&running) > 0).then_some(()));
    for (method, path) in [("GET", "/v1/keys"), ("GET", "/v1/signatures/a")] {
        let answer = watcher.block_on(open.request(method, path, b"")).unwrap();
        assert_eq!(answer.code(), "unauthenticated");
        assert!(String::from_utf8_lossy(&answer.body).contains("revoked"));
    }
    // The same client with the tickets it was given.
    let resumed = watcher.block_on(async {
        let mut connection = Connection::open(running.watcher, watcher.tls()).await.ok()?;
        connection.request("GET", "/v1/keys", b"").await.ok()
    });
    assert_eq!(resumed, None);
    assert_eq!(answer_to(&installation, &running, Some("watcher")), None);
    assert_eq!(second.get("/v1/keys").status, 200);

    // Its key was in the policy all the time: a certificate over another brings nobody in.
    renew(&installation, "watcher");
    let problem = Watcher::new(&installation, &running).get("/v1/keys").problem();
    assert!(problem.detail.contains("no watcher of the policy"), "{}", problem.detail);
    running.stop();
}

fn taken_out_resumed() {
    let installation = Installation::new();
    let successor = installation.issue("successor");
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    assert_eq!(watcher.get("/v1/keys").status, 200);
    let next = POLICY.replace("version = 1", "version = 2").replace("WATCHER", &successor);
    installation.write_policy(&next);
    installation.run("chancery", &["policy", "install", "policy.toml"]);
    let (resumed, answer) = watcher.block_on(async {
        let mut connection = watcher.connect().await;
        (connection.is_resumed(), connection.request("GET", "/v1/keys", b"").await.unwrap())
    });
    assert!(resumed);
    assert_eq!(answer.code(), "unauthenticated");
    running.stop();
}

/// A list of another CA, under the same name.
fn foreign(installation: &Installation) -> Vec<u8> {
    let other = tempfile::tempdir().unwrap();
    provisioning::pki::Authority::make(other.path()).unwrap();
    let authority = provisioning::pki::Authority::open(other.path()).unwrap();
    let list = authority.revoke(other.path(), &[], 30).unwrap().list;
    assert!(installation.path("pki/revoked.crl").exists());
    fs::read(list).unwrap()
}

fn foreign_list() {
    let installation = Installation::new();
    with_list(&installation);
    fs::write(installation.path("pki/revoked.crl"), foreign(&installation)).unwrap();
    let output = installation.command("chancery", &["serve"]).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{err}");
    assert!(err.contains("revoked.crl") && err.contains("not signed by a CA of client_ca"), "{err}");
    fs::remove_file(installation.path("pki/revoked.crl")).unwrap();
    let output = installation.command("chancery", &["serve"]).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&output.stderr).contains("watcher_listener.client_crl"));
}

fn spoiled_list() {
    let installation = Installation::with_second_watcher();
    with_list(&installation);
    revoke(&installation, &["second"]);
    let running = installation.start();
    assert_eq!(answer_to(&installation, &running, Some("second")), None);
    let list = foreign(&installation);
    fs::write(installation.path("pki/revoked.crl"), list).unwrap();
    eventually("it says so", || {
        installation.status()["certificates"]["not_reloaded"].as_str()?.contains("not signed").then_some(())
    });
    assert_eq!(answer_to(&installation, &running, Some("second")), None);
    assert_eq!(answer_to(&installation, &running, Some("watcher")), Some(200));
    running.stop();
}

fn ends() {
    let installation = Installation::new();
    with_list(&installation);
    let renew = ["pki", "renew", "watcher", "--days", "20", "--directory", "pki"];
    installation.run("chancery-provision", &renew);
    let running = installation.start();
    Watcher::new(&installation, &running).get("/v1/keys").good();
    let certificates = &installation.status()["certificates"];
    let files = certificates["files"].as_array().unwrap();
    let names: Vec<_> = files.iter().map(|file| file["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["server", "client_ca", "client_crl"]);
    let days: Vec<_> = files.iter().map(|file| file["days_left"].as_i64().unwrap()).collect();
    assert_eq!(days, [364, 3649, 364]);
    let client = &certificates["clients"][0];
    assert_eq!((&client["watcher"], &client["days_left"]), (&"btc-watcher".into(), &19.into()));
    assert_eq!(client["public_key_sha256"], installation.watcher_sha256);

    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let days_of = |metric: &str| (running.metric(metric) + 43_200 - now) / 86_400;
    assert_eq!(days_of("chancery_certificate_expiry_seconds{name=\"server\"}"), 365);
    assert_eq!(days_of("chancery_certificate_expiry_seconds{name=\"client_ca\"}"), 3650);
    assert_eq!(days_of("chancery_certificate_expiry_seconds{name=\"client_crl\"}"), 365);
    assert_eq!(days_of("chancery_client_certificate_expiry_seconds{watcher=\"btc-watcher\"}"), 20);
    let text = String::from_utf8(installation.run("chancery", &["status"]).stdout).unwrap();
    assert!(text.contains("\nCERTIFICATE       watcher btc-watcher's until "), "{text}");
    assert!(text.contains("\ncertificate       the appliance's until "), "{text}");
    // The next telling.
    running.hang_up();
    eventually("the log warns", || running.logged().contains("a watcher's certificate ends soon").then_some(()));
    assert!(!running.logged().contains("a certificate or list ends soon"));
    running.stop();
}
