//! Figures computed by hand, each beside the limits that give it.

mod attack;

use super::*;

/// A verified Bitcoin key and two Ethereum keys without a limit yet.
const BASE: &str = r#"version = 1

[[watcher]]
name = "w"
public_keys_sha256 = ["00000000000000000000000000000000000000000000000000000000000000aa"]

[[asset]]
name = "BTC"
chain = "bitcoin-regtest"
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
name = "btc"
algorithm = "secp256k1"
assets = ["BTC"]
address_type = "p2wpkh"

[[key]]
name = "eth-a"
algorithm = "secp256k1"
assets = ["ETH", "USDC"]

[[key]]
name = "eth-b"
algorithm = "secp256k1"
assets = ["ETH", "USDC"]

[[address_list]]
name = "known"
addresses = ["bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"]
keys = ["btc"]
"#;

fn rule(rest: &str) -> String {
    format!(
        "\n[[rule]]\nname = \"{}\"\nwatchers = [\"w\"]\naction = \"sign\"\n{rest}\n",
        appliance_wire::sha256_hex(rest.as_bytes())
    )
}

fn limit(rest: &str) -> String {
    format!("\n[[limit]]\nname = \"{}\"\n{rest}\n", appliance_wire::sha256_hex(rest.as_bytes()))
}

fn of(parts: &[String]) -> WatcherExposure {
    let policy = Policy::parse(&format!("{BASE}{}", parts.concat())).unwrap();
    let mut exposure = exposure(&policy);
    assert_eq!(exposure.watchers.len(), 1);
    exposure.watchers.remove(0)
}

fn most(bounds: &[Bound]) -> Vec<String> {
    let text = |bound: &Bound| match &bound.most {
        Most::AtMost(most) => most.to_string(),
        Most::Unlimited(_) => "unlimited".to_owned(),
    };
    bounds.iter().map(text).collect()
}

fn anywhere(exposure: &WatcherExposure, asset: &str) -> Vec<String> {
    most(&exposure.assets.iter().find(|row| row.asset == asset).unwrap().anywhere)
}

fn listed(exposure: &WatcherExposure, asset: &str) -> Vec<String> {
    most(&exposure.assets.iter().find(|row| row.asset == asset).unwrap().to_listed_addresses)
}

const UNLIMITED: [&str; 3] = ["unlimited"; 3];
const NOTHING: [&str; 3] = ["0"; 3];

#[test]
fn a_limit_holds_once_in_each_window_of_the_time() {
    let pays = rule("keys = [\"btc\"]\nmax_fee = \"0.001\"");
    let day = limit("keys = [\"btc\"]\nasset = \"BTC\"\nmax_amount = \"10\"\nwindow = \"24h\"");
    let exposure = of(&[pays.clone(), day.clone()]);
    assert_eq!(anywhere(&exposure, "BTC"), ["10", "10", "70"]);
    assert_eq!(listed(&exposure, "BTC"), NOTHING);
    assert!(exposure.unlimited.is_empty() && exposure.assets.len() == 1);
    // 7 h fit 24 h four times at most: 3 times whole and a begun one.
    let hours = limit("asset = \"BTC\"\nmax_amount = \"3\"\nwindow = \"7h\"");
    assert_eq!(anywhere(&of(&[pays.clone(), hours.clone()]), "BTC"), ["3", "12", "72"]);
    assert_eq!(anywhere(&of(&[pays.clone(), hours, day.clone()]), "BTC"), ["3", "10", "70"]);
    let for_ever = limit("asset = \"BTC\"\nmax_amount = \"50\"\nwindow = \"lifetime\"");
    assert_eq!(anywhere(&of(&[pays, day, for_ever]), "BTC"), ["10", "10", "50"]);
}

#[test]
fn what_no_limit_holds_is_unlimited_and_says_which_key() {
    let pays = rule("keys = [\"eth-a\", \"eth-b\"]\nasset = \"USDC\"\nmax_amount = \"5\"\nmax_fee = \"0.01\"");
    let usdc = limit("keys = [\"eth-a\"]\nasset = \"USDC\"\nmax_amount = \"100\"\nwindow = \"1h\"");
    let exposure = of(&[pays, usdc]);
    assert_eq!(anywhere(&exposure, "USDC"), UNLIMITED);
    assert_eq!(anywhere(&exposure, "ETH"), UNLIMITED);
    assert_eq!(
        exposure.unlimited,
        [
            "no limit holds the sum of \"ETH\" that key \"eth-a\" spends on fees",
            "no limit holds the sum of \"ETH\" that key \"eth-b\" spends on fees",
            "no limit holds the sum of \"USDC\" that key \"eth-b\" pays",
        ]
    );
}

#[test]
fn a_limit_per_key_counts_for_each_and_one_per_watcher_once() {
    let pays = rule("keys = [\"eth-a\", \"eth-b\"]\nasset = \"ETH\"\nmax_fee = \"0.01\"");
    let per = |per: &str| limit(&format!("asset = \"ETH\"\nmax_amount = \"100\"\nwindow = \"24h\"{per}"));
    for (text, most) in [("", "100"), ("\nper = \"watcher\"", "100"), ("\nper = \"key\"", "200")] {
        assert_eq!(anywhere(&of(&[pays.clone(), per(text)]), "ETH")[1], most, "{text}");
    }
    // One key held apart by a tighter limit: 100 for the one, 30 for the other.
    let tight = limit("keys = [\"eth-b\"]\nasset = \"ETH\"\nmax_amount = \"30\"\nwindow = \"24h\"");
    assert_eq!(anywhere(&of(&[pays.clone(), per("\nper = \"key\""), tight.clone()]), "ETH")[1], "130");
    assert_eq!(anywhere(&of(&[pays, per(""), tight]), "ETH")[1], "100");
}

#[test]
fn a_limit_per_destination_holds_listed_addresses_and_fees_only() {
    let day = limit("asset = \"BTC\"\nmax_amount = \"2\"\nwindow = \"24h\"\nper = \"destination\"");
    let home = rule("keys = [\"btc\"]\ndestinations = \"known\"\nmax_fee = \"0.001\"");
    let exposure = of(&[home.clone(), day.clone()]);
    // One of the two addresses is of this chain; the fees have a sum of their own.
    assert_eq!((listed(&exposure, "BTC")[1].as_str(), anywhere(&exposure, "BTC")[1].as_str()), ("2", "2"));
    let exposure = of(&[home, rule("keys = [\"btc\"]\nmax_fee = \"0.1\""), day]);
    assert_eq!((listed(&exposure, "BTC")[1].as_str(), anywhere(&exposure, "BTC")[1].as_str()), ("2", "unlimited"));
}

#[test]
fn a_count_of_signatures_times_the_largest_request_is_a_bound() {
    let count = limit("max_signatures = 10\nwindow = \"24h\"");
    let small = "keys = [\"btc\"]\nasset = \"BTC\"\nmax_request_amount = \"0.5\"\nmax_fee = \"0.001\"";
    // 10 * 0.5 paid and 10 * 0.001 in fees.
    assert_eq!(anywhere(&of(&[rule(small), count.clone()]), "BTC"), ["5.01", "5.01", "35.07"]);
    let larger = small.replace("0.5", "0.7").replace("0.001", "0.0001");
    assert_eq!(anywhere(&of(&[rule(small), rule(&larger), count.clone()]), "BTC")[0], "7.01");
    let open = "keys = [\"btc\"]\nasset = \"BTC\"\nmax_amount = \"0.5\"\nmax_fee = \"0.001\"";
    assert_eq!(anywhere(&of(&[rule(open), count.clone()]), "BTC"), UNLIMITED);
    let by_share = "keys = [\"btc\"]\nasset = \"BTC\"\nmax_request_amount = \"0.5\"\nmax_fee_share = \"0.1\"";
    assert_eq!(anywhere(&of(&[rule(small), rule(by_share), count.clone()]), "BTC"), UNLIMITED);
    // A transaction there pays one destination, so max_amount bounds a request. Two keys share the ten.
    let both = "keys = [\"eth-a\", \"eth-b\"]\nasset = \"ETH\"\nmax_amount = \"0.5\"\nmax_fee = \"0.001\"";
    assert_eq!(anywhere(&of(&[rule(both), count.clone()]), "ETH")[0], "5.01");
    let each = count.replace("24h\"", "24h\"\nper = \"key\"");
    assert_eq!(anywhere(&of(&[rule(both), each]), "ETH")[0], "10.02");
}

#[test]
fn going_home_takes_only_its_fees() {
    let home = rule("keys = [\"btc\"]\ndestinations = \"self\"\nmax_fee = \"0.001\"");
    let exposure = of(&[home, limit("max_signatures = 10\nwindow = \"1h\"")]);
    assert_eq!(anywhere(&exposure, "BTC"), ["0.01", "0.24", "1.68"]);
    assert_eq!(listed(&exposure, "BTC"), NOTHING);
}

#[test]
fn what_is_not_read_is_unlimited_whatever_the_limits() {
    let limits = limit("max_signatures = 1\nwindow = \"lifetime\"")
        + &limit("asset = \"ETH\"\nmax_amount = \"1\"\nwindow = \"lifetime\"");
    let call = "keys = [\"eth-a\"]\nasset = \"ETH\"\nmax_amount = \"0\"\nmax_fee = \"0.001\"\n\
                call = { contract = \"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed\", selector = \"0x095ea7b3\" }";
    let exposure = of(&[rule(call), limits.clone()]);
    assert_eq!(anywhere(&exposure, "USDC"), UNLIMITED);
    assert_eq!(listed(&exposure, "ETH"), UNLIMITED);
    assert!(exposure.unlimited[0].contains("what a contract does with one is not known"), "{exposure:?}");
    let declared = BASE.replace("assets = [\"BTC\"]", "assets = [\"BTC\"]\nevidence = \"declared\"");
    let blind = "\n[[key]]\nname = \"attest\"\nalgorithm = \"ed25519\"\nevidence = \"blind\"\n";
    let rules = rule("keys = [\"btc\"]\nmax_fee = \"0\"") + &rule("keys = [\"attest\"]");
    let policy = Policy::parse(&format!("{declared}{blind}{rules}{limits}")).unwrap();
    let exposure = exposure_of_first(&policy);
    assert_eq!(anywhere(&exposure, "BTC"), UNLIMITED);
    assert_eq!(
        exposure.unlimited,
        [
            "key \"attest\" is blind: what it signs is not known",
            "key \"btc\" is declared: amounts are the watcher's word"
        ]
    );
}

fn exposure_of_first(policy: &Policy) -> WatcherExposure {
    exposure(policy).watchers.remove(0)
}

#[test]
fn a_rule_that_denies_and_a_watcher_without_rules_take_nothing() {
    let deny = rule("keys = [\"btc\"]\nmax_fee = \"0.001\"").replace("\"sign\"", "\"deny\"");
    let exposure = of(&[deny]);
    assert!(exposure.assets.is_empty() && exposure.unlimited.is_empty());
}

#[test]
fn what_takes_approval_is_named_and_not_counted() {
    let officers = crate::policy::tests::officers::OFFICERS;
    let (_, officers) = officers.split_once("[[officer]]").unwrap();
    let (officers, _) = officers.split_once("[[watcher]]").unwrap();
    let approve = "approve = 2, of = [\"alice\", \"bob\"], expires = \"4h\"";
    let large = rule("keys = [\"btc\"]\nmax_fee = \"0.001\"").replace("\"sign\"", &format!("{{ {approve} }}"));
    let small = rule("keys = [\"eth-a\"]\nasset = \"ETH\"\nmax_fee = \"0.01\"");
    let day = limit(&format!("asset = \"ETH\"\nmax_amount = \"3\"\nwindow = \"24h\"\nbeyond = {{ {approve} }}"));
    let text = format!("{BASE}[[officer]]{officers}{large}{small}{day}");
    let exposure = exposure_of_first(&Policy::parse(&text).unwrap());
    assert_eq!(anywhere(&exposure, "ETH"), ["3", "3", "21"]);
    assert!(exposure.assets.iter().all(|row| row.asset != "BTC"), "{exposure:?}");
    let [by_rule, beyond] = exposure.with_approval.as_slice() else { panic!("{exposure:?}") };
    assert!(by_rule.starts_with("by rule \"") && by_rule.ends_with("with approval of 2 of alice, bob"), "{by_rule}");
    assert!(beyond.starts_with("beyond limit \""), "{beyond}");
    let disabled = text.replace("name = \"eth-a\"", "name = \"eth-a\"\nstate = \"disabled\"");
    assert!(exposure_of_first(&Policy::parse(&disabled).unwrap()).assets.is_empty(), "a disabled key signs nothing");
}

#[test]
fn bounds_beyond_256_bits_are_unlimited() {
    let most = format!("{}", ruint::aliases::U256::MAX);
    let largest = most.parse::<Decimal>().unwrap().to_amount(0).unwrap().to_decimal(8);
    let pays = rule("keys = [\"btc\"]\nmax_fee = \"0.001\"");
    let day = limit(&format!("asset = \"BTC\"\nmax_amount = \"{largest}\"\nwindow = \"1h\""));
    assert_eq!(anywhere(&of(&[pays, day]), "BTC"), UNLIMITED);
}
