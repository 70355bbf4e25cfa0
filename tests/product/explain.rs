//! Explain: what a request would come to, told and not done.

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::harness::{
    body::DESTINATION,
    trial,
    vault::{
        Vault,
        coins::{COIN, Spend, spend, to},
        ether::{RECIPIENT, body, dollars},
    },
    wire::Answer,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("explain::tells_rules_limits_and_holds_of_what_would_be_signed", would_sign),
        trial("explain::tells_why_it_would_be_refused", would_refuse),
        trial("explain::binds_records_and_charges_nothing", leaves_no_trace),
        trial("explain::of_a_request_put_before_says_that_it_is_bound", bound),
        trial("explain::of_a_variant_tells_what_it_would_add", variant),
        trial("explain::of_what_cannot_be_decided_is_its_problem", undecidable),
    ]
}

fn explain(vault: &Vault, id: &str, body: &Value) -> Answer {
    vault.watcher.call("POST", &format!("/v1/signatures/{id}/explain"), body.to_string())
}

fn pays(vault: &Vault, number: u16, sats: u64) -> Spend {
    spend(&[vault.plain(number)], &[to(sats, DESTINATION), vault.back(COIN - sats - 1_000, "vault")])
}

fn would_sign() {
    let vault = Vault::new();
    let spend = pays(&vault, 1, COIN / 10);
    let told = explain(&vault, "a", &spend.body()).good();
    assert_eq!((&told["request_id"], &told["outcome"], told.get("problem")), (&json!("a"), &json!("sign"), None));
    assert_eq!(told["amounts_verified"], true);
    let payment = &told["payments"][0];
    assert_eq!(payment["paid"], json!({ "asset": "BTC", "amount": "0.1", "destination": DESTINATION }));
    let rules = payment["rules"].as_array().unwrap();
    let rules: Vec<_> = rules.iter().map(|rule| json!([rule["rule"], rule["matches"], rule["reason"]])).collect();
    let safe = json!(["to the safe", false, "the destination is not in its list"]);
    assert_eq!(rules, [safe, json!(["withdrawals", true, "it signs"])]);
    let change = json!([{ "asset": "BTC", "amount": "0.89999", "destination": vault.address("vault") }]);
    assert_eq!(told["change"], change);
    assert_eq!(told["fee"], json!({ "asset": "BTC", "amount": "0.00001" }));
    let limit =
        json!({ "limit": "vault, a day", "asset": "BTC", "max": "10", "used": "0", "adds": "0.10001", "fits": true });
    assert_eq!(told["limits"], json!([limit]));
    assert_eq!(told["holds"], json!([{ "hold": spend.coins[0].outpoint().to_string(), "free": true }]));
    // A payment to a key of ours says whose it is; each asset has its limit.
    let ours = crate::harness::vault::coins::spend(&[vault.plain(2)], &[vault.back(COIN - 1_000, "cold")]);
    assert_eq!(explain(&vault, "a", &ours.body()).good()["payments"][0]["ours"], "cold");
    let tokens = explain(&vault, "a", &body("eth", &dollars(0, RECIPIENT, 1_500_000))).good();
    let adds: Vec<_> = tokens["limits"].as_array().unwrap().iter().map(|limit| limit["adds"].clone()).collect();
    assert_eq!(adds, [json!("0.001"), json!("1.5")]);
    assert_eq!(tokens["holds"][0]["hold"], format!("evm:31337/{}/0", vault.address("eth")));
    vault.stop();
}

/// The problem of an explanation that refuses.
fn problem(told: &Value) -> String {
    assert_eq!(told["outcome"], "refuse", "{told}");
    told["problem"]["type"].as_str().unwrap().trim_start_matches("urn:chancery:problem:").to_owned()
}

fn would_refuse() {
    let policy = crate::harness::vault::policy().replace("max_amount = \"10\"", "max_amount = \"0.3\"");
    let vault = Vault::with_policy(&policy);
    let over = explain(&vault, "a", &pays(&vault, 1, COIN * 6 / 10).body()).good();
    assert_eq!((problem(&over), &over["problem"]["rule"]), ("denied".to_owned(), &json!("withdrawals")));
    let rules = over["payments"][0]["rules"].as_array().unwrap();
    // No rule matches, so all of them are told.
    assert_eq!(rules.len(), 3);
    assert!(rules.iter().all(|rule| rule["matches"] == false));
    assert!(rules[1]["reason"].as_str().unwrap().contains("0.6 BTC is over 0.5"), "{over}");
    let spent = explain(&vault, "a", &pays(&vault, 1, COIN * 4 / 10).body()).good();
    assert_eq!((problem(&spent), &spent["problem"]["limit"]), ("limit-exceeded".to_owned(), &json!("vault, a day")));
    let limit = &spent["limits"][0];
    assert_eq!((&limit["adds"], &limit["max"], &limit["fits"]), (&json!("0.40001"), &json!("0.3"), &json!(false)));
    vault.watcher.signed("holder", pays(&vault, 1, COIN / 10).body());
    let held = explain(&vault, "a", &pays(&vault, 1, COIN / 20).body()).good();
    assert_eq!((problem(&held), &held["problem"]["held_by"]), ("input-reserved".to_owned(), &json!("holder")));
    assert_eq!((&held["holds"][0]["free"], &held["limits"][0]["used"]), (&json!(false), &json!("0.10001")));
    vault.stop();
}

fn leaves_no_trace() {
    let vault = Vault::new();
    let size = || (vault.running.metric("chancery_log_size"), vault.installation.entries().len());
    let before = size();
    let (good, over) = (pays(&vault, 1, COIN / 10).body(), pays(&vault, 1, COIN * 6 / 10).body());
    for _ in 0..20 {
        assert_eq!(explain(&vault, "a", &good).good()["outcome"], "sign");
        assert_eq!(explain(&vault, "a", &over).good()["outcome"], "refuse");
    }
    assert_eq!(size(), before);
    assert_eq!(vault.used("vault, a day"), "0");
    assert!(!vault.installation.path("state/evidence").exists());
    assert_eq!(vault.watcher.get("/v1/signatures/a").code(), "unknown-request");
    // Put, it is decided afresh, and as whatever it is then.
    assert_eq!(vault.watcher.put("a", &over).code(), "denied");
    vault.watcher.signed("a", &good);
    assert_eq!(vault.used("vault, a day"), "0.10001");
    vault.stop();
}

fn bound() {
    let vault = Vault::new();
    let put = pays(&vault, 1, COIN / 10).body();
    vault.watcher.signed("a", &put);
    let told = explain(&vault, "a", &put).good();
    assert_eq!((&told["outcome"], told.get("problem")), (&json!("bound"), None));
    assert_eq!((&told["limits"], &told["holds"]), (&json!([]), &json!([])));
    let other = explain(&vault, "a", &pays(&vault, 2, COIN / 10).body()).good();
    assert_eq!(problem(&other), "request-conflict");
    vault.stop();
}

fn variant() {
    let vault = Vault::new();
    vault.watcher.signed("a", pays(&vault, 1, COIN / 10).body());
    let bump = spend(&[vault.plain(1)], &[to(COIN / 10, DESTINATION), vault.back(COIN * 9 / 10 - 3_000, "vault")]);
    let told = explain(&vault, "b", &bump.replacing("a")).good();
    assert_eq!((&told["outcome"], &told["limits"][0]["adds"]), (&json!("sign"), &json!("0.00002")));
    assert_eq!(told["holds"][0]["free"], true);
    // As a withdrawal of its own it could not have the input.
    let alone = explain(&vault, "b", &bump.body()).good();
    assert_eq!((problem(&alone), &alone["holds"][0]["free"]), ("input-reserved".to_owned(), &json!(false)));
    let more = explain(&vault, "b", &pays(&vault, 1, COIN / 5).replacing("a")).good();
    assert_eq!((problem(&more), &more["problem"]["rule"]), ("denied".to_owned(), &json!("replacement")));
    vault.stop();
}

fn undecidable() {
    let vault = Vault::new();
    let before = vault.installation.entries().len();
    let good = pays(&vault, 1, COIN / 10).body();
    let with = |pointer: &str, value: Value| {
        let mut body = good.clone();
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    let cases = [
        (with("/evidence/data", json!("cHNidP8=")), "evidence-invalid"),
        (with("/evidence/format", json!("psbt2")), "evidence-invalid"),
        (with("/items/0/digest", json!("07".repeat(32))), "digest-mismatch"),
        (with("/items", json!([])), "malformed"),
        (json!({}), "malformed"),
    ];
    for (body, code) in &cases {
        assert_eq!(explain(&vault, "a", body).problem().type_uri, format!("urn:chancery:problem:{code}"));
    }
    assert_eq!(problem(&explain(&vault, "a", &json!({ "items": good["items"] })).good()), "evidence-required");
    assert_eq!(problem(&explain(&vault, "a", &with("/items/0/key", json!("chill"))).good()), "unknown-key");
    assert_eq!(explain(&vault, ".a", &good).code(), "malformed");
    vault.installation.run("chancery", &["freeze", "--key", "vault", "--reason", "a drill"]);
    assert_eq!(explain(&vault, "a", &good).code(), "frozen");
    // The freeze is all that was written.
    assert_eq!(vault.installation.entries().len(), before + 1);
    vault.stop();
}
