//! PSBTs, bent one by one.

use bitcoin::{Amount, Psbt, ScriptBuf, TxOut, Witness, consensus, psbt::PsbtSighashType};
use serde_json::{Value, json};

use super::{Case, case, denied, invalid, mismatch, with};
use crate::harness::{
    body::{DESTINATION, OTHER_DESTINATION, digest, payment},
    vault::{
        Vault,
        coins::{COIN, Lock, Spend, outsider, pay, psbt, spend, to},
        ether::{ETHER, RECIPIENT, ether, raw},
    },
};
use alloy_consensus::SignableTransaction;

const FEE: u64 = 1_000;

/// Two inputs, of the key and of its child 0; a payment, and change.
fn good(vault: &Vault) -> Spend {
    let coins = [vault.plain(1), vault.coin("vault/0", &Lock::P2wpkh, 2, COIN)];
    spend(&coins, &[to(COIN / 10, DESTINATION), vault.back(19 * COIN / 10 - FEE, "vault")])
}

pub(super) fn cases(vault: &Vault) -> (Vec<Case>, Value) {
    vault.allocate("vault", 1);
    let good = good(vault);
    let mut cases = bytes(&good);
    cases.extend(inputs(vault, &good));
    cases.extend(outputs(&good));
    cases.extend(items(vault, &good));
    cases.extend(transfers(&good));
    (cases, good.body())
}

/// The items of the good request with other evidence.
fn of(good: &Spend, data: &[u8]) -> Value {
    json!({ "items": good.items(), "evidence": psbt(data) })
}

fn bent(good: &Spend, bend: impl Fn(&mut Psbt)) -> Value {
    let mut psbt = good.psbt();
    bend(&mut psbt);
    of(good, &psbt.serialize())
}

fn bytes(good: &Spend) -> Vec<Case> {
    let data = good.psbt().serialize();
    let unsigned = consensus::serialize(&good.psbt().unsigned_tx);
    let pair = [&[1, 0, u8::try_from(unsigned.len()).unwrap()], unsigned.as_slice()].concat();
    let pair_twice = [&data[..5], &pair, &data[5..]].concat();
    assert_eq!(data[5..5 + pair.len()], pair);
    let trailing = [data.as_slice(), &[0]].concat();
    let format = |format: &str| with(good.body(), "/evidence/format", json!(format));
    let text = |text: String| with(good.body(), "/evidence/data", json!(text));
    vec![
        invalid("no bytes", of(good, b""), "no PSBT"),
        invalid("the beginning", of(good, &data[..5]), "cannot be read"),
        invalid("all but the last byte", of(good, &data[..data.len() - 1]), "cannot be read as version 0"),
        invalid("half", of(good, &data[..data.len() / 2]), "middle of one of its maps"),
        invalid("a byte more", of(good, &trailing), "follow the PSBT's last map"),
        invalid("a key twice", of(good, &pair_twice), "has a key twice"),
        invalid("the transaction alone", of(good, &unsigned), "no PSBT"),
        invalid("an unknown format", format("psbt2"), "\"psbt2\" is not known"),
        invalid("capitals", format("PSBT"), "\"PSBT\" is not known"),
        invalid("the other format", format("eip2718"), "transaction type 0x70"),
        invalid("no base64", text("cHNidP8!".to_owned()), "no base64"),
        invalid(
            "base64 of URLs",
            text(good.body()["evidence"]["data"].as_str().unwrap().replace('/', "_") + "_"),
            "no base64",
        ),
        invalid("a line end", text(format!("{}\n", good.body()["evidence"]["data"].as_str().unwrap())), "no base64"),
        case("over 8 MiB", text("A".repeat(8 << 20)), "too-large", "8388608"),
        invalid("one input too many", of(good, &many(good, 257, 1)), "257 inputs"),
        invalid("one output too many", of(good, &many(good, 2, 1_001)), "1001 outputs"),
        invalid(
            "more than nodes relay",
            bent(good, |psbt| psbt.unsigned_tx.output[0].script_pubkey = vec![0x6a; 100_000].into()),
            "at most 100000 are signed",
        ),
        invalid(
            "many entries",
            bent(good, |psbt| {
                let key = |n: u32| bitcoin::psbt::raw::Key { type_value: 0xf0, key: n.to_be_bytes().to_vec() };
                psbt.unknown.extend((0..10_001).map(|n| (key(n), Vec::new())));
            }),
            "more than 10000 entries",
        ),
    ]
}

/// The good one with so many inputs and outputs.
fn many(good: &Spend, inputs: usize, outputs: usize) -> Vec<u8> {
    let mut psbt = good.psbt();
    for vout in 2..u32::try_from(inputs).unwrap() {
        let mut input = psbt.unsigned_tx.input[0].clone();
        input.previous_output.vout = vout;
        psbt.unsigned_tx.input.push(input);
        psbt.inputs.push(psbt.inputs[0].clone());
    }
    psbt.unsigned_tx.output = vec![psbt.unsigned_tx.output[0].clone(); outputs];
    psbt.outputs = vec![psbt.outputs[0].clone(); outputs];
    psbt.serialize()
}

fn inputs(vault: &Vault, good: &Spend) -> Vec<Case> {
    let sighash = |kind: u32| bent(good, |psbt| psbt.inputs[1].sighash_type = Some(PsbtSighashType::from_u32(kind)));
    let richer = |psbt: &mut Psbt| psbt.inputs[0].witness_utxo.as_mut().unwrap().value += Amount::from_sat(1);
    let other_previous = |psbt: &mut Psbt| {
        psbt.inputs[0].witness_utxo = None;
        psbt.inputs[0].non_witness_utxo.as_mut().unwrap().output[1].value += Amount::from_sat(1);
    };
    let outputs = &good.outputs;
    let twice = spend(&[good.coins[0].clone(), good.coins[0].clone()], outputs);
    let foreign = |lock: &Lock| {
        let mut coins = [vault.coin("cold", lock, 3, COIN), good.coins[1].clone()];
        coins[0].path = "vault".to_owned();
        spend(&coins, outputs).body()
    };
    let taproot = |psbt: &mut Psbt| {
        let script = ScriptBuf::from_bytes([&[0x51, 0x20][..], &[7; 32]].concat());
        spends(psbt, pay(COIN, script));
    };
    let unsigned_script = |psbt: &mut Psbt| spends(psbt, pay(COIN, ScriptBuf::new_p2pk(&outsider(4))));
    let pretended = |psbt: &mut Psbt| psbt.inputs[0].redeem_script = Some(ScriptBuf::new());
    vec![
        invalid("SIGHASH_NONE", sighash(2), "input 1: asks for sighash type 0x2"),
        invalid("SIGHASH_SINGLE", sighash(3), "sighash type 0x3"),
        invalid("ANYONECANPAY", sighash(0x81), "sighash type 0x81"),
        invalid("a sighash nobody knows", sighash(0x1ff), "sighash type 0x1ff"),
        invalid("a claimed amount", bent(good, richer), "input 0: its witness_utxo is not the output it spends"),
        invalid("another previous transaction", bent(good, other_previous), "input 0: its non_witness_utxo"),
        invalid(
            "no previous transaction",
            bent(good, |psbt| psbt.inputs[0].non_witness_utxo = None),
            "non_witness_utxo",
        ),
        invalid(
            "no such output",
            bent(good, |psbt| psbt.unsigned_tx.input[0].previous_output.vout = 2),
            "spends output 2",
        ),
        invalid("one outpoint twice", twice.body(), "which an earlier input spends"),
        invalid("an input of another key", foreign(&Lock::P2wpkh), "input 0"),
        invalid("a multisig of others", foreign(&Lock::two_of_three()), "is not spent by vault"),
        invalid("taproot", bent(good, taproot), "taproot"),
        invalid("a script of no form", bent(good, unsigned_script), "no known form"),
        invalid("a script it does not ask for", bent(good, pretended), "redeem_script"),
        invalid(
            "finalised",
            bent(good, |psbt| psbt.inputs[1].final_script_witness = Some(Witness::new())),
            "finalised",
        ),
    ]
}

/// Makes input 0 spend this.
fn spends(psbt: &mut Psbt, output: TxOut) {
    let previous = psbt.inputs[0].non_witness_utxo.as_mut().unwrap();
    previous.output[1] = output.clone();
    psbt.unsigned_tx.input[0].previous_output.txid = previous.compute_txid();
    psbt.inputs[0].witness_utxo = Some(output);
}

fn outputs(good: &Spend) -> Vec<Case> {
    let paying = |output: TxOut| Spend { outputs: vec![output, good.outputs[1].clone()], ..good.clone() }.body();
    let coin = |sats: u64| {
        bent(good, |psbt| {
            let script = psbt.inputs[0].witness_utxo.as_ref().unwrap().script_pubkey.clone();
            spends(psbt, pay(sats, script));
        })
    };
    let pushed = ScriptBuf::from_bytes([&[0x6a, 4][..], b"text"].concat());
    vec![
        invalid("dust", paying(to(293, DESTINATION)), "output 0 pays 293 base units, too few"),
        invalid("nothing", paying(to(0, DESTINATION)), "dust"),
        invalid("more than goes in", paying(to(COIN, DESTINATION)), "are above the inputs"),
        invalid(
            "more than there is",
            paying(to(u64::MAX, DESTINATION)),
            "the outputs of the transaction are worth more",
        ),
        invalid(
            "inputs worth more than there is",
            coin(84_000_000 * COIN),
            "the inputs of the transaction are worth more",
        ),
        denied("OP_RETURN", paying(pay(0, pushed)), "outputs", "output 0 pays a script that is no address"),
        denied("a bare key", paying(pay(COIN / 10, ScriptBuf::new_p2pk(&outsider(4)))), "outputs", "no address"),
        denied("anyone's", paying(pay(COIN / 10, ScriptBuf::from_bytes(vec![0x51]))), "outputs", "(51...)"),
        denied(
            "a future witness",
            paying(pay(COIN / 10, ScriptBuf::from_bytes(vec![0x52, 2, 7, 7]))),
            "outputs",
            "no address",
        ),
    ]
}

fn items(vault: &Vault, good: &Spend) -> Vec<Case> {
    let items = |change: &dyn Fn(&mut Vec<Value>)| {
        let mut body = good.body();
        change(body["items"].as_array_mut().unwrap());
        body
    };
    let other = Spend { outputs: vec![to(COIN / 10, OTHER_DESTINATION)], ..good.clone() };
    let unallocated = spend(&[vault.coin("vault/1", &Lock::P2wpkh, 3, COIN)], &[to(COIN / 10, DESTINATION)]);
    let message = items(&|items| items[0] = json!({ "key": "vault", "message": items[0]["digest"] }));
    vec![
        invalid("an item too few", items(&|items| drop(items.pop())), "1 items for the 2 inputs"),
        invalid("an item too many", items(&|items| items.push(items[0].clone())), "3 items for the 2 inputs"),
        invalid("in another order", items(&|items| items.swap(0, 1)), "is not spent by vault/0"),
        invalid("another child", items(&|items| items[1]["key"] = json!("vault")), "is not spent by vault"),
        mismatch("of another transaction", with(good.body(), "/items", other.items()), "items[0].digest"),
        mismatch(
            "one digest of two",
            items(&|items| items[1]["digest"] = other.items()[1]["digest"].clone()),
            "items[1]",
        ),
        mismatch("digests changed about", items(&|items| items[0]["digest"] = items[1]["digest"].clone()), "items[0]"),
        case("a child never allocated", unallocated.body(), "unknown-key", "vault/1 was never allocated"),
        case("a message", message, "malformed", "signs a digest, not a message"),
    ]
}

fn transfers(good: &Spend) -> Vec<Case> {
    let said = |asset: &str, fee: &str, outputs: &[(&str, &str)]| {
        let outputs: Vec<_> =
            outputs.iter().map(|(to, amount)| json!({ "destination": to, "amount": amount })).collect();
        with(good.body(), "/transfer", json!({ "asset": asset, "fee": fee, "outputs": outputs }))
    };
    let (paid, fee, change) = ((DESTINATION, "0.1"), "0.00001", good.outputs[1].clone());
    let change_address = bitcoin::Address::from_script(&change.script_pubkey, bitcoin::Network::Regtest).unwrap();
    let change_address = change_address.to_string();
    vec![
        mismatch("another amount", said("BTC", fee, &[(DESTINATION, "0.09999999")]), "transfer.outputs"),
        mismatch("another destination", said("BTC", fee, &[(OTHER_DESTINATION, "0.1")]), "transfer.outputs"),
        mismatch("an output too many", said("BTC", fee, &[paid, (OTHER_DESTINATION, "0.1")]), "transfer.outputs"),
        mismatch("no output", said("BTC", fee, &[]), "transfer.outputs"),
        mismatch("change among them", said("BTC", fee, &[paid, (&change_address, "1.89999")]), "transfer.outputs"),
        mismatch("another fee", said("BTC", "0.00000999", &[paid]), "transfer.fee"),
        denied("an asset of another key", said("ETH", fee, &[(RECIPIENT, "0.1")]), "assets", "does not pay asset ETH"),
    ]
}

pub(super) fn levels(vault: &Vault) -> (Vec<Case>, Value) {
    vault.allocate("vault", 1);
    let good = good(vault);
    let bare = json!({ "items": good.items() });
    let declared = with(bare.clone(), "/transfer", payment(1, "0.1", "0.00001")["transfer"].clone());
    let evidence = |body: Value| with(body, "/evidence", good.body()["evidence"].clone());
    let wei = raw("vault", &ether(0, RECIPIENT, ETHER).encoded_for_signing());
    let cases = vec![
        case("a bare digest", bare, "evidence-required", "send the unsigned transaction"),
        case("a transfer alone", declared, "evidence-required", "send the unsigned transaction"),
        invalid("evidence on a declared key", evidence(payment(1, "0.1", "0")), "leave it out"),
        invalid("evidence on a blind key", evidence(digest("raw", 1)), "leave it out"),
        case(
            "replaces on a declared key",
            with(payment(1, "0.1", "0"), "/replaces", json!("b")),
            "evidence-required",
            "replaces",
        ),
        case(
            "replaces on a blind key",
            with(digest("raw", 1), "/replaces", json!("b")),
            "evidence-required",
            "replaces",
        ),
        invalid("an EVM transaction on a key of bitcoin", wei, "evm:31337, where key vault pays nothing"),
        invalid(
            "a PSBT on an account",
            with(good.body(), "/items", json!([{ "key": "eth", "digest": "07".repeat(32) }])),
            "no chain of Bitcoin's kind",
        ),
        case(
            "a key not granted",
            with(good.body(), "/items", json!([{ "key": "chill", "digest": "07".repeat(32) }])),
            "unknown-key",
            "chill",
        ),
    ];
    (cases, good.body())
}
