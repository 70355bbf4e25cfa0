//! One withdrawal, at most one payment: what a transaction spends is held for its withdrawal, for ever, and a variant
//! of it pays no more and could never be paid beside it.

use std::fs;

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::{
    harness::{
        Running,
        body::{DESTINATION, OTHER_DESTINATION, digest},
        eventually, trial,
        vault::{
            Vault,
            coins::{COIN, Coin, Lock, Spend, spend, to},
            ether::{ETHER, RECIPIENT, TOKEN, body, call, dollars, ether, function, replacing},
        },
        watcher::Watcher,
    },
    token_gone::{lose_the_token_after_acceptance, plug_in},
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("withdrawals::an_input_is_spent_by_one_withdrawal_however_many_ask_at_once", held),
        trial("withdrawals::who_holds_an_input_is_told_to_its_own_watcher_only", held_by),
        trial("withdrawals::a_nonce_is_used_by_one_withdrawal", nonces),
        trial("withdrawals::a_withdrawal_is_charged_once_through_bumps_and_cancellation", charged_once),
        trial("withdrawals::a_token_transfer_is_charged_once_through_bumps_and_cancellation", tokens_charged_once),
        trial("withdrawals::a_variant_that_could_be_paid_beside_another_is_denied", pivots),
        trial("withdrawals::a_variant_that_pays_more_or_elsewhere_is_denied", pays_more),
        trial("withdrawals::a_variant_of_an_account_keeps_nonce_amount_and_call", accounts),
        trial("withdrawals::a_replacement_names_an_accepted_request_of_its_watcher_and_key", names),
        trial("withdrawals::a_request_that_failed_or_lapsed_keeps_its_inputs", lapsed),
        trial("withdrawals::a_reference_belongs_to_one_withdrawal_and_all_its_variants", references),
        trial("withdrawals::a_restart_forgets_nothing_of_this", restarts),
        trial("withdrawals::an_audit_finds_evidence_that_was_changed_and_counts_what_is_missing", audited),
    ]
}

/// What the vault's one coin leaves after a payment and a fee goes back.
pub(crate) fn pays(vault: &Vault, coins: &[Coin], address: &str, sats: u64, fee: u64) -> Spend {
    let total: u64 = coins.iter().map(|coin| coin.output().value.to_sat()).sum();
    spend(coins, &[to(sats, address), vault.back(total - sats - fee, "vault")])
}

/// 0.1 BTC to the usual destination.
pub(crate) fn usual(vault: &Vault, coins: &[Coin], fee: u64) -> Spend {
    pays(vault, coins, DESTINATION, COIN / 10, fee)
}

/// Pays nobody.
fn cancels(vault: &Vault, coins: &[Coin], fee: u64) -> Spend {
    let total: u64 = coins.iter().map(|coin| coin.output().value.to_sat()).sum();
    spend(coins, &[vault.back(total - fee, "vault")])
}

pub(crate) fn reserved(watcher: &Watcher, id: &str, body: impl ToString, held_by: Option<&str>) {
    let problem = watcher.refused(id, body);
    assert_eq!(problem.type_uri, "urn:chancery:problem:input-reserved", "{}", problem.detail);
    assert_eq!(problem.held_by.as_deref(), held_by, "{}", problem.detail);
}

fn held() {
    let vault = Vault::new();
    let coin = [vault.plain(1)];
    let bodies = (0..16).map(|n| (format!("a-{n}"), usual(&vault, &coin, 1_000 + n).body()));
    let answers = vault.watcher.put_at_once(bodies.collect::<Vec<_>>());
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    let holder = answers.iter().position(|answer| answer.status == 200).unwrap();
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(answer.problem().held_by, Some(format!("a-{holder}")));
    }
    assert_eq!(vault.entries("accepted").len(), 1);
    vault.stop();
}

fn held_by() {
    let vault = Vault::new();
    let second = vault.second();
    let (first, other) = ([vault.plain(1)], [vault.plain(2)]);
    vault.watcher.signed("mine-1", usual(&vault, &first, 1_000).body());
    second.signed("theirs-1", usual(&vault, &other, 1_000).body());
    let both = [first[0].clone(), vault.plain(3)];
    reserved(&vault.watcher, "mine-2", usual(&vault, &both, 1_000).body(), Some("mine-1"));
    let theirs = usual(&vault, &other, 2_000).body();
    reserved(&vault.watcher, "mine-2", &theirs, None);
    let detail = vault.watcher.refused("mine-2", &theirs).detail;
    assert!(!detail.contains("theirs"), "{detail}");
    reserved(&second, "theirs-2", usual(&vault, &first, 1_000).body(), None);
    // What was refused holds nothing.
    vault.watcher.signed("mine-2", usual(&vault, &both[1..], 1_000).body());
    vault.stop();
}

fn nonces() {
    let vault = Vault::new();
    vault.allocate("eth", 1);
    vault.watcher.signed("a", body("eth", &ether(0, RECIPIENT, 1)));
    reserved(&vault.watcher, "b", body("eth", &ether(0, RECIPIENT, 2)), Some("a"));
    reserved(&vault.watcher, "b", body("eth", &dollars(0, RECIPIENT, 2)), Some("a"));
    vault.watcher.signed("b", body("eth", &ether(1, RECIPIENT, 2)));
    // A child is another account.
    vault.watcher.signed("c", body("eth/0", &ether(0, RECIPIENT, 2)));
    reserved(&vault.watcher, "d", body("eth/0", &ether(0, RECIPIENT, 3)), Some("c"));
    vault.stop();
}

fn charged_once() {
    let vault = Vault::new();
    let coins = [vault.plain(1), vault.plain(2)];
    let used = |expected: &str| assert_eq!(vault.used("vault, a day"), expected);
    let first = vault.watcher.put("a", usual(&vault, &coins[..1], 1_000).body());
    first.good();
    used("0.10001");
    vault.watcher.signed("b", usual(&vault, &coins, 5_000).replacing("a"));
    used("0.10005");
    // Less is paid, for more: no more than was charged.
    vault.watcher.signed("c", pays(&vault, &coins, DESTINATION, COIN / 20, 100_000).replacing("b"));
    used("0.10005");
    vault.watcher.signed("d", cancels(&vault, &coins[..1], 50_000).replacing("a"));
    used("0.10005");
    // What was cancelled is paid again by a further variant.
    let accepted = vault.accepted("e", usual(&vault, &coins[..1], 60_000).replacing("d"));
    used("0.1006");
    assert_eq!(accepted["variant"]["replaces"], "d");
    assert_eq!(accepted["variant"]["first"], vault.entry("accepted", "a")["index"]);
    assert_eq!(accepted["variant"]["pivots"], json!([coins[0].outpoint().to_string()]));
    // Every variant stays what it is, and what any of them spends stays with the withdrawal.
    assert_eq!(vault.watcher.put("a", usual(&vault, &coins[..1], 1_000).body()).body, first.body);
    reserved(&vault.watcher, "f", usual(&vault, &coins[1..], 1_000).body(), Some("a"));
    used("0.1006");
    vault.stop();
}

fn tokens_charged_once() {
    let vault = Vault::new();
    let used = |tokens: &str, ether: &str| {
        assert_eq!((vault.used("dollars, a day").as_str(), vault.used("ether, a day").as_str()), (tokens, ether));
    };
    let dearer = |times: u128| {
        let mut transaction = dollars(0, RECIPIENT, 1_500_000);
        transaction.max_fee_per_gas *= times;
        transaction
    };
    vault.watcher.signed("a", body("eth", &dearer(1)));
    used("1.5", "0.001");
    vault.watcher.signed("b", replacing("a", body("eth", &dearer(2))));
    used("1.5", "0.002");
    let mut cancellation = ether(0, &vault.address("eth"), 0);
    cancellation.max_fee_per_gas *= 3;
    vault.watcher.signed("c", replacing("b", body("eth", &cancellation)));
    used("1.5", "0.003");
    vault.watcher.signed("d", replacing("c", body("eth", &dearer(4))));
    used("1.5", "0.004");
    vault.stop();
}

fn pivots() {
    let vault = Vault::new();
    let coins: Vec<Coin> = (0..5).map(|number| vault.plain(number)).collect();
    let of = |places: &[usize]| places.iter().map(|place| coins[*place].clone()).collect::<Vec<_>>();
    let denied = |id: &str, places: &[usize], replaces: &str| {
        let body = usual(&vault, &of(places), 9_000).replacing(replaces);
        vault.denied(id, body, "replacement", "so both could be paid");
    };
    vault.watcher.signed("a", usual(&vault, &of(&[0, 1]), 1_000).body());
    denied("b", &[2], "a");
    vault.watcher.signed("b", usual(&vault, &of(&[1, 2]), 2_000).replacing("a"));
    // One input of each variant is not one input of all.
    denied("c", &[0, 2], "b");
    denied("c", &[0], "a");
    denied("c", &[2, 3], "b");
    denied("c", &[2], "b");
    // A cancellation too.
    vault.denied("c", cancels(&vault, &of(&[0]), 5_000).replacing("b"), "replacement", "so both could be paid");
    // Another withdrawal's input is no variant's.
    vault.watcher.signed("other", usual(&vault, &of(&[3]), 1_000).body());
    reserved(&vault.watcher, "c", usual(&vault, &of(&[1, 3]), 3_000).replacing("b"), Some("other"));
    vault.watcher.signed("c", usual(&vault, &of(&[1, 0, 4]), 3_000).replacing("a"));
    assert_eq!(vault.entries("accepted").len(), 4);
    vault.stop();
}

fn pays_more() {
    let vault = Vault::new();
    vault.allocate("vault", 1);
    let coin = [vault.plain(1)];
    let two = [to(COIN / 10, DESTINATION), to(COIN / 20, DESTINATION), to(COIN / 10, OTHER_DESTINATION)];
    let rest = |paid: u64, fee: u64| vault.back(COIN - paid - fee, "vault");
    vault.watcher.signed("a", spend(&coin, &[&two[..], &[rest(COIN / 4, 1_000)]].concat()).body());
    let denied = |address: &str, sats: u64, words: &str| {
        vault.denied("b", pays(&vault, &coin, address, sats, 2_000).replacing("a"), "replacement", words);
    };
    denied(DESTINATION, 15_000_001, "paid 0.15 BTC");
    denied(OTHER_DESTINATION, 10_000_001, "paid 0.1 BTC");
    denied(&vault.address("cold"), 1_000, "did not pay BTC to");
    // Of our own key, in a form that is no change: a destination like any other.
    let nested = bitcoin::TxOut { script_pubkey: Lock::P2pkh.script(&vault.public_key("vault")), ..two[0].clone() };
    let spends = spend(&coin, &[nested, rest(COIN / 10, 2_000)]).replacing("a");
    vault.denied("b", spends, "replacement", "did not pay BTC to");
    // What the first paid, not what the last did, in whatever pieces.
    vault.watcher.signed("b", pays(&vault, &coin, DESTINATION, 1_000_000, 2_000).replacing("a"));
    let pieces =
        [to(COIN / 10, OTHER_DESTINATION), to(COIN * 3 / 20, DESTINATION), vault.back(COIN * 3 / 4 - 3_000, "vault/0")];
    vault.watcher.signed("c", spend(&coin, &pieces).replacing("b"));
    // Rules are asked afresh.
    let dear = pays(&vault, &coin, DESTINATION, COIN / 10, 100_001).replacing("c");
    vault.denied("d", dear, "withdrawals", "the fee of 0.00100001 BTC is over 0.001");
    assert_eq!(vault.used("vault, a day"), "0.25003");
    vault.stop();
}

fn accounts() {
    let vault = Vault::new();
    vault.allocate("eth", 1);
    let denied = |id: &str, body: Value, words: &str| vault.denied("z", replacing(id, body), "replacement", words);
    vault.watcher.signed("a", body("eth", &ether(0, RECIPIENT, ETHER / 10)));
    denied("a", body("eth", &ether(1, RECIPIENT, ETHER / 10)), "so both could be paid");
    denied("a", body("eth/0", &ether(0, RECIPIENT, ETHER / 10)), "so both could be paid");
    denied("a", body("eth", &ether(0, RECIPIENT, ETHER / 10 + 1)), "0.1 ETH");
    denied("a", body("eth", &ether(0, TOKEN, ETHER / 10)), "did not pay ETH to");
    denied("a", body("eth", &dollars(0, RECIPIENT, 1)), "did not pay USDC to");
    vault.watcher.signed("b", body("eth", &dollars(1, RECIPIENT, 1_500_000)));
    denied("b", body("eth", &dollars(1, RECIPIENT, 1_500_001)), "1.5 USDC");
    denied("b", body("eth", &dollars(1, TOKEN, 1_500_000)), "did not pay USDC to");
    denied("b", body("eth", &ether(1, RECIPIENT, 1)), "did not pay ETH to");
    vault.watcher.signed("c", replacing("b", body("eth", &dollars(1, RECIPIENT, 1_499_999))));
    // The call of a contract is the same byte for byte, or nothing.
    let approve = |number| call(2, TOKEN, function([0x09, 0x5e, 0xa7, 0xb3], RECIPIENT, number));
    vault.watcher.signed("d", body("eth", &approve(5)));
    denied("d", body("eth", &approve(6)), "byte for byte");
    denied("d", body("eth", &approve(4)), "byte for byte");
    let mut dearer = approve(5);
    dearer.max_fee_per_gas *= 2;
    vault.watcher.signed("e", replacing("d", body("eth", &dearer)));
    vault.watcher.signed("f", replacing("e", body("eth", &ether(2, &vault.address("eth"), 0))));
    // A payment is no call afterwards.
    let call_instead = call(0, TOKEN, function([0x09, 0x5e, 0xa7, 0xb3], RECIPIENT, 5));
    denied("a", body("eth", &call_instead), "byte for byte");
    vault.stop();
}

fn names() {
    let vault = Vault::new();
    let coin = [vault.plain(1)];
    let unknown = |watcher: &Watcher, id: &str| {
        let problem = watcher.refused("b", usual(&vault, &coin, 2_000).replacing(id));
        assert_eq!(problem.type_uri, "urn:chancery:problem:unknown-request", "{}", problem.detail);
    };
    unknown(&vault.watcher, "a");
    vault.denied("a", pays(&vault, &coin, DESTINATION, COIN * 6 / 10, 1_000).body(), "withdrawals", "is over 0.5");
    // What was denied was never accepted.
    unknown(&vault.watcher, "a");
    unknown(&vault.watcher, "b");
    vault.watcher.signed("a", usual(&vault, &coin, 1_000).body());
    unknown(&vault.second(), "a");
    let denied = |body: Value, words: &str| vault.denied("b", body, "replacement", words);
    let cold = [vault.coin("cold", &Lock::P2wpkh, 2, COIN)];
    let change = vault.back(9 * COIN / 10 - 1_000, "cold");
    denied(spend(&cold, &[to(COIN / 10, DESTINATION), change]).replacing("a"), "is paid from vault, this from cold");
    denied(replacing("a", body("eth", &ether(0, RECIPIENT, 1))), "is paid from vault, this from eth");
    vault.watcher.signed("raw", digest("raw", 1));
    denied(usual(&vault, &coin, 2_000).replacing("raw"), "is paid from raw, this from vault");
    // The id of a variant is bound like any other.
    assert_eq!(vault.watcher.put("a", usual(&vault, &coin, 2_000).replacing("a")).code(), "request-conflict");
    vault.stop();
}

fn lapsed() {
    let vault = Vault::new();
    let coin = [vault.plain(1)];
    let body = usual(&vault, &coin, 1_000).body();
    let requests = vec![("a".to_owned(), body.clone())];
    let answers = lose_the_token_after_acceptance(&vault.installation, &vault.watcher, requests);
    assert_eq!(answers[0].code(), "token-unavailable");
    assert_eq!(vault.entries("failed").len(), 1);
    reserved(&vault.watcher, "b", usual(&vault, &coin, 2_000).body(), Some("a"));
    let policy = fs::read_to_string(vault.installation.path("policy.toml")).unwrap();
    let policy = policy.replace("version = 1", "version = 2").replace("max_amount = \"0.5\"", "max_amount = \"0.05\"");
    fs::write(vault.installation.path("policy.toml"), policy).unwrap();
    vault.installation.run("chancery", &["policy", "install", "policy.toml"]);
    plug_in(&vault.installation);
    eventually("it has lapsed", || (vault.watcher.get("/v1/signatures/a").json()["status"] == "lapsed").then_some(()));
    let less = |fee| pays(&vault, &coin, DESTINATION, COIN / 25, fee);
    reserved(&vault.watcher, "b", less(1_000).body(), Some("a"));
    assert_eq!(vault.used("vault, a day"), "0.10001");
    // A variant of it may still be signed, within what was spent.
    vault.watcher.signed("b", less(1_000).replacing("a"));
    assert_eq!(vault.used("vault, a day"), "0.10001");
    vault.stop();
}

/// The request with a transfer that names a reference.
fn referring(mut body: Value, reference: &str, amount: &str) -> Value {
    let output = json!({ "destination": DESTINATION, "amount": amount, "reference": reference });
    body["transfer"] = json!({ "asset": "BTC", "outputs": [output] });
    body
}

fn conflict(vault: &Vault, id: &str, body: Value) {
    let problem = vault.watcher.refused(id, body);
    assert_eq!(problem.type_uri, "urn:chancery:problem:request-conflict", "{}", problem.detail);
    assert_eq!(problem.held_by.as_deref(), Some("a"), "{}", problem.detail);
}

fn references() {
    let vault = Vault::new();
    let (first, other) = ([vault.plain(1)], [vault.plain(2)]);
    vault.watcher.signed("a", referring(usual(&vault, &first, 1_000).body(), "wd-7", "0.1"));
    conflict(&vault, "b", referring(usual(&vault, &other, 1_000).body(), "wd-7", "0.1"));
    vault.watcher.signed("b", referring(usual(&vault, &first, 2_000).replacing("a"), "wd-7", "0.1"));
    vault.watcher.signed("c", cancels(&vault, &first, 3_000).replacing("b"));
    let less = pays(&vault, &first, DESTINATION, COIN / 20, 4_000).replacing("c");
    assert_eq!(vault.watcher.put("d", referring(less, "wd-7", "0.05")).code(), "request-conflict");
    vault.watcher.signed("d", referring(usual(&vault, &first, 4_000).replacing("c"), "wd-7", "0.1"));
    // Whatever became of its variants, another withdrawal never has it.
    assert_eq!(
        vault.watcher.put("e", referring(usual(&vault, &other, 1_000).body(), "wd-7", "0.1")).code(),
        "request-conflict"
    );
    // Names are per watcher, and the input was held by none of the refused.
    vault.second().signed("e", referring(usual(&vault, &other, 1_000).body(), "wd-7", "0.1"));
    vault.stop();
}

fn restarts() {
    let mut vault = Vault::new();
    let coins: Vec<Coin> = (0..3).map(|number| vault.plain(number)).collect();
    let first = referring(usual(&vault, &coins[..2], 1_000).body(), "wd-7", "0.1");
    let stored = vault.watcher.put("a", &first);
    stored.good();
    vault.watcher.signed("b", usual(&vault, &coins[1..], 2_000).replacing("a"));
    vault.watcher.signed("n", body("eth", &ether(0, RECIPIENT, 1)));
    // A start after a kill charges every limit a twentieth.
    for (end, used) in [(Running::stop as fn(Running), "0.10002"), (Running::kill, "0.60002")] {
        vault = vault.restart(end);
        assert_eq!(vault.watcher.put("a", &first).body, stored.body);
        assert_eq!(vault.used("vault, a day"), used);
        reserved(&vault.watcher, "c", usual(&vault, &coins[..1], 1_000).body(), Some("a"));
        reserved(&vault.watcher, "c", usual(&vault, &coins[2..], 1_000).body(), Some("a"));
        reserved(&vault.watcher, "c", body("eth", &ether(0, RECIPIENT, 2)), Some("n"));
        assert_eq!(
            vault.watcher.put("c", referring(usual(&vault, &[vault.plain(9)], 1_000).body(), "wd-7", "0.1")).code(),
            "request-conflict"
        );
        let apart = usual(&vault, &coins[2..], 9_000).replacing("b");
        vault.denied("c", apart, "replacement", "so both could be paid");
    }
    vault.watcher.signed("c", usual(&vault, &coins[1..2], 3_000).replacing("a"));
    assert_eq!(vault.used("vault, a day"), "0.60003");
    vault.stop();
}

fn audited() {
    let vault = Vault::new();
    for number in 0..3 {
        vault.watcher.signed(&format!("a-{number}"), usual(&vault, &[vault.plain(number)], 1_000).body());
    }
    let verify = || {
        let output = vault.installation.command("chancery", &["audit", "verify", "--json"]).output().unwrap();
        (output.status.code(), serde_json::from_slice::<Value>(&output.stdout).unwrap())
    };
    let (code, verified) = verify();
    let counts = |verified: &Value| {
        ["evidence", "evidence_missing", "decisions"].map(|name| verified["verification"][name].as_u64().unwrap())
    };
    assert_eq!((code, counts(&verified)), (Some(0), [3, 0, 3]));
    let accepted = vault.entry("accepted", "a-1");
    let name = format!("state/evidence/{}", accepted["transaction"]["evidence_sha256"].as_str().unwrap());
    let path = vault.installation.path(&name);
    let kept = fs::read(&path).unwrap();
    for place in [0, kept.len() / 2, kept.len() - 1] {
        let mut changed = kept.clone();
        changed[place] ^= 1;
        fs::write(&path, changed).unwrap();
        let (code, verified) = verify();
        assert_eq!((code, &verified["index"]), (Some(3), &accepted["index"]), "{verified}");
        assert!(verified["reason"].as_str().unwrap().contains("was changed"), "{verified}");
    }
    fs::remove_file(&path).unwrap();
    let (code, verified) = verify();
    assert_eq!((code, counts(&verified)), (Some(0), [2, 1, 3]));
    let said = vault.installation.run("chancery", &["audit", "verify"]).stdout;
    assert!(String::from_utf8_lossy(&said).contains("1 transactions are no longer in evidence/"));
    fs::write(&path, kept).unwrap();
    assert_eq!(counts(&verify().1), [3, 0, 3]);
    vault.stop();
}
