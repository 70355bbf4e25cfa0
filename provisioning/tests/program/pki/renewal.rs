//! Certificates renewed, revoked and listed.

use super::*;

fn files(place: &Place, suffix: &str) -> Vec<String> {
    let names = fs::read_dir(place.path("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.contains(suffix)).collect();
    names.sort();
    names
}

fn spki(place: &Place, name: &str) -> String {
    let key = certificate(&place.path(&format!("{name}.crt"))).tbs_certificate.subject_public_key_info;
    hex::encode(Sha256::digest(key.to_der().unwrap()))
}

fn watcher_comes_in(place: &Place) -> bool {
    shake_hands(place, (place, "server"), (place, "watcher"), "localhost").is_ok()
}

#[test]
fn a_renewed_certificate_keeps_key_and_names_and_the_one_before_lies_beside_it() {
    let place = place();
    for name in ["watcher", "server"] {
        let (key, old) = (place.read(&format!("{name}.key")), place.read(&format!("{name}.crt")));
        let renewed =
            place.run(&["pki", "renew", name, "--days", "500", "--directory", ".", "--json"]).succeeded().json();
        assert_eq!(renewed["new_key"], false);
        assert_eq!(renewed["public_key_sha256"], spki(&place, name));
        assert_eq!(place.read(&format!("{name}.key")), key);
        assert_ne!(place.read(&format!("{name}.crt")), old);
        assert_eq!(fs::read_to_string(renewed["before"].as_str().unwrap()).unwrap(), old);
        let (now, before) = (certificate(&place.path(&format!("{name}.crt"))), old.parse_certificate());
        assert_eq!(now.tbs_certificate.subject, before.tbs_certificate.subject);
        assert_eq!(
            now.tbs_certificate.extensions.as_ref().map(Vec::len),
            before.tbs_certificate.extensions.map(|e| e.len())
        );
    }
    for name in ["localhost", "127.0.0.1", "::1"] {
        shake_hands(&place, (&place, "server"), (&place, "watcher"), name).unwrap();
    }
    assert!(!pki::expires_within(&place.path("watcher.crt"), Duration::from_secs(499 * 86_400)).unwrap());
    assert_eq!(files(&place, ".next"), [""; 0]);
}

trait ParseCertificate {
    fn parse_certificate(&self) -> Certificate;
}

impl ParseCertificate for String {
    fn parse_certificate(&self) -> Certificate {
        Certificate::from_pem(self).unwrap()
    }
}

#[test]
fn a_new_key_is_told_for_the_policy_and_the_old_one_stays() {
    let place = place();
    let (key, old) = (place.read("watcher.key"), spki(&place, "watcher"));
    let renewed = place.run(&["pki", "renew", "watcher", "--new-key", "--directory", "."]).succeeded();
    let new = spki(&place, "watcher");
    assert_ne!(new, old);
    assert!(renewed.out.contains(&format!("public_keys_sha256 = [\"{new}\"]")), "{}", renewed.out);
    assert!(watcher_comes_in(&place));
    assert_eq!(place.mode("watcher.key"), 0o600);
    let old_key = files(&place, "watcher.key.old-");
    assert_eq!((old_key.len(), place.read(&old_key[0])), (1, key));
    assert_eq!(place.mode(&old_key[0]), 0o600);
}

#[test]
fn an_interrupted_renewal_is_finished_by_the_next_run() {
    let place = place();
    let whole = place.run(&["pki", "renew", "watcher", "--new-key", "--directory", ".", "--json"]).succeeded().json();
    let before = whole["before"].as_str().unwrap().to_owned();
    let old_key = files(&place, "watcher.key.old-").remove(0);
    let (new, certificate, key) = (spki(&place, "watcher"), place.read("watcher.crt"), place.read("watcher.key"));
    // As it was after each of the steps.
    let interrupted = [("nothing replaced", &before, Some(&old_key)), ("the key replaced", &before, None)];
    for (when, old_certificate, old_key) in interrupted {
        fs::rename(place.path("watcher.crt"), place.path("watcher.crt.next")).unwrap();
        fs::rename(old_certificate, place.path("watcher.crt")).unwrap();
        if let Some(old_key) = old_key {
            fs::rename(place.path("watcher.key"), place.path("watcher.key.next")).unwrap();
            fs::rename(place.path(old_key), place.path("watcher.key")).unwrap();
        }
        place.run(&["pki", "renew", "watcher", "--directory", "."]).succeeded();
        assert_eq!(spki(&place, "watcher"), new, "{when}");
        assert_eq!(
            (place.read("watcher.crt"), place.read("watcher.key")),
            (certificate.clone(), key.clone()),
            "{when}"
        );
        assert!(watcher_comes_in(&place), "{when}");
        assert_eq!(files(&place, ".next"), [""; 0], "{when}");
    }
}

#[test]
fn a_revoked_watcher_is_out_with_every_certificate_it_had_and_only_a_new_key_brings_it_back() {
    let place = place();
    place.run(&["pki", "issue", "second", "--directory", "."]).succeeded();
    place.run(&["pki", "revoke", "--directory", "."]).succeeded();
    assert!(watcher_comes_in(&place), "an empty list");
    place.run(&["pki", "renew", "watcher", "--directory", "."]).succeeded();
    let revoked = place.run(&["pki", "revoke", "watcher", "--directory", ".", "--json"]).succeeded().json();
    assert_eq!((revoked["added"].as_array().unwrap().len(), &revoked["total"]), (2, &2.into()));
    assert_eq!(revoked["public_keys_sha256"], serde_json::json!([spki(&place, "watcher")]));
    assert!(!watcher_comes_in(&place));
    shake_hands(&place, (&place, "server"), (&place, "second"), "localhost").unwrap();
    // The one before is out too.
    let before = files(&place, "watcher.crt.old-").remove(0);
    fs::copy(place.path(&before), place.path("before.crt")).unwrap();
    fs::copy(place.path("watcher.key"), place.path("before.key")).unwrap();
    shake_hands(&place, (&place, "server"), (&place, "before"), "localhost").unwrap_err();

    let again = place.run(&["pki", "revoke", "watcher", "--directory", ".", "--json"]).succeeded().json();
    assert_eq!((again["added"].as_array().unwrap().len(), &again["total"]), (0, &2.into()));
    place.run(&["pki", "renew", "watcher", "--directory", "."]).refused(78, "--new-key");
    place.run(&["pki", "renew", "watcher", "--new-key", "--directory", "."]).succeeded();
    assert!(watcher_comes_in(&place));
}

#[test]
fn what_cannot_be_renewed_or_revoked_is_told() {
    let [place, other] = [(); 2].map(|()| place());
    let on = |command: &str, name: &str| place.run(&["pki", command, name, "--directory", "."]);
    on("renew", "ca").refused(2, "the authority's own name");
    on("renew", "absent").refused(78, "`pki issue` makes a first certificate");
    on("revoke", "absent").refused(78, "is not here");
    on("revoke", "server").refused(2, "no watcher reads this list");
    other.run(&["pki", "revoke", "--directory", "."]).succeeded();
    fs::copy(other.path("revoked.crl"), place.path("revoked.crl")).unwrap();
    on("revoke", "watcher").refused(78, "another CA");
    fs::copy(other.path("watcher.crt"), place.path("watcher.crt")).unwrap();
    on("renew", "watcher").refused(78, "issued by another CA");
}

#[test]
fn the_list_says_use_key_end_and_revocation() {
    let place = place();
    place.run(&["pki", "issue", "gone", "--directory", "."]).succeeded();
    place.run(&["pki", "renew", "watcher", "--directory", "."]).succeeded();
    place.run(&["pki", "revoke", "gone", "--directory", "."]).succeeded();
    let listed = place.run(&["pki", "list", "--directory", ".", "--json"]).succeeded().json();
    let listed = listed["certificates"].as_array().unwrap();
    let facts = |name: &str| {
        let one = listed.iter().find(|one| one["file"] == name).unwrap_or_else(|| panic!("{name}: {listed:?}"));
        assert!(one["not_after"].as_str().unwrap().ends_with('Z'));
        (one["use"].as_str().unwrap(), one["revoked"].as_bool().unwrap())
    };
    assert_eq!(listed.len(), 5);
    assert_eq!(facts("ca.crt"), ("ca", false));
    assert_eq!(facts("server.crt"), ("server", false));
    assert_eq!(facts("watcher.crt"), ("watcher", false));
    assert_eq!(facts("gone.crt"), ("watcher", true));
    assert_eq!(listed[1]["public_key_sha256"], spki(&place, "gone"));
    let text = place.run(&["pki", "list", "--directory", "."]).succeeded().out;
    assert!(text.lines().any(|line| line.starts_with("gone.crt") && line.ends_with("REVOKED")), "{text}");
}
