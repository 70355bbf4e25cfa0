//! One withdrawal, at most one payment: over random interleavings of requests, retries, replacements, cancellations,
//! references and restarts, no set of transactions that can confirm together pays a withdrawal twice or more than was
//! charged.

use std::collections::{BTreeMap, BTreeSet};

use appliance_wire::{ChangeTo, Decimal, TransactionFacts, TransactionOutput};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::*;
use crate::state::withdrawal_of;

pub(super) const VAULT: &str = r#"
version = 1

[[watcher]]
name = "w"
public_keys_sha256 = ["0000000000000000000000000000000000000000000000000000000000000001"]

[[asset]]
name = "BTC"
chain = "bitcoin-regtest"
decimals = 8

[[key]]
name = "vault"
algorithm = "secp256k1"
evidence = "verified"
assets = ["BTC"]
address_type = "p2wpkh"

[[rule]]
name = "withdrawals"
watchers = ["w"]
keys = ["vault"]
max_fee = "1"
action = "sign"

[[limit]]
name = "for ever"
keys = ["vault"]
asset = "BTC"
max_amount = "0.00004000"
window = "lifetime"

[[limit]]
name = "to one, for ever"
keys = ["vault"]
asset = "BTC"
max_amount = "0.00002000"
window = "lifetime"
per = "destination"
"#;

/// Almost ours: of the vault's key, in a form its addresses do not have. A payment like any other.
const FIRST: &str = "mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r";
const SECOND: &str = "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry";
const DESTINATIONS: [&str; 2] = [FIRST, SECOND];

/// One request of the game.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) id: usize,
    pub(super) holds: BTreeSet<u8>,
    pub(super) outputs: Vec<(usize, u64)>,
    pub(super) fee: u64,
    pub(super) replaces: Option<usize>,
    pub(super) reference: Option<u8>,
}

#[derive(Clone, Debug)]
enum Step {
    Ask(Ask),
    /// The newest accepted request again, costlier: what a fee bump looks like.
    Bump(u64),
    /// The newest accepted request again, paying nobody.
    Cancel(u64),
    /// Everything in memory is lost and rebuilt from the entries.
    Restart,
    /// An accepted request is signed.
    Sign(usize),
}

fn ask() -> impl Strategy<Value = Ask> {
    let outputs = prop::collection::vec((0_usize..2, 1_u64..800), 0..3);
    let holds = prop::collection::btree_set(0_u8..6, 1..4);
    let reference = prop::option::weighted(0.3, 0_u8..4);
    (0_usize..8, holds, outputs, 0_u64..300, prop::option::weighted(0.5, 0_usize..8), reference)
        .prop_map(|(id, holds, outputs, fee, replaces, reference)| Ask { id, holds, outputs, fee, replaces, reference })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => ask().prop_map(Step::Ask),
        3 => (0_u64..400).prop_map(Step::Bump),
        2 => (0_u64..400).prop_map(Step::Cancel),
        1 => Just(Step::Restart),
        2 => (0_usize..16).prop_map(Step::Sign),
    ]
}

fn decimal(units: u64) -> Decimal {
    units.to_string().parse().unwrap()
}

impl Ask {
    pub(super) fn facts(&self, transfer: Option<appliance_wire::Transfer>) -> Facts {
        let output = |(place, amount): &(usize, u64)| TransactionOutput {
            destination: DESTINATIONS[*place].to_owned(),
            amount: decimal(*amount),
            contract: None,
        };
        // Change is the key's own address, found by derivation and not by anybody's word.
        let change = TransactionOutput {
            destination: appliance_wire::Chain::BitcoinRegtest
                .address_of(
                    &crate::audit::read_public_key(hsm_types::Algorithm::Secp256k1, GENERATOR).unwrap(),
                    Some(appliance_wire::AddressType::P2wpkh),
                )
                .unwrap(),
            amount: decimal(1_000),
            contract: None,
        };
        let transaction = TransactionFacts {
            chain: "bitcoin-regtest".to_owned(),
            format: "psbt".to_owned(),
            evidence_sha256: "0".repeat(64),
            holds: self.holds.iter().map(|hold| format!("{hold:064}:0")).collect(),
            outputs: self.outputs.iter().map(output).chain([change]).collect(),
            fee: decimal(self.fee),
            change_to: ChangeTo::Family,
            call: None,
        };
        Facts { transfer, transaction: Some(transaction), evidence: None }
    }

    pub(super) fn command(&self) -> SignCommand {
        let digest = format!("{:064x}", 7);
        let mut body = serde_json::json!({
            "items": [{ "key": "vault", "digest": digest }],
            "evidence": { "format": "psbt", "data": STANDARD.encode(format!("{self:?}")) },
        });
        if let Some(replaces) = self.replaces {
            body["replaces"] = format!("id-{replaces}").into();
        }
        if let (Some(reference), [(place, amount)]) = (self.reference, self.outputs.as_slice()) {
            let amount = Amount::from_units(*amount).to_decimal(8).as_str().to_owned();
            let output = serde_json::json!({ "destination": DESTINATIONS[*place], "amount": amount, "reference": format!("wd-{reference}") });
            body["transfer"] = serde_json::json!({ "asset": "BTC", "outputs": [output] });
        }
        SignCommand::decode(&format!("id-{}", self.id), body.to_string().as_bytes()).unwrap()
    }
}

/// The game, and what outsiders can see of it.
struct Game {
    world: World,
    accepted: Vec<(u64, Ask)>,
    signed: BTreeSet<u64>,
}

impl Game {
    fn play(&mut self, step: Step) {
        match step {
            Step::Ask(ask) => self.ask(ask),
            Step::Bump(more) => self.again(|ask| ask.fee += more),
            Step::Cancel(more) => self.again(|ask| {
                ask.outputs.clear();
                ask.fee += more;
            }),
            Step::Restart => {
                let mut world = World::under(VAULT);
                for entry in &self.world.log.entries {
                    world.append(entry.body.clone());
                }
                assert_eq!(world.state.usage.used(0, "", 0), self.world.state.usage.used(0, "", 0));
                self.world = world;
            }
            Step::Sign(place) => {
                if let Some((index, _)) = self.accepted.get(place) {
                    self.signed.insert(*index);
                }
            }
        }
    }

    fn again(&mut self, change: impl Fn(&mut Ask)) {
        let Some((_, newest)) = self.accepted.last() else { return };
        let mut ask = Ask { id: newest.id + 8, replaces: Some(newest.id), reference: None, ..newest.clone() };
        change(&mut ask);
        self.ask(ask);
    }

    fn ask(&mut self, ask: Ask) {
        let command = ask.command();
        let facts = ask.facts(command.request.transfer.clone());
        let index = self.world.state.size;
        if let Decision::Accepted(accepted) = self.world.decide_on(&command, &facts) {
            assert_eq!(accepted.accepted.change.len(), 1, "the key's own address is change, and nothing else is");
            self.accepted.push((index, ask));
        }
    }

    fn entry(&self, index: u64) -> Accepted {
        let Body::Accepted(accepted) = self.world.log.entries[index as usize].body.clone() else { panic!() };
        accepted
    }

    /// (withdrawal, what it pays and costs) of an accepted request.
    fn cost(&self, index: u64, ask: &Ask) -> (u64, u64) {
        let paid: u64 = ask.outputs.iter().map(|(_, amount)| amount).sum();
        (withdrawal_of(index, &self.entry(index)), paid + ask.fee)
    }

    /// What each withdrawal was charged, by the charges of its entries.
    fn charged(&self) -> BTreeMap<u64, u64> {
        let policy = self.world.state.policy.clone().unwrap();
        let mut charged = BTreeMap::new();
        for (index, _) in &self.accepted {
            let accepted = self.entry(*index);
            for charge in charges_of(&policy, &accepted).unwrap().iter().filter(|charge| charge.limit == 0) {
                let amount: u64 = charge.amount.to_decimal(0).as_str().parse().unwrap();
                *charged.entry(withdrawal_of(*index, &accepted)).or_default() += amount;
            }
        }
        charged
    }

    /// Every set of transactions that do not conflict: at most one variant a withdrawal, and paid within the charge.
    fn check(&self, among: &[&(u64, Ask)]) {
        let charged = self.charged();
        for set in 0_u32..1 << among.len() {
            let chosen: Vec<_> = among.iter().enumerate().filter(|(place, _)| set >> place & 1 == 1).collect();
            let mut spent = BTreeSet::new();
            if !chosen.iter().all(|(_, (_, ask))| ask.holds.iter().all(|hold| spent.insert(*hold))) {
                continue;
            }
            let mut paid = BTreeSet::new();
            for (_, (index, ask)) in chosen {
                let (withdrawal, cost) = self.cost(*index, ask);
                assert!(paid.insert(withdrawal), "two variants of one withdrawal can confirm together");
                assert!(cost <= charged.get(&withdrawal).copied().unwrap_or(0), "more is paid than was charged");
            }
        }
        assert!(charged.values().sum::<u64>() <= 4_000, "the limit was exceeded");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_withdrawal_is_paid_twice_or_beyond_its_charge(steps in prop::collection::vec(step(), 1..40)) {
        let mut game = Game { world: World::under(VAULT), accepted: Vec::new(), signed: BTreeSet::new() };
        for step in steps {
            game.play(step);
        }
        // What is accepted may be signed at any time, so the claim is made of all of it, not of what happens to be.
        let newest: Vec<_> = game.accepted.iter().rev().take(12).collect();
        game.check(&newest);
        let signed: Vec<_> = game.accepted.iter().filter(|(index, _)| game.signed.contains(index)).take(12).collect();
        game.check(&signed);
        // What a transaction uses up belongs to one withdrawal for ever.
        let mut holders = BTreeMap::new();
        for (index, ask) in &game.accepted {
            let withdrawal = withdrawal_of(*index, &game.entry(*index));
            for hold in &ask.holds {
                prop_assert_eq!(*holders.entry(*hold).or_insert(withdrawal), withdrawal);
            }
        }
        // A reference pays one destination one amount, of one withdrawal.
        let mut references = BTreeMap::new();
        for (index, ask) in &game.accepted {
            if let (Some(reference), [output]) = (ask.reference, ask.outputs.as_slice()) {
                let holder = (withdrawal_of(*index, &game.entry(*index)), *output);
                prop_assert_eq!(*references.entry(reference).or_insert(holder), holder);
            }
        }
    }
}

fn plain(id: usize, holds: &[u8], outputs: &[(usize, u64)], fee: u64, replaces: Option<usize>) -> Ask {
    Ask { id, holds: holds.iter().copied().collect(), outputs: outputs.to_vec(), fee, replaces, reference: None }
}

fn decided(world: &mut World, ask: &Ask) -> String {
    let command = ask.command();
    match world.decide_on(&command, &ask.facts(command.request.transfer.clone())) {
        Decision::Refused(refusal) => {
            format!("{} {}", refusal.code().name(), refusal.problem.rule.as_deref().unwrap_or("-"))
        }
        decision @ (Decision::Accepted(_) | Decision::Pending(..) | Decision::Bound(_)) => code(&decision).to_owned(),
    }
}

#[test]
fn a_variant_spends_what_all_variants_spend_and_pays_no_more() {
    let mut world = World::under(VAULT);
    let pay = |amount| [(0, amount)];
    assert_eq!(decided(&mut world, &plain(0, &[0, 1], &pay(500), 10, None)), "accepted");
    assert_eq!(decided(&mut world, &plain(1, &[1, 2], &pay(500), 10, None)), "input-reserved -");
    assert_eq!(decided(&mut world, &plain(1, &[1, 2], &pay(500), 20, Some(0))), "accepted");
    // It shares an input with the newest variant, and none with the first: both could be paid.
    assert_eq!(decided(&mut world, &plain(2, &[2, 3], &pay(500), 30, Some(1))), "denied replacement");
    assert_eq!(decided(&mut world, &plain(2, &[1], &pay(501), 30, Some(1))), "denied replacement");
    assert_eq!(decided(&mut world, &plain(2, &[1], &[(1, 1)], 30, Some(1))), "denied replacement");
    assert_eq!(decided(&mut world, &plain(2, &[1], &[], 30, Some(1))), "accepted");
    // What was cancelled is paid again by a further variant, still at most what the first paid.
    assert_eq!(decided(&mut world, &plain(3, &[1], &pay(500), 40, Some(2))), "accepted");
    // What any variant used stays with the withdrawal.
    assert_eq!(decided(&mut world, &plain(4, &[2], &pay(1), 1, None)), "input-reserved -");
    assert_eq!(decided(&mut world, &plain(4, &[3], &pay(1), 1, Some(9))), "unknown-request -");
    // 500 and the largest fee of 40: once, for the whole withdrawal.
    assert_eq!(world.state.usage.used(0, "", 0).0, Amount::from_units(540));
}

#[test]
fn a_variant_takes_nothing_from_another_withdrawal() {
    let mut world = World::under(VAULT);
    assert_eq!(decided(&mut world, &plain(0, &[0], &[(0, 5)], 1, None)), "accepted");
    assert_eq!(decided(&mut world, &plain(1, &[1], &[(0, 5)], 1, None)), "accepted");
    assert_eq!(decided(&mut world, &plain(2, &[0, 1], &[(0, 5)], 1, Some(0))), "input-reserved -");
    assert_eq!(decided(&mut world, &plain(2, &[0, 2], &[(0, 5)], 1, Some(0))), "accepted");
}

#[test]
fn what_comes_back_from_scripts_of_others_is_a_payment() {
    let mut world = World::under(VAULT);
    for (id, change_to, changes) in [(0, ChangeTo::Nobody, 0), (1, ChangeTo::Address(SECOND.to_owned()), 1)] {
        let ask = plain(id, &[id as u8], &[(1, 5)], 1, None);
        let command = ask.command();
        let mut facts = ask.facts(None);
        facts.transaction.as_mut().unwrap().change_to = change_to;
        let Decision::Accepted(accepted) = world.decide_on(&command, &facts) else { panic!("refused") };
        // The key's own address gets 1,000 in both; where it is no change, the limits count it.
        assert_eq!((accepted.accepted.change.len(), accepted.accepted.payments.len()), (changes, 2 - changes));
    }
}

#[test]
fn a_cancellation_is_charged_only_for_what_exceeds_the_withdrawal() {
    let mut world = World::under(VAULT);
    assert_eq!(decided(&mut world, &plain(0, &[0], &[(0, 500)], 10, None)), "accepted");
    assert_eq!(decided(&mut world, &plain(1, &[0], &[], 300, Some(0))), "accepted");
    assert_eq!(world.state.usage.used(0, "", 0).0, Amount::from_units(510));
    assert_eq!(decided(&mut world, &plain(2, &[0], &[], 600, Some(1))), "accepted");
    assert_eq!(world.state.usage.used(0, "", 0).0, Amount::from_units(600));
}
