//! What mutations start from: valid transactions of every form, and requests that carry them.

use base64::{Engine, engine::general_purpose::STANDARD};

#[path = "../../src/transaction/eip2718/tests/sample.rs"]
mod eip2718_sample;
#[path = "../../src/transaction/psbt/tests/sample.rs"]
mod psbt_sample;

use self::psbt_sample::Form;

pub(crate) fn psbt() -> Vec<Vec<u8>> {
    let alone = Form::ALL.map(|form| vec![form]);
    let all = alone.iter().map(Vec::as_slice).chain([&Form::ALL[..], &[Form::P2wpkh, Form::P2wpkh]]);
    all.map(|forms| psbt_sample::psbt(forms).serialize()).collect()
}

pub(crate) fn eip2718() -> Vec<Vec<u8>> {
    eip2718_sample::all()
}

pub(crate) fn request() -> Vec<Vec<u8>> {
    let (psbt, eip2718) = (&psbt()[0], &eip2718()[2]);
    let digest = "ab".repeat(32);
    let request = |fields: &str| format!(r#"{{"items":[{{"key":"btc-hot/17","digest":"{digest}"}}]{fields}}}"#);
    let transfer = r#","transfer":{"asset":"BTC","fee":"0.00001410","outputs":[{"destination":"bcrt1qexample",
        "amount":"0.10000000","reference":"customer-wd-991"}]},"expires_at":"2026-11-21T12:00:00Z""#;
    let evidence = |format: &str, data: &[u8]| {
        format!(r#","evidence":{{"format":"{format}","data":"{}"}},"replaces":"wd-1041""#, STANDARD.encode(data))
    };
    vec![
        request("").into_bytes(),
        request(transfer).into_bytes(),
        request(&evidence("psbt", psbt)).into_bytes(),
        request(&evidence("eip2718", eip2718)).into_bytes(),
        br#"{"items":[{"key":"sol","message":"00ff"},{"key":"sol/0","digest":null,"message":""}]}"#.to_vec(),
    ]
}
