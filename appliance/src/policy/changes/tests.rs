use super::*;
use crate::policy::tests::officers::OFFICERS;

fn changed(changes: &[(&str, &str)]) -> Vec<Change> {
    let mut after = OFFICERS.to_owned();
    for (from, to) in changes {
        assert!(after.contains(from), "{from}");
        after = after.replacen(from, to, 1);
    }
    super::changes(&Policy::parse(OFFICERS).unwrap(), &Policy::parse(&after).unwrap())
}

fn member(member: &str, before: Option<&str>, after: Option<&str>) -> MemberChange {
    MemberChange::of(member, before.map(ToOwned::to_owned), after.map(ToOwned::to_owned))
}

fn change(section: &str, name: Option<&str>, change: ChangeKind, members: Vec<MemberChange>) -> Change {
    Change { section: section.to_owned(), name: name.map(ToOwned::to_owned), change, members }
}

#[test]
fn a_version_and_a_comment_are_no_change() {
    assert_eq!(changed(&[("version = 3", "version = 4 # the next")]), []);
}

#[test]
fn members_are_told_before_and_after() {
    let found = changed(&[
        ("unfreeze = 2", "unfreeze = 3"),
        ("state = \"retiring\"\n", ""),
        ("\"alice\", \"bob\"], expires = \"4h\", delay = \"10m\"", "\"alice\", \"bob\"], expires = \"3h\""),
        (
            "keys = [\"attest\"]",
            "keys = [\"attest\"]\nhours = { days = \"Mon\", from = \"08:00\", to = \"09:00\", zone = \"UTC\" }",
        ),
    ]);
    let action = |times: &str| format!("{{ approve = 2, {times}of = [\"alice\", \"bob\"] }}");
    let (was, is) = (action("delay = \"10m\", expires = \"4h\", "), action("expires = \"3h\", "));
    let hours = "{ days = \"Mon\", from = \"08:00\", to = \"09:00\", zone = \"UTC\" }";
    let of_rule = vec![member("action", Some(&was), Some(&is)), member("hours", None, Some(hours))];
    assert_eq!(
        found,
        [
            change("quorum", None, ChangeKind::Changed, vec![member("unfreeze", Some("2"), Some("3"))]),
            change("key", Some("attest"), ChangeKind::Changed, vec![member("state", Some("\"retiring\""), None)]),
            change("rule", Some("attest"), ChangeKind::Changed, of_rule),
        ]
    );
}

#[test]
fn of_a_list_what_it_gains_and_loses_is_told() {
    let spki = |byte: &str| byte.repeat(32);
    let found = changed(&[(&spki("aa"), &format!("{}\", \"{}", spki("bb"), spki("cc")))]);
    let [Change { members, .. }] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(members[0].gains, [format!("\"{}\"", spki("bb")), format!("\"{}\"", spki("cc"))]);
    assert_eq!(members[0].loses, [format!("\"{}\"", spki("aa"))]);
}

#[test]
fn sections_come_go_and_change_places() {
    let second = "[[rule]]\nname = \"never\"\nwatchers = [\"w\"]\nkeys = [\"attest\"]\naction = \"deny\"\n";
    let with_both = OFFICERS.replacen("[[rule]]", &format!("{second}[[rule]]"), 1);
    let swapped = OFFICERS.replacen("[[limit]]", &format!("{second}[[limit]]"), 1);
    let policy = |text: &str| Policy::parse(text).unwrap();
    let added = changes(&policy(OFFICERS), &policy(&with_both));
    assert_eq!(added.len(), 1);
    assert_eq!((added[0].change, added[0].members.len()), (ChangeKind::Added, 3));
    let removed = changes(&policy(&with_both), &policy(OFFICERS));
    assert_eq!(removed, [change("rule", Some("never"), ChangeKind::Removed, Vec::new())]);
    let order = member("order", Some("\"never\", \"attest\""), Some("\"attest\", \"never\""));
    let moved = changes(&policy(&with_both), &policy(&swapped));
    assert_eq!(moved, [change("rules", None, ChangeKind::Changed, vec![order])]);
}
