//! Random pairs and random requests, through the code that decides: what passes under a candidate that was found to
//! loosen nothing passes under the policy in force, too, with no approval more.

mod draft;

use std::{cell::Cell, collections::BTreeSet};

use appliance_wire::{Accepted, Amount, CallFacts, ChangeTo, TransactionFacts, TransactionOutput, Variant};
use hsm_types::KeyLabel;
use proptest::{prelude::*, test_runner::TestRunner};

use self::draft::{ADDRESSES, CONTRACT, Change, Draft, OFFICERS, WATCHERS, limit, rule};
use super::*;
use crate::{
    admission::passed_by,
    clock::Moment,
    evidence::Facts,
    policy::{Action, Approvers, KeyState, Level, PolicyKey},
    state::{Usage, charges_of},
};

/// A request, or a thing that was accepted before.
#[derive(Clone, Debug)]
struct Ask {
    watcher: usize,
    key: usize,
    outputs: Vec<(usize, u64)>,
    fee: u64,
    says_fee: bool,
    signatures: usize,
    calls: bool,
    /// What the withdrawal was charged before: a fee, and everything.
    replaces: Option<(u64, u64)>,
    /// Whose each address is.
    owners: [usize; 3],
    minute: i64,
    is_trusted: bool,
}

fn ask() -> impl Strategy<Value = Ask> {
    let amount = prop_oneof![prop::sample::select(vec![0_u64, 1, 10, 11, 20, 21, 40, 41]), 0_u64..60];
    let what = (
        0..2_usize,
        0..4_usize,
        prop::collection::vec((0..3_usize, amount), 0..3),
        0_u64..5,
        prop::bool::weighted(0.8),
    );
    let how = (1..3_usize, any::<bool>(), prop::option::weighted(0.3, (0_u64..6, 0_u64..30)));
    let world = (prop::array::uniform3(0..4_usize), 0_i64..7 * 24 * 60, prop::bool::weighted(0.6));
    (what, how, world).prop_map(
        |((watcher, key, outputs, fee, says_fee), (signatures, calls, replaces), (owners, minute, is_trusted))| Ask {
            // Most are of one watcher and one key, about which there are most rules.
            watcher: watcher / 3,
            key: key.saturating_sub(4),
            outputs,
            fee,
            says_fee,
            signatures,
            calls,
            replaces,
            owners,
            minute,
            is_trusted,
        },
    )
}

const KEYS: [&str; 4] = ["hot", "said", "eth", "raw"];
const EVM: [&str; 3] =
    [CONTRACT, "0x0000000000000000000000000000000000000001", "0x0000000000000000000000000000000000000002"];

impl Ask {
    fn facts(&self, key: &PolicyKey) -> Facts {
        let decimal = |units: u64, decimals| Amount::from_units(units).to_decimal(decimals);
        match key.evidence {
            Level::Blind => Facts::default(),
            Level::Declared => {
                let output = |(place, amount): &(usize, u64)| serde_json::json!({ "destination": ADDRESSES[*place], "amount": decimal(*amount, 8) });
                let outputs: Vec<_> = self.outputs.iter().map(output).collect();
                let mut transfer = serde_json::json!({ "asset": "BTC", "outputs": outputs });
                if self.says_fee {
                    transfer["fee"] = serde_json::json!(decimal(self.fee, 8));
                }
                Facts { transfer: Some(serde_json::from_value(transfer).unwrap()), ..Facts::default() }
            }
            Level::Verified => Facts { transaction: Some(self.transaction(key)), ..Facts::default() },
        }
    }

    fn transaction(&self, key: &PolicyKey) -> TransactionFacts {
        let is_ether = key.name.as_str() == "eth";
        let (chain, addresses) = if is_ether { ("evm:1", EVM) } else { ("bitcoin-regtest", ADDRESSES) };
        let mut outputs: Vec<_> = self
            .outputs
            .iter()
            .map(|(place, amount)| TransactionOutput {
                destination: addresses[*place].to_owned(),
                amount: Amount::from_units(*amount).to_decimal(0),
                contract: None,
            })
            .collect();
        let mut call = None;
        if is_ether {
            outputs.truncate(1);
            let called = outputs.first().filter(|_| self.calls).map(|output| output.destination.clone());
            call = called.map(|contract| CallFacts { contract, data: "095ea7b300".to_owned() });
        }
        TransactionFacts {
            chain: chain.to_owned(),
            format: "psbt".to_owned(),
            evidence_sha256: "0".repeat(64),
            holds: Vec::new(),
            outputs,
            fee: Amount::from_units(self.fee).to_decimal(0),
            change_to: ChangeTo::Family,
            call,
        }
    }

    fn owner(&self, destination: &str) -> Option<KeyLabel> {
        let place = ADDRESSES.iter().position(|address| *address == destination)?;
        ["hot", "said"].get(self.owners[place]).map(|name| name.parse().unwrap())
    }

    fn moment(&self) -> Moment {
        let time = jiff::Timestamp::from_second(1_767_571_200 + self.minute * 60).unwrap();
        Moment { time, elapsed: 0, wall_trusted: self.is_trusted }
    }

    fn accepted(&self, policy: &Policy) -> Option<Accepted> {
        let key = policy.key(&KEYS[self.key].parse().unwrap()).filter(|key| key.state != KeyState::Disabled)?;
        let facts = self.facts(key);
        let (payments, rules) =
            passed_by(policy, (WATCHERS[self.watcher], key), &facts, &|address| self.owner(address), self.moment())?;
        let item = serde_json::json!({ "key": KEYS[self.key], "digest": "00".repeat(32) });
        let mut accepted: Accepted = serde_json::from_value(serde_json::json!({
            "watcher": WATCHERS[self.watcher], "request_id": "r", "content": "00", "key": KEYS[self.key],
            "evidence": "verified", "amounts_verified": true, "payments": [], "rules": rules.iter().map(|rule| &rule.name).collect::<Vec<_>>(),
            "items": vec![item; self.signatures],
        }))
        .unwrap();
        accepted.payments = payments.for_entry();
        accepted.fee = payments.fee_for_entry();
        accepted.transaction = facts.transaction;
        if let (Some((fee, native)), true) = (self.replaces, accepted.transaction.is_some()) {
            let units = |units: u64| Amount::from_units(units).to_decimal(if KEYS[self.key] == "eth" { 18 } else { 8 });
            accepted.variant = Some(Variant {
                replaces: "r".parse().unwrap(),
                first: 0,
                pivots: Vec::new(),
                charged_before: appliance_wire::Charged { fee: units(fee), native: units(fee + native) },
            });
        }
        Some(accepted)
    }
}

/// What it takes for a request to pass; none where nothing helps.
fn demanded(policy: &Policy, usage: &Usage, ask: &Ask, now: u64) -> Option<Vec<Approvers>> {
    let accepted = ask.accepted(policy)?;
    let mut demanded = Vec::new();
    for name in &accepted.rules {
        let rule = policy.rules.iter().find(|rule| rule.name == *name).unwrap();
        if let Action::Approve(approvers) = &rule.action {
            demanded.push(approvers.clone());
        }
    }
    for charge in charges_of(policy, &accepted).unwrap() {
        if usage.spent(std::slice::from_ref(&charge), now).next().is_some() {
            demanded.push(policy.limits[charge.limit].beyond.clone()?);
        }
    }
    Some(demanded)
}

/// Whether every group of officers that is enough for the one is enough for the other, no sooner and no later.
fn is_no_more(in_force: &[Approvers], candidate: &[Approvers]) -> bool {
    let is_enough = |demanded: &[Approvers], group: &BTreeSet<&str>| {
        demanded.iter().all(|approvers| {
            approvers.of.iter().filter(|name| group.contains(name.as_str())).count() as u64 >= approvers.approve
        })
    };
    let groups = (0..1_u32 << OFFICERS.len()).map(|group| {
        let names = OFFICERS.iter().enumerate().filter(move |(place, _)| group >> place & 1 == 1);
        names.map(|(_, (name, _))| *name).collect::<BTreeSet<_>>()
    });
    let delay = |demanded: &[Approvers]| demanded.iter().map(|approvers| approvers.delay_ms).max().unwrap_or(0);
    let expires =
        |demanded: &[Approvers]| demanded.iter().map(|approvers| approvers.expires_ms).min().unwrap_or(u64::MAX);
    groups.into_iter().all(|group| !is_enough(candidate, &group) || is_enough(in_force, &group))
        && delay(candidate) >= delay(in_force)
        && expires(candidate) <= expires(in_force)
}

/// What was accepted before, under whatever policy, counts under both.
fn usage(policy: &Policy, history: &[(u64, Ask)]) -> (Usage, u64) {
    let open = super::policy(&Draft::open());
    let (mut usage, mut now) = (Usage::new(policy), 0);
    for (wait, ask) in history {
        now += wait;
        if let Some(accepted) = ask.accepted(&open) {
            usage.charge(&charges_of(policy, &accepted).unwrap(), now);
        }
    }
    (usage, now)
}

#[test]
fn what_passes_under_a_policy_that_loosens_nothing_passed_before() {
    let changes = prop::collection::vec(
        ((0..16_usize, any::<prop::sample::Index>(), 0..8_usize, 0..24_usize), rule(), limit()),
        1..4,
    );
    let history = prop::collection::vec((0_u64..40_000, ask()), 0..12);
    let asks = prop::collection::vec((0_u64..40_000, ask()), ASKS);
    let (tight, passed) = (Cell::new(0), Cell::new(0));
    let mut runner =
        TestRunner::new(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() });
    let judged = runner.run(&(Draft::strategy(), changes, history, asks), |(draft, changes, history, asks)| {
        let mut changed = draft.clone();
        for (change, rule, limit) in changes {
            let change: Change = change;
            changed = changed.changed(&change, rule, limit);
        }
        let (in_force, candidate) = (policy(&draft.text(1)), policy(&changed.text(2)));
        if !loosenings(&in_force, &candidate).is_empty() {
            return Ok(());
        }
        tight.set(tight.get() + 1);
        let ((usage_before, now), (usage_after, _)) = (usage(&in_force, &history), usage(&candidate, &history));
        for (wait, ask) in &asks {
            let now = now + wait;
            let Some(after) = demanded(&candidate, &usage_after, ask, now) else { continue };
            let before = demanded(&in_force, &usage_before, ask, now);
            passed.set(passed.get() + 1);
            let is_proved = before.as_ref().is_some_and(|before| is_no_more(before, &after));
            prop_assert!(
                is_proved,
                "{ask:?}: {after:?} instead of {before:?} under\n{}\ninstead of\n{}",
                changed.text(2),
                draft.text(1)
            );
        }
        Ok(())
    });
    assert!(judged.is_ok(), "{}", judged.unwrap_err());
    assert!(tight.get() > CASES / 10, "only {} of {CASES} pairs loosen nothing", tight.get());
    assert!(passed.get() > CASES, "only {} requests passed", passed.get());
}

const CASES: u32 = 200;
/// Of each pair.
const ASKS: usize = 300;
