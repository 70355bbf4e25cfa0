use super::{
    contract::VERIFIED,
    mistakes::{mistakes_of, mistakes_of_changed},
};

fn check(table: &[(usize, &str, &str, &str)]) {
    for (line, from, to, words) in table {
        let mistakes = mistakes_of_changed(VERIFIED, *line, from, to);
        assert!(mistakes.iter().any(|mistake| mistake.starts_with(words)), "{to:?}: {words} in {mistakes:#?}");
    }
}

#[test]
fn of_keys() {
    check(&[
        (24, "secp256k1", "ed25519", "line 24, key[1].algorithm: a verified key is secp256k1"),
        (24, "secp256k1", "ed25519", "line 28, key[1].children: only secp256k1 keys"),
        (26, "assets = [\"BTC\"]", "", "line 22, key[1].assets: is missing; a verified key names what it pays"),
        (
            26,
            "\"BTC\"",
            "\"BTC\", \"ETH\"",
            "line 26, key[1].assets: a verified key pays on chains of one kind; these are on bitcoin and evm:1",
        ),
        (27, "address_type = \"p2wpkh\"", "", "line 22, key[1].address_type: is missing; change of a verified key"),
        (32, "secp256k1", "p256", "line 30, key[2].evidence: is missing; write verified, declared or blind"),
        (33, "assets = [\"BTC\"]", "", "line 30, key[2].evidence: is missing; write verified, declared or blind"),
    ]);
}

#[test]
fn of_a_key_on_two_chains_of_bitcoins_kind() {
    let litecoin = "[[asset]]\nname = \"LTC\"\nchain = \"litecoin\"\ndecimals = 8\n\n[[key]]";
    let text = VERIFIED.replacen("[\"BTC\"]", "[\"BTC\", \"LTC\"]", 1).replacen("[[key]]", litecoin, 1);
    let mistakes = mistakes_of(&text);
    let mistake = &mistakes[0];
    assert!(mistake.contains("assets: a verified key pays on one chain of Bitcoin's kind"), "{mistake}");
}

#[test]
fn of_rules() {
    check(&[
        (
            51,
            "max_fee = \"0.001\"",
            "",
            "line 46, rule[1].max_fee: is missing; a rule that signs with a verified key has a fee ceiling",
        ),
        (68, "\"btc-hot\"", "\"btc-cold\"", "line 68, rule[3].keys: no [[key]]"),
        (
            76,
            "\"eth-hot\"",
            "\"eth-hot\", \"btc-hot\"",
            "line 78, rule[4].call: key \"btc-hot\" pays on a chain without contracts",
        ),
        (78, "0x5aA", "0x5a", "line 78, rule[4].call.contract: "),
        (78, "0x095ea7b3", "095ea7b3", "line 78, rule[4].call.selector: \"095ea7b3\" is no selector"),
        (78, "0x095ea7b3", "0x095ea7", "line 78, rule[4].call.selector: \"0x095ea7\" is no selector"),
        (78, ", selector = \"0x095ea7b3\"", "", "line 78, rule[4].call.selector: is missing"),
        (78, "selector", "select", "line 78, rule[4].call.select: unknown key, did you mean \"selector\"?"),
        (78, "call = ", "destinations = \"self\"\ncall = ", "line 78, rule[4].destinations: the contract of `call` is"),
    ]);
}

#[test]
fn of_calls_that_nobody_reads() {
    let declared = VERIFIED.replace("assets = [\"ETH\", \"POL\"]", "evidence = \"declared\"\nassets = [\"ETH\"]");
    let mistakes = mistakes_of(&declared);
    assert!(mistakes[0].contains("rule[4].call: key \"eth-hot\" is declared: what it calls is not known"));
}

#[test]
fn of_calls_that_are_payments() {
    let contract = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
    let token =
        format!("[[asset]]\nname = \"T\"\nchain = {{ evm = 1 }}\ncontract = \"{contract}\"\ndecimals = 6\n\n[[key]]");
    let text = VERIFIED.replacen("[[key]]", &token, 1).replace("[\"ETH\", \"POL\"]", "[\"ETH\", \"T\"]");
    assert!(crate::policy::Policy::parse(&text).is_ok());
    let mistakes = mistakes_of(&text.replace("0x095ea7b3", "0xa9059cbb"));
    assert!(mistakes[0].contains("call.selector: a transfer of an asset is decided as a payment"), "{mistakes:?}");
    let paying_token = text.replace("asset = \"ETH\"\ncall", "asset = \"T\"\ncall");
    let mistakes = mistakes_of(&paying_token);
    assert!(mistakes[0].contains("rule[4].asset: a call pays the chain's own asset, not \"T\""), "{mistakes:?}");
}

#[test]
fn a_rule_that_denies_needs_no_fee_ceiling() {
    let text = VERIFIED.replace("max_fee = \"0.0005\"\naction = \"sign\"", "action = \"deny\"");
    assert!(text != VERIFIED && crate::policy::Policy::parse(&text).is_ok());
}
