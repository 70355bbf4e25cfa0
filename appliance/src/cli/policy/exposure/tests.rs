use super::*;
use crate::policy::Policy;

const POLICY: &str = r#"version = 2

[[watcher]]
name = "w"
public_keys_sha256 = ["00000000000000000000000000000000000000000000000000000000000000aa"]

[[asset]]
name = "BTC"
chain = "bitcoin"
decimals = 8

[[key]]
name = "hot"
algorithm = "secp256k1"
assets = ["BTC"]
address_type = "p2wpkh"

[[address_list]]
name = "cold"
addresses = ["bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"]

[[rule]]
name = "sweep"
watchers = ["w"]
keys = ["hot"]
destinations = "cold"
max_fee = "0.001"
action = "sign"

[[limit]]
name = "signatures"
max_signatures = 100
window = "24h"
"#;

#[test]
fn the_table_says_unlimited_first_and_why() {
    let text = text(&exposure(&Policy::parse(POLICY).unwrap()));
    let wanted = "\
UNLIMITED: a compromised \"w\" can take without end:
  - no limit holds the sum of \"BTC\" that key \"hot\" pays

The most a fully compromised watcher could take under policy version 2:

watcher \"w\"
                            1 h        24 h       7 d
  BTC  anywhere             0.1        0.1        0.7
  BTC  to listed addresses  UNLIMITED  UNLIMITED  UNLIMITED

Upper bounds";
    assert!(text.starts_with(wanted), "{text}");
    assert!(text.contains("signatures can be kept and sent later"));
}

#[test]
fn machines_get_the_same() {
    let json = serde_json::to_value(exposure(&Policy::parse(POLICY).unwrap())).unwrap();
    let asset = &json["watchers"][0]["assets"][0];
    assert_eq!(asset["anywhere"][2], serde_json::json!({ "hours": 168, "at_most": "0.7" }));
    let reason = "no limit holds the sum of \"BTC\" that key \"hot\" pays";
    assert_eq!(asset["to_listed_addresses"][0], serde_json::json!({ "hours": 1, "unlimited": [reason] }));
    assert_eq!(json["watchers"][0]["unlimited"], serde_json::json!([reason]));
}
