//! What policy allows: rules by name, and limits to the last unit.

use std::{
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::{
    harness::{
        Installation, Running,
        body::{DESTINATION, OTHER_DESTINATION, digest, digests, payment, payments},
        installation::POLICY,
        trial,
        watcher::Watcher,
    },
    units::may_make_namespaces,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("limits::an_amount_is_accepted_to_the_last_unit_however_many_ask_at_once", amounts_at_once),
        trial("limits::signatures_are_counted_to_the_last_one_however_many_ask_at_once", counts_at_once),
        trial("limits::a_limit_for_each_key_watcher_or_destination_has_a_sum_of_its_own", sums_of_their_own),
        trial("limits::a_refusal_names_the_rule_and_binds_nothing", rules),
        trial("limits::outside_its_hours_a_rule_signs_nothing", hours),
        trial("limits::a_new_policy_counts_what_was_accepted_before_it", new_policy),
        trial("limits::what_was_accepted_is_spent_also_after_a_restart", restart),
        trial("limits::time_in_which_the_machine_slept_counts_towards_a_window", slept),
    ]
}

/// The limit of this name, as `/v1/limits` has it.
fn limit(watcher: &Watcher, name: &str) -> Value {
    let limits = watcher.get("/v1/limits").good();
    let found = limits["limits"].as_array().unwrap().iter().find(|limit| limit["name"] == name);
    found.unwrap_or_else(|| panic!("no limit {name} in {limits}")).clone()
}

/// Sum of what the entries say was accepted of BTC, in base units, fees too.
fn accepted_units(installation: &Installation) -> u64 {
    let units = |amount: &Value| {
        let amount: appliance_wire::Decimal = amount.as_str().unwrap().parse().unwrap();
        amount.to_amount(8).unwrap().to_decimal(0).as_str().parse::<u64>().unwrap()
    };
    let entries = installation.entries();
    let accepted = entries.iter().filter(|entry| entry["kind"] == "accepted");
    accepted
        .map(|entry| {
            let payments = entry["payments"].as_array().unwrap().iter();
            let paid: u64 = payments.map(|payment| units(&payment["amount"])).sum();
            paid + entry.get("fee").map_or(0, |fee| units(&fee["amount"]))
        })
        .sum()
}

fn amounts_at_once() {
    let installation = Installation::with_policy(&POLICY.replace("max_amount = \"10\"", "max_amount = \"2.00000007\""));
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    // Fees count: each is exactly 0.1.
    let answers = watcher.put_at_once((0..64).map(|n| (format!("a-{n}"), payment(n, "0.0999", "0.0001"))));
    let signed = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(signed, 20);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        let problem = answer.problem();
        assert_eq!(problem.type_uri, "urn:chancery:problem:limit-exceeded");
        assert_eq!(problem.limit.as_deref(), Some("hot wallet, a day"));
        assert_eq!(problem.remaining.as_deref(), Some("0.00000007"));
        assert!(problem.frees_at.is_some());
    }
    let stands = limit(&watcher, "hot wallet, a day");
    assert_eq!((&stands["used"], &stands["remaining"]), (&json!("2"), &json!("0.00000007")));

    // Down to the last unit, and no further.
    let answers = watcher.put_at_once((0..16).map(|n| (format!("b-{n}"), payment(100 + n, "0.00000001", "0"))));
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 7);
    let stands = limit(&watcher, "hot wallet, a day");
    assert_eq!((&stands["used"], &stands["remaining"]), (&json!("2.00000007"), &json!("0")));
    let problem = watcher.refused("c", payment(200, "0.00000001", "0"));
    assert_eq!(problem.remaining.as_deref(), Some("0"));
    assert_eq!(problem.frees_at.as_deref().map(|at| at.ends_with('Z')), Some(true));
    assert_eq!(accepted_units(&installation), 200_000_007);
    // Asking again spends nothing; a refused id may be put again, and is decided afresh.
    let place = answers.iter().position(|answer| answer.status == 200).unwrap() as u64;
    let again = watcher.put(&format!("b-{place}"), payment(100 + place, "0.00000001", "0"));
    assert_eq!(again.body, answers[place as usize].body);
    assert_eq!(watcher.put("c", payment(201, "0.00000001", "0")).code(), "limit-exceeded");
    running.stop();
    installation.assert_log_verifies();
}

const COUNTED: &str = r#"
[[limit]]
name = "digests, an hour"
keys = ["raw"]
max_signatures = 20
window = "1h"
"#;

fn counts_at_once() {
    let installation = Installation::with_policy(&format!("{POLICY}{COUNTED}"));
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    // All of a request's items or none.
    let problem = watcher.refused("a", digests("raw", 0..21));
    assert_eq!(problem.type_uri, "urn:chancery:problem:limit-exceeded");
    assert_eq!((problem.remaining.as_deref(), problem.frees_at.as_deref()), (Some("20"), None));
    let answers = watcher.put_at_once((0..64).map(|n| (format!("b-{n}"), digests("raw", 3 * n..3 * n + 3))));
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 6);
    let refused = answers.iter().find(|answer| answer.status != 200).unwrap().problem();
    assert_eq!(refused.limit.as_deref(), Some("digests, an hour"));
    assert_eq!(refused.remaining.as_deref(), Some("2"));
    assert!(refused.frees_at.is_some());
    let answers = watcher.put_at_once((0..64).map(|n| (format!("c-{n}"), digest("raw", n))));
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 2);
    let stands = limit(&watcher, "digests, an hour");
    assert_eq!((&stands["used"], &stands["remaining"]), (&json!("20"), &json!("0")));
    assert_eq!(stands["window_seconds"], 3_600);
    assert!(stands.get("asset").is_none());
    // Other keys are not counted there.
    watcher.signed("d", digest("nist", 1));
    running.stop();
    installation.assert_log_verifies();
}

fn sums_of_their_own() {
    let policy = Installation::second_policy();
    let limits = r#"
[[limit]]
name = "each key"
keys = ["raw", "nist"]
max_signatures = 3
window = "1h"
per = "key"

[[limit]]
name = "each watcher"
max_signatures = 4
window = "1h"
per = "watcher"

[[limit]]
name = "each destination"
keys = ["hot"]
asset = "BTC"
max_amount = "0.3"
window = "1h"
per = "destination"
"#;
    let installation = Installation::with_second(|second| policy.replace("SECOND", second) + limits);
    let running = installation.start();
    let first = Watcher::new(&installation, &running);
    let second = Watcher::named(&installation, &running, "second");
    let spent = |watcher: &Watcher, id: &str, body: Value| {
        let problem = watcher.refused(id, body);
        assert_eq!(problem.type_uri, "urn:chancery:problem:limit-exceeded", "{}", problem.detail);
        problem.limit.unwrap()
    };
    first.signed("a", digests("nist", 0..2));
    assert_eq!(spent(&first, "b", digests("nist", 0..2)), "each key");
    // One key is one sum, whoever asks.
    assert_eq!(spent(&second, "b", digests("nist", 0..2)), "each key");
    second.signed("c", digest("nist", 9));
    first.signed("d", digests("raw", 0..1));
    assert_eq!(spent(&first, "e", digests("raw", 0..2)), "each watcher");
    let watchers: Vec<Value> = [&first, &second].map(|watcher| limit(watcher, "each watcher")["used"].clone()).into();
    assert_eq!(watchers, ["3", "1"]);
    assert_eq!(
        spent(&first, "f", payments(1, &[(DESTINATION, "0.2"), (OTHER_DESTINATION, "0.31")], "0")),
        "each destination"
    );
    first.signed("g", payments(1, &[(DESTINATION, "0.3"), (OTHER_DESTINATION, "0.2")], "0"));
    running.stop();
    installation.assert_log_verifies();
}

fn rules() {
    let denying = format!(
        "{}\n\n[[rule]]\nname = \"customer withdrawals\"",
        r#"[[address_list]]
name = "thieves"
addresses = ["mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"]

[[rule]]
name = "no thieves"
watchers = ["btc-watcher"]
keys = ["hot"]
destinations = "thieves"
action = "deny""#
    );
    let policy = POLICY.replacen("[[rule]]\nname = \"customer withdrawals\"", &denying, 1);
    let installation = Installation::with_policy(&policy);
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let customers = "customer withdrawals";
    let cases = [
        ("over the amount", payment(1, "0.50000001", "0.0001"), customers, "0.50000001 BTC is over 0.5"),
        // Outputs to one destination are added.
        (
            "in two parts",
            payments(1, &[(DESTINATION, "0.25"), (DESTINATION, "0.25000001")], "0"),
            customers,
            "0.50000001",
        ),
        ("over the fee ceiling", payment(1, "0.1", "0.00100001"), customers, "the fee of 0.00100001 BTC is over 0.001"),
        ("a denied destination", payment_to(OTHER_DESTINATION, "0.1"), "no thieves", "denies it"),
        (
            "one of two denied",
            payments(1, &[(DESTINATION, "0.1"), (OTHER_DESTINATION, "0.1")], "0"),
            "no thieves",
            "denies it",
        ),
    ];
    for (what, body, rule, words) in &cases {
        let problem = watcher.refused("a", body);
        assert_eq!(problem.type_uri, "urn:chancery:problem:denied", "{what}");
        assert_eq!(problem.rule.as_deref(), Some(*rule), "{what}: {}", problem.detail);
        assert!(problem.detail.contains(words), "{what}: {}", problem.detail);
    }
    let mut no_fee = payment(1, "0.1", "0");
    no_fee["transfer"].as_object_mut().unwrap().remove("fee");
    assert!(watcher.refused("a", no_fee).detail.contains("say it in transfer.fee"));
    assert_eq!(limit(&watcher, "hot wallet, a day")["used"], "0");
    let denied: Vec<Value> = installation.entries().into_iter().filter(|entry| entry["kind"] == "denied").collect();
    assert_eq!(denied.len(), cases.len() + 1);
    assert!(denied.iter().all(|entry| entry["code"] == "denied" && entry["rule"].is_string()));

    // Exactly at every ceiling; the id is as free as before.
    watcher.signed("a", payments(1, &[(DESTINATION, "0.25"), (DESTINATION, "0.25")], "0.001"));
    running.stop();
    installation.assert_log_verifies();
}

fn payment_to(destination: &str, amount: &str) -> Value {
    payments(1, &[(destination, amount)], "0")
}

fn hours() {
    // Three days from now is another day of the week for the whole test, whatever midnight does.
    let days = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 86_400;
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][usize::try_from((days + 3) % 7).unwrap()];
    let closed =
        format!("hours = {{ days = \"{weekday}\", from = \"00:00\", to = \"24:00\", zone = \"UTC\" }}\naction");
    let installation = Installation::with_policy(&POLICY.replacen("action", &closed, 1));
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let problem = watcher.refused("a", payment(1, "0.1", "0.0001"));
    assert_eq!(problem.type_uri, "urn:chancery:problem:denied");
    assert_eq!(problem.rule.as_deref(), Some("customer withdrawals"));
    assert!(problem.detail.contains("outside the hours"), "{}", problem.detail);
    // The rule of other keys has none.
    watcher.signed("a", digest("raw", 1));
    running.stop();
    installation.assert_log_verifies();
}

fn new_policy() {
    let small = POLICY.replace("max_amount = \"10\"", "max_amount = \"1\"");
    let installation = Installation::with_policy(&small);
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    watcher.signed("a", payment(1, "0.4999", "0.0001"));
    watcher.signed("b", payment(2, "0.4", "0"));
    assert_eq!(watcher.put("c", payment(3, "0.2", "0")).code(), "limit-exceeded");

    // Raised, renamed, with another window and split differently: use is computed from the entries.
    let next = small
        .replace("version = 1", "version = 2")
        .replace("max_amount = \"1\"", "max_amount = \"1.1\"")
        .replace("hot wallet, a day", "hot wallet, a week")
        .replace("24h", "7d");
    installation.write_policy(&next);
    installation.run("chancery", &["policy", "install", "policy.toml"]);
    let stands = limit(&watcher, "hot wallet, a week");
    assert_eq!((&stands["used"], &stands["remaining"]), (&json!("0.9"), &json!("0.2")));
    watcher.signed("c", payment(3, "0.2", "0"));
    let problem = watcher.refused("d", payment(4, "0.00000001", "0"));
    assert_eq!(problem.limit.as_deref(), Some("hot wallet, a week"));

    // Lowered below what is used: nothing is left, and nothing is given back.
    let lowered = next.replace("version = 2", "version = 3").replace("max_amount = \"1.1\"", "max_amount = \"0.5\"");
    installation.write_policy(&lowered);
    installation.run("chancery", &["policy", "install", "policy.toml"]);
    let stands = limit(&watcher, "hot wallet, a week");
    assert_eq!((&stands["used"], &stands["remaining"]), (&json!("1.1"), &json!("0")));
    assert_eq!(watcher.put("d", payment(4, "0.00000001", "0")).code(), "limit-exceeded");
    // Stored answers stay.
    watcher.signed("a", payment(1, "0.4999", "0.0001"));
    running.stop();
    installation.assert_log_verifies();
}

/// A suspended machine's boot clock goes on and its monotonic clock does not: so does a time namespace of this kind.
fn slept() {
    if !may_make_namespaces() {
        return;
    }
    let installation = Installation::with_policy(&format!("{POLICY}{COUNTED}"));
    let running = installation.start();
    Watcher::new(&installation, &running).signed("a", digests("raw", 0..20));
    running.stop();
    for (seconds, freed) in [("0", false), ("3500", false), ("3700", true)] {
        let serve = installation.installed("chancery", &["serve", "--config", "chancery.toml"]);
        let mut asleep = Command::new("unshare");
        asleep.args(["--time", "--boottime", seconds]).arg(serve.get_program()).args(serve.get_args());
        asleep.current_dir(installation.directory());
        let running = Running::spawn(&installation, asleep).unwrap_or_else(|log| panic!("{log}"));
        let watcher = Watcher::new(&installation, &running);
        let answer = watcher.put("b", digests("raw", 0..20));
        assert_eq!(answer.status == 200, freed, "{seconds} s asleep: {}", String::from_utf8_lossy(&answer.body));
        running.stop();
    }
    installation.assert_log_verifies();
}

fn restart() {
    let installation = Installation::with_policy(&format!("{POLICY}{COUNTED}"));
    for (place, end) in ["stop", "kill", "stop"].into_iter().enumerate() {
        let running = installation.start();
        let watcher = Watcher::new(&installation, &running);
        // A start after a kill counts what may be missing from the log: a twentieth.
        let charged = usize::from(place == 2);
        assert_eq!(limit(&watcher, "digests, an hour")["used"], (7 * place + charged).to_string());
        if place < 2 {
            watcher.signed(&format!("a-{place}"), digests("raw", 0..7));
        } else {
            assert_eq!(watcher.refused("b", digests("raw", 0..7)).remaining.as_deref(), Some("5"));
        }
        if end == "stop" { running.stop() } else { running.kill() }
    }
    installation.assert_log_verifies();
}
