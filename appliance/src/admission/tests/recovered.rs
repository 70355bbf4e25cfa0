//! After a recovery: what receipts prove is bound, and what may have variants that were lost is not replaced.

use std::collections::BTreeSet;

use appliance_wire::{Entry, ItemSignature, ProvenEntry, Recovered, RecoveredLog, RecoveredRequest, Signed};

use super::{
    withdrawals::{Ask, VAULT},
    *,
};

fn ask(id: usize, holds: &[u8]) -> Ask {
    let holds = BTreeSet::from_iter(holds.iter().copied());
    Ask { id, holds, outputs: vec![(0, 100)], fee: 10, replaces: None, reference: None }
}

impl World {
    fn asked(&mut self, ask: &Ask) -> Decision {
        let command = ask.command();
        let facts = ask.facts(command.request.transfer.clone());
        self.decide_on(&command, &facts)
    }

    /// Without limits: after a recovery each of them is full.
    fn vault() -> Self {
        let (policy, _) = VAULT.split_once("[[limit]]").unwrap();
        Self::under(policy)
    }

    fn recover(&mut self) {
        let log = RecoveredLog {
            by: "admin".to_owned(),
            reason: "fire".to_owned(),
            signatures: Vec::new(),
            known: Vec::new(),
        };
        self.append(Body::Recovered(Recovered::Log(log)));
    }

    fn bind_again(&mut self, acceptance: Option<u64>, bodies: Vec<Body>) {
        let prove = |body| ProvenEntry {
            entry: Entry {
                index: 70,
                time: String::new(),
                elapsed: 0,
                policy: 1,
                salt: String::new(),
                format: None,
                body,
            },
            proof: Vec::new(),
            checkpoint: String::new(),
        };
        let first = bodies.first().unwrap();
        let signed = first.signed().map(|signed| (signed.watcher.clone(), signed.request_id.clone()));
        let accepted = first.accepted().map(|accepted| (accepted.watcher.clone(), accepted.request_id.clone()));
        let (watcher, request_id) = signed.or(accepted).unwrap();
        let proven = bodies.into_iter().map(prove).collect();
        let request = RecoveredRequest { watcher, request_id, acceptance, proven };
        self.append(Body::Recovered(Recovered::Request(request)));
    }
}

/// The acceptance of a request in a log that is then lost.
fn lost(ask: &Ask) -> Accepted {
    let Decision::Accepted(accepted) = World::vault().asked(ask) else { panic!("it is refused") };
    accepted.accepted
}

fn signatures_of(accepted: &Accepted) -> Body {
    let signature = |item: &appliance_wire::Item| ItemSignature {
        key: item.key.clone(),
        digest: item.digest,
        message_sha256: None,
        signature: "00".repeat(64),
        recovery_id: Some(0),
        der: None,
        public_key: GENERATOR.to_owned(),
    };
    Body::Signed(Signed {
        watcher: accepted.watcher.clone(),
        request_id: accepted.request_id.clone(),
        accepted: 69,
        signatures: accepted.items.iter().map(signature).collect(),
    })
}

fn rule(decision: &Decision) -> Option<&str> {
    if let Decision::Refused(refusal) = decision { refusal.problem.rule.as_deref() } else { None }
}

#[test]
fn what_was_accepted_before_is_not_replaced_and_what_comes_after_is() {
    let mut world = World::vault();
    assert_eq!(code(&world.asked(&ask(1, &[1, 2]))), "accepted");
    world.recover();
    let bump = |id, of| Ask { fee: 20, replaces: Some(of), ..ask(id, &[1]) };
    assert_eq!(rule(&world.asked(&bump(2, 1))), Some("replacement"), "a lost variant may spend only the other input");
    assert_eq!(code(&world.asked(&ask(1, &[1, 2]))), "bound");
    assert_eq!(code(&world.asked(&ask(3, &[3, 4]))), "accepted");
    assert_eq!(code(&world.asked(&Ask { holds: BTreeSet::from([3]), ..bump(4, 3) })), "accepted");
}

#[test]
fn a_proven_acceptance_binds_its_id_its_reference_and_its_inputs() {
    let mut world = World::vault();
    world.recover();
    let before = Ask { reference: Some(3), ..ask(1, &[1]) };
    let own = world.state.size;
    world.bind_again(Some(own), vec![Body::Accepted(lost(&before))]);
    assert!(world.state.open.contains_key(&own), "it is signed once the freeze ends");
    assert_eq!(code(&world.asked(&before)), "bound");
    assert_eq!(code(&world.asked(&ask(1, &[2]))), "request-conflict");
    assert_eq!(code(&world.asked(&ask(5, &[1]))), "input-reserved");
    assert_eq!(code(&world.asked(&Ask { reference: Some(3), ..ask(6, &[6]) })), "request-conflict");
    assert_eq!(rule(&world.asked(&Ask { replaces: Some(1), ..ask(7, &[1]) })), Some("replacement"));
    world.append(signatures_of_own(own, &lost(&before)));
    assert!(world.state.open.is_empty());
}

fn signatures_of_own(accepted: u64, of: &Accepted) -> Body {
    let Body::Signed(signed) = signatures_of(of) else { panic!("no signatures") };
    Body::Signed(Signed { accepted, ..signed })
}

#[test]
fn proven_signatures_bind_their_id_to_exactly_what_they_sign() {
    let mut world = World::vault();
    world.recover();
    let before = lost(&ask(1, &[1]));
    world.bind_again(None, vec![signatures_of(&before)]);
    assert!(world.state.open.is_empty());
    assert_eq!(code(&world.asked(&ask(1, &[1]))), "bound");
    let mut body: serde_json::Value = serde_json::to_value(ask(1, &[1]).command().request).unwrap();
    body["items"][0]["digest"] = format!("{:064x}", 8).into();
    let command = SignCommand::decode("id-1", body.to_string().as_bytes()).unwrap();
    let facts = ask(1, &[1]).facts(None);
    assert_eq!(code(&world.decide_on(&command, &facts)), "request-conflict");
}

#[test]
fn signatures_that_the_copy_was_waiting_for_end_its_acceptance() {
    let mut world = World::vault();
    assert_eq!(code(&world.asked(&ask(1, &[1]))), "accepted");
    world.recover();
    let Body::Accepted(accepted) = world.log.entries[0].body.clone() else { panic!("no acceptance") };
    world.bind_again(Some(0), vec![signatures_of(&accepted)]);
    assert!(world.state.open.is_empty());
    let binding = world.log.bindings[&BindingKey::request("w", "id-1")];
    assert_eq!((binding.accepted, binding.outcome), (0, Outcome::Signed(2)));
}

#[test]
fn nothing_is_bound_again_without_a_recovery() {
    let mut world = World::vault();
    let request = RecoveredRequest {
        watcher: "w".to_owned(),
        request_id: "id-1".parse().unwrap(),
        acceptance: None,
        proven: Vec::new(),
    };
    let body = Body::Recovered(Recovered::Request(request));
    let entry = Entry {
        index: 0,
        time: "1970-01-01T00:00:00Z".to_owned(),
        elapsed: 0,
        policy: 1,
        salt: String::new(),
        format: None,
        body,
    };
    assert!(world.state.apply(&entry).is_err());
}
