use super::EXAMPLE;
use crate::policy::Policy;

pub(super) fn mistakes_of(text: &str) -> Vec<String> {
    Policy::parse(text).unwrap_err().0.iter().map(ToString::to_string).collect()
}

/// What is told after `from` became `to`, once, on the line `line` of the example.
fn mistakes_after(line: usize, from: &str, to: &str) -> Vec<String> {
    mistakes_of_changed(EXAMPLE, line, from, to)
}

/// Likewise, of another text.
pub(super) fn mistakes_of_changed(text: &str, line: usize, from: &str, to: &str) -> Vec<String> {
    let lines = text.lines().enumerate().map(|(index, text)| {
        if index + 1 == line {
            assert!(text.contains(from), "line {line} is {text}");
            text.replacen(from, to, 1)
        } else {
            text.to_owned()
        }
    });
    mistakes_of(&lines.collect::<Vec<_>>().join("\n"))
}

fn check(table: &[(usize, &str, &str, &str)]) {
    for (line, from, to, words) in table {
        let mistakes = mistakes_after(*line, from, to);
        assert!(mistakes.iter().any(|mistake| mistake.starts_with(words)), "{to:?}: {words} in {mistakes:#?}");
    }
}

#[test]
fn of_the_head_and_of_watchers() {
    check(&[
        (1, "3", "0", "line 1, version: write an integer from 1"),
        (1, "3", "\"3\"", "line 1, version: write an integer from 1 to 9007199254740991, not a text"),
        (1, "version = 3", "", "line 1, version: is missing"),
        (4, "\"btc-watcher\"", "\"\"", "line 4, watcher[1].name: write 1 to 100 characters"),
        (4, "btc-watcher", " btc-watcher", "line 4, watcher[1].name: write 1 to 100 characters"),
        (4, "btc-watcher", "a\\nb", "line 4, watcher[1].name: write 1 to 100 characters"),
        (4, "name = \"btc-watcher\"", "", "line 3, watcher[1].name: is missing"),
        (6, "00aa\"", "0aa\"", "line 6, watcher[1].public_keys_sha256: \"00"),
        (7, "00AB\"", "00AA\"", "line 7, watcher[1].public_keys_sha256: 00"),
        (11, "eth", "btc", "line 11, watcher[2].name: another [[watcher]] has this name"),
        (12, "00bb", "00aa", "line 12, watcher[2].public_keys_sha256: 00"),
        (12, "[\"", "[]#", "line 12, watcher[2].public_keys_sha256: is empty"),
        (12, "public_keys_sha256", "public_key_sha256", "line 12, watcher[2].public_key_sha256: unknown key, did you"),
    ]);
}

#[test]
fn of_assets() {
    check(&[
        (15, "BTC", "ETH", "line 26, asset[3].name: another [[asset]] has this name"),
        (16, "bitcoin-regtest", "bitcoins", "line 16, asset[1].chain: \"bitcoins\" is no chain"),
        (16, "\"bitcoin-regtest\"", "{ evm = 0 }", "line 16, asset[1].chain.evm: write an integer from 1"),
        (16, "\"bitcoin-regtest\"", "{ emv = 1 }", "line 16, asset[1].chain.emv: unknown key, did you mean \"evm\"?"),
        (16, "\"bitcoin-regtest\"", "1", "line 16, asset[1].chain: write a text in quotes"),
        (17, "8", "18", "line 17, asset[1].decimals: the native asset of bitcoin-regtest has 8 decimals"),
        (17, "8", "37", "line 17, asset[1].decimals: write an integer from 0 to 36"),
        (17, "8", "8\ncontract = \"0x00\"", "line 18, asset[1].contract: bitcoin-regtest has no contracts"),
        (21, "1", "2", "line 21, asset[2].chain: chain evm:2 has no asset without a contract here"),
        (22, "0xA0", "0xA", "line 22, asset[2].contract: "),
        (22, "contract", "#contract", "line 27, asset[3].chain: another asset has this chain and contract"),
        (28, "18", "17", "line 28, asset[3].decimals: the native asset of evm:1 has 18 decimals"),
        (28, "decimals = 18", "", "line 25, asset[3].decimals: is missing"),
    ]);
}

#[test]
fn of_keys() {
    check(&[
        (31, "btc-hot", "btc hot", "line 31, key[1].name: \"btc hot\" is no key name"),
        (31, "btc-hot", "chancery-log", "line 31, key[1].name: names beginning with \"chancery-\""),
        (31, "btc-hot", "eth-hot", "line 39, key[2].name: another [[key]] has this name"),
        (32, "secp256k1", "rsa", "line 32, key[1].algorithm: \"rsa\" is no algorithm"),
        (32, "secp256k1", "ed25519", "line 35, key[1].address_type: ed25519 keys have no such address"),
        (33, "declared", "trusted", "line 33, key[1].evidence: \"trusted\" is not known: write verified, declared or"),
        (47, "evidence = \"blind\"", "", "line 44, key[3].evidence: is missing; write verified, declared or blind"),
        (34, "BTC", "LTC", "line 34, key[1].assets: no [[asset]] is named \"LTC\""),
        (34, "BTC", "ETH", "line 35, key[1].address_type: none of the key's assets"),
        (34, "\"BTC\"", "", "line 34, key[1].assets: is empty"),
        (34, "\"BTC\"", "\"BTC\", \"BTC\"", "line 34, key[1].assets: \"BTC\" is there twice"),
        (34, "assets = [\"BTC\"]", "", "line 30, key[1].assets: is missing; a declared key"),
        (35, "p2wpkh", "p2tr", "line 35, key[1].address_type: \"p2tr\" is not known"),
        (47, "\"blind\"", "\"blind\"\nchildren = true", "line 48, key[3].children: only secp256k1 keys have children"),
        (36, "false", "\"no\"", "line 36, key[1].children: write true or false, not a text"),
    ]);
}

#[test]
fn of_address_lists() {
    check(&[
        (50, "cold-storage", "self", "line 50, address_list[1].name: \"self\" is reserved"),
        (52, "QW508", "QW509", "line 52, address_list[1].addresses: "),
        (
            52,
            "BCRT1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KYGT080",
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
            "line 52, address_list[1]",
        ),
        (53, "0x5a", "0x5", "line 53, address_list[1].addresses: "),
        (54, "]", "]\nkeys = [\"btc-cold\"]", "line 55, address_list[1].keys: no [[key]] is named \"btc-cold\""),
        (54, "]", "]\nkeys = []", "line 55, address_list[1].keys: is empty; name at least one"),
        (54, "]", "]\nkeys = [\"attest\"]", "line 55, address_list[1].keys: key \"attest\" has no address"),
        (51, "addresses", "addressees", "line 49, address_list[1].addresses: is missing; write it, or keys, or both"),
    ]);
}

#[test]
fn of_rules() {
    check(&[
        (57, "sweep to cold storage", "attest", "line 86, rule[4].name: another [[rule]] has this name"),
        (58, "btc-watcher", "watcher", "line 58, rule[1].watchers: no [[watcher]] is named \"watcher\""),
        (58, "\"btc-watcher\"", "", "line 58, rule[1].watchers: is empty; name at least one"),
        (59, "btc-hot", "btc-cold", "line 59, rule[1].keys: no [[key]] is named \"btc-cold\""),
        (59, "\"btc-hot\"", "", "line 59, rule[1].keys: is empty; name at least one"),
        (59, "keys = [\"btc-hot\"]", "", "line 56, rule[1].keys: is missing"),
        (
            59,
            "\"btc-hot\"",
            "\"btc-hot\", \"eth-hot\"",
            "line 61, rule[1].max_fee: the keys of this rule pay on more than",
        ),
        (60, "cold-storage", "hot", "line 60, rule[1].destinations: no [[address_list]] is named \"hot\""),
        (61, "0.001", "0.000000001", "line 61, rule[1].max_fee: 0.000000001 has more than the 8 decimals"),
        (61, "\"0.001\"", "0.001", "line 61, rule[1].max_fee: write a text in quotes, not a number with a point"),
        (62, "sign", "allow", "line 62, rule[1].action: write \"sign\", \"deny\" or { approve"),
        (62, "action = \"sign\"", "", "line 56, rule[1].action: is missing"),
        (68, "BTC", "BTX", "line 68, rule[2].asset: no [[asset]] is named \"BTX\""),
        (68, "BTC", "ETH", "line 68, rule[2].asset: key \"btc-hot\" does not pay \"ETH\""),
        (68, "asset = \"BTC\"", "", "line 69, rule[2].max_amount: an amount needs `asset`"),
        (68, "asset = \"BTC\"", "", "line 70, rule[2].max_request_amount: an amount needs `asset`"),
        (69, "0.5", "0.123456789", "line 69, rule[2].max_amount: 0.123456789 has more than the 8 decimals"),
        (69, "0.5", "-1", "line 69, rule[2].max_amount: \"-1\" is no amount"),
        (72, "0.05", "5%", "line 72, rule[2].max_fee_share: \"5%\" is no share"),
        (73, "Mon-Fri", "weekdays", "line 73, rule[2].hours.days: \"weekdays\" are no days"),
        (73, "zone", "timezone", "line 73, rule[2].hours.timezone: unknown key"),
        (73, "zone = \"UTC\"", "", "line 73, rule[2].hours.zone: is missing"),
        (82, "0.01", "0.01\"\nmax_fee_share = \"0.1", "line 83, rule[3].max_fee_share: fees are not paid in \"USDC\""),
        (88, "\"attest\"]", "\"attest\"]\nasset = \"BTC\"", "line 89, rule[4].asset: key \"attest\" is blind"),
        (88, "\"attest\"]", "\"attest\"]\nmax_fee = \"1\"", "line 89, rule[4].max_fee: key \"attest\" is blind"),
        (
            88,
            "\"attest\"]",
            "\"attest\"]\ndestinations = \"cold-storage\"",
            "line 89, rule[4].destinations: key \"attest\"",
        ),
    ]);
}

#[test]
fn of_limits() {
    check(&[
        (98, "hot wallet, a day", "everything, a minute", "line 106, limit[2].name: another [[limit]] has this name"),
        (99, "btc-hot", "btc-cold", "line 99, limit[1].keys: no [[key]] is named \"btc-cold\""),
        (99, "\"btc-hot\"", "", "line 99, limit[1].keys: is empty; name at least one"),
        (99, "btc-hot", "attest", "line 99, limit[1].keys: key \"attest\" is blind"),
        (100, "BTC", "ETH", "line 100, limit[1].asset: key \"btc-hot\" does not pay \"ETH\""),
        (100, "asset = \"BTC\"", "", "line 101, limit[1].max_amount: an amount needs `asset`"),
        (101, "\"10\"", "\"ten\"", "line 101, limit[1].max_amount: \"ten\" is no amount"),
        (101, "\"10\"", "\"10\"\nmax_signatures = 1", "line 102, limit[1].max_signatures: write either"),
        (101, "max_amount = \"10\"", "", "line 97, limit[1].max_amount: is missing; write it or max_signatures"),
        (102, "24h", "1 day", "line 102, limit[1].window: \"1 day\" is no duration"),
        (
            102,
            "24h",
            "life",
            "line 102, limit[1].window: \"life\" is no duration from 1s to 366d: write a number and s, m, \
          h or d, such as 24h, or lifetime",
        ),
        (102, "window = \"24h\"", "", "line 97, limit[1].window: is missing"),
        (103, "key", "hour", "line 103, limit[1].per: \"hour\" is not known"),
        (107, "600", "0", "line 107, limit[2].max_signatures: write an integer from 1"),
        (107, "600", "600\nasset = \"BTC\"", "line 108, limit[2].asset: signatures are counted whatever they pay"),
        (108, "1m\"", "1m\"\nper = \"destination\"", "line 109, limit[2].per: signatures have no destination"),
    ]);
}

#[test]
fn a_mistake_is_not_told_again_where_its_section_is_named() {
    let told = |line, from, to| mistakes_after(line, from, to).len();
    assert_eq!(told(12, "00bb", "00b"), 1);
    assert_eq!(told(17, "decimals = 8", ""), 1);
    assert_eq!(told(32, "secp256k1", "rsa"), 1);
    assert_eq!(told(52, "QW508", "QW509"), 1);
}

#[test]
fn all_are_told_at_once() {
    let text =
        EXAMPLE.replace("rsa", "").replace("\"24h\"", "24").replace("\"0.05\"", "\"5\"").replace("per =", "each =");
    let mistakes = mistakes_of(&text);
    assert_eq!(mistakes.len(), 3, "{mistakes:#?}");
}

#[test]
fn misspelling_any_key_is_a_mistake() {
    for (index, line) in EXAMPLE.lines().enumerate() {
        let misspelled = if line.starts_with('[') {
            line.replacen(']', "s]", 1)
        } else if let Some((key, rest)) = line.split_once(" = ") {
            format!("{key}s = {rest}")
        } else {
            continue;
        };
        let mistakes = mistakes_after(index + 1, line, &misspelled);
        let is_told =
            |mistake: &String| mistake.starts_with(&format!("line {}", index + 1)) && mistake.contains("unknown key");
        assert!(mistakes.iter().any(is_told), "{misspelled}: {mistakes:#?}");
    }
}

/// Without a line the policy is mistaken, or it lost one of the bounds a rule or a limit may do without.
#[test]
fn deleting_a_line_grants_no_key_to_anyone_else() {
    let whole = Policy::parse(EXAMPLE).unwrap();
    let mut read = Vec::new();
    for (index, line) in EXAMPLE.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
        let rest: Vec<_> =
            EXAMPLE.lines().enumerate().filter(|(other, _)| *other != index).map(|(_, line)| line).collect();
        let Ok(policy) = Policy::parse(&rest.join("\n")) else { continue };
        for watcher in ["btc-watcher", "eth-watcher"] {
            assert!(policy.granted_keys(watcher).all(|key| whole.grants(watcher, &key.name)), "without {line}");
        }
        read.push(line.split(" = ").next().unwrap_or(line).trim().to_owned());
    }
    read.sort();
    read.dedup();
    let optional = [
        "address_type",
        "children",
        "destinations",
        "evidence",
        "hours",
        "keys",
        "max_fee",
        "max_fee_share",
        "max_request_amount",
        "per",
    ];
    read.retain(|key| !optional.contains(&key.as_str()) && key != "max_amount" && !key.starts_with('"'));
    assert_eq!(read, Vec::<String>::new());
}

const SOLANA: &str = r#"version = 1

[[watcher]]
name = "sol-watcher"
public_keys_sha256 = ["00000000000000000000000000000000000000000000000000000000000000aa"]

[[asset]]
name = "SOL"
chain = "solana"
decimals = 9

[[key]]
name = "sol-hot"
algorithm = "ed25519"
evidence = "declared"
assets = ["SOL"]

[[address_list]]
name = "ours"
keys = ["sol-hot"]
addresses = ["FVen3X669xLzsi6N2V91DoiyzHzg1uAgqiT8jZ9nS96Z"]

[[rule]]
name = "withdrawals"
watchers = ["sol-watcher"]
keys = ["sol-hot"]
asset = "SOL"
destinations = "ours"
max_amount = "10"
max_fee = "0.00001"
action = "sign"
"#;

#[test]
fn of_solana() {
    let policy = Policy::parse(SOLANA).unwrap();
    assert!(policy.warnings.iter().any(|warning| warning.contains("\"SOL\" is money")), "{:?}", policy.warnings);
    for (line, from, to, words) in [
        (9, "\"solana\"", "\"solana-devnet\"", "line 9, asset[1].chain: \"solana-devnet\" is no chain: write bitcoin"),
        (10, "9", "8", "line 10, asset[1].decimals: the native asset of solana has 9 decimals"),
        (10, "9", "9\ncontract = \"0x00\"", "line 11, asset[1].contract: solana has no contracts"),
        (
            14,
            "ed25519",
            "secp256k1",
            "line 16, key[1].assets: \"SOL\" is on solana, which secp256k1 keys sign nothing for",
        ),
        (14, "ed25519", "p256", "line 16, key[1].assets: \"SOL\" is on solana, which p256 keys sign nothing for"),
        (15, "declared", "verified", "line 14, key[1].algorithm: a verified key is secp256k1; no chain here"),
        (21, "FVen", "0Ven", "line 21, address_list[1].addresses: \"0Ven"),
    ] {
        let mistakes = mistakes_of_changed(SOLANA, line, from, to);
        assert!(mistakes.iter().any(|mistake| mistake.starts_with(words)), "{to:?}: {words} in {mistakes:#?}");
    }
}
