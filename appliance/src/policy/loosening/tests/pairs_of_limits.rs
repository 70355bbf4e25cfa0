use super::{pairs::check, *};
use crate::state::{Usage, charges_of};

const DAY: &str = "max_amount = \"10\"\nwindow = \"24h\"";
const BEYOND: &str = "beyond = { approve = 2, of = [\"alice\", \"bob\", \"carol\"], expires = \"4h\" }";
const DAY_LIMIT: &str = "[[limit]]\nname = \"a day\"\nkeys = [\"btc-hot\", \"btc-vault\"]\nasset = \"BTC\"\nmax_amount = \"10\"\nwindow = \"24h\"\n";

#[test]
fn of_figures_and_windows() {
    check(&[
        (
            "a larger sum",
            &[(DAY, "max_amount = \"20\"\nwindow = \"24h\"")],
            &["limit \"a day\": 20 BTC in 24h instead of 10 BTC in 24h"],
        ),
        ("a smaller sum", &[(DAY, "max_amount = \"9\"\nwindow = \"24h\"")], &[]),
        (
            "a shorter window",
            &[(DAY, "max_amount = \"10\"\nwindow = \"12h\"")],
            &["limit \"a day\": a window of 12h instead of 24h"],
        ),
        ("a longer window", &[(DAY, "max_amount = \"10\"\nwindow = \"48h\"")], &[]),
        ("a sum for ever", &[(DAY, "max_amount = \"10\"\nwindow = \"lifetime\"")], &[]),
        // Who spent all 10 at once waits 24 h under the one and 12 h under the other.
        (
            "half the sum in half the window",
            &[(DAY, "max_amount = \"5\"\nwindow = \"12h\"")],
            &["limit \"a day\": a window of 12h instead of 24h"],
        ),
        // A window of 24 h may hold 24 h and 5 min 37.5 s.
        (
            "a window longer by less than the rounding",
            &[(DAY, "max_amount = \"10\"\nwindow = \"1441m\"")],
            &["limit \"a day\": a window of 1441m instead of 24h"],
        ),
        (
            "more signatures",
            &[("max_signatures = 600", "max_signatures = 601")],
            &["limit \"signatures\": 601 signatures in 60s instead of 600 signatures in 60s"],
        ),
    ]);
}

#[test]
fn of_keys_sums_and_approvals_beyond() {
    check(&[
        (
            "a key that is counted no more",
            &[("\"btc-hot\", \"btc-vault\"]\nasset", "\"btc-hot\"]\nasset")],
            &["limit \"a day\": no longer counts \"btc-vault\""],
        ),
        (
            "a key more that is counted",
            &[(
                "keys = [\"btc-hot\"]\nasset = \"BTC\"\nmax_amount = \"6\"",
                "keys = [\"btc-hot\", \"btc-vault\"]\nasset = \"BTC\"\nmax_amount = \"6\"",
            )],
            &[],
        ),
        (
            "a sum for each key instead of one",
            &[(DAY, "max_amount = \"10\"\nwindow = \"24h\"\nper = \"key\"")],
            &["limit \"a day\": a sum for each key instead of one sum for all"],
        ),
        ("one sum instead of one for each key", &[("window = \"1m\"\nper = \"key\"", "window = \"1m\"")], &[]),
        // A fee counted under a destination's limit leaves with the replacement that paid it, not with the first payment.
        (
            "one sum instead of one for each destination",
            &[("per = \"destination\"\n", "")],
            &["limit \"to one, a day\": one sum for all instead of a sum for each destination"],
        ),
        (
            "approval beyond what was the end",
            &[(
                DAY,
                "max_amount = \"10\"\nwindow = \"24h\"\nbeyond = { approve = 4, of = [\"alice\", \"bob\", \"carol\", \"dave\"], expires = \"1m\" }",
            )],
            &["limit \"a day\": 4 of alice, bob, carol, dave can approve what is beyond it"],
        ),
        (
            "one approval beyond",
            &[(BEYOND, &BEYOND.replace('2', "1"))],
            &["limit \"to one, a day\": beyond it, 1 of alice, bob, carol within 4h instead of 2 of"],
        ),
        ("nothing beyond", &[(BEYOND, "")], &[]),
    ]);
}

#[test]
fn of_limits_that_come_and_go() {
    let stricter = "[[limit]]\nname = \"b day\"\nasset = \"BTC\"\nmax_amount = \"9\"\nwindow = \"25h\"\n";
    check(&[
        (
            "a limit that is gone",
            &[(DAY_LIMIT, "")],
            &["limit \"a day\" of 10 BTC in 24h is gone, and no other is as strict"],
        ),
        ("a limit that another is as strict as", &[(DAY_LIMIT, stricter)], &[]),
        ("one limit more", &[(DAY_LIMIT, &format!("{DAY_LIMIT}{stricter}"))], &[]),
        ("a limit under another name", &[("\"signatures\"", "\"count\"")], &[]),
        ("a limit on keys that sign no more", &[("\"active\"", "\"disabled\""), (DAY_LIMIT, "")], &[]),
    ]);
}

#[test]
fn a_key_taken_out_of_the_policy_leaves_its_share_of_a_common_sum() {
    let with = |key: &str| {
        format!(
            "version = 1\n[[watcher]]\nname = \"w\"\npublic_keys_sha256 = [\"{}\"]\n[[key]]\nname = \"a\"\nalgorithm = \"p256\"\n\
             evidence = \"blind\"\n{key}\n[[rule]]\nname = \"r\"\nwatchers = [\"w\"]\nkeys = [\"a\"]\naction = \"sign\"\n\
             [[limit]]\nname = \"l\"\nmax_signatures = 5\nwindow = \"1h\"\n",
            "aa".repeat(32)
        )
    };
    let second = "[[key]]\nname = \"b\"\nalgorithm = \"p256\"\nevidence = \"blind\"\n";
    let gone = found(&with(second), &with(""));
    let words = "limit \"l\": no longer counts \"b\" (a key that is disabled instead of taken out still counts)";
    assert_eq!(gone, [words]);
    assert_eq!(found(&with(second), &with(&format!("{second}state = \"disabled\"\n"))), Vec::<String>::new());
}

/// Why one sum in place of a sum for each destination is not stricter: first 500 and a fee of 10, then a replacement that
/// pays nobody and costs 300. Two minutes after the first, one sum of a minute holds nothing, and that of fees 290.
#[test]
fn a_replacement_counts_later_under_a_sum_for_each_destination() {
    let with = |per: &str| {
        let (head, _) = base().split_once("[[limit]]").map(|(head, rest)| (head.to_owned(), rest.to_owned())).unwrap();
        let limit = format!(
            "[[limit]]\nname = \"l\"\nkeys = [\"btc-hot\"]\nasset = \"BTC\"\nmax_amount = \"0.00000600\"\n{per}"
        );
        policy(&format!("{head}{limit}window = \"1m\"\n"))
    };
    let accepted = |paid: &str, fee: &str, variant: serde_json::Value| -> appliance_wire::Accepted {
        let payments = if paid == "0" {
            Vec::new()
        } else {
            vec![serde_json::json!({ "asset": "BTC", "destination": "d", "amount": paid })]
        };
        serde_json::from_value(serde_json::json!({
            "watcher": "btc-watcher", "request_id": "r", "content": "00", "key": "btc-hot", "evidence": "verified",
            "amounts_verified": true, "payments": payments, "rules": [], "fee": { "asset": "BTC", "amount": fee },
            "items": [], "variant": variant,
            "transaction": { "chain": "bitcoin", "format": "psbt", "evidence_sha256": "00", "holds": [], "outputs": [],
                             "fee": "0", "change_to": { "to": "nobody" } },
        }))
        .unwrap()
    };
    let first = accepted("0.00000500", "0.00000010", serde_json::Value::Null);
    let charged_before = serde_json::json!({ "fee": "0.00000010", "native": "0.00000510" });
    let variant = serde_json::json!({ "replaces": "r", "first": 0, "pivots": [], "charged_before": charged_before });
    let replacement = accepted("0", "0.00000300", variant);
    let used = |policy: &Policy, scope| {
        let mut usage = Usage::new(policy);
        usage.charge(&charges_of(policy, &first).unwrap(), 0);
        usage.charge(&charges_of(policy, &replacement).unwrap(), 59_000);
        usage.used(0, scope, 100_000).0
    };
    let units = appliance_wire::Amount::from_units;
    assert_eq!((used(&with("per = \"destination\"\n"), "fee"), used(&with(""), "")), (units(290), units(0)));
}
