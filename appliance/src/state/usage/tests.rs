//! No window of the stated length ever holds more than the limit, and nothing is held back for much longer.

use proptest::prelude::*;

use super::*;

fn usage(window_ms: u64, max: u64) -> Usage {
    Usage { limits: vec![LimitUsage { window_ms, max: Amount::from_units(max), scopes: HashMap::new() }] }
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
            if usage.check(&charge(amount), now).is_ok() {
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
        let spent = usage.check(&charge(1), at).unwrap_err();
        let frees_at = spent.frees_at.unwrap();
        prop_assert!(usage.check(&charge(10), frees_at).is_ok());
        prop_assert!(usage.check(&charge(1), frees_at - 1).is_err());
        prop_assert!(frees_at > at + window_ms && frees_at <= at + window_ms + window_ms / 256 + 1);
    }
}

#[test]
fn more_than_the_limit_can_never_fit() {
    let spent = usage(1_000, 10).check(&charge(11), 0).unwrap_err();
    assert_eq!(spent, Spent { limit: 0, remaining: Amount::from_units(10), frees_at: None });
}

#[test]
fn scopes_are_counted_apart() {
    let mut usage = usage(1_000, 10);
    usage.charge(&charge(10), 0);
    let other = vec![Charge { limit: 0, scope: "other".to_owned(), amount: Amount::from_units(10) }];
    assert!(usage.check(&other, 0).is_ok());
}
