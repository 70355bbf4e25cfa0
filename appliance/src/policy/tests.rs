mod contract;
mod mistakes;
mod mistakes_of_officers;
mod mistakes_of_verified;
pub(super) mod officers;
mod warned;

use appliance_wire::{AddressType, Amount, Decimal};

use super::*;

/// A policy with every key this version knows.
const EXAMPLE: &str = r#"version = 3

[[watcher]]
name = "btc-watcher"
public_keys_sha256 = [
  "00000000000000000000000000000000000000000000000000000000000000aa",
  "00000000000000000000000000000000000000000000000000000000000000AB",
]

[[watcher]]
name = "eth-watcher"
public_keys_sha256 = ["00000000000000000000000000000000000000000000000000000000000000bb"]

[[asset]]
name = "BTC"
chain = "bitcoin-regtest"
decimals = 8

[[asset]]
name = "USDC"
chain = { evm = 1 }
contract = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
decimals = 6

[[asset]]
name = "ETH"
chain = { evm = 1 }
decimals = 18

[[key]]
name = "btc-hot"
algorithm = "secp256k1"
evidence = "declared"
assets = ["BTC"]
address_type = "p2wpkh"
children = false

[[key]]
name = "eth-hot"
algorithm = "secp256k1"
evidence = "declared"
assets = ["ETH", "USDC"]

[[key]]
name = "attest"
algorithm = "ed25519"
evidence = "blind"

[[address_list]]
name = "cold-storage"
addresses = [
  "BCRT1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KYGT080",
  "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
]

[[rule]]
name = "sweep to cold storage"
watchers = ["btc-watcher"]
keys = ["btc-hot"]
destinations = "cold-storage"
max_fee = "0.001"
action = "sign"

[[rule]]
name = "customer withdrawals"
watchers = ["btc-watcher"]
keys = ["btc-hot"]
asset = "BTC"
max_amount = "0.5"
max_request_amount = "2"
max_fee = "0.001"
max_fee_share = "0.05"
hours = { days = "Mon-Fri", from = "08:00", to = "20:00", zone = "UTC" }
action = "sign"

[[rule]]
name = "stablecoin"
watchers = ["eth-watcher"]
keys = ["eth-hot"]
asset = "USDC"
max_amount = "1000.5"
max_fee = "0.01"
action = "sign"

[[rule]]
name = "attest"
watchers = ["btc-watcher", "eth-watcher"]
keys = ["attest"]
action = "sign"

[[rule]]
name = "never"
watchers = ["eth-watcher"]
keys = ["btc-hot"]
action = "deny"

[[limit]]
name = "hot wallet, a day"
keys = ["btc-hot"]
asset = "BTC"
max_amount = "10"
window = "24h"
per = "key"

[[limit]]
name = "everything, a minute"
max_signatures = 600
window = "1m"

[[limit]]
name = "gas, for ever"
keys = ["eth-hot"]
asset = "ETH"
max_amount = "5"
window = "lifetime"

[[limit]]
name = "stablecoin, a day"
asset = "USDC"
max_amount = "1000"
window = "1d"

[[officer]]
name = "alice"
ssh_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEizZH22L0BlAHR/IpShoxdADyDfvT6l0iz1Ne8SsdS4"]

[[officer]]
name = "dave"
ssh_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEHwstm3UbUOjBjnAWFakMA65a8ovUkubLvu6weWwgdy"]

[[officer]]
name = "erin"
ssh_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINccdar+UDL2rEdExMruk9TjSUyzG8GZFbHC2DwRTU+U"]

[quorum]
policy = 1
loosen = 2
loosen_delay = "1d"
unfreeze = 1
"#;

fn label(text: &str) -> KeyLabel {
    text.parse().unwrap()
}

fn amount(text: &str, decimals: u8) -> Option<Amount> {
    Some(text.parse::<Decimal>().unwrap().to_amount(decimals).unwrap())
}

#[test]
fn the_example_is_read() {
    let policy = Policy::parse(EXAMPLE).unwrap();
    assert_eq!((policy.version, policy.document.as_str()), (3, EXAMPLE));
    assert_eq!(policy.sha256, appliance_wire::sha256_hex(EXAMPLE.as_bytes()));
    let usdc = policy.asset("USDC").unwrap();
    assert_eq!(usdc.contract.as_deref(), Some("0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"));
    assert_eq!(policy.native_asset(&usdc.chain).unwrap().name, "ETH");
    assert!(policy.native_asset(&Chain::Evm(2)).is_none());
    let key = policy.key(&label("btc-hot")).unwrap();
    assert_eq!((key.evidence, key.address_type), (Level::Declared, Some(AddressType::P2wpkh)));
    let list: Vec<_> = policy.address_list("cold-storage").unwrap().addresses.iter().map(String::as_str).collect();
    let normal = ["0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"];
    assert_eq!(list, normal);
    let [sweep, withdrawals, stablecoin, ..] = policy.rules.as_slice() else { panic!("{:?}", policy.rules) };
    assert_eq!(
        (&sweep.destinations, sweep.max_fee),
        (&Some(Destinations::List("cold-storage".to_owned())), amount("0.001", 8))
    );
    assert_eq!(withdrawals.max_amount, amount("0.5", 8));
    assert_eq!(withdrawals.max_request_amount, amount("2", 8));
    assert_eq!(withdrawals.max_fee_share, "0.05".parse().ok());
    assert!(withdrawals.hours.is_some());
    // A token's fee is counted in the chain's own asset.
    assert_eq!((stablecoin.max_amount, stablecoin.max_fee), (amount("1000.5", 6), amount("0.01", 18)));
    let [day, minute, for_ever, _] = policy.limits.as_slice() else { panic!("{:?}", policy.limits) };
    assert_eq!((day.max, day.window_ms), (Max::Amount(amount("10", 8).unwrap()), 86_400_000));
    assert_eq!((day.asset.as_deref(), day.per), (Some("BTC"), Some(Per::Key)));
    assert_eq!((minute.max, minute.window_ms, minute.per), (Max::Signatures(600), 60_000, None));
    assert_eq!(minute.keys, [label("btc-hot"), label("eth-hot"), label("attest")]);
    assert!(for_ever.is_lifetime() && !day.is_lifetime());
    assert_eq!(policy.warnings, Vec::<String>::new());
}

#[test]
fn a_watcher_is_found_by_any_of_its_public_keys() {
    let policy = Policy::parse(EXAMPLE).unwrap();
    for (byte, name) in
        [(0xaa, Some("btc-watcher")), (0xab, Some("btc-watcher")), (0xbb, Some("eth-watcher")), (0, None)]
    {
        let mut hash = [0; 32];
        hash[31] = byte;
        assert_eq!(policy.watcher_of(&hash).map(|watcher| watcher.name.as_str()), name);
    }
}

#[test]
fn a_rule_that_denies_grants_nothing() {
    let policy = Policy::parse(EXAMPLE).unwrap();
    let granted = |watcher| policy.granted_keys(watcher).map(|key| key.name.as_str()).collect::<Vec<_>>();
    assert_eq!(granted("btc-watcher"), ["btc-hot", "attest"]);
    assert_eq!(granted("eth-watcher"), ["eth-hot", "attest"]);
    assert_eq!(granted("nobody"), Vec::<&str>::new());
}

#[test]
fn a_policy_may_grant_nothing_at_all() {
    let policy = Policy::parse("version = 1").unwrap();
    assert!(policy.rules.is_empty() && policy.granted_keys("w").next().is_none());
}
