//! EVM transactions, bent one by one.

use alloy_consensus::{SignableTransaction, TxEip2930, TxLegacy};
use alloy_primitives::{TxKind, U256, keccak256};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Case, case, denied, invalid, mismatch, with};
use crate::harness::vault::{
    Vault,
    ether::{ETHER, RECIPIENT, TOKEN, address, body, call, dollars, ether, function, raw},
};

pub(super) fn cases(_: &Vault) -> (Vec<Case>, Value) {
    let mut cases = encodings();
    cases.extend(contents());
    cases.extend(calls());
    cases.extend(requests());
    (cases, body("eth", &dollars(7, RECIPIENT, 1_500_000)))
}

/// A string of at most 55 bytes in RLP.
fn string(bytes: &[u8]) -> Vec<u8> {
    match bytes {
        [one] if *one < 0x80 => vec![*one],
        _ => [&[0x80 + u8::try_from(bytes.len()).unwrap()], bytes].concat(),
    }
}

/// A list of at most 55 bytes in RLP.
fn list(items: &[Vec<u8>]) -> Vec<u8> {
    let items = items.concat();
    [&[0xc0 + u8::try_from(items.len()).unwrap()], items.as_slice()].concat()
}

/// The fields of an EIP-1559 transaction: 7 wei to the recipient.
fn fields() -> Vec<Vec<u8>> {
    let number = |number: u64| {
        let bytes = number.to_be_bytes();
        string(&bytes[usize::try_from(number.leading_zeros() / 8).unwrap()..])
    };
    let numbers = [31_337, 7, 1_000_000_000, 10_000_000_000, 100_000];
    let rest = [string(address(RECIPIENT).as_slice()), number(7), string(&[]), list(&[])];
    numbers.map(number).into_iter().chain(rest).collect()
}

fn eip1559(fields: &[Vec<u8>]) -> Vec<u8> {
    [&[2], list(fields).as_slice()].concat()
}

fn encodings() -> Vec<Case> {
    let good = fields();
    assert_eq!(eip1559(&good), ether(7, RECIPIENT, 7).encoded_for_signing());
    let bent = |place: usize, field: &[u8]| {
        let mut fields = good.clone();
        fields[place] = field.to_vec();
        raw("eth", &eip1559(&fields))
    };
    let data = eip1559(&good);
    let typed = |kind: u8| raw("eth", &[&[kind], &data[1..]].concat());
    let length_of_length = [&[2, 0xf8, u8::try_from(data.len() - 2).unwrap()], &data[2..]].concat();
    vec![
        invalid("no bytes", raw("eth", &[]), "no bytes"),
        invalid("half", raw("eth", &data[..data.len() / 2]), "cannot be read"),
        invalid("a byte more", raw("eth", &[data.as_slice(), &[0]].concat()), "not exactly what is hashed"),
        invalid("a nonce with a leading zero", bent(1, &[0x82, 0, 7]), "the unsigned transaction cannot be read"),
        invalid("a nonce of one zero byte", bent(1, &[0]), "cannot be read"),
        invalid("a value with a leading zero", bent(6, &[0x82, 0, 7]), "cannot be read"),
        invalid("one byte written long", bent(1, &[0x81, 7]), "cannot be read"),
        invalid("a long length", raw("eth", &length_of_length), "cannot be read"),
        invalid("a short recipient", bent(5, &string(&[0x35; 19])), "cannot be read"),
        invalid("a field too few", raw("eth", &eip1559(&good[..8])), "cannot be read"),
        invalid(
            "a field too many",
            raw("eth", &eip1559(&[good.clone(), vec![vec![0x80]]].concat())),
            "unexpected length",
        ),
        invalid("no base64", with(raw("eth", &data), "/evidence/data", json!("0x2")), "no base64"),
        invalid("type 3", typed(3), "transaction type 0x03 is not signed"),
        invalid("type 4", typed(4), "transaction type 0x04 is not signed"),
        invalid("type 0", typed(0), "transaction type 0x00 is not signed"),
        invalid("a message of a wallet", raw("eth", b"\x19Ethereum Signed Message:\n1a"), "type 0x19"),
    ]
}

fn contents() -> Vec<Case> {
    let on = |chain_id: u64| {
        let mut transaction = ether(7, RECIPIENT, 7);
        transaction.chain_id = chain_id;
        body("eth", &transaction)
    };
    let legacy = |chain_id| TxLegacy {
        chain_id,
        nonce: 7,
        gas_price: 1,
        gas_limit: 21_000,
        to: TxKind::Call(address(RECIPIENT)),
        ..TxLegacy::default()
    };
    let creation = TxEip2930 { chain_id: 31_337, gas_limit: 21_000, to: TxKind::Create, ..TxEip2930::default() };
    let create_legacy = TxLegacy { to: TxKind::Create, ..legacy(Some(31_337)) };
    let mut greedy = ether(7, RECIPIENT, 7);
    greedy.max_priority_fee_per_gas = greedy.max_fee_per_gas + 1;
    let mut endless = ether(7, RECIPIENT, 7);
    endless.value = U256::MAX;
    let mut last = ether(7, RECIPIENT, 7);
    last.nonce = u64::MAX;
    vec![
        invalid("the chain of money", on(1), "evm:1, where key eth pays nothing"),
        invalid("another chain", body("eth", &legacy(Some(31_338))), "evm:31338"),
        invalid("chain id 0", on(0), "chain id 0 is out of bounds"),
        invalid("a chain id beyond JSON", on(1 << 53), "out of bounds"),
        invalid("no chain id", body("eth", &legacy(None)), "names no chain id (EIP-155)"),
        invalid("a contract's creation", body("eth", &creation), "creates a contract"),
        invalid("a contract's creation, legacy", body("eth", &create_legacy), "creates a contract"),
        invalid("more tip than price", body("eth", &greedy), "max_priority_fee_per_gas"),
        invalid("more than 256 bits", body("eth", &endless), "256 bits"),
        invalid("the last nonce", body("eth", &last), "never valid"),
    ]
}

fn calls() -> Vec<Case> {
    let transfer = function([0xa9, 0x05, 0x9c, 0xbb], RECIPIENT, 5);
    let (mut dirty, mut with_wei) = (transfer.clone(), dollars(7, RECIPIENT, 5));
    dirty[4] = 1;
    with_wei.value = U256::from(1);
    let longer = [transfer.as_slice(), &[0; 32]].concat();
    let other = function([0x23, 0xb8, 0x72, 0xdd], RECIPIENT, 5);
    let approve = function([0x09, 0x5e, 0xa7, 0xb3], RECIPIENT, 5);
    let told = |contract: &str, data: &[u8]| body("eth", &call(7, contract, data.to_vec()));
    let none = "no rule matches";
    vec![
        denied("an unknown token", told(RECIPIENT, &transfer), "assets", "does not pay token 0x3535"),
        denied("a call no rule names", told(TOKEN, &other), "default", none),
        denied("the call of a rule, elsewhere", told(RECIPIENT, &approve), "default", none),
        denied("half a selector", told(TOKEN, &approve[..3]), "default", none),
        denied("a transfer with dirty padding", told(TOKEN, &dirty), "default", none),
        denied("a transfer of 100 bytes", told(TOKEN, &longer), "default", none),
        denied("a transfer of 67 bytes", told(TOKEN, &transfer[..67]), "default", none),
        denied("a transfer with wei", body("eth", &with_wei), "default", none),
        denied("text to an account", told(RECIPIENT, b"hello"), "default", none),
    ]
}

fn requests() -> Vec<Case> {
    let good = || body("eth", &dollars(7, RECIPIENT, 1_500_000));
    let said = |asset: &str, fee: &str, amount: &str| {
        let outputs = json!([{ "destination": RECIPIENT, "amount": amount }]);
        with(good(), "/transfer", json!({ "asset": asset, "fee": fee, "outputs": outputs }))
    };
    let item = &good()["items"][0];
    // The bytes as a wallet would sign them: as a message, with its prefix.
    let data = STANDARD.decode(good()["evidence"]["data"].as_str().unwrap()).unwrap();
    let prefixed = format!("\x19Ethereum Signed Message:\n{}", data.len());
    let personal = hex::encode(keccak256([prefixed.as_bytes(), &data].concat()));
    vec![
        invalid("two items", with(good(), "/items", json!([item, item])), "exactly one item"),
        mismatch("another digest", with(good(), "/items/0/digest", json!("07".repeat(32))), "items[0].digest"),
        mismatch("the digest of a message", with(good(), "/items/0/digest", json!(personal)), "items[0].digest"),
        mismatch(
            "of another nonce",
            with(good(), "/items", body("eth", &dollars(8, RECIPIENT, 1_500_000))["items"].clone()),
            "items[0]",
        ),
        mismatch("the coin in place of the token", said("ETH", "0.001", "1.5"), "transfer.asset"),
        mismatch("another amount", said("USDC", "0.001", "1.500001"), "transfer.outputs"),
        mismatch("another fee", said("USDC", "0.0010001", "1.5"), "transfer.fee"),
        case(
            "a child never allocated",
            body("eth/0", &ether(7, RECIPIENT, ETHER / 10)),
            "unknown-key",
            "eth/0 was never allocated",
        ),
        case(
            "a message",
            with(good(), "/items", json!([{ "key": "eth", "message": hex::encode(&data) }])),
            "malformed",
            "signs a digest",
        ),
    ]
}
