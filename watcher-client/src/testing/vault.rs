//! A signer of one `verified` key with children, and transactions that spend what it owns.

use appliance_wire::{
    Address, AddressType, AddressesAnswer, AddressesRequest, Chain, ExplainedAmount, ExplainedHold, ExplainedOutcome,
    ExplainedPayment, ExplainedRule, Explanation, ItemSignature, KeyAnswer, KeysAnswer, SignatureRequest,
};
use bitcoin::{
    OutPoint, Psbt, ScriptBuf, Sequence, Transaction, TxIn, TxOut, WPubkeyHash, Witness, absolute, hashes::Hash,
    transaction,
};
use hsm_types::{Algorithm, PublicKey};

use super::{Seen, TestAnswer, chain_code, child_signature, ecdsa_public_key, ecdsa_signature, signed_answer};

/// Name of the key.
pub(crate) const VAULT: &str = "btc-vault";
/// Children allocated so far.
pub(crate) const ALLOCATED: u32 = 12;
const PAGE: u32 = 5;
const SEED: u8 = 1;

/// The public key of a child.
pub(crate) fn child(index: u32) -> PublicKey {
    ecdsa_public_key(SEED).child(&chain_code(SEED), index).unwrap().public_key().clone()
}

/// Its address.
pub(crate) fn address_of(key: &PublicKey) -> String {
    Chain::BitcoinRegtest.address_of(key, Some(AddressType::P2wpkh)).unwrap()
}

/// The key as it is listed.
pub(crate) fn vault() -> KeyAnswer {
    let public_key = ecdsa_public_key(SEED);
    KeyAnswer {
        name: VAULT.to_owned(),
        algorithm: Algorithm::Secp256k1,
        public_key: public_key.to_string(),
        address: Some(address_of(&public_key)),
        evidence: "verified".to_owned(),
        state: "active".to_owned(),
        children: true,
        chain_code: Some(chain_code(SEED).to_hex()),
        attestation: Vec::new(),
    }
}

/// Children as they are listed.
pub(crate) fn children(indices: std::ops::Range<u32>) -> Vec<Address> {
    let address = |index| Address {
        key: format!("{VAULT}/{index}"),
        child: index,
        public_key: child(index).to_string(),
        address: Some(address_of(&child(index))),
    };
    indices.map(address).collect()
}

/// A page of those allocated.
pub(crate) fn page(after: Option<u32>) -> AddressesAnswer {
    let first = after.map_or(0, |after| after + 1);
    let end = (first + PAGE).min(ALLOCATED);
    AddressesAnswer { addresses: children(first..end), next: (end < ALLOCATED).then(|| end - 1) }
}

/// Signs whatever it is asked to.
pub(crate) fn sign(id: &str, request: &SignatureRequest) -> TestAnswer {
    let sign = |item: &appliance_wire::Item| -> ItemSignature {
        let digest = item.digest.unwrap();
        match item.key.child {
            None => ecdsa_signature(SEED, item.key.label.as_str(), digest.0),
            Some(index) => child_signature(SEED, item.key.label.as_str(), index, digest),
        }
    };
    TestAnswer::json(&signed_answer(id, 5, request.items.iter().map(sign).collect()))
}

/// What it says would happen.
fn explanation(id: &str) -> Explanation {
    let amount = |amount: &str, destination: Option<String>| ExplainedAmount {
        asset: "BTC".to_owned(),
        amount: amount.to_owned(),
        destination,
    };
    let rule = |name: &str, matches| ExplainedRule { rule: name.to_owned(), matches, reason: "because".to_owned() };
    Explanation {
        request_id: id.to_owned(),
        outcome: ExplainedOutcome::Sign,
        problem: None,
        amounts_verified: true,
        payments: vec![ExplainedPayment {
            paid: Some(amount("0.000009", Some(customer()))),
            ours: None,
            rules: vec![rule("sweeps", false), rule("withdrawals", true)],
        }],
        change: Vec::new(),
        fee: Some(amount("0.000001", None)),
        limits: Vec::new(),
        holds: vec![ExplainedHold { hold: "00:0".to_owned(), free: true }],
    }
}

/// The signer.
pub(crate) fn serve_vault(seen: &Seen) -> TestAnswer {
    let (path, query) = seen.line.split_once('?').unwrap_or((&seen.line, ""));
    let id = path.rsplit('/').next().unwrap();
    match path {
        "GET /v1/keys" => TestAnswer::json(&KeysAnswer { keys: vec![vault()] }),
        "GET /v1/keys/btc-vault/addresses" => {
            TestAnswer::json(&page(query.strip_prefix("after=").map(|after| after.parse().unwrap())))
        }
        "POST /v1/keys/btc-vault/addresses" => {
            let asked: AddressesRequest = serde_json::from_slice(&seen.body).unwrap();
            let first = asked.after.map_or(ALLOCATED, |after| after + 1);
            TestAnswer::json(&AddressesAnswer { addresses: children(first..first + asked.count), next: None })
        }
        _ if path.ends_with("/explain") => TestAnswer::json(&explanation(path.split('/').nth(3).unwrap())),
        _ if path.starts_with("PUT /v1/signatures/") => sign(id, &serde_json::from_slice(&seen.body).unwrap()),
        other => panic!("{other}"),
    }
}

/// Outputs of 1000 to each of these keys, and the unsigned transaction that spends them all.
pub(crate) fn spend_of(keys: &[PublicKey]) -> (Transaction, Psbt) {
    let script = |key: &PublicKey| {
        let key = bitcoin::CompressedPublicKey::from_slice(&key.to_bytes()).unwrap();
        ScriptBuf::new_p2wpkh(&key.wpubkey_hash())
    };
    let output = |script_pubkey, amount| TxOut { value: bitcoin::Amount::from_sat(amount), script_pubkey };
    let input = |previous_output| TxIn {
        previous_output,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: Witness::new(),
    };
    let of = |input, output| Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input,
        output,
    };
    let deposit = of(vec![input(OutPoint::null())], keys.iter().map(|key| output(script(key), 1_000)).collect());
    let outpoints = (0..).take(keys.len()).map(|vout| OutPoint::new(deposit.compute_txid(), vout));
    let customer = ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([7; 20]));
    let spend = of(outpoints.map(input).collect(), vec![output(customer, 900)]);
    let mut psbt = Psbt::from_unsigned_tx(spend).unwrap();
    for input in &mut psbt.inputs {
        input.non_witness_utxo = Some(deposit.clone());
    }
    (deposit, psbt)
}

/// Where [`spend_of`] pays 900 to.
pub(crate) fn customer() -> String {
    let script = ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([7; 20]));
    Chain::BitcoinRegtest.address_of_script(script.as_bytes()).unwrap()
}

/// Bitcoin Core's script code judges every input.
pub(crate) fn assert_valid(signed: &[u8], deposit: &Transaction) {
    for (position, output) in deposit.output.iter().enumerate() {
        let verify = |amount| bitcoinconsensus::verify(output.script_pubkey.as_bytes(), amount, signed, None, position);
        verify(1_000).unwrap();
        verify(1_001).unwrap_err();
    }
}
