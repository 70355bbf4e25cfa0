//! Bodies of requests as a good watcher makes them; tests change what they want to.

use serde_json::{Value, json};

/// An address of bitcoin-regtest (the program of BIP 173's examples).
pub(crate) const DESTINATION: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
/// Another.
pub(crate) const OTHER_DESTINATION: &str = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn";

/// One signature of an ECDSA key over digest `number`.
pub(crate) fn digest(key: &str, number: u64) -> Value {
    digests(key, number..number + 1)
}

/// One for each number.
pub(crate) fn digests(key: &str, numbers: impl Iterator<Item = u64>) -> Value {
    let items = numbers.map(|number| json!({ "key": key, "digest": format!("{number:064x}") }));
    json!({ "items": items.collect::<Vec<_>>() })
}

/// One signature of the Ed25519 key over a message.
pub(crate) fn message(message: &[u8]) -> Value {
    json!({ "items": [{ "key": "ed", "message": hex::encode(message) }] })
}

/// A payment of key `hot` to [`DESTINATION`].
pub(crate) fn payment(number: u64, amount: &str, fee: &str) -> Value {
    payments(number, &[(DESTINATION, amount)], fee)
}

/// Payments of key `hot`.
pub(crate) fn payments(number: u64, outputs: &[(&str, &str)], fee: &str) -> Value {
    let outputs = outputs.iter().map(|(destination, amount)| json!({ "destination": destination, "amount": amount }));
    let mut body = digest("hot", number);
    body["transfer"] = json!({ "asset": "BTC", "fee": fee, "outputs": outputs.collect::<Vec<_>>() });
    body
}
