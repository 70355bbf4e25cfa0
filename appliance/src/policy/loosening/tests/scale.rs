//! How much is compared before it is given up, and how long that takes.

use std::time::{Duration, Instant};

use super::*;

/// A policy of `count` rules for one key, each unlike the others.
fn policy_of(count: usize, destinations: bool, twist: usize) -> Policy {
    let mut text = base();
    for place in 0..count {
        // Scattered, so that no rule is simply within the next.
        let scattered = |step: usize| 1 + (place + twist) * step % 997;
        if destinations {
            text += &format!("[[address_list]]\nname = \"l{place}\"\naddresses = [\"{}\"]\n", address(place));
        }
        let to = if destinations { format!("destinations = \"l{place}\"\n") } else { String::new() };
        let (hour, action) = (place % 12, if place % 7 == 3 { "deny" } else { "sign" });
        text += &format!(
            "[[rule]]\nname = \"r{place}\"\nwatchers = [\"eth-watcher\"]\nkeys = [\"btc-vault\"]\nasset = \"BTC\"\n{to}\
             max_amount = \"{}\"\nmax_request_amount = \"{}\"\nmax_fee = \"0.{:03}\"\naction = \"{action}\"\n\
             hours = {{ days = \"Mon-Fri\", from = \"{hour:02}:{:02}\", to = \"{:02}:00\", zone = \"UTC\" }}\n",
            scattered(331),
            scattered(571),
            scattered(113),
            place % 60,
            hour + 12
        );
    }
    policy(&text)
}

/// An address of this number.
fn address(number: usize) -> String {
    let mut key = [2; 33];
    key[1..9].copy_from_slice(&(number as u64).to_be_bytes());
    let key = (0..=u8::MAX).find_map(|last| {
        key[32] = last;
        crate::audit::read_public_key(hsm_types::Algorithm::Secp256k1, &hex::encode(key)).ok()
    });
    appliance_wire::Chain::Bitcoin.address_of(&key.unwrap(), Some(appliance_wire::AddressType::P2wpkh)).unwrap()
}

#[test]
fn two_hundred_rules_are_compared_in_time() {
    let lists = (policy_of(200, true, 0), policy_of(200, true, 1));
    let amounts = (policy_of(200, false, 0), policy_of(200, false, 1));
    for (in_force, candidate) in [lists, amounts] {
        let began = Instant::now();
        let found = loosenings(&in_force, &candidate);
        let took = began.elapsed();
        assert!(!found.is_empty());
        // A debug build takes about a second; a busy machine longer.
        assert!(took < Duration::from_secs(60), "{took:?}");
        assert_eq!(loosenings(&candidate, &candidate), []);
    }
}
