//! Evidence that is broken, wrong or a trick: each gets its code, is recorded and counted, and nothing is accepted.

use std::collections::BTreeMap;

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::harness::{trial, vault::Vault};

mod ethereum;
mod psbt;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("bad_evidence::a_psbt_that_must_not_be_signed_is_refused_by_its_code", || refused(psbt::cases)),
        trial("bad_evidence::an_evm_transaction_that_must_not_be_signed_is_refused_by_its_code", || {
            refused(ethereum::cases);
        }),
        trial("bad_evidence::evidence_and_level_of_the_key_belong_together", || refused(psbt::levels)),
    ]
}

/// A request, and the refusal it must get: code, rule where one decides, and some of its words.
struct Case {
    what: &'static str,
    body: Value,
    code: &'static str,
    rule: Option<&'static str>,
    words: &'static str,
}

fn case(what: &'static str, body: Value, code: &'static str, words: &'static str) -> Case {
    Case { what, body, code, rule: None, words }
}

fn invalid(what: &'static str, body: Value, words: &'static str) -> Case {
    case(what, body, "evidence-invalid", words)
}

fn mismatch(what: &'static str, body: Value, words: &'static str) -> Case {
    case(what, body, "digest-mismatch", words)
}

fn denied(what: &'static str, body: Value, rule: &'static str, words: &'static str) -> Case {
    Case { what, body, code: "denied", rule: Some(rule), words }
}

fn with(mut body: Value, pointer: &str, value: Value) -> Value {
    match body.pointer_mut(pointer) {
        Some(place) => *place = value,
        None => {
            let (parent, member) = pointer.rsplit_once('/').unwrap();
            body.pointer_mut(parent).unwrap()[member] = value;
        }
    }
    body
}

/// Puts every case under one id, then its good request under the same.
fn refused(cases: fn(&Vault) -> (Vec<Case>, Value)) {
    let vault = Vault::new();
    let (cases, good) = cases(&vault);
    let mut counted = BTreeMap::new();
    for Case { what, body, code, rule, words } in &cases {
        let problem = vault.watcher.refused("a", body);
        assert_eq!(problem.type_uri, format!("urn:chancery:problem:{code}"), "{what}: {}", problem.detail);
        assert!(problem.detail.contains(words), "{what}: {}", problem.detail);
        assert_eq!(problem.rule.as_deref(), *rule, "{what}: {}", problem.detail);
        assert_eq!(problem.request_id.as_deref(), Some("a"), "{what}");
        *counted.entry(*code).or_insert(0) += 1;
    }
    // A body that says nothing is nobody's attempt, and what is too large was not looked at.
    let recorded = cases.iter().filter(|case| !["malformed", "too-large"].contains(&case.code));
    let recorded: Vec<_> = recorded.map(|case| json!([case.code, case.rule])).collect();
    let entries = vault.entries("denied");
    let entries: Vec<_> = entries.iter().map(|entry| json!([entry["code"], entry.get("rule")])).collect();
    assert_eq!(entries, recorded);
    let (_, metrics) = vault.running.monitor("/metrics");
    for (code, count) in counted {
        let line = format!("chancery_refusals_total{{code=\"{code}\"}} {count}");
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
    assert_eq!(vault.watcher.get("/v1/signatures/a").code(), "unknown-request");
    assert!(vault.entries("accepted").is_empty());
    for limit in ["vault, a day", "ether, a day", "dollars, a day"] {
        assert_eq!(vault.used(limit), "0");
    }
    assert!(!vault.installation.path("state/evidence").exists(), "evidence of refusals is kept");
    // Nothing is bound by all this.
    vault.watcher.signed("a", good);
    vault.stop();
}
