//! A watcher that takes what it can, against the code that charges: it never takes more than its exposure.

use appliance_wire::{Accepted, Fee, Payment};
use proptest::prelude::*;

use super::{
    super::super::{Destinations, Rule},
    *,
};
use crate::state::{Usage, charges_of};

const LISTED: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

/// A rule of the attacked policy: (keys, to whom, the most of a request and of a fee in satoshi).
type RuleParts = (usize, u8, Option<u64>, u64);
/// A limit: (keys, signatures or satoshi, window in minutes (0 for ever), per).
type LimitParts = (usize, bool, u64, u64, u8);

fn policy_of(rules: &[RuleParts], limits: &[LimitParts]) -> Policy {
    let keys = |which: usize| ["[\"a\"]", "[\"b\"]", "[\"a\", \"b\"]"][which];
    let units = |amount: u64| Amount::from_units(amount).to_decimal(8);
    let mut text = BASE.split("\n[[key]]").next().unwrap().to_owned();
    for name in ["a", "b"] {
        text += &format!(
            "\n[[key]]\nname = \"{name}\"\nalgorithm = \"secp256k1\"\nassets = [\"BTC\"]\naddress_type = \"p2wpkh\"\n"
        );
    }
    text += &format!("\n[[address_list]]\nname = \"known\"\naddresses = [\"{LISTED}\"]\n");
    for (place, (which, to, most, fee)) in rules.iter().enumerate() {
        let to = ["", "destinations = \"known\"\n", "destinations = \"self\"\n"][usize::from(*to)];
        let most = most.map(|most| format!("max_request_amount = \"{}\"\n", units(most))).unwrap_or_default();
        text += &format!(
            "\n[[rule]]\nname = \"{place}\"\nwatchers = [\"w\"]\nkeys = {}\nasset = \"BTC\"\n{to}{most}max_fee = \"{}\"\n\
             action = \"sign\"\n",
            keys(*which),
            units(*fee)
        );
    }
    for (place, (which, is_count, most, minutes, per)) in limits.iter().enumerate() {
        let most = if *is_count {
            format!("max_signatures = {}\n", 1 + most / 100)
        } else {
            format!("asset = \"BTC\"\nmax_amount = \"{}\"\n", units(*most))
        };
        let window = if *minutes == 0 { "lifetime".to_owned() } else { format!("{minutes}m") };
        let per = match per {
            0 => "",
            1 => "per = \"key\"\n",
            2 => "per = \"watcher\"\n",
            _ if *is_count => "",
            _ => "per = \"destination\"\n",
        };
        text +=
            &format!("\n[[limit]]\nname = \"{place}\"\nkeys = {}\n{most}window = \"{window}\"\n{per}", keys(*which));
    }
    Policy::parse(&text).unwrap()
}

fn accepted(key: &str, destination: Option<&str>, paid: u64, fee: u64) -> Accepted {
    let units = |amount: u64| Amount::from_units(amount).to_decimal(8);
    let mut accepted: Accepted = serde_json::from_value(serde_json::json!({
        "watcher": "w", "request_id": "r", "content": "00", "key": key, "evidence": "verified",
        "amounts_verified": true, "payments": [], "rules": [],
        "items": [{ "key": key, "digest": "00".repeat(32) }],
    }))
    .unwrap();
    accepted.payments = destination
        .map(|destination| Payment {
            asset: "BTC".to_owned(),
            destination: destination.to_owned(),
            amount: units(paid),
        })
        .into_iter()
        .collect();
    accepted.fee = Some(Fee { asset: "BTC".to_owned(), amount: units(fee) });
    accepted
}

/// The largest request by this rule that the limits still let through: (paid, fee).
fn take(policy: &Policy, usage: &mut Usage, rule: &Rule, key: &str, to: Option<&str>, now: u64) -> Option<(u64, u64)> {
    let units =
        |amount: Option<Amount>, or: u64| amount.map_or(or, |amount| amount.to_decimal(0).as_str().parse().unwrap());
    let most = if to.is_some() { units(rule.max_request_amount, 1_000_000) } else { 0 };
    for fee in [units(rule.max_fee, 0), 0] {
        let (mut low, mut high) = (0, most + 1);
        let fits = |usage: &Usage, paid| {
            let charges = charges_of(policy, &accepted(key, to, paid, fee)).unwrap();
            usage.spent(&charges, now).next().is_none()
        };
        if !fits(usage, 0) {
            continue;
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if fits(usage, middle) { low = middle } else { high = middle }
        }
        usage.charge(&charges_of(policy, &accepted(key, to, low, fee)).unwrap(), now);
        return Some((low, fee));
    }
    None
}

fn largest_within(taken: &[(u64, u64)], hours: u64) -> u64 {
    let last = |from: u64| from + hours * MILLISECONDS_AN_HOUR;
    let sum = |from: u64| taken.iter().filter(|(at, _)| (from..=last(from)).contains(at)).map(|(_, sum)| sum).sum();
    taken.iter().map(|(at, _)| sum(*at)).max().unwrap_or(0)
}

fn assert_bounded(bounds: &[Bound], taken: &[(u64, u64)]) -> Result<usize, TestCaseError> {
    let mut limited = 0;
    for bound in bounds {
        if let Most::AtMost(most) = &bound.most {
            limited += 1;
            let (most, taken) = (most.to_amount(8).unwrap(), Amount::from_units(largest_within(taken, bound.hours)));
            prop_assert!(taken <= most, "{taken:?} in {} h is over {most:?}", bound.hours);
        }
    }
    Ok(limited)
}

fn rules() -> impl Strategy<Value = Vec<RuleParts>> {
    prop::collection::vec((0..3_usize, 0..3_u8, prop::option::weighted(0.7, 1..500_u64), 0..20_u64), 1..4)
}

fn limits() -> impl Strategy<Value = Vec<LimitParts>> {
    let minutes = prop::sample::select(vec![0, 1, 7, 30, 60, 61, 7 * 60, 24 * 60, 25 * 60, 8 * 24 * 60]);
    prop::collection::vec((0..3_usize, any::<bool>(), 1..2_000_u64, minutes, 0..4_u8), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn nobody_takes_more_than_the_exposure(
        rules in rules(),
        limits in limits(),
        moves in prop::collection::vec((0..4_u64, any::<prop::sample::Index>(), any::<bool>(), 0..3_u8), 1..120),
    ) {
        let policy = policy_of(&rules, &limits);
        let exposure = exposure_of_first(&policy);
        let mut usage = Usage::new(&policy);
        let (mut anywhere, mut to_listed) = (Vec::new(), Vec::new());
        let mut now = 0;
        for (wait, which, second, destination) in moves {
            // From at once to four hours, so that windows of every length pass.
            now += [0, 59_000, 60 * 60 * 1000, 4 * 60 * 60 * 1000][wait as usize];
            let rule = which.get(&policy.rules);
            let key = rule.keys[usize::from(second) % rule.keys.len()].as_str();
            let anybody = format!("somebody-{destination}");
            let to = match &rule.destinations {
                None => Some(anybody.as_str()),
                Some(Destinations::List(_)) => Some(LISTED),
                Some(Destinations::OwnFamily) => None,
            };
            if let Some((paid, fee)) = take(&policy, &mut usage, rule, key, to, now) {
                anywhere.push((now, fee + if to == Some(LISTED) { 0 } else { paid }));
                to_listed.push((now, if to == Some(LISTED) { paid } else { 0 }));
            }
        }
        for row in &exposure.assets {
            assert_bounded(&row.anywhere, &anywhere)?;
            assert_bounded(&row.to_listed_addresses, &to_listed)?;
        }
    }
}

/// So that the property above is not about nothing.
#[test]
fn an_attacker_who_waits_for_each_window_takes_the_whole_exposure() {
    let policy = policy_of(&[(0, 0, None, 0)], &[(0, false, 1_000, 24 * 60, 0)]);
    let exposure = exposure_of_first(&policy);
    let mut usage = Usage::new(&policy);
    let mut taken = Vec::new();
    // A day and the 1/256 by which a window is longer.
    for day in 0..7_u64 {
        let now = day * (24 * MILLISECONDS_AN_HOUR * 257 / 256 + 1);
        let (paid, _) = take(&policy, &mut usage, &policy.rules[0], "a", Some("somebody"), now).unwrap();
        taken.push((now, paid));
    }
    assert_eq!(largest_within(&taken, 7 * 24), 7_000);
    assert_eq!(anywhere(&exposure, "BTC"), ["0.00001", "0.00001", "0.00007"]);
}
