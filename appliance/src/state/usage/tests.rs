//! No window of the stated length ever holds more than the limit, and nothing is held back for much longer.

use proptest::prelude::*;

use super::*;

fn usage(window_ms: u64, max: u64) -> Usage {
    let max = Amount::from_units(max);
    Usage {
        limits: vec![LimitUsage {
            window_ms,
            max,
            scopes: HashMap::new(),
            everywhere: Window::default(),
            tidy_at: FEW,
        }],
    }
}

fn charge(amount: u64) -> Vec<Charge> {
    vec![Charge { limit: 0, scope: String::new(), amount: Amount::from_units(amount) }]
}

proptest! {
    #[test]
    fn no_window_holds_more_than_the_limit(
        window_ms in 1_000_u64..100_000,
        max in 1_u64..50,
        attempts in prop::collection::vec((0_u64..5_000, 1_u64..20), 1..200),
    ) {
        let mut usage = usage(window_ms, max);
        let mut accepted: Vec<(u64, u64)> = Vec::new();
        let mut now = 0;
        for (wait, amount) in attempts {
            now += wait;
            if usage.spent(&charge(amount), now).next().is_none() {
                usage.charge(&charge(amount), now);
                accepted.push((now, amount));
            }
            let within: u64 = accepted.iter().filter(|(at, _)| at + window_ms >= now).map(|(_, amount)| amount).sum();
            prop_assert!(within <= max);
        }
    }

    #[test]
    fn what_was_accepted_is_free_again_after_the_window(window_ms in 1_000_u64..10_000_000, at in 0_u64..1_000_000) {
        let mut usage = usage(window_ms, 10);
        usage.charge(&charge(10), at);
        let spent = usage.spent(&charge(1), at).next().unwrap();
        let frees_at = spent.frees_at.unwrap();
        prop_assert!(usage.spent(&charge(10), frees_at).next().is_none());
        prop_assert!(usage.spent(&charge(1), frees_at - 1).next().is_some());
        prop_assert!(frees_at > at + window_ms && frees_at <= at + window_ms + window_ms / 256 + 1);
    }
}

#[test]
fn more_than_the_limit_can_never_fit() {
    let spent = usage(1_000, 10).spent(&charge(11), 0).next().unwrap();
    assert_eq!(spent, Spent { limit: 0, remaining: Amount::from_units(10), frees_at: None });
}

#[test]
fn what_counts_everywhere_counts_in_scopes_never_seen_and_leaves_with_its_window() {
    let mut usage = usage(1_000, 100);
    usage.charge(&charge(50), 0);
    usage.charge_everywhere(5, 500);
    usage.charge_everywhere(5, 600);
    for (scope, used) in [("", 60), ("never seen", 10)] {
        assert_eq!(usage.used(0, scope, 700).0, Amount::from_units(used), "{scope}");
        let rest = vec![Charge { limit: 0, scope: scope.to_owned(), amount: Amount::from_units(101 - used) }];
        let spent = usage.spent(&rest, 700).next().unwrap();
        assert_eq!(spent.remaining, Amount::from_units(100 - used), "{scope}");
        assert!(usage.spent(&rest, spent.frees_at.unwrap()).next().is_none(), "{scope}");
    }
    assert_eq!(usage.used(0, "never seen", 1_604).0, Amount::ZERO);
}

#[test]
fn scopes_are_counted_apart() {
    let mut usage = usage(1_000, 10);
    usage.charge(&charge(10), 0);
    let other = vec![Charge { limit: 0, scope: "other".to_owned(), amount: Amount::from_units(10) }];
    assert!(usage.spent(&other, 0).next().is_none());
}

#[test]
fn what_a_lifetime_limit_counted_is_never_free_again() {
    let mut usage = usage(Limit::LIFETIME_MS, 10);
    usage.charge(&charge(4), 0);
    usage.charge(&charge(5), 1 << 57);
    for now in [1 << 57, 1 << 62, u64::MAX] {
        assert_eq!(usage.used(0, "", now), (Amount::from_units(9), None));
        let spent = usage.spent(&charge(2), now).next().unwrap();
        assert_eq!(spent, Spent { limit: 0, remaining: Amount::from_units(1), frees_at: None });
    }
    usage.charge(&charge(1), u64::MAX);
    assert_eq!(usage.used(0, "", u64::MAX), (Amount::from_units(10), None));
}

#[test]
fn the_longest_window_and_the_last_moment_do_not_overflow() {
    let mut usage = usage(u64::MAX - 1, 10);
    usage.charge(&charge(10), u64::MAX - 1);
    assert!(usage.spent(&charge(1), u64::MAX - 1).next().is_some());
    usage.restore(0, "other", u64::MAX, Amount::from_units(10));
    assert_eq!(usage.used(0, "other", 0).0, Amount::from_units(10));
}

#[test]
fn scopes_that_hold_nothing_are_forgotten() {
    let mut usage = usage(1_000, 10);
    let charge =
        |number: u64, amount| [Charge { limit: 0, scope: format!("d{number}"), amount: Amount::from_units(amount) }];
    (0..10_000).for_each(|number| usage.charge(&charge(number, 0), number));
    assert_eq!(usage.limits[0].scopes.len(), 0, "nothing was paid");
    (0..100_000).for_each(|number| usage.charge(&charge(number, 1), number));
    assert!(usage.limits[0].scopes.len() < 5_000, "{} scopes", usage.limits[0].scopes.len());
    assert_eq!(usage.used(0, "d99999", 100_000).0, Amount::from_units(1));
}

mod recount {
    use std::{convert::Infallible, sync::Arc};

    use appliance_wire::{Body, Entry, PolicyEntry};

    use super::*;
    use crate::state::{Binding, BindingKey, Bindings, State};

    /// Acceptances of one signature each, by the service times at which they were made.
    struct Acceptances(Vec<u64>);

    impl Bindings for Acceptances {
        type Error = Infallible;

        fn binding(&self, _: &BindingKey) -> Result<Option<Binding>, Infallible> {
            Ok(None)
        }

        fn entry(&self, index: u64) -> Result<Entry, Infallible> {
            let accepted = serde_json::json!({
                "watcher": "w", "request_id": "r", "content": "00", "key": "k", "evidence": "blind",
                "amounts_verified": false, "payments": [], "rules": [], "items": [{ "key": "k", "digest": "00".repeat(32) }],
            });
            let body = Body::Accepted(serde_json::from_value(accepted).unwrap());
            let time = "2026-01-01T00:00:00.000000Z".to_owned();
            Ok(Entry {
                index,
                time,
                elapsed: self.0[index as usize],
                policy: 1,
                salt: "00".repeat(16),
                format: None,
                body,
            })
        }
    }

    #[test]
    fn a_lifetime_limit_counts_the_whole_log_and_another_only_its_window() {
        let limit =
            |name, window| format!("[[limit]]\nname = \"{name}\"\nmax_signatures = 10\nwindow = \"{window}\"\n");
        let key = "version = 1\n[[key]]\nname = \"k\"\nalgorithm = \"ed25519\"\nevidence = \"blind\"\n";
        let policy = Policy::parse(&format!("{key}{}{}", limit("ever", "lifetime"), limit("hour", "1h"))).unwrap();
        let (hour, year) = (60 * 60 * 1000, 365 * 24 * 60 * 60 * 1000);
        let log = Acceptances(vec![0, 1, year, 9 * year, 9 * year + hour]);
        let now = 9 * year + hour;
        let mut state = State { size: 5, elapsed: now, policy: Some(Arc::new(policy)), ..State::default() };
        state.recount(&log).unwrap();
        assert_eq!(state.usage.used(0, "", now), (Amount::from_units(5), None));
        assert_eq!(state.usage.used(1, "", now).0, Amount::from_units(2));
        let snapshot = State::from_snapshot(&state.snapshot(7)).unwrap().0;
        assert_eq!(snapshot.usage.used(0, "", now + year), (Amount::from_units(5), None));
    }

    /// A snapshot may be taken as soon as a policy's entry is durable, before anything is counted under it.
    #[test]
    fn a_snapshot_between_a_policy_and_its_recount_is_counted_anew() {
        let limits = |names: &[&str]| {
            let limit = |name: &&str| format!("[[limit]]\nname = \"{name}\"\nmax_signatures = 10\nwindow = \"1h\"\n");
            let limits: String = names.iter().map(limit).collect();
            let key = "[[key]]\nname = \"k\"\nalgorithm = \"ed25519\"\nevidence = \"blind\"\n";
            (names.len() as u64, format!("version = {}\n{key}{limits}", names.len()))
        };
        let log = Acceptances(vec![0; 4]);
        let policy = Policy::parse(&limits(&["old"]).1).unwrap();
        let mut state = State { size: 3, policy: Some(Arc::new(policy)), ..State::default() };
        state.recount(&log).unwrap();

        let (version, document) = limits(&["new", "old"]);
        let body = Body::Policy(PolicyEntry::unsigned(version, String::new(), document));
        let time = "2026-01-01T00:00:00.000000Z".to_owned();
        state
            .apply(&Entry { index: 3, time, elapsed: 0, policy: 1, salt: "00".repeat(16), format: None, body })
            .unwrap();
        let mut restored = State::from_snapshot(&state.snapshot(7)).unwrap().0;
        // As a start does.
        if restored.uncounted {
            restored.recount(&log).unwrap();
        }
        state.recount(&log).unwrap();
        for limit in [1, 0] {
            assert_eq!(restored.usage.used(limit, "", 0), state.usage.used(limit, "", 0), "limit {limit}");
        }
    }
}
