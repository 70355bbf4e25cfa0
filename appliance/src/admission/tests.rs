//! Decisions, and the exactness of limits over random interleavings of requests, repeats and time.

use std::{cell::Cell, collections::HashMap, convert::Infallible, sync::Arc};

use appliance_wire::{Amount, Body, Entry, KeyEntry};
use proptest::prelude::*;

use super::*;
use crate::{evidence::establish, state::bindings_of};

const POLICY: &str = r#"
version = 1

[[watcher]]
name = "w"
public_keys_sha256 = ["0000000000000000000000000000000000000000000000000000000000000001"]

[[asset]]
name = "BTC"
chain = "bitcoin-regtest"
decimals = 8

[[key]]
name = "hot"
algorithm = "secp256k1"
evidence = "declared"
assets = ["BTC"]
address_type = "p2wpkh"

[[key]]
name = "raw"
algorithm = "secp256k1"
evidence = "blind"

[[rule]]
name = "small"
watchers = ["w"]
keys = ["hot"]
asset = "BTC"
max_amount = "0.5"
max_fee = "0.001"
action = "sign"

[[rule]]
name = "anything"
watchers = ["w"]
keys = ["raw"]
action = "sign"

[[limit]]
name = "a day"
keys = ["hot"]
asset = "BTC"
max_amount = "1"
window = "24h"

[[limit]]
name = "a minute"
max_signatures = 5
window = "1m"
"#;

/// A public key like any other.
const GENERATOR: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
const DESTINATION: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

mod costs;
mod recovered;
mod withdrawals;

/// A log in memory.
#[derive(Default)]
struct Memory {
    /// How many entries were read back.
    read: Cell<usize>,
    entries: Vec<Entry>,
    bindings: HashMap<BindingKey, Binding>,
}

impl Bindings for Memory {
    type Error = Infallible;

    fn binding(&self, key: &BindingKey) -> Result<Option<Binding>, Infallible> {
        Ok(self.bindings.get(key).copied())
    }

    fn entry(&self, index: u64) -> Result<Entry, Infallible> {
        self.read.set(self.read.get() + 1);
        Ok(self.entries[index as usize].clone())
    }
}

struct World {
    state: State,
    log: Memory,
    elapsed: u64,
}

impl World {
    fn new() -> Self {
        Self::under(POLICY)
    }

    fn under(policy: &str) -> Self {
        let policy = Policy::parse(policy).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let mut state = State::default();
        for key in &policy.keys {
            let entry = KeyEntry {
                name: key.name.clone(),
                algorithm: key.algorithm,
                public_key: GENERATOR.to_owned(),
                evidence: key.evidence.name().to_owned(),
                token: "t".to_owned(),
                chain_code: None,
                backup: false,
                attestation: Vec::new(),
                change: None,
            };
            state.know_key(&entry);
        }
        state.usage = crate::state::Usage::new(&policy);
        state.policy = Some(Arc::new(policy));
        for key in state.keys.clone().values() {
            state.know_key(key);
        }
        Self { state, log: Memory::default(), elapsed: 0 }
    }

    fn moment(&self) -> Moment {
        Moment { time: jiff::Timestamp::UNIX_EPOCH, elapsed: self.elapsed, wall_trusted: true }
    }

    fn decide(&mut self, id: &str, body: &str) -> Decision {
        let command = SignCommand::decode(id, body.as_bytes()).unwrap();
        let policy = self.state.policy.clone().unwrap();
        let facts = establish(&policy, "w", &command, &|_| Err("no family".to_owned())).unwrap();
        self.decide_on(&command, &facts)
    }

    fn decide_on(&mut self, command: &SignCommand, facts: &Facts) -> Decision {
        let application = Application { watcher: "w", command, facts, approval: None };
        let Ok(decision) = decide(&self.state, &self.log, &application, self.moment());
        if let Decision::Accepted(accepted) = &decision {
            self.append(Body::Accepted(accepted.accepted.clone()));
        }
        decision
    }

    fn append(&mut self, body: Body) {
        let index = self.state.size;
        let (time, salt) = ("1970-01-01T00:00:00.000000Z".to_owned(), String::new());
        let entry = Entry { index, time, elapsed: self.elapsed, policy: 1, salt, format: None, body };
        self.state.apply(&entry).unwrap();
        self.log.bindings.extend(bindings_of(&entry));
        self.log.entries.push(entry);
    }
}

fn pays(outputs: &[(&str, &str)], fee: &str) -> String {
    let outputs: Vec<String> = outputs
        .iter()
        .map(|(destination, amount)| format!(r#"{{"destination":"{destination}","amount":"{amount}"}}"#))
        .collect();
    format!(
        r#"{{"items":[{{"key":"hot","digest":"{:064x}"}}],"transfer":{{"asset":"BTC","fee":"{fee}","outputs":[{}]}}}}"#,
        7,
        outputs.join(",")
    )
}

fn code(decision: &Decision) -> &'static str {
    match decision {
        Decision::Accepted(_) => "accepted",
        Decision::Pending(..) => "pending",
        Decision::Bound(_) => "bound",
        Decision::Refused(refusal) => refusal.code().name(),
    }
}

#[test]
fn outputs_to_one_destination_are_added_before_a_rule_looks() {
    let mut world = World::new();
    let split = pays(&[(DESTINATION, "0.3"), (&DESTINATION.to_uppercase(), "0.3")], "0.00001");
    let Decision::Refused(refusal) = world.decide("a", &split) else { panic!("0.6 to one destination was accepted") };
    assert_eq!((refusal.code(), refusal.problem.rule.as_deref()), (ProblemCode::Denied, Some("small")));
}

#[test]
fn the_fee_counts_in_the_limit_of_its_asset() {
    let mut world = World::new();
    assert_eq!(code(&world.decide("a", &pays(&[(DESTINATION, "0.5")], "0.001"))), "accepted");
    let Decision::Refused(refusal) = world.decide("b", &pays(&[(DESTINATION, "0.499")], "0.00000001")) else {
        panic!("one satoshi over the limit was accepted");
    };
    assert_eq!((refusal.code(), refusal.problem.limit.as_deref()), (ProblemCode::LimitExceeded, Some("a day")));
    assert_eq!(refusal.problem.remaining.as_deref(), Some("0.499"));
    assert_eq!(code(&world.decide("b", &pays(&[(DESTINATION, "0.499")], "0"))), "accepted", "a denial binds nothing");
}

#[test]
fn a_repeat_is_bound_and_other_content_is_a_conflict() {
    let mut world = World::new();
    let body = pays(&[(DESTINATION, "0.1")], "0.0001");
    assert_eq!(code(&world.decide("a", &body)), "accepted");
    assert_eq!(code(&world.decide("a", &body.replace("0.1\"", "0.10\""))), "bound");
    assert_eq!(code(&world.decide("a", &body.replace("0.1\"", "0.2\""))), "request-conflict");
}

#[test]
fn a_reference_is_paid_once() {
    let mut world = World::new();
    let body = pays(&[(DESTINATION, "0.1")], "0.0001").replace("\"amount\"", "\"reference\":\"wd-1\",\"amount\"");
    assert_eq!(code(&world.decide("a", &body)), "accepted");
    let Decision::Refused(refusal) = world.decide("b", &body) else { panic!("paid twice") };
    assert_eq!((refusal.code(), refusal.problem.held_by.as_deref()), (ProblemCode::RequestConflict, Some("a")));
}

#[test]
fn what_a_level_needs_is_asked_for() {
    let mut world = World::new();
    let bare =
        r#"{"items":[{"key":"hot","digest":"0000000000000000000000000000000000000000000000000000000000000007"}]}"#;
    assert_eq!(code(&world.decide("a", bare)), "evidence-required");
    assert_eq!(code(&world.decide("b", &bare.replace("hot", "raw"))), "accepted");
    assert_eq!(code(&world.decide("c", &bare.replace("hot", "raw/1"))), "unknown-key");
    assert_eq!(code(&world.decide("d", &bare.replace("hot", "cold"))), "unknown-key");
    assert_eq!(code(&world.decide("e", &pays(&[(DESTINATION, "0.1")], "0.002"))), "denied");
    assert_eq!(code(&world.decide("f", &bare.replace("digest", "message").replace("hot", "raw"))), "malformed");
}

#[test]
fn an_expired_request_is_refused_and_a_bound_one_is_not() {
    let mut world = World::new();
    let body = pays(&[(DESTINATION, "0.1")], "0.0001");
    let expired = body.replacen('{', r#"{"expires_at":"1969-12-31T23:59:59Z","#, 1);
    assert_eq!(code(&world.decide("a", &expired)), "expired");
    assert_eq!(code(&world.decide("a", &body)), "accepted");
    assert_eq!(code(&world.decide("a", &expired)), "bound");
}

proptest! {
    /// 24 hours and the 1/256 by which a bucket may hold on longer: no such window ever holds more than 1 BTC, nor any
    /// minute more than five signatures, whatever is asked, repeated, or waited for.
    #[test]
    fn limits_are_exact_over_any_interleaving(
        steps in prop::collection::vec((0_u64..20_000_000, 0_u32..40, 1_u64..50_000_000), 1..120),
    ) {
        let mut world = World::new();
        let mut accepted: Vec<(u64, Amount)> = Vec::new();
        for (wait, id, amount) in steps {
            world.elapsed += wait / 4;
            let amount = Amount::from_units(amount);
            let body = pays(&[(DESTINATION, amount.to_decimal(8).as_str())], "0.00001");
            if let Decision::Accepted(_) = world.decide(&format!("id-{id}"), &body) {
                accepted.push((world.elapsed, amount.checked_add(Amount::from_units(1_000)).unwrap()));
            }
            let day = accepted.iter().filter(|(at, _)| at + 86_400_000 >= world.elapsed);
            let sum = day.fold(Amount::ZERO, |sum, (_, amount)| sum.checked_add(*amount).unwrap());
            prop_assert!(sum <= Amount::from_units(100_000_000));
            prop_assert!(accepted.iter().filter(|(at, _)| at + 60_000 >= world.elapsed).count() <= 5);
        }
    }
}

#[test]
fn an_explanation_names_no_key_that_is_not_granted() {
    let world = World::under(&POLICY.replacen(
        "[[rule]]",
        "[[key]]\nname = \"secret\"\nalgorithm = \"secp256k1\"\nevidence = \"declared\"\nassets = [\"BTC\"]\n\
         address_type = \"p2pkh\"\n\n[[rule]]",
        1,
    ));
    // Of both keys, in the form of each.
    let addresses = ["bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", "mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r"];
    assert_eq!(
        addresses.map(|address| world.state.addresses.own(address).map(ToString::to_string)),
        [Some("hot".to_owned()), Some("secret".to_owned()),]
    );
    let body = pays(&addresses.map(|address| (address, "0.1")), "0.0001");
    let command = SignCommand::decode("a", body.as_bytes()).unwrap();
    let facts = Facts { transfer: command.request.transfer.clone(), ..Facts::default() };
    let application = Application { watcher: "w", command: &command, facts: &facts, approval: None };
    let Ok(told) = explain(&world.state, &world.log, &application, world.moment());
    let ours: Vec<_> = told.payments.iter().map(|payment| payment.ours.as_deref()).collect();
    assert_eq!(ours, [Some("hot"), None]);
}
