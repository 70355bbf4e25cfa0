//! A log such as years of withdrawals leave: for each an acceptance and its signatures, some 700 bytes an entry. The
//! signatures are none: a start does not verify them again.

use appliance_wire::Body;

use super::Installation;

/// The id of the request that an entry of a long log is about.
pub(crate) fn request_id(index: u64) -> String {
    format!("withdrawal-{:012}", index / 2)
}

/// Grows the installation's log by so many entries, before its first start.
pub(crate) fn grow(installation: &Installation, entries: u64) {
    appliance::audit::grow(&installation.path("state"), entries, body).unwrap();
}

fn body(index: u64) -> Body {
    let is_signed = index % 2 == 1;
    let number = index / 2;
    let hash = |salt: u64| format!("{:016x}", (number ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15)).repeat(4);
    let request_id = request_id(index);
    let item = serde_json::json!({ "key": "hot", "digest": hash(1) });
    let body = if is_signed {
        serde_json::json!({
            "kind": "signed", "watcher": "btc-watcher", "request_id": request_id, "accepted": index - 1,
            "signatures": [{ "key": "hot", "digest": hash(1), "signature": hash(2) + &hash(3), "recovery_id": 0,
                             "public_key": format!("02{}", hash(4)) }],
        })
    } else {
        let destination = format!("bcrt1q{}", &hash(5 + number % 50_000)[..38]);
        let fee = "0.0000141";
        serde_json::json!({
            "kind": "accepted", "watcher": "btc-watcher", "request_id": request_id, "content": hash(6), "key": "hot",
            "evidence": "declared", "amounts_verified": false, "items": [item],
            "transfer": { "asset": "BTC", "fee": fee, "outputs": [
                { "destination": destination, "amount": "0.0001", "reference": format!("customer-{number:012}") }] },
            "payments": [{ "asset": "BTC", "destination": destination, "amount": "0.0001" }],
            "fee": { "asset": "BTC", "amount": fee }, "rules": ["customer withdrawals"],
        })
    };
    serde_json::from_value(body).unwrap()
}
