use super::*;

const POLICY: &str = r#"
version = 1

[[watcher]]
name = "w"
public_keys_sha256 = ["0000000000000000000000000000000000000000000000000000000000000001"]

[[key]]
name = "raw"
algorithm = "secp256k1"
evidence = "blind"

[[rule]]
name = "all"
watchers = ["w"]
keys = ["raw"]
action = "sign"

[[limit]]
name = "digests"
max_signatures = 100
window = "1h"
"#;

fn policy() -> Policy {
    Policy::parse(POLICY).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn charge(scope: &str, amount: u64) -> Vec<Charge> {
    vec![Charge { limit: 0, scope: scope.to_owned(), amount: Amount::from_units(amount) }]
}

fn begun() -> Unanchored {
    let mut unanchored = Unanchored::default();
    unanchored.reach(0);
    unanchored
}

/// Accepts one under index `index`, and says how.
fn accept(unanchored: &mut Unanchored, index: u64, scope: &str, amount: u64) -> Room {
    let room = unanchored.room(&charge(scope, amount), &policy());
    if room != Room::AfterAnchor {
        unanchored.accept(index, charge(scope, amount), room);
    }
    room
}

#[test]
fn the_share_is_accepted_to_the_last_unit_and_again_after_each_anchor() {
    let mut unanchored = begun();
    assert_eq!(accept(&mut unanchored, 0, "", 3), Room::Enough);
    assert_eq!(accept(&mut unanchored, 1, "", 3), Room::AfterAnchor);
    assert_eq!(accept(&mut unanchored, 1, "", 2), Room::Enough);
    assert_eq!(accept(&mut unanchored, 2, "", 1), Room::AfterAnchor);
    assert_eq!(accept(&mut unanchored, 2, "other", 5), Room::Enough, "each scope has its own");
    // The anchor covers the first acceptance only.
    unanchored.reach(1);
    assert_eq!(accept(&mut unanchored, 3, "", 4), Room::AfterAnchor);
    assert_eq!(accept(&mut unanchored, 3, "", 3), Room::Enough);
    unanchored.reach(4);
    assert_eq!(accept(&mut unanchored, 4, "", 5), Room::Enough);
}

#[test]
fn what_alone_is_more_than_the_share_is_signed_only_when_anchored() {
    let mut unanchored = begun();
    assert_eq!(accept(&mut unanchored, 0, "", 1), Room::Enough);
    assert_eq!(accept(&mut unanchored, 1, "", 6), Room::AfterAnchor);
    unanchored.reach(1);
    assert_eq!(accept(&mut unanchored, 1, "", 6), Room::OnlyThis);
    assert!(!unanchored.is_uncovered(0) && unanchored.is_uncovered(1));
    assert_eq!(accept(&mut unanchored, 2, "", 1), Room::AfterAnchor);
    unanchored.reach(1);
    assert!(unanchored.is_uncovered(1));
    unanchored.reach(2);
    assert!(!unanchored.is_uncovered(1));
    assert_eq!(accept(&mut unanchored, 2, "", 1), Room::Enough);
}

#[test]
fn nothing_is_accepted_before_the_first_anchor_nor_under_a_policy_that_is_not_anchored() {
    let mut unanchored = Unanchored::default();
    assert_eq!(unanchored.room(&[], &policy()), Room::AfterAnchor);
    assert!(unanchored.down().is_some() && unanchored.has_begun().is_err() && unanchored.is_uncovered(0));
    unanchored.reach(3);
    assert!(unanchored.down().is_none() && unanchored.has_begun().is_ok());
    assert_eq!(unanchored.room(&[], &policy()), Room::Enough);
    unanchored.must_reach(5);
    assert_eq!(unanchored.room(&[], &policy()), Room::AfterAnchor);
    unanchored.reach(4);
    assert_eq!(unanchored.room(&[], &policy()), Room::AfterAnchor);
    unanchored.reach(5);
    assert_eq!(unanchored.room(&[], &policy()), Room::Enough);
}

#[test]
fn it_is_due_for_those_who_wait_for_many_entries_and_until_it_was_written() {
    let mut unanchored = begun();
    let due = Arc::clone(&unanchored.due);
    let told = |unanchored: &Unanchored, size| {
        unanchored.tell(size);
        (due.needed.load(Ordering::SeqCst), due.is_behind())
    };
    assert_eq!(told(&unanchored, 0), (false, false));
    unanchored.appended(4, false);
    assert_eq!(told(&unanchored, 5_000), (false, false), "what devices note of the writings needs none");
    unanchored.appended(5_000, true);
    assert_eq!(told(&unanchored, 999), (false, true));
    assert_eq!(told(&unanchored, 5_001), (true, true));
    unanchored.reach(5_001);
    assert_eq!(told(&unanchored, 5_001), (false, false));
    unanchored.must_reach(5_002);
    assert!(told(&unanchored, 5_002).0);
    unanchored.reach(5_002);
    unanchored.down = Some("gone".to_owned());
    assert!(told(&unanchored, 5_002).0 && unanchored.down().is_some());
    unanchored.reach(5_002);
    assert!(!told(&unanchored, 5_002).0 && unanchored.down().is_none());
}
