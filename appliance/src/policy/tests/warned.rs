use super::EXAMPLE;
use crate::policy::Policy;

fn warnings_after(from: &str, to: &str) -> Vec<String> {
    assert!(EXAMPLE.contains(from));
    Policy::parse(&EXAMPLE.replacen(from, to, 1)).unwrap().warnings
}

#[test]
fn every_asset_of_a_key_needs_a_limit_on_its_sum() {
    let (without, _) = EXAMPLE.split_once("[[limit]]").unwrap();
    let policy = Policy::parse(without).unwrap();
    let starts = ["key \"btc-hot\"", "key \"eth-hot\"", "key \"eth-hot\""];
    let assets = ["\"BTC\"", "\"ETH\"", "\"USDC\""];
    assert_eq!(policy.warnings.len(), 3, "{:?}", policy.warnings);
    for ((warning, start), asset) in policy.warnings.iter().zip(starts).zip(assets) {
        assert!(warning.starts_with(&format!("{start} has no limit on the sum of {asset}")), "{warning}");
    }
}

#[test]
fn a_count_or_another_keys_limit_is_no_limit_on_a_sum() {
    let count = "keys = [\"btc-hot\"]\nasset = \"BTC\"\nmax_amount = \"10\"\nwindow";
    let [warning] = &warnings_after(count, "keys = [\"btc-hot\"]\nmax_signatures = 10\nwindow")[..] else { panic!() };
    assert!(warning.contains("\"btc-hot\" has no limit on the sum of \"BTC\""), "{warning}");
    let [warning] = &warnings_after("window = \"24h\"\nper = \"key\"", "window = \"24h\"\nper = \"destination\"")[..]
    else {
        panic!()
    };
    assert!(warning.contains("\"btc-hot\" has no limit on the sum of \"BTC\""), "{warning}");
}

#[test]
fn children_of_a_key_whose_transactions_are_not_read_are_warned_of() {
    let [warning] = &warnings_after("children = false", "children = true")[..] else { panic!() };
    assert!(warning.starts_with("key \"btc-hot\" is declared and has children: it is one key"), "{warning}");
    let verified = EXAMPLE.replacen("evidence = \"declared\"", "evidence = \"verified\"", 1);
    let policy = Policy::parse(&verified.replacen("children = false", "children = true", 1)).unwrap();
    assert_eq!(policy.warnings, Vec::<String>::new());
}

#[test]
fn a_key_that_no_rule_signs_with_needs_no_limit() {
    let policy = Policy::parse(super::contract::VERIFIED).unwrap();
    assert_eq!(policy.warnings.len(), 2);
    for (warning, asset) in policy.warnings.iter().zip(["ETH", "POL"]) {
        assert!(warning.starts_with(&format!("key \"eth-hot\" has no limit on the sum of \"{asset}\"")), "{warning}");
    }
}
