use super::EXAMPLE;
use crate::policy::Policy;

fn warnings_after(from: &str, to: &str) -> Vec<String> {
    assert!(EXAMPLE.contains(from));
    Policy::parse(&EXAMPLE.replacen(from, to, 1)).unwrap().warnings
}

#[test]
fn every_asset_of_a_key_needs_a_limit_on_its_sum() {
    let (without, rest) = EXAMPLE.split_once("[[limit]]").unwrap();
    let (_, officers) = rest.split_once("[[officer]]").unwrap();
    let policy = Policy::parse(&format!("{without}[[officer]]{officers}")).unwrap();
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
    assert_eq!(policy.warnings.len(), 3);
    for (warning, asset) in policy.warnings.iter().zip(["ETH", "POL"]) {
        assert!(warning.starts_with(&format!("key \"eth-hot\" has no limit on the sum of \"{asset}\"")), "{warning}");
    }
}

#[test]
fn money_without_officers_is_warned_of() {
    let policy = Policy::parse(super::contract::VERIFIED).unwrap();
    let last = policy.warnings.last().unwrap();
    assert!(last.starts_with("there is no [[officer]], and \"BTC\" is money"), "{last}");
    let (without, _) = EXAMPLE.split_once("[[officer]]").unwrap();
    let [warning] = &Policy::parse(without).unwrap().warnings[..] else { panic!() };
    assert!(warning.starts_with("there is no [[officer]], and \"USDC\" is money"), "{warning}");
    let elsewhere = without.replace("{ evm = 1 }", "{ evm = 11155111 }");
    assert_eq!(Policy::parse(&elsewhere).unwrap().warnings, Vec::<String>::new(), "test coins");
}

#[test]
fn a_quorum_of_one_and_a_quorum_of_all_are_warned_of() {
    let [warning] = &warnings_after("loosen = 2", "loosen = 1")[..] else { panic!() };
    assert!(warning.starts_with("quorum.loosen is 1"), "{warning}");
    let [warning] = &warnings_after("loosen = 2", "loosen = 3")[..] else { panic!() };
    assert!(warning.starts_with("quorum.loosen takes all 3 officers"), "{warning}");
}

#[test]
fn approvals_of_fewer_than_the_quorum_are_warned_of() {
    let few = "action = { approve = 1, of = [\"alice\"], expires = \"4h\" }";
    let beyond = "window = \"24h\"\nbeyond = { approve = 1, of = [\"dave\"], expires = \"4h\" }";
    let text = EXAMPLE.replacen("action = \"sign\"", few, 1).replacen("window = \"24h\"", beyond, 1);
    assert_eq!(Policy::parse(&text).unwrap().warnings, Vec::<String>::new());
    let warnings = Policy::parse(&text.replacen("policy = 1", "policy = 2", 1)).unwrap().warnings;
    let [rule, limit] = &warnings[..] else { panic!("{warnings:?}") };
    assert_eq!(
        (rule.as_str(), limit.split(" asks").next().unwrap()),
        (
            "rule \"sweep to cold storage\" asks for 1, fewer than the 2 officers who tighten a policy (quorum.policy)",
            "limit \"hot wallet, a day\""
        )
    );
}
