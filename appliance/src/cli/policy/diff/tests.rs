use super::*;

/// The sample of the documentation, which has everything in it.
const SAMPLE: &str = include_str!("../../../../../docs/samples/policy.toml");

fn diff(change: &[(&str, &str)]) -> Diff {
    let mut after = SAMPLE.to_owned();
    for (from, to) in change {
        assert!(after.contains(from), "{from}");
        after = after.replacen(from, to, 1);
    }
    Diff::between(&Policy::parse(SAMPLE).unwrap(), Policy::parse(&after).unwrap(), Some(9))
}

#[test]
fn what_loosens_is_said_with_who_must_sign_and_what_it_exposes() {
    let diff = diff(&[("version = 3", "version = 4"), ("max_amount = \"10\"", "max_amount = \"20\"")]);
    let text = words::text(&diff);
    let wanted = "\
policy version 4 against version 3:

~ limit \"hot wallet, a day\" changes
    max_amount: \"10\" -> \"20\"

IT LOOSENS, or cannot be proved not to:
  - limit \"hot wallet, a day\": 20 BTC in 24h instead of 10 BTC in 24h

The most a fully compromised watcher could take, before -> after:
watcher \"btc-watcher\"
                            1 h       24 h      7 d
  BTC  anywhere             10 -> 20  10 -> 20  70 -> 140
";
    assert!(text.starts_with(wanted), "{text}");
    assert!(
        text.contains("3 of alice, bob, carol, dave must sign (quorum.loosen). It is in force 24 h after"),
        "{text}"
    );
    assert!(text.contains("Policy version 9 waits already"), "{text}");
    let json = serde_json::to_value(&diff).unwrap();
    assert_eq!((&json["takes"]["quorum"], &json["takes"]["delay_seconds"]), (&"loosen".into(), &86_400.into()));
    assert_eq!(json["changes"][0]["members"][0]["after"], "\"20\"");
    assert_eq!(json["loosens"].as_array().map(Vec::len), Some(1));
    let day = &json["exposure"]["after"]["watchers"][0]["assets"][0]["anywhere"][1];
    assert_eq!(*day, serde_json::json!({ "hours": 24, "at_most": "20" }));
}

#[test]
fn what_tightens_is_in_force_at_once() {
    let diff = diff(&[("version = 3", "version = 4"), ("max_amount = \"10\"", "max_amount = \"5\"")]);
    let text = words::text(&diff);
    assert!(text.contains("It loosens nothing: whatever passes under it passes now"), "{text}");
    assert!(text.contains("2 of alice, bob, carol, dave must sign (quorum.policy). It is in force at once."), "{text}");
    assert!(!text.contains("waits already"), "{text}");
}

#[test]
fn the_same_policy_changes_nothing_and_has_no_greater_version() {
    let text = words::text(&diff(&[]));
    let wanted = "policy version 3 against version 3:\n  its version must be greater than 3 to be installed\n\n\
                  Nothing is changed.\n\nIt loosens nothing";
    assert!(text.starts_with(wanted), "{text}");
}
