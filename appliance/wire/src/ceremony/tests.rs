//! A small ceremony on a YubiHSM 2 and its spare, and everything that can be wrong with its transcript.

mod sample;

use serde_json::{Value, json};

use self::sample::{Sample, policy};
use super::*;

fn refused(text: &str) -> NotValid {
    Transcript::parse(text).unwrap().verify().unwrap_err()
}

/// The first step that is wrong, of steps that are chained and signed anew after the change: only their sense is.
fn nonsense(change: impl FnOnce(&mut Vec<What>)) -> (Option<u64>, String) {
    let mut sample = Sample::new();
    change(&mut sample.acts);
    let error = refused(&sample.text());
    (error.step(), error.to_string())
}

#[test]
fn a_whole_ceremony_says_what_was_done() {
    let text = Sample::new().text();
    let transcript = Transcript::parse(&text).unwrap();
    let ceremony = transcript.verify().unwrap();
    assert_eq!(ceremony.sha256, sha256_hex(text.as_bytes()));
    assert_eq!((ceremony.origin.as_str(), ceremony.rehearsal), ("exchange.example/signer-1", false));
    assert_eq!(ceremony.tokens.iter().map(|token| token.spare).collect::<Vec<_>>(), [false, true]);
    assert_eq!(ceremony.keys.len(), 2);
    assert!(ceremony.key("btc-vault").unwrap().backup_sha256.is_some());
    assert_eq!(ceremony.renewal_key(), Some("ssh-ed25519 AAAA renewal"));
    assert_eq!(ceremony.policy_sha256, Some(sha256_hex(b"policy")));
    assert!(ceremony.log_key.starts_with("exchange.example/signer-1/"));
    assert!(transcript.steps().last().is_some_and(|step| matches!(step.what, What::Ended(_))));
}

#[test]
fn a_rehearsal_is_valid_and_says_that_it_is_one() {
    let sample = Sample { rehearsal: true, ..Sample::new() };
    assert!(Transcript::parse(&sample.text()).unwrap().verify().unwrap().rehearsal);
}

#[test]
fn any_changed_value_is_found() {
    let original: Value = serde_json::from_str(&Sample::new().text()).unwrap();
    let mut pointers = Vec::new();
    leaves(&original, String::new(), &mut pointers);
    assert!(pointers.len() > 100);
    for pointer in pointers {
        let mut bent = original.clone();
        let value = bent.pointer_mut(&pointer).unwrap();
        *value = match value.clone() {
            Value::String(text) => json!(format!("{text}x")),
            Value::Bool(is) => json!(!is),
            Value::Number(number) => json!(number.as_u64().unwrap() + 1),
            Value::Null | Value::Array(_) | Value::Object(_) => continue,
        };
        let valid = Transcript::parse(&bent.to_string()).ok().and_then(|transcript| transcript.verify().ok());
        assert!(valid.is_none(), "{pointer} can be changed");
    }
}

fn leaves(value: &Value, path: String, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| leaves(value, format!("{path}/{name}"), found))
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| leaves(value, format!("{path}/{at}"), found));
        }
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) | Value::String(_) => found.push(path),
    }
}

#[test]
fn steps_that_are_cut_moved_or_doubled_are_found() {
    let text = Sample::new().text();
    let all = Transcript::parse(&text).unwrap().file.steps;
    for at in 0..all.len() {
        let mut cut = all.clone();
        cut.remove(at);
        let mut doubled = all.clone();
        doubled.insert(at, all[at].clone());
        let mut swapped = all.clone();
        swapped.swap(at, (at + 1) % all.len());
        for steps in [cut, doubled, swapped] {
            let mut bent: Value = serde_json::from_str(&text).unwrap();
            bent["steps"] = serde_json::to_value(steps).unwrap();
            refused(&bent.to_string());
        }
    }
}

#[test]
fn a_step_by_somebody_without_the_log_key_is_found() {
    let mut bent: Value = serde_json::from_str(&Sample::new().text()).unwrap();
    let other = Sample { name: "another", ..Sample::new() };
    bent["steps"] = serde_json::from_str::<Value>(&other.text()).unwrap()["steps"].clone();
    assert_eq!(refused(&bent.to_string()).step(), None);
}

#[test]
fn what_no_reader_would_see_is_refused() {
    let text = Sample::new().text();
    let mut more: Value = serde_json::from_str(&text).unwrap();
    more["note"] = json!("believe me");
    assert!(Transcript::parse(&more.to_string()).is_err());
    let mut within: Value = serde_json::from_str(&text).unwrap();
    within["steps"][0]["what"]["note"] = json!("believe me");
    assert!(Transcript::parse(&within.to_string()).is_err());
    let mut absent: Value = serde_json::from_str(&text).unwrap();
    absent["steps"][1]["what"]["label"] = Value::Null;
    assert!(matches!(Transcript::parse(&absent.to_string()), Err(NotATranscript::Members)));
    assert!(Transcript::parse("{}").is_err());
}

#[test]
fn a_transcript_of_a_newer_version_is_not_judged() {
    let mut newer: Value = serde_json::from_str(&Sample::new().text()).unwrap();
    newer["format"] = json!({ "number": 2, "version": "0.3.0" });
    newer["steps"][0]["what"]["act"] = json!("dreamt");
    let refused = Transcript::parse(&newer.to_string()).unwrap_err();
    assert!(matches!(refused, NotATranscript::Newer(_)), "{refused}");
    newer["format"]["number"] = json!(1);
    assert!(matches!(Transcript::parse(&newer.to_string()), Err(NotATranscript::Form(_))));
}

#[test]
fn a_ceremony_that_left_something_out_is_not_valid() {
    let without = |act: fn(&What) -> bool| nonsense(|acts| acts.retain(|what| !act(what))).1;
    assert!(without(|what| matches!(what, What::Backup(_))).contains("there is no backup of key"));
    let unproven = without(|what| matches!(what, What::Restore(_)));
    assert!(unproven.contains("that the backup of key \"btc-vault\" can be restored is not proven"), "{unproven}");
    assert!(without(|what| matches!(what, What::Attestation(_))).contains("has no attestation"));
    assert!(without(|what| matches!(what, What::Ended(_))).contains("the ceremony has no end"));
    assert!(without(|what| matches!(what, What::Begun(_))).contains("begins once"));
    let unconfirmed = without(|what| matches!(what, What::Share(share) if share.index == 2));
    assert!(unconfirmed.contains("1 custodians have not confirmed"), "{unconfirmed}");
}

#[test]
fn nothing_comes_after_the_end_and_nothing_twice() {
    let (step, error) = nonsense(|acts| acts.push(policy()));
    assert!(error.contains("after the end"), "{error}");
    assert_eq!(step, Some(Sample::new().acts.len() as u64 + 1));
    for at in 0..Sample::new().acts.len() - 1 {
        if matches!(Sample::new().acts[at], What::Attestation(_) | What::Backup(_) | What::Restore(_)) {
            continue; // Done again is done as well: an interruption may have come before it was written down.
        }
        let (step, _) = nonsense(|acts| acts.insert(at, acts[at].clone()));
        assert_eq!(step, Some(at as u64 + 2));
    }
}

#[test]
fn a_deviation_of_the_device_is_named() {
    let (_, error) = nonsense(|acts| {
        for what in acts.iter_mut() {
            if let What::Key(key) = what {
                key.facts[0].found = "true".to_owned();
            }
        }
    });
    assert!(error.contains("CKA_EXTRACTABLE is true and must be false"), "{error}");
}

#[test]
fn a_spare_that_is_the_main_token_is_refused() {
    let (_, error) = nonsense(|acts| {
        for what in acts.iter_mut() {
            if let What::Token(token) = what {
                token.serial = "0017000001".to_owned();
            }
        }
    });
    assert!(error.contains("are one: both have the serial number 0017000001"), "{error}");
}

#[test]
fn only_the_self_test_key_is_in_more_than_one_token() {
    let twice = |label: &str| {
        let mut sample = Sample::new();
        let further = [(2, "main", 0), (3, "second", 1)];
        sample.acts.insert(3, sample::token("second", "0017000003", false));
        for (at, token, number) in further {
            sample.acts.insert(at + 2, sample::key_in(token, label, number));
            sample.acts.insert(at + 3, sample::attestation_in(token, label));
        }
        Transcript::parse(&sample.text()).unwrap().verify()
    };
    twice(SELF_TEST_LABEL).unwrap();
    let error = twice("btc-cold").unwrap_err().to_string();
    assert!(error.contains("the label \"btc-cold\", or its public key, is another key's already"), "{error}");
}

#[test]
fn shares_are_those_of_the_secret_in_force() {
    let changed = |change: fn(&mut What)| nonsense(|acts| acts.iter_mut().for_each(change)).1;
    let few = changed(|what| {
        if let What::Restore(restored) = what {
            restored.shares = vec![1, 1];
        }
    });
    assert!(few.contains("2 different shares are needed"), "{few}");
    let stranger = changed(|what| {
        if let What::Share(share) = what {
            share.custodian = "mallory".to_owned();
        }
    });
    assert!(stranger.contains("share 1 is not mallory's"), "{stranger}");
    let other_key = changed(|what| {
        if let What::Backup(backup) = what {
            backup.backup_key = "00".repeat(8);
        }
    });
    assert!(other_key.contains("another backup key"), "{other_key}");
    let fewer = changed(|what| {
        if let What::Split(split) = what {
            split.custody.threshold = 1;
        }
    });
    assert!(fewer.contains("not those the ceremony began with"), "{fewer}");
}

#[test]
fn void_shares_are_replaced_and_confirmed_ones_stay() {
    let mut sample = Sample::new();
    let at = sample.acts.iter().position(|what| matches!(what, What::Share(_))).unwrap();
    let [first, second] = [sample::split("0000000000000001"), sample::split("0000000000000002")];
    sample.acts[at - 1] = first;
    sample.acts.insert(at, What::SharesVoid(SharesVoid { id: "0000000000000001".to_owned() }));
    sample.acts.insert(at + 1, second);
    for what in &mut sample.acts {
        if let What::Share(share) = what {
            share.id = "0000000000000002".to_owned();
        }
    }
    let ceremony = Transcript::parse(&sample.text()).unwrap().verify().unwrap();
    assert_eq!(ceremony.backup.unwrap().id, "0000000000000002");

    let (_, error) = nonsense(|acts| {
        let at = acts.iter().rposition(|what| matches!(what, What::Share(_))).unwrap();
        acts.insert(at + 1, What::SharesVoid(SharesVoid { id: sample::SPLIT.to_owned() }));
    });
    assert!(error.contains("they cannot become void"), "{error}");
}
