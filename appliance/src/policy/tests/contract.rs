//! A policy with every section that does not take officers, as the documentation shows it.

use super::*;

/// Two keys of Bitcoin's kind and one of Ethereum's, all verified; one of them says so.
pub(super) const VERIFIED: &str = r#"version = 3

[[watcher]]
name = "btc-watcher"
public_keys_sha256 = ["00000000000000000000000000000000000000000000000000000000000000aa"]

[[asset]]
name = "BTC"
chain = "bitcoin"
decimals = 8

[[asset]]
name = "ETH"
chain = { evm = 1 }
decimals = 18

[[asset]]
name = "POL"
chain = { evm = 137 }
decimals = 18

[[key]]
name = "btc-hot"
algorithm = "secp256k1"
evidence = "verified"
assets = ["BTC"]
address_type = "p2wpkh"
children = true

[[key]]
name = "btc-vault"
algorithm = "secp256k1"
assets = ["BTC"]
address_type = "p2wpkh"

[[key]]
name = "eth-hot"
algorithm = "secp256k1"
assets = ["ETH", "POL"]

[[address_list]]
name = "cold-storage"
addresses = ["bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"]
keys = ["btc-vault"]

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
max_fee = "0.001"
max_fee_share = "0.05"
hours = { days = "Mon-Fri", from = "08:00", to = "20:00", zone = "UTC" }
action = "sign"

[[rule]]
name = "consolidate"
watchers = ["btc-watcher"]
keys = ["btc-hot"]
destinations = "self"
max_fee = "0.0005"
action = "sign"

[[rule]]
name = "approve the exchange contract"
watchers = ["btc-watcher"]
keys = ["eth-hot"]
asset = "ETH"
call = { contract = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", selector = "0x095ea7b3" }
max_fee = "0.01"
action = "sign"

[[limit]]
name = "hot wallet, a day"
keys = ["btc-hot"]
asset = "BTC"
max_amount = "10"
window = "24h"
per = "key"

[[limit]]
name = "hot wallet, a minute"
keys = ["btc-hot"]
max_signatures = 600
window = "1m"
"#;

#[test]
fn the_sample_of_verified_keys_is_read() {
    let policy = Policy::parse(VERIFIED).unwrap();
    assert!(policy.keys.iter().all(|key| key.evidence == Level::Verified));
    assert!(policy.keys[0].children && !policy.keys[1].children);
    let list = policy.address_list("cold-storage").unwrap();
    assert_eq!((list.addresses.len(), list.keys.as_slice()), (1, [label("btc-vault")].as_slice()));
    let destinations: Vec<_> = policy.rules.iter().map(|rule| rule.destinations.clone()).collect();
    let list = Destinations::List("cold-storage".to_owned());
    assert_eq!(destinations, [Some(list), None, Some(Destinations::OwnFamily), None]);
    let call = policy.rules[3].call.as_ref().unwrap();
    assert_eq!(call.contract, "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed");
    assert_eq!(call.selector, [0x09, 0x5e, 0xa7, 0xb3]);
}

#[test]
fn a_list_may_name_keys_alone() {
    let addresses = "addresses = [\"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4\"]\n";
    let policy = Policy::parse(&VERIFIED.replace(addresses, "")).unwrap();
    assert!(policy.address_list("cold-storage").unwrap().addresses.is_empty());
}

#[test]
fn a_key_of_bitcoins_kind_has_one_chain_and_others_none() {
    let policy = Policy::parse(VERIFIED).unwrap();
    let chain = |name| policy.chain_of_key(policy.key(&label(name)).unwrap());
    assert_eq!((chain("btc-hot"), chain("eth-hot")), (Some(Chain::Bitcoin), None));
    let declared = EXAMPLE.replacen("[\"BTC\"]", "[\"BTC\", \"LTC\"]", 1);
    let declared = declared.replacen("max_fee = \"0.001\"\n", "", 1);
    let litecoin = "[[asset]]\nname = \"LTC\"\nchain = \"litecoin\"\ndecimals = 8\n\n[[key]]";
    let policy = Policy::parse(&declared.replacen("[[key]]", litecoin, 1));
    let policy = policy.unwrap();
    assert_eq!(policy.chain_of_key(&policy.keys[0]), None);
}

#[test]
fn an_asset_is_found_by_chain_and_contract() {
    let policy = Policy::parse(EXAMPLE).unwrap();
    let on = |chain, contract| policy.asset_on(&chain, contract).map(|asset| asset.name.as_str());
    let usdc = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48";
    assert_eq!(on(Chain::Evm(1), Some(usdc)), Some("USDC"));
    assert_eq!(on(Chain::Evm(1), None), Some("ETH"));
    assert_eq!(on(Chain::Evm(137), Some(usdc)), None);
    assert_eq!(on(Chain::BitcoinRegtest, None), Some("BTC"));
}
