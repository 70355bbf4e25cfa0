//! Addresses: what of them is believed.

use appliance_wire::{AddressesAnswer, AddressesRequest, KeysAnswer};

use super::*;
use crate::testing::vault::{ALLOCATED, VAULT, address_of, children, page, serve_vault, vault};

fn key() -> hsm_types::KeyLabel {
    VAULT.parse().unwrap()
}

#[tokio::test]
async fn all_pages_together_are_all_children() {
    let pair = Pair::start(serve_vault).await;
    let (mut all, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let answer = pair.client.list_addresses(&key(), after).await.unwrap();
        all.extend(answer.addresses);
        pages += 1;
        after = answer.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((all, pages), (children(0..ALLOCATED), 3));
}

#[tokio::test]
async fn further_children_are_asked_for_by_count_and_place() {
    let pair = Pair::start(serve_vault).await;
    for (after, first) in [(None, ALLOCATED), (Some(99), 100)] {
        let answer = pair.client.addresses(&key(), &AddressesRequest { count: 3, after }).await.unwrap();
        assert_eq!(answer.addresses, children(first..first + 3));
    }
    let bodies: Vec<_> =
        pair.server.seen("POST").into_iter().map(|seen| String::from_utf8(seen.body).unwrap()).collect();
    assert_eq!(bodies, [r#"{"count":3}"#, r#"{"count":3,"after":99}"#]);
}

async fn assert_not_believed(change: impl Fn(&mut AddressesAnswer) + Send + Sync + 'static, wanted: &str) {
    let pair = Pair::start(move |seen| {
        if seen.line == "GET /v1/keys" {
            return serve_vault(seen);
        }
        let mut answer = page(None);
        change(&mut answer);
        TestAnswer::json(&answer)
    })
    .await;
    let error = pair.client.list_addresses(&key(), None).await.unwrap_err();
    assert!(matches!(error, Error::NotVerified { .. }), "{wanted}: {error}");
    assert!(error.to_string().contains(wanted), "{wanted}: {error}");
    let request = AddressesRequest { count: 5, after: None };
    assert!(matches!(pair.client.addresses(&key(), &request).await, Err(Error::NotVerified { .. })), "{wanted}");
}

#[tokio::test]
async fn an_address_that_is_not_the_childs_is_not_believed() {
    assert_not_believed(
        |answer| answer.addresses[3].public_key = ecdsa_public_key(2).to_string(),
        "/3: its public key",
    )
    .await;
    let other = address_of(&ecdsa_public_key(2));
    assert_not_believed(move |answer| answer.addresses[0].address = Some(other.clone()), "/0: its address").await;
    let of_sibling = children(4..5)[0].address.clone();
    assert_not_believed(move |answer| answer.addresses[2].address = of_sibling.clone(), "/2: its address").await;
    assert_not_believed(|answer| answer.addresses[1].key = "btc-vault/7".to_owned(), "another name").await;
}

#[tokio::test]
async fn the_form_does_not_change_within_an_answer() {
    let legacy = appliance_wire::Chain::BitcoinRegtest
        .address_of(&crate::testing::vault::child(2), Some(appliance_wire::AddressType::P2pkh));
    assert_not_believed(move |answer| answer.addresses[2].address = legacy.clone(), "/2: its address").await;
}

#[tokio::test]
async fn children_left_out_repeated_or_without_end_are_not_believed() {
    assert_not_believed(|answer| drop(answer.addresses.remove(2)), "child 3 is not the one that follows").await;
    assert_not_believed(|answer| answer.addresses.swap(0, 1), "child 1 is not the one that follows").await;
    assert_not_believed(|answer| answer.next = Some(0), "next page").await;
    assert_not_believed(|answer| answer.addresses.clear(), "next page").await;
    let pair = Pair::start(|seen| match seen.line.as_str() {
        "GET /v1/keys" => serve_vault(seen),
        _ => TestAnswer::json(&AddressesAnswer { addresses: children(0..2), next: None }),
    })
    .await;
    for (request, wanted) in [
        (AddressesRequest { count: 3, after: None }, "2 came, 3 were asked for"),
        (AddressesRequest { count: 2, after: Some(7) }, "child 0 is not"),
    ] {
        let error = pair.client.addresses(&key(), &request).await.unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}");
    }
}

#[tokio::test]
async fn without_its_first_chain_code_no_child_is_believed() {
    let served = |chain_code: Option<String>| {
        Pair::start(move |seen| match seen.line.as_str() {
            "GET /v1/keys" => {
                TestAnswer::json(&KeysAnswer { keys: vec![KeyAnswer { chain_code: chain_code.clone(), ..vault() }] })
            }
            _ => serve_vault(seen),
        })
    };
    for (chain_code, wanted) in [
        (None, "no chain code"),
        (Some("00".to_owned()), "chain code of \"btc-vault\" is none"),
        (Some("02".repeat(32)), "its public key is not"),
    ] {
        let pair = served(chain_code).await;
        let error = pair.client.list_addresses(&key(), None).await.unwrap_err();
        assert!(error.to_string().contains(wanted), "{wanted}: {error}");
    }
}
