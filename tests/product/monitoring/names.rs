//! The names of the metrics: in the documentation, in the rules, in the dashboard, and what a real appliance shows.

use std::{collections::BTreeSet, fs, sync::Arc};

use libtest_mimic::Trial;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::harness::{
    Installation,
    body::{digest, digests, payment},
    eventually,
    prometheus::promtool_agrees,
    repository, trial,
    watcher::Watcher,
    wire::Connection,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("monitoring::names::what_is_documented_is_what_an_appliance_under_load_shows", documented),
        trial("monitoring::names::ten_thousand_made_up_names_make_no_label", made_up),
        trial("monitoring::names::rules_and_dashboard_ask_for_metrics_that_there_are", asked_for),
    ]
}

pub(crate) fn package(file: &str) -> String {
    fs::read_to_string(repository().join("appliance/package/monitoring").join(file)).unwrap()
}

/// Names with their labels and types, of the tables of metrics in a page: `| `name{label,label}` | type |`.
fn table(page: &str) -> BTreeSet<(String, BTreeSet<String>, String)> {
    let page = fs::read_to_string(repository().join("docs").join(page)).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `chancery_")?.split_once("` | "));
    let read = rows.map(|(metric, rest)| {
        let (name, labels) = metric.split_once('{').unwrap_or((metric, "}"));
        let labels = labels.trim_end_matches('}').split(',').filter(|label| !label.is_empty()).map(str::to_owned);
        (format!("chancery_{name}"), labels.collect(), rest.split(" |").next().unwrap().to_owned())
    });
    read.collect()
}

/// Names, labels and types of a text in the format 0.0.4.
fn exposed(text: &str) -> BTreeSet<(String, BTreeSet<String>, String)> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let families = types.map(|(name, kind)| {
        let of_family = |line: &&str| {
            let sample = line.split(['{', ' ']).next().unwrap();
            sample == name || ["_bucket", "_count", "_sum"].iter().any(|end| sample == format!("{name}{end}"))
        };
        let mut labels = BTreeSet::new();
        for line in text.lines().filter(|line| !line.starts_with('#')).filter(of_family) {
            if let Some((_, set)) = line.split_once('{') {
                let set = set.rsplit_once('}').unwrap().0;
                labels.extend(set.split("\",").map(|label| label.split('=').next().unwrap().to_owned()));
            }
        }
        labels.remove("le");
        let kind = if name.ends_with("_info") { "info" } else { kind };
        (name.to_owned(), labels, kind.to_owned())
    });
    families.collect()
}

fn documented() {
    let installation = Installation::new();
    let made = installation.run("chancery-watcher", &["witness", "key", "--name", "example.com/a", "--out", "a.key"]);
    let key = String::from_utf8(made.stdout).unwrap();
    installation.edit_config(|config| config + &format!("\n[[witness]]\nname = \"a\"\nkey = \"{}\"\n", key.trim()));
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    watcher.put_at_once((0..20).map(|number| (format!("load-{number}"), digests("raw", number..number + 3))));
    watcher.signed("paid", payment(1, "0.1", "0.0001"));
    watcher.refused("too-much", payment(2, "0.6", "0.0001"));
    // A sign call that fails: the self-test of a token that is away.
    fs::rename(installation.path("token/objects"), installation.path("token/away")).unwrap();
    eventually("the token fails", || {
        running.monitor("/readyz");
        running.monitor("/metrics").1.contains("chancery_token_errors_total{").then_some(())
    });
    let (status, text) = running.monitor("/metrics");
    assert_eq!(status, 200);
    let (shown, said) = (exposed(&text), table("operate.md"));
    assert!(said.len() > 40, "{said:?}");
    let missing: Vec<_> = said.difference(&shown).collect();
    let unsaid: Vec<_> = shown.difference(&said).collect();
    assert!(missing.is_empty() && unsaid.is_empty(), "only documented: {missing:?}\nonly shown: {unsaid:?}");
    promtool_agrees(&["check", "metrics"], installation.directory(), &text);
    running.stop();
}

fn made_up() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    watcher.signed("known", digest("raw", 1));
    let series = |text: &str| -> BTreeSet<String> {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
    };
    watcher.refused("unknown", digest("madeup", 1));
    let before = series(&running.monitor("/metrics").1);
    const NAMES: u64 = 10_000;
    watcher.block_on(async {
        let mut tasks = JoinSet::new();
        for lane in 0..16 {
            let (address, tls) = (watcher.address(), Arc::clone(watcher.tls()));
            tasks.spawn(async move {
                let mut connection = Connection::open(address, &tls).await.unwrap();
                for number in (lane..NAMES).step_by(16) {
                    let (path, body) = match number % 4 {
                        0 => (format!("/v1/signatures/madeup-{number}"), digest(&format!("madeup-{number}"), 1)),
                        1 => (format!("/madeup/{number}"), Value::Null),
                        2 => (format!("/v1/signatures/madeup-{number}?madeup={number}"), digest("raw", 1)),
                        _ => (format!("/v1/keys/madeup-{number}/addresses"), Value::Null),
                    };
                    let method = if number % 8 == 1 { format!("MADEUP{number}") } else { "PUT".to_owned() };
                    let answer = connection.request(&method, &path, body.to_string().as_bytes()).await.unwrap();
                    assert!(answer.status >= 400, "{path}");
                }
            });
        }
        tasks.join_all().await;
    });
    let text = running.monitor("/metrics").1;
    let new: Vec<String> = series(&text).difference(&before).cloned().collect();
    assert!(!text.to_lowercase().contains("madeup"), "{new:?}");
    // A few words and routes of the program's own, with their buckets.
    assert!(new.len() < 120, "{} new series: {new:?}", new.len());
    running.stop();
}

/// Names of metrics in an expression.
fn names_in(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("chancery_")).map(str::to_owned).collect()
}

/// Every expression of the dashboard, as Prometheus is asked.
pub(crate) fn dashboard_expressions() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&package("dashboard.json")).unwrap();
    let mut found = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        if panel["type"] == "row" {
            continue;
        }
        assert!(panel["description"].as_str().is_some_and(|text| text.len() > 10), "{title} has no description");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap().replace("$instance", ".*");
            assert!(!expression.contains('$'), "{title}: {expression}");
            found.push((title.to_owned(), expression));
        }
    }
    assert!(found.len() > 20);
    found
}

fn asked_for() {
    let mut known: BTreeSet<String> = BTreeSet::new();
    for page in ["operate.md", "watcher.md"] {
        for (name, _, kind) in table(page) {
            if kind == "histogram" {
                known.extend(["_bucket", "_sum", "_count"].map(|end| format!("{name}{end}")));
            }
            known.insert(name);
        }
    }
    let rules = package("alerts.yaml");
    let rules = rules.lines().filter(|line| !line.trim_start().starts_with('#'));
    let asked: BTreeSet<String> = rules.flat_map(names_in).chain(names_in(&package("alerts.test.yaml"))).collect();
    // The one word that is no metric: the label that says where the book is.
    let asked: BTreeSet<String> = asked.into_iter().filter(|name| name != "chancery_book").collect();
    let dashboard = dashboard_expressions();
    let shown: BTreeSet<String> = dashboard.iter().flat_map(|(_, expression)| names_in(expression)).collect();
    for (what, names) in [("alerts.yaml", asked), ("dashboard.json", shown)] {
        assert!(names.len() > 20, "{what}: {names:?}");
        let absent: Vec<_> = names.difference(&known).collect();
        assert!(absent.is_empty(), "{what} asks for what there is not: {absent:?}");
    }
    // Each expression of the dashboard is one, by promtool.
    let rules: String = dashboard.iter().enumerate().fold(
        "groups:\n- name: dashboard\n  rules:\n".to_owned(),
        |all, (place, (_, expression))| {
            all + &format!("  - record: panel_{place}\n    expr: '{}'\n", expression.replace('\'', "''"))
        },
    );
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("dashboard.yaml"), rules).unwrap();
    promtool_agrees(&["check", "rules", "dashboard.yaml"], directory.path(), "");
}
