use std::sync::Arc;

use appliance_wire::{Addresses, Genesis, KeyEntry, LogKey, PolicyEntry};
use hsm_types::Algorithm;

use crate::{
    audit::{self, Allocated, BootFacts, FirstEntries, Incoming, Install, LogCopy, Subject},
    metrics::Metrics,
    officers::ActRequest,
    policy::Policy,
    state::address_of,
    tokens::Family,
};

const POLICY: &str = r#"
version = 1

[[watcher]]
name = "w"
public_keys_sha256 = ["0000000000000000000000000000000000000000000000000000000000000001"]

[[asset]]
name = "BTC"
chain = "bitcoin-regtest"
decimals = 8

[[key]]
name = "vault"
algorithm = "secp256k1"
assets = ["BTC"]
address_type = "p2wpkh"
children = true

[[rule]]
name = "withdrawals"
watchers = ["w"]
keys = ["vault"]
max_fee = "1"
action = "sign"
"#;

fn entry(document: &str) -> (Policy, PolicyEntry) {
    let policy = Policy::parse(document).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let entry = PolicyEntry::unsigned(policy.version, policy.sha256.clone(), document.to_owned());
    (policy, entry)
}

/// Addresses are made before the writer is asked, under the policy of that moment.
#[tokio::test]
async fn addresses_of_the_policy_before_are_not_recorded_under_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let (before, policy) = entry(POLICY);
    let key = KeyEntry {
        name: "vault".parse().unwrap(),
        algorithm: Algorithm::Secp256k1,
        public_key: "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798".to_owned(),
        evidence: "verified".to_owned(),
        token: "t".to_owned(),
        chain_code: Some("07".repeat(32)),
        backup: false,
        attestation: Vec::new(),
        change: None,
    };
    let children = Family::of(&key).unwrap().children(0..2).unwrap();
    let address = |child: &hsm_types::ChildKey| address_of(&before, &before.keys[0], child.public_key());
    let allocation = Addresses {
        key: key.name.clone(),
        first: 0,
        count: 2,
        addresses: children.iter().filter_map(address).collect(),
        watcher: "w".to_owned(),
    };
    let genesis = Genesis {
        origin: "test.example/1".to_owned(),
        log_key: LogKey::new("test.example/1", &[1; 32]).unwrap().to_string(),
        log_key_label: "chancery-log".parse().unwrap(),
        token: "t".to_owned(),
        profile: "development".to_owned(),
        ceremony: None,
    };
    audit::create(&state, FirstEntries { genesis, policy, keys: vec![key] }).unwrap();
    let (anchored, unanchored_percent) = (false, None);
    let (program_sha256, config_sha256, tokens) = (String::new(), String::new(), Vec::new());
    let facts = BootFacts { program_sha256, config_sha256, tokens, anchored, unanchored_percent };
    let log = audit::open(&state, audit::Archive::default())
        .unwrap()
        .start(&state, facts, Arc::new(Metrics::default()))
        .unwrap();

    log.anchored(Ok(log.log().tip().size)).await;

    // The form may change as long as there are no children.
    let (_, next) = entry(&POLICY.replace("version = 1", "version = 2").replace("p2wpkh", "p2pkh"));
    let request = Incoming::Signed(ActRequest::InstallPolicy { document: next.document }, Vec::new());
    log.install(Install { request, keys: Vec::new() }).await.unwrap();
    assert_eq!(log.allocate(allocation, 1).await, Ok(Allocated::Overtaken(0)));
    log.stop().await;
    let subject = Subject { log: LogCopy::State(&state), log_key: None, since: None, progress: &|_| {} };
    audit::verify(&subject).unwrap();
}
