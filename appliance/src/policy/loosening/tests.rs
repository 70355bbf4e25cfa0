//! Pairs of policies whose loosening is known, and random ones against the code that decides.

mod pairs;
mod pairs_of_limits;
mod random;
mod scale;

use super::*;
use crate::policy::tests::officers::{ALICE, BOB, CAROL, DAVE, ERIN};

/// A policy with a bit of everything; what a pair is about is changed in it.
fn base() -> String {
    let officers = [("alice", ALICE), ("bob", BOB), ("carol", CAROL), ("dave", DAVE)]
        .map(|(name, key)| format!("[[officer]]\nname = \"{name}\"\nssh_keys = [\"{key}\"]\n"));
    format!("version = 1\n{}{REST}", officers.concat())
}

fn policy(text: &str) -> Policy {
    Policy::parse(text).unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}"))
}

fn found(in_force: &str, candidate: &str) -> Vec<String> {
    loosenings(&policy(in_force), &policy(candidate)).into_iter().map(|loosening| loosening.what).collect()
}

const REST: &str = r#"
[quorum]
policy = 2
loosen = 3
loosen_delay = "24h"
unfreeze = 2

[[watcher]]
name = "btc-watcher"
public_keys_sha256 = ["00000000000000000000000000000000000000000000000000000000000000aa"]

[[watcher]]
name = "eth-watcher"
public_keys_sha256 = ["00000000000000000000000000000000000000000000000000000000000000bb"]

[[asset]]
name = "BTC"
chain = "bitcoin"
decimals = 8

[[asset]]
name = "ETH"
chain = { evm = 1 }
decimals = 18

[[asset]]
name = "USDC"
chain = { evm = 1 }
contract = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
decimals = 6

[[key]]
name = "btc-hot"
algorithm = "secp256k1"
assets = ["BTC"]
address_type = "p2wpkh"
state = "active"

[[key]]
name = "btc-vault"
algorithm = "secp256k1"
assets = ["BTC"]
address_type = "p2wpkh"

[[key]]
name = "eth-hot"
algorithm = "secp256k1"
assets = ["ETH"]

[[key]]
name = "attest"
algorithm = "ed25519"
evidence = "blind"

[[address_list]]
name = "cold"
addresses = ["bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"]
keys = ["btc-vault"]

[[address_list]]
name = "bad"
addresses = ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"]

[[rule]]
name = "never"
watchers = ["btc-watcher"]
keys = ["btc-hot"]
destinations = "bad"
action = "deny"

[[rule]]
name = "sweep"
watchers = ["btc-watcher"]
keys = ["btc-hot"]
destinations = "cold"
max_fee = "0.001"
action = "sign"

[[rule]]
name = "office"
watchers = ["btc-watcher"]
keys = ["btc-hot"]
asset = "BTC"
max_amount = "0.1"
max_request_amount = "2"
max_fee = "0.001"
max_fee_share = "0.05"
hours = { days = "Mon-Fri", from = "08:00", to = "20:00", zone = "Europe/Berlin" }
action = "sign"

[[rule]]
name = "large"
watchers = ["btc-watcher"]
keys = ["btc-hot"]
asset = "BTC"
max_amount = "5"
max_fee = "0.001"
max_fee_share = "0.05"
action = { approve = 2, of = ["alice", "bob", "carol"], expires = "4h", delay = "10m" }

[[rule]]
name = "gather"
watchers = ["btc-watcher"]
keys = ["btc-hot"]
destinations = "self"
max_fee = "0.0005"
action = "sign"

[[rule]]
name = "ether"
watchers = ["eth-watcher"]
keys = ["eth-hot"]
asset = "ETH"
max_amount = "1"
max_fee = "0.01"
action = "sign"

[[rule]]
name = "spend"
watchers = ["eth-watcher"]
keys = ["eth-hot"]
asset = "ETH"
call = { contract = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", selector = "0x095ea7b3" }
max_fee = "0.01"
action = "sign"

[[rule]]
name = "attestations"
watchers = ["eth-watcher"]
keys = ["attest"]
hours = { days = "Mon-Sun", from = "00:00", to = "24:00", zone = "UTC" }
action = "sign"

[[limit]]
name = "a day"
keys = ["btc-hot", "btc-vault"]
asset = "BTC"
max_amount = "10"
window = "24h"

[[limit]]
name = "to one, a day"
keys = ["btc-hot"]
asset = "BTC"
max_amount = "6"
window = "24h"
per = "destination"
beyond = { approve = 2, of = ["alice", "bob", "carol"], expires = "4h" }

[[limit]]
name = "signatures"
max_signatures = 600
window = "1m"
per = "key"
"#;
