//! Transactions: whose they are, and what comes of the signatures.

use appliance_wire::{Evidence, KeysAnswer};
use hsm_types::KeyPath;

use super::*;
use crate::{
    Owner, SignedTransaction, Unsigned,
    testing::vault::{assert_valid, child, serve_vault, sign, spend_of, vault},
};

fn paths(texts: &[&str]) -> Vec<KeyPath> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn named(owners: &[Owner]) -> Vec<String> {
    owners.iter().map(|owner| owner.path.to_string()).collect()
}

#[tokio::test]
async fn inputs_of_key_and_children_are_found_signed_and_valid() {
    let pair = Pair::start(serve_vault).await;
    let (deposit, psbt) = spend_of(&[child(7), ecdsa_public_key(1), child(11)]);
    let unsigned = Unsigned::psbt(&psbt.serialize()).unwrap();
    let owners = pair.client.owners(&unsigned, &[]).await.unwrap();
    assert_eq!(named(&owners), ["btc-vault/7", "btc-vault", "btc-vault/11"]);

    let request = unsigned.request(&owners).unwrap();
    let answer = pair.client.sign(&id(), &request).await.unwrap();
    let signed = unsigned.finish(&owners, &answer.signatures.unwrap()).unwrap();
    let SignedTransaction::Utxo(bytes) = &signed else { panic!("{signed:?}") };
    assert_valid(bytes, &deposit);
    assert_eq!((signed.text(), signed.is_final()), (hex::encode(bytes), true));
    // Nothing but the transaction's own bytes were handed in.
    let put: SignatureRequest = serde_json::from_slice(&pair.server.seen("PUT")[0].body).unwrap();
    let Evidence { format, data } = put.evidence.unwrap();
    assert_eq!((format.as_str(), Unsigned::psbt(data.as_bytes()).unwrap().digests()), ("psbt", unsigned.digests()));
}

#[tokio::test]
async fn a_key_named_for_an_input_saves_the_search_and_must_be_its_owner() {
    let pair = Pair::start(serve_vault).await;
    let (_, psbt) = spend_of(&[child(7), child(2)]);
    let unsigned = Unsigned::psbt(&psbt.serialize()).unwrap();
    let owners = pair.client.owners(&unsigned, &paths(&["btc-vault/7", "btc-vault/2"])).await.unwrap();
    assert_eq!(named(&owners), ["btc-vault/7", "btc-vault/2"]);
    assert!(pair.server.seen("GET /v1/keys/").is_empty());
    let owners = pair.client.owners(&unsigned, &paths(&["btc-vault/7"])).await.unwrap();
    assert_eq!(
        (named(&owners).join(" "), pair.server.seen("GET /v1/keys/").len()),
        ("btc-vault/7 btc-vault/2".into(), 1)
    );
    for (hints, wanted) in [
        (vec!["btc-vault/2"], "input 0 ("),
        (vec!["btc-vault/7", "btc-vault"], "is not spent by btc-vault"),
        (vec!["btc-vault/7", "btc-vault/2", "btc-vault"], "3 keys are named for 2 inputs"),
        (vec!["btc-hot"], "no key btc-hot is granted"),
    ] {
        let error = pair.client.owners(&unsigned, &paths(&hints)).await.unwrap_err();
        assert!(matches!(error, Error::NotOurs { .. }) && error.to_string().contains(wanted), "{wanted}: {error}");
    }
}

#[tokio::test]
async fn an_input_of_nobody_here_is_told_after_all_pages() {
    let pair = Pair::start(serve_vault).await;
    let (_, psbt) = spend_of(&[child(0), ecdsa_public_key(9)]);
    let unsigned = Unsigned::psbt(&psbt.serialize()).unwrap();
    let error = pair.client.owners(&unsigned, &[]).await.unwrap_err();
    assert!(error.to_string().contains("input 1 ("), "{error}");
    assert_eq!(pair.server.seen("GET /v1/keys/").len(), 3);
    assert!(pair.server.seen("PUT").is_empty());
}

#[tokio::test]
async fn inputs_of_two_keys_are_not_one_request() {
    let pair = Pair::start(|seen| match seen.line.as_str() {
        "GET /v1/keys" => {
            let other = KeyAnswer { public_key: ecdsa_public_key(2).to_string(), ..keys_answer(2).keys.remove(0) };
            TestAnswer::json(&KeysAnswer { keys: vec![other, vault()] })
        }
        _ => serve_vault(seen),
    })
    .await;
    let (_, psbt) = spend_of(&[ecdsa_public_key(1), ecdsa_public_key(2)]);
    let error = pair.client.owners(&Unsigned::psbt(&psbt.serialize()).unwrap(), &[]).await.unwrap_err();
    assert!(error.to_string().contains("input 0 is of btc-vault and input 1 of btc-hot"), "{error}");
}

#[tokio::test]
async fn a_signature_for_another_child_is_not_believed() {
    let pair = Pair::start(|seen| {
        if !seen.line.starts_with("PUT") {
            return serve_vault(seen);
        }
        let mut request: SignatureRequest = serde_json::from_slice(&seen.body).unwrap();
        request.items[0].key = "btc-vault/8".parse().unwrap();
        let TestAnswer::Body(status, body) = sign("wd-1", &request) else { panic!() };
        TestAnswer::Body(status, body.replace("btc-vault/8", "btc-vault/7"))
    })
    .await;
    let (_, psbt) = spend_of(&[child(7)]);
    let unsigned = Unsigned::psbt(&psbt.serialize()).unwrap();
    let owners = pair.client.owners(&unsigned, &[]).await.unwrap();
    let error = pair.client.sign(&id(), &unsigned.request(&owners).unwrap()).await.unwrap_err();
    assert!(matches!(&error, Error::KeyChanged { key, .. } if key == "btc-vault/7"), "{error}");
}

#[test]
fn a_psbt_is_read_in_binary_and_base64_and_nothing_else() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let (_, psbt) = spend_of(&[child(0)]);
    let binary = psbt.serialize();
    let base64 = format!("{}\n", STANDARD.encode(&binary));
    let digests = |data: &[u8]| Unsigned::psbt(data).unwrap().digests();
    assert_eq!(digests(&binary), digests(base64.as_bytes()));
    for bad in [b"".as_slice(), b"psbt", b"AAAA", &binary[1..]] {
        assert!(matches!(Unsigned::psbt(bad), Err(Error::Unsigned(_))), "{bad:?}");
    }
}

/// The example of EIP-155: private key 0x46 repeated, chain id 1.
const EIP_155_UNSIGNED: &str =
    "ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080";
const EIP_155_SIGNED: &str = "0xf86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080\
                              25a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aec\
                              b703304b3800ccf555c9f3dc64214b297fb1966a3b6d83";

/// A signer with keys of these names, all with the key of EIP-155's example, which is an account.
async fn accounts(names: &'static [&'static str]) -> Pair {
    Pair::start(move |seen| match seen.line.as_str() {
        "GET /v1/keys" => {
            let public_key = ecdsa_public_key(0x46);
            let address = appliance_wire::Chain::Evm(1).address_of(&public_key, None);
            let key = |name: &&str| KeyAnswer {
                name: (*name).to_owned(),
                public_key: public_key.to_string(),
                address: address.clone(),
                chain_code: None,
                ..vault()
            };
            TestAnswer::json(&KeysAnswer { keys: names.iter().map(key).collect() })
        }
        _ => {
            let request: SignatureRequest = serde_json::from_slice(&seen.body).unwrap();
            let item = &request.items[0];
            TestAnswer::json(&signed(vec![ecdsa_signature(0x46, &item.key.to_string(), item.digest.unwrap().0)]))
        }
    })
    .await
}

#[tokio::test]
async fn the_example_of_eip_155_is_signed_to_the_byte() {
    let pair = accounts(&["eth"]).await;
    let unsigned = Unsigned::eip2718(&hex::decode(EIP_155_UNSIGNED).unwrap()).unwrap();
    let owners = pair.client.owners(&unsigned, &[]).await.unwrap();
    let answer = pair.client.sign(&id(), &unsigned.request(&owners).unwrap()).await.unwrap();
    let signed = unsigned.finish(&owners, &answer.signatures.unwrap()).unwrap();
    assert_eq!((signed.text().as_str(), signed.is_final()), (EIP_155_SIGNED, true));
}

#[tokio::test]
async fn an_account_is_named_where_there_is_more_than_one() {
    let unsigned = Unsigned::eip2718(&hex::decode(EIP_155_UNSIGNED).unwrap()).unwrap();
    let pair = accounts(&["eth", "eth-2"]).await;
    let error = pair.client.owners(&unsigned, &[]).await.unwrap_err();
    assert!(error.to_string().contains("2 verified keys with an account"), "{error}");
    let owners = pair.client.owners(&unsigned, &paths(&["eth-2"])).await.unwrap();
    assert_eq!(named(&owners), ["eth-2"]);
    let error = pair.client.owners(&unsigned, &paths(&["eth", "eth-2"])).await.unwrap_err();
    assert!(error.to_string().contains("has one account"), "{error}");
    let pair = Pair::start(serve_vault).await;
    let error = pair.client.owners(&unsigned, &[]).await.unwrap_err();
    assert!(error.to_string().contains("0 verified keys"), "{error}");
}
