//! Keys that decide on transactions the appliance read itself: what is signed is valid to the network, and what is
//! change, a payment or a fee is what the bytes say, never what anybody claims.

use std::fs;

use alloy_consensus::{SignableTransaction, TxEip2930, TxLegacy};
use alloy_primitives::{TxKind, U256};
use appliance_wire::{
    Chain,
    transaction::{Finished, finish_eip2718, finish_psbt},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bitcoin::secp256k1::{Message, Secp256k1};
use hsm_types::{Algorithm, PublicKey};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::harness::{
    body::DESTINATION,
    trial,
    vault::{
        Vault, amounts,
        coins::{COIN, Lock, Spend, outsider, pay, secret, spend, to},
        ether::{ETHER, FEE, RECIPIENT, address, body, dollars, ether, function},
        policy,
    },
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("verified::every_form_of_input_is_signed_and_valid_to_bitcoin_core", forms),
        trial("verified::children_and_their_parent_sign_one_transaction_together", families),
        trial("verified::a_multisig_is_signed_for_one_key_and_valid_with_anothers", multisig),
        trial("verified::what_goes_back_to_the_key_or_its_children_is_change_and_free", change),
        trial("verified::what_only_looks_like_change_is_a_payment", no_change),
        trial("verified::a_list_that_names_a_key_of_ours_means_it_and_its_allocated_children", lists),
        trial("verified::multisig_change_must_be_the_one_script_every_input_has", multisig_change),
        trial("verified::amounts_limits_and_fee_ceilings_are_those_of_the_transaction", ceilings),
        trial("verified::a_request_that_pays_nobody_is_decided_as_paying_itself", pays_nobody),
        trial("verified::ether_and_tokens_are_signed_by_the_account_and_charged_with_their_fee", accounts),
        trial("verified::a_transfer_that_agrees_is_no_more_than_a_comment", transfer),
    ]
}

/// One bitcoin less what is paid out and this.
const FEE_SATS: u64 = 1_000;

type Signatures = Vec<(PublicKey, [u8; 64])>;

fn signatures(answer: &Value) -> Signatures {
    let bytes = |value: &Value| hex::decode(value.as_str().unwrap()).unwrap();
    let signature = |one: &Value| {
        let public_key = PublicKey::decode(Algorithm::Secp256k1, &bytes(&one["public_key"])).unwrap();
        (public_key, bytes(&one["signature"]).try_into().unwrap())
    };
    answer["signatures"].as_array().unwrap().iter().map(signature).collect()
}

/// Bitcoin Core's verifier on every input.
fn assert_valid(spend: &Spend, transaction: &[u8]) {
    for (index, coin) in spend.coins.iter().enumerate() {
        let (script, amount) = (coin.output().script_pubkey.as_bytes(), coin.output().value.to_sat());
        let verified = bitcoinconsensus::verify(script, amount, transaction, None, index);
        assert_eq!(verified, Ok(()), "input {index}");
    }
}

/// Signed by the appliance alone, and valid.
fn assert_signed_and_valid(vault: &Vault, id: &str, spend: &Spend) {
    let answer = vault.watcher.signed(id, spend.body());
    let Ok(Finished::Transaction(transaction)) = finish_psbt(&spend.psbt().serialize(), &signatures(&answer)) else {
        panic!("{id} is not finished");
    };
    assert_valid(spend, &transaction);
}

fn forms() {
    let vault = Vault::new();
    let locks = [Lock::P2wpkh, Lock::P2shP2wpkh, Lock::P2pkh];
    for (number, lock) in (1..).zip(&locks) {
        let coins = [vault.coin("vault", lock, number, COIN)];
        let spend = spend(&coins, &[to(COIN / 10, DESTINATION), vault.back(9 * COIN / 10 - FEE_SATS, "vault")]);
        let id = format!("a-{number}");
        assert_signed_and_valid(&vault, &id, &spend);
        let accepted = vault.entry("accepted", &id);
        assert_eq!(accepted["amounts_verified"], true);
        assert_eq!(amounts(&accepted["payments"]), [(DESTINATION.to_owned(), "0.1".to_owned())]);
        assert_eq!(accepted["fee"], json!({ "asset": "BTC", "amount": "0.00001" }));
        assert_eq!(accepted["transaction"]["holds"], json!([coins[0].outpoint().to_string()]));
        // What was decided on is kept as it was sent.
        let kept = format!("state/evidence/{}", accepted["transaction"]["evidence_sha256"].as_str().unwrap());
        assert_eq!(fs::read(vault.installation.path(&kept)).unwrap(), spend.psbt().serialize());
    }
    vault.stop();
}

fn families() {
    let vault = Vault::new();
    vault.allocate("vault", 3);
    let coins = [
        vault.coin("vault/2", &Lock::P2pkh, 1, COIN),
        vault.coin("vault", &Lock::P2wpkh, 2, COIN),
        vault.coin("vault/0", &Lock::P2shP2wpkh, 3, COIN),
        vault.coin("vault/2", &Lock::P2wpkh, 4, COIN),
    ];
    let spend = spend(&coins, &[to(COIN / 10, DESTINATION), vault.back(39 * COIN / 10 - FEE_SATS, "vault/1")]);
    assert_signed_and_valid(&vault, "a", &spend);
    vault.stop();
}

fn multisig() {
    let vault = Vault::new();
    vault.allocate("vault", 1);
    let lock = Lock::two_of_three();
    let coins = [vault.coin("vault", &lock, 1, COIN), vault.coin("vault/0", &lock, 2, COIN)];
    let spend = spend(&coins, &[to(COIN / 10, DESTINATION), to(COIN / 10, &vault.address("cold"))]);
    // Neither output goes back to a script of the inputs, so all of the rest is fee, and too much of it.
    vault.denied("a", spend.body(), "withdrawals", "the fee of 1.8 BTC is over 0.001");
    let spend = Spend { coins: vec![coins[0].clone()], ..spend };
    let rest = pay(8 * COIN / 10 - FEE_SATS, coins[0].output().script_pubkey.clone());
    let spend = Spend { outputs: vec![spend.outputs[0].clone(), spend.outputs[1].clone(), rest], ..spend };
    let answer = vault.watcher.signed("b", spend.body());
    let Ok(Finished::Psbt(half)) = finish_psbt(&spend.psbt().serialize(), &signatures(&answer)) else {
        panic!("one signature of two is not enough");
    };
    let digest = hex::decode(&spend.digests()[0]).unwrap();
    let other = Secp256k1::new().sign_ecdsa(&Message::from_digest_slice(&digest).unwrap(), &secret(2));
    let other_key = PublicKey::decode(Algorithm::Secp256k1, &outsider(2).to_bytes()).unwrap();
    let Ok(Finished::Transaction(transaction)) = finish_psbt(&half, &[(other_key, other.serialize_compact())]) else {
        panic!("two signatures of two are enough");
    };
    assert_valid(&spend, &transaction);
    vault.stop();
}

fn change() {
    let vault = Vault::new();
    vault.allocate("vault", 2);
    let outputs = [
        vault.back(COIN / 10, "vault"),
        to(COIN / 10, DESTINATION),
        vault.back(7 * COIN, "vault/1"),
        vault.back(COIN / 10, "vault"),
    ];
    let coins = [vault.coin("vault/0", &Lock::P2wpkh, 1, 73 * COIN / 10 + FEE_SATS)];
    let accepted = vault.accepted("a", spend(&coins, &outputs).body());
    assert_eq!(amounts(&accepted["payments"]), [(DESTINATION.to_owned(), "0.1".to_owned())]);
    let change: Vec<(String, String)> = [("vault", "0.1"), ("vault/1", "7"), ("vault", "0.1")]
        .map(|(path, amount)| (vault.address(path), amount.to_owned()))
        .into();
    assert_eq!(amounts(&accepted["change"]), change);
    assert_eq!(vault.used("vault, a day"), "0.10001");
    vault.stop();
}

/// Each of the outputs is all a transaction pays, and is found to be a payment by this rule.
fn assert_payment(vault: &Vault, number: u16, path: &str, lock: &Lock, rule: &str) {
    let output = pay(COIN / 10, lock.script(&vault.public_key(path)));
    let rest = vault.back(9 * COIN / 10 - FEE_SATS, "vault");
    let accepted =
        vault.accepted(&format!("a-{number}"), spend(&[vault.plain(number)], &[output.clone(), rest]).body());
    let destination = Chain::BitcoinRegtest.address_of_script(output.script_pubkey.as_bytes()).unwrap();
    assert_eq!(amounts(&accepted["payments"]), [(destination, "0.1".to_owned())], "{path} {lock:?}");
    assert_eq!(accepted["change"].as_array().map(Vec::len), Some(1), "{path} {lock:?}");
    assert_eq!(accepted["rules"], json!([rule]), "{path} {lock:?}");
    // Ten such payments and their fees.
    let units = u64::from(number) * (COIN / 10 + FEE_SATS);
    let used = appliance_wire::Amount::from_units(units).to_decimal(8);
    assert_eq!(vault.used("vault, a day"), used.as_str(), "{path} {lock:?}");
}

fn no_change() {
    let vault = Vault::new();
    vault.allocate("vault", 1);
    vault.allocate("cold", 1);
    // Not allocated yet: whoever reads the chain code could name it, but nobody was promised it.
    assert_payment(&vault, 1, "vault/1", &Lock::P2wpkh, "withdrawals");
    assert_payment(&vault, 2, "vault/2147483647", &Lock::P2wpkh, "withdrawals");
    // Our own keys, in forms their addresses do not have.
    assert_payment(&vault, 3, "vault", &Lock::P2pkh, "withdrawals");
    assert_payment(&vault, 4, "vault", &Lock::P2shP2wpkh, "withdrawals");
    assert_payment(&vault, 5, "vault/0", &Lock::P2pkh, "withdrawals");
    assert_payment(&vault, 6, "vault", &Lock::Multisig(1, vec![outsider(4)]), "withdrawals");
    // Another key of ours, and its children, are destinations like any other.
    assert_payment(&vault, 7, "cold", &Lock::P2wpkh, "to the safe");
    assert_payment(&vault, 8, "cold/0", &Lock::P2wpkh, "to the safe");
    // The same child, once it is allocated.
    vault.allocate("vault", 1);
    let outputs = [to(COIN / 10, DESTINATION), vault.back(9 * COIN / 10 - FEE_SATS, "vault/1")];
    let accepted = vault.accepted("b", spend(&[vault.plain(9)], &outputs).body());
    assert_eq!(amounts(&accepted["change"]), [(vault.address("vault/1"), "0.89999".to_owned())]);
    vault.stop();
}

fn lists() {
    let vault = Vault::new();
    vault.allocate("cold", 2);
    // Over what other destinations may get.
    for (number, path) in (1..).zip(["cold", "cold/0", "cold/1"]) {
        let spend = spend(&[vault.plain(number)], &[vault.back(COIN - FEE_SATS, path)]);
        let accepted = vault.accepted(&format!("a-{number}"), spend.body());
        assert_eq!(accepted["rules"], json!(["to the safe"]), "{path}");
    }
    let over = "0.99999 BTC is over 0.5";
    let coins = [vault.plain(4)];
    vault.denied("b", spend(&coins, &[vault.back(COIN - FEE_SATS, "cold/2")]).body(), "withdrawals", over);
    let nested = pay(COIN - FEE_SATS, Lock::P2shP2wpkh.script(&vault.public_key("cold")));
    vault.denied("b", spend(&coins, &[nested]).body(), "withdrawals", over);
    // One output to the safe does not take the other with it.
    let beside = [vault.back(COIN / 10, "cold"), to(9 * COIN / 10 - FEE_SATS, DESTINATION)];
    vault.denied("b", spend(&coins, &beside).body(), "withdrawals", "0.89999 BTC is over 0.5");
    vault.stop();
}

fn multisig_change() {
    let vault = Vault::new();
    vault.allocate("vault", 1);
    let (ours, thiefs) = (Lock::two_of_three(), Lock::Multisig(1, vec![outsider(4)]));
    let key = vault.public_key("vault");
    let back = |lock: &Lock, sats| pay(sats, lock.script(&key));
    let shared = [vault.coin("vault", &ours, 1, COIN), vault.coin("vault", &ours, 2, COIN)];
    let outputs = [to(COIN / 10, DESTINATION), back(&ours, 19 * COIN / 10 - FEE_SATS)];
    let accepted = vault.accepted("a", spend(&shared, &outputs).body());
    assert_eq!(amounts(&accepted["payments"]), [(DESTINATION.to_owned(), "0.1".to_owned())]);
    assert_eq!(vault.used("vault, a day"), "0.10001");

    // A script made up with our key and the thief's, beside an input of ours alone.
    let trap = [vault.plain(3), vault.coin("vault", &thiefs, 4, 10_000)];
    let stolen = [back(&thiefs, COIN)];
    vault.denied("b", spend(&trap, &stolen).body(), "withdrawals", "1 BTC is over 0.5");
    // The other way round: what goes to our key alone is no change of a multisig.
    let alone = [vault.back(6 * COIN / 10, "vault"), back(&thiefs, 4 * COIN / 10)];
    vault.denied("b", spend(&trap, &alone).body(), "withdrawals", "0.6 BTC is over 0.5");
    // Two scripts of which others have keys: neither is change.
    let two = [vault.coin("vault", &ours, 5, COIN), vault.coin("vault", &thiefs, 6, COIN)];
    for lock in [&ours, &thiefs] {
        vault.denied("b", spend(&two, &[back(lock, 2 * COIN - FEE_SATS)]).body(), "withdrawals", "is over 0.5");
    }
    // The same keys with another number, or a child's key, are another script.
    let coins = [vault.coin("vault", &ours, 7, COIN)];
    let Lock::Multisig(_, others) = &ours else { panic!() };
    let fewer = back(&Lock::Multisig(1, others.clone()), COIN - FEE_SATS);
    vault.denied("b", spend(&coins, &[fewer]).body(), "withdrawals", "0.99999 BTC is over 0.5");
    let childs = pay(COIN - FEE_SATS, ours.script(&vault.public_key("vault/0")));
    vault.denied("b", spend(&coins, &[childs]).body(), "withdrawals", "0.99999 BTC is over 0.5");
    assert_eq!(vault.used("vault, a day"), "0.10001");
    vault.stop();
}

fn ceilings() {
    let vault = Vault::with_policy(&policy().replace("max_amount = \"10\"", "max_amount = \"0.7\""));
    let coins = [vault.plain(1)];
    let pays = |sats: u64, fee: u64| {
        let outputs = [to(sats, DESTINATION), vault.back(COIN - sats - fee, "vault")];
        spend(&coins, &outputs).body()
    };
    vault.denied("a", pays(COIN / 2 + 1, 1_000), "withdrawals", "0.50000001 BTC is over 0.5");
    let halves = [to(COIN / 4, DESTINATION), to(COIN / 4 + 1, DESTINATION), vault.back(COIN / 2 - 1_001, "vault")];
    vault.denied("a", spend(&coins, &halves).body(), "withdrawals", "0.50000001 BTC is over 0.5");
    vault.denied("a", pays(COIN / 2, 100_001), "withdrawals", "the fee of 0.00100001 BTC is over 0.001");
    // 5 % of 0.001 BTC.
    vault.denied("a", pays(100_000, 5_001), "withdrawals", "share");
    assert_eq!(vault.used("vault, a day"), "0");
    vault.watcher.signed("a", pays(COIN / 2, 100_000));
    assert_eq!(vault.used("vault, a day"), "0.501");
    let next = |number, sats: u64| {
        let outputs = [to(sats, DESTINATION), vault.back(COIN - sats - 1_000, "vault")];
        spend(&[vault.plain(number)], &outputs).body()
    };
    // The fee counts, to the last unit.
    let problem = vault.watcher.refused("b", next(2, 19_899_001));
    assert_eq!(problem.type_uri, "urn:chancery:problem:limit-exceeded");
    assert_eq!((problem.limit.as_deref(), problem.remaining.as_deref()), (Some("vault, a day"), Some("0.199")));
    vault.watcher.signed("b", next(2, 19_899_000));
    assert_eq!(vault.used("vault, a day"), "0.7");
    vault.stop();
}

fn pays_nobody() {
    let vault = Vault::new();
    vault.allocate("vault", 1);
    let coins = [vault.plain(1), vault.coin("vault/0", &Lock::P2wpkh, 2, COIN)];
    let merged = |fee: u64| spend(&coins, &[vault.back(2 * COIN - fee, "vault/0")]).body();
    vault.denied("a", merged(50_001), "consolidate", "the fee of 0.00050001 BTC is over 0.0005");
    let accepted = vault.accepted("a", merged(50_000));
    assert_eq!((&accepted["payments"], &accepted["rules"]), (&json!([]), &json!(["consolidate"])));
    assert_eq!(vault.used("vault, a day"), "0.0005");
    // The second watcher has no such rule; one for payments is asked instead, and 0 has no share.
    let second = vault.second();
    let problem = second.refused("a", spend(&[vault.plain(3)], &[vault.back(COIN - 100, "vault")]).body());
    assert_eq!(problem.rule.as_deref(), Some("withdrawals"), "{}", problem.detail);
    vault.stop();
}

/// The account that signed `data`, by the answer's signature.
fn sender(answer: &Value, body: &Value) -> String {
    let one = &answer["signatures"][0];
    let digest = hex::decode(one["digest"].as_str().unwrap()).unwrap();
    let signature: [u8; 64] = hex::decode(one["signature"].as_str().unwrap()).unwrap().try_into().unwrap();
    let recovery_id = u8::try_from(one["recovery_id"].as_u64().unwrap()).unwrap();
    let data = STANDARD.decode(body["evidence"]["data"].as_str().unwrap()).unwrap();
    finish_eip2718(&data, &signature, recovery_id).unwrap();
    let recovered = k256::ecdsa::VerifyingKey::recover_from_prehash(
        &digest,
        &k256::ecdsa::Signature::from_slice(&signature).unwrap(),
        k256::ecdsa::RecoveryId::from_byte(recovery_id).unwrap(),
    );
    let public_key = PublicKey::decode(Algorithm::Secp256k1, &recovered.unwrap().to_sec1_bytes()).unwrap();
    Chain::Evm(1).address_of(&public_key, None).unwrap()
}

fn accounts() {
    let vault = Vault::new();
    vault.allocate("eth", 1);
    let typed = ether(2, RECIPIENT, ETHER / 10);
    let legacy = TxLegacy {
        chain_id: Some(31_337),
        nonce: 0,
        gas_price: 10_000_000_000,
        gas_limit: 100_000,
        to: TxKind::Call(address(RECIPIENT)),
        value: U256::from(ETHER / 10),
        ..TxLegacy::default()
    };
    let listed = TxEip2930 {
        chain_id: 31_337,
        nonce: 1,
        gas_price: 10_000_000_000,
        gas_limit: 100_000,
        to: TxKind::Call(address(RECIPIENT)),
        value: U256::from(ETHER / 10),
        ..TxEip2930::default()
    };
    let evidence = [legacy.encoded_for_signing(), listed.encoded_for_signing(), typed.encoded_for_signing()];
    for (number, data) in (1..).zip(evidence) {
        let body = crate::harness::vault::ether::raw("eth", &data);
        let answer = vault.watcher.signed(&format!("a-{number}"), &body);
        assert_eq!(sender(&answer, &body), vault.address("eth"));
        let units = appliance_wire::Amount::from_units(number * (ETHER / 10 + ETHER / 1_000)).to_decimal(18);
        assert_eq!(vault.used("ether, a day"), units.as_str());
    }
    // A child is an account of its own, with nonces of its own.
    let childs = body("eth/0", &ether(0, RECIPIENT, ETHER / 10));
    assert_eq!(sender(&vault.watcher.signed("b", &childs), &childs), vault.address("eth/0"));
    let tokens = body("eth", &dollars(3, RECIPIENT, 1_500_000));
    let accepted = vault.accepted("c", &tokens);
    let paid = json!([{ "asset": "USDC", "destination": RECIPIENT, "amount": "1.5" }]);
    assert_eq!((&accepted["payments"], &accepted["fee"]), (&paid, &json!({ "asset": "ETH", "amount": FEE })));
    assert_eq!((vault.used("dollars, a day"), vault.used("ether, a day")), ("1.5".into(), "0.405".into()));
    vault.denied("d", body("eth", &dollars(4, RECIPIENT, 1_000_000_001)), "dollars", "1000.000001 USDC is over 1000");
    vault.denied("d", body("eth", &ether(4, RECIPIENT, ETHER + 1)), "ether", "is over 1");
    let mut dear = ether(4, RECIPIENT, 1);
    dear.max_fee_per_gas *= 11;
    vault.denied("d", body("eth", &dear), "ether", "the fee of 0.011 ETH is over 0.01");
    // Wei to the account itself, and tokens to it or its child, pay nobody.
    for (number, own) in [ether(4, &vault.address("eth"), 0), dollars(5, &vault.address("eth/0"), 7)].iter().enumerate()
    {
        let accepted = vault.accepted(&format!("e-{number}"), body("eth", own));
        assert_eq!((&accepted["payments"], &accepted["rules"]), (&json!([]), &json!(["cancel"])));
    }
    // A contract may be told what a rule names; wei sent along are a payment to it.
    let approve = function([0x09, 0x5e, 0xa7, 0xb3], RECIPIENT, 5);
    let mut call = crate::harness::vault::ether::call(6, crate::harness::vault::ether::TOKEN, approve);
    let accepted = vault.accepted("f", body("eth", &call));
    assert_eq!(accepted["rules"], json!(["approve"]));
    (call.nonce, call.value) = (7, U256::from(5));
    let accepted = vault.accepted("g", body("eth", &call));
    let token = crate::harness::vault::ether::TOKEN.to_owned();
    assert_eq!(amounts(&accepted["payments"]), [(token, "0.000000000000000005".to_owned())]);
    vault.stop();
}

fn transfer() {
    let vault = Vault::new();
    let outputs = [to(COIN / 10, DESTINATION), vault.back(9 * COIN / 10 - FEE_SATS, "vault")];
    let mut body = spend(&[vault.plain(1)], &outputs).body();
    body["transfer"] = json!({ "asset": "BTC", "fee": "0.00001000", "outputs": [
        { "destination": DESTINATION.to_uppercase(), "amount": "0.10", "reference": "wd-7" }] });
    let accepted = vault.accepted("a", &body);
    assert_eq!(amounts(&accepted["payments"]), [(DESTINATION.to_owned(), "0.1".to_owned())]);
    // The fee may be left unsaid.
    let outputs = [to(COIN / 10, DESTINATION), vault.back(9 * COIN / 10 - FEE_SATS, "vault")];
    let mut body = spend(&[vault.plain(2)], &outputs).body();
    body["transfer"] = json!({ "asset": "BTC", "outputs": [{ "destination": DESTINATION, "amount": "0.1" }] });
    vault.watcher.signed("b", &body);
    vault.stop();
}
