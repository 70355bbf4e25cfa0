//! The rules, their pages, and a real Prometheus that reads a real appliance by them.

use std::{collections::BTreeSet, fs};

use libtest_mimic::Trial;
use serde_json::Value;

use super::names::{dashboard_expressions, package};
use crate::harness::{
    Installation, Running,
    body::{digests, payment},
    eventually,
    prometheus::{Prometheus, promtool_agrees},
    repository, trial,
    watcher::Watcher,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("monitoring::alarms::each_fires_where_it_must_and_not_beside", rules),
        trial("monitoring::alarms::each_has_its_page_and_each_page_its_alarm", pages),
        trial("monitoring::alarms::a_real_prometheus_reads_draws_and_alarms", prometheus),
    ]
}

/// An alarm as the rules have it.
#[derive(Debug, Default)]
struct Alarm {
    name: String,
    severity: String,
    runbook: String,
    has_words: bool,
}

/// The rules are read by line: they are written so.
fn alarms() -> Vec<Alarm> {
    let mut found: Vec<Alarm> = Vec::new();
    for line in package("alerts.yaml").lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("- alert: ") {
            found.push(Alarm { name: name.to_owned(), ..Alarm::default() });
        }
        let Some(alarm) = found.last_mut() else { continue };
        if let Some(severity) = line.strip_prefix("severity: ") {
            severity.clone_into(&mut alarm.severity);
        } else if let Some(url) = line.strip_prefix("runbook_url: ") {
            url.trim_matches('\'').clone_into(&mut alarm.runbook);
        } else if let Some(words) = line.strip_prefix("description: ") {
            alarm.has_words = words.len() > 40;
        }
    }
    assert!(found.len() > 30, "{found:?}");
    found
}

fn rules() {
    let directory = repository().join("appliance/package/monitoring");
    promtool_agrees(&["check", "rules", "alerts.yaml"], &directory, "");
    promtool_agrees(&["check", "config", "prometheus.yaml"], &directory, "");
    promtool_agrees(&["test", "rules", "alerts.test.yaml"], &directory, "");
    // For each a series by which it fires, and one by which it does not.
    let tests = package("alerts.test.yaml");
    for Alarm { name, .. } in alarms() {
        for case in [format!("  - name: {name} fires\n"), format!("  - name: {name} does not fire\n")] {
            let (_, test) = tests.split_once(&case).unwrap_or_else(|| panic!("no test {case}"));
            let test = test.split("  - name:").next().unwrap();
            assert!(test.contains(&format!("alertname=\"{name}\"")), "{case}: {test}");
            assert_eq!(test.contains("exp_samples: []"), case.contains("not fire"), "{case}: {test}");
        }
    }
}

fn pages() {
    let mut listed = BTreeSet::new();
    let index = fs::read_to_string(repository().join("docs/alarms.md")).unwrap();
    for Alarm { name, severity, runbook, has_words } in alarms() {
        assert!(["page", "ticket"].contains(&severity.as_str()), "{name}: {severity}");
        assert!(has_words, "{name}");
        let page = runbook.strip_prefix("{{ $externalLabels.chancery_book }}/alarms/").unwrap();
        let page = page.strip_suffix(".html").unwrap_or_else(|| panic!("{name}: {runbook}"));
        let text = fs::read_to_string(repository().join(format!("docs/alarms/{page}.md")));
        let text = text.unwrap_or_else(|error| panic!("{name}: docs/alarms/{page}.md: {error}"));
        assert!(text.starts_with(&format!("# {name}\n")), "{page}");
        for part in ["**Still works.**", "**Look first.**", "**Do.**", "**Never.**", "**Over when**", "```sh"] {
            assert!(text.contains(part), "{page} says nothing of {part}");
        }
        assert!(text.contains(&format!("**{severity}**")), "{page}");
        let row = format!("| [{name}](alarms/{page}.md) | {severity} |");
        assert!(index.contains(&row), "docs/alarms.md has no row {row}");
        listed.insert(page.to_owned());
    }
    let files = fs::read_dir(repository().join("docs/alarms")).unwrap().map(|file| file.unwrap().file_name());
    let files: BTreeSet<String> = files.map(|name| name.into_string().unwrap().replace(".md", "")).collect();
    assert_eq!(files, listed, "pages without an alarm, or alarms without a page");
}

/// The shipped configuration, with the address of this appliance and a faster pulse.
fn watching(running: &Running) -> Prometheus {
    let config = package("prometheus.yaml").replace("127.0.0.1:9464", &running.monitor.to_string());
    let config = config.replace(": 15s", ": 1s").replace("127.0.0.1:9470", "127.0.0.1:1");
    let rules: String = package("alerts.yaml")
        .lines()
        .filter(|line| !line.trim().starts_with("for: "))
        .map(|line| line.to_owned() + "\n")
        .collect();
    Prometheus::start(&config, &rules)
}

fn prometheus() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let prometheus = watching(&running);
    let mut number = 0;
    let mut load = || {
        number += 1;
        watcher.signed(&format!("load-{number}"), digests("raw", number..number + 3));
        watcher.signed(&format!("paid-{number}"), payment(number, "0.01", "0.0001"));
        // A few only: many would be an alarm of their own.
        if number < 4 {
            watcher.refused(&format!("denied-{number}"), payment(number, "0.6", "0.0001"));
        }
    };
    // It reads what is shown as OpenMetrics, which it does strictly.
    eventually("it is read twice", || {
        load();
        let scraped = prometheus.query("count_over_time(chancery_log_size[1m]) >= 2");
        (!scraped.is_empty() && prometheus.query("up{job=\"chancery\"} == 1").len() == 1).then_some(())
    });
    // These have values only where there is a witness, a watcher daemon, an officer, or a token that fails.
    let may_be_empty = ["chancery_watcher_", "chancery_witness_", "chancery_token_errors_total"];
    for (title, expression) in dashboard_expressions() {
        let begins =
            may_be_empty.iter().any(|name| expression.contains(name)) || expression.contains("[5m])) * 60 > 0");
        eventually(&format!("{title}: {expression}"), || {
            (begins || !prometheus.query(&expression).is_empty()).then_some(())
        });
    }
    let fires = |name: &str| {
        let named = |alert: &Value| alert["labels"]["alertname"] == name;
        eventually(name, || prometheus.firing().into_iter().find(named))
    };
    assert!(!prometheus.firing().iter().any(|alert| alert["labels"]["job"] == "chancery"), "{:?}", prometheus.firing());
    installation.run("chancery", &["freeze", "--key", "nist", "--reason", "drill"]);
    let frozen = fires("ChanceryFrozen");
    assert_eq!(frozen["annotations"]["runbook_url"], "https://book.example/chancery/alarms/frozen.html");
    assert_eq!(frozen["annotations"]["summary"], "1 freezes are in force");
    assert_eq!(frozen["labels"]["severity"], "page");
    fs::rename(installation.path("token/objects"), installation.path("token/away")).unwrap();
    watcher.put("gone", digests("raw", 1..2));
    let down = fires("ChanceryTokenDown");
    assert!(down["annotations"]["description"].as_str().unwrap().contains("Token main of 127.0.0.1:"), "{down}");
    fires("ChanceryFailed");
    running.kill();
    fires("ChanceryDown");
}
