//! What a ceremony leaves, and who can tell when it was altered.

use std::fs;

use serde_json::{Value, json};

use super::Hall;

#[test]
fn an_altered_transcript_is_not_valid_and_the_first_bad_step_is_named() {
    let hall = Hall::softhsm("{ file = \"token/so-pin\" }");
    hall.ceremony(&["--yes"]).succeeded();
    let original: Value = serde_json::from_str(&hall.place.read("out/transcript.json")).unwrap();
    let altered = |change: &dyn Fn(&mut Value), because: &str| {
        let mut bent = original.clone();
        change(&mut bent);
        fs::write(hall.place.path("out/transcript.json"), bent.to_string()).unwrap();
        hall.verify().refused(3, because);
    };
    altered(&|bent| bent["steps"][3]["what"]["public_key"] = json!("00".repeat(32)), "is NOT valid: step 4:");
    altered(&|bent| bent["steps"][1]["what"]["serial"] = json!("0000"), "step 3: it does not follow");
    altered(&|bent| bent["steps"][0]["what"]["name"] = json!("Another"), "step 2: it does not follow");
    altered(&|bent| bent["signature"] = json!("00".repeat(64)), "the signature is not the log key's");
    altered(&|bent| drop(bent["steps"].as_array_mut().unwrap().pop()), "the ceremony has no end");
    altered(&|bent| drop(bent["steps"].as_array_mut().unwrap().remove(4)), "step 5: it is numbered 6");
    altered(&|bent| bent["steps"][2]["rehearsal"] = json!(true), "step 3: rehearsal and ceremony are mixed");
    altered(&|bent| bent["more"] = json!(1), "unknown field `more`");
    let mut bent = original.clone();
    bent["steps"][3]["what"]["label"] = json!("another");
    fs::write(hall.place.path("out/transcript.json"), bent.to_string()).unwrap();
    let said = hall.verify().json();
    assert_eq!((&said["valid"], &said["step"]), (&false.into(), &5.into()), "{said}");
    fs::write(hall.place.path("out/transcript.json"), original.to_string()).unwrap();
    hall.verify().succeeded();
}

#[test]
fn the_summary_is_in_words() {
    let hall = Hall::softhsm("{ file = \"token/so-pin\" }");
    hall.ceremony(&["--yes"]).succeeded();
    let said = hall.run(&["ceremony", "verify", "out/transcript.json"]).succeeded().out;
    assert!(said.starts_with("\"A trial\" is whole, and signed by the log key of exchange.example/signer-1"), "{said}");
    assert!(said.contains("btc-vault (secp256k1, in main, backed up, and restored once)"), "{said}");
}

#[test]
fn the_page_has_everything_and_asks_for_nothing() {
    let hall = Hall::softhsm("{ file = \"token/so-pin\" }");
    hall.ceremony(&["--yes"]).succeeded();
    let page = hall.place.read("out/transcript.html");
    for needed in ["size: A4", "Date, signature", "Alice", "Erin", "custodian", "btc-vault", "restored in token spare"]
    {
        assert!(page.contains(needed), "{needed}");
    }
    let sha256 = appliance_wire::sha256_hex(hall.place.read("out/transcript.json").as_bytes());
    assert!(page.contains(&sha256));
    for outside in ["<script", "http:", "https:", "src=", "href=", "url(", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn secrets_are_their_owners_alone() {
    let hall = Hall::softhsm("{ file = \"token/so-pin\" }");
    hall.ceremony(&["--yes"]).succeeded();
    for secret in ["token/so-pin", "token/main-pin", "pki/ca.key", "pki/server.key", "shares/Carol.txt"] {
        assert_eq!(hall.place.mode(&format!("out/{secret}")), 0o600, "{secret}");
    }
}
