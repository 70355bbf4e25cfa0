//! `chancery audit show` and `tail`: the log for people, beside a running appliance.

use std::{
    fs::{self, File},
    process::{Child, Stdio},
};

use libtest_mimic::Trial;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::{
    Installation,
    body::{digest, payment},
    eventually, trial,
    watcher::Watcher,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("audit_show::entries_are_told_in_words_and_chosen_by_filters", shown),
        trial("audit_show::json_gives_the_canonical_entries", canonical),
        trial("audit_show::tail_follows_a_running_appliance_and_ends_well_on_ctrl_c", followed),
        trial("audit_show::tail_says_when_the_log_it_follows_is_replaced", replaced),
        trial("audit_show::what_is_no_entry_is_shown_and_wrong_filters_are_wrong_usage", strange),
    ]
}

fn show(installation: &Installation, arguments: &[&str]) -> Vec<String> {
    let output = installation.run("chancery", &[&["audit"], arguments].concat());
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn shown() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    watcher.signed("wd-1", payment(1, "0.1", "0.0001"));
    let first_of_later = installation.entries().len();
    watcher.signed("wd-2", digest("raw", 1));
    watcher.refused("wd-3", payment(2, "100", "0.0001"));
    installation.run("chancery", &["freeze", "--key", "hot", "--reason", "drill"]);
    running.stop();

    let all = show(&installation, &["show"]);
    assert_eq!(all.len(), installation.entries().len());
    for words in [
        "development.example/signer/",
        "hot: secp256k1 key in token ",
        "the appliance started, tokens: main (serial ",
        "wd-1: 1 item of hot; said to pay 0.1 BTC to ",
        ", fee 0.0001 BTC; rule \"",
        "wd-1: 1 signature by hot (accepted in ",
        "wd-3: denied by \"",
        "key hot frozen by ",
        "drill",
    ] {
        assert!(all.iter().any(|line| line.contains(words)), "{words:?} is not in {all:#?}");
    }
    let of_hot = show(&installation, &["show", "--key", "hot"]);
    let kinds = |lines: &[String]| -> Vec<String> {
        lines.iter().map(|line| line.split_whitespace().nth(2).unwrap().to_owned()).collect()
    };
    assert_eq!(kinds(&of_hot), ["key", "accepted", "signed", "denied", "frozen"]);
    assert_eq!(kinds(&show(&installation, &["show", "--request", "wd-1"])), ["accepted", "signed"]);
    let signed = ["show", "--kind", "signed,denied", "--watcher", "btc-watcher"];
    assert_eq!(kinds(&show(&installation, &signed)), ["signed", "signed", "denied"]);
    assert_eq!(kinds(&show(&installation, &[&signed[..], &["--last", "1"]].concat())), ["denied"]);
    assert_eq!(kinds(&show(&installation, &[&signed[..], &["--key", "hot"]].concat())), ["signed", "denied"]);
    assert!(show(&installation, &["show", "--watcher", "nobody"]).is_empty());
    let moment = installation.entries()[first_of_later]["time"].as_str().unwrap().to_owned();
    let from = show(&installation, &["show", "--time", &format!("{moment}..")]);
    assert_eq!(from, all[first_of_later..]);
    assert_eq!(show(&installation, &["show", "--from", &first_of_later.to_string()]), from);
    assert_eq!(show(&installation, &["show", "--time", &format!("..{moment}")]), all[..first_of_later]);
    assert_eq!(show(&installation, &["tail"]), all[all.len().saturating_sub(10)..]);
    assert_eq!(show(&installation, &["tail", "--last", "2", "--kind", "signed"]).len(), 2);
}

fn canonical() {
    let installation = Installation::new();
    let running = installation.start();
    Watcher::new(&installation, &running).signed("a", digest("raw", 1));
    running.stop();
    let log = fs::read_to_string(installation.path("state/log.jsonl")).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(show(&installation, &["show", "--json"]), lines);
    assert_eq!(show(&installation, &["tail", "--json", "--last", "3"]), lines[lines.len() - 3..]);
    assert_eq!(show(&installation, &["show", "--json", "--kind", "genesis"]), lines[..1]);
}

struct Followed {
    child: Child,
    out: std::path::PathBuf,
}

impl Followed {
    fn new(installation: &Installation, arguments: &[&str]) -> Self {
        let out = installation.path("tail.txt");
        let mut command = installation.command("chancery", &[&["audit", "tail", "--follow"], arguments].concat());
        command.stdout(File::create(&out).unwrap()).stderr(Stdio::piped());
        Self { child: command.spawn().unwrap(), out }
    }

    fn lines(&self) -> Vec<String> {
        fs::read_to_string(&self.out).unwrap().lines().map(str::to_owned).collect()
    }

    fn wait_for(&self, words: &str) {
        eventually(words, || self.lines().iter().any(|line| line.contains(words)).then_some(()));
    }
}

fn followed() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let mut followed = Followed::new(&installation, &["--json", "--kind", "signed,frozen", "--last", "1"]);
    for id in ["a", "b", "c"] {
        watcher.signed(id, digest("raw", 1));
        followed.wait_for(&format!("\"request_id\":\"{id}\""));
    }
    installation.run("chancery", &["freeze", "--all", "--reason", "drill"]);
    followed.wait_for("drill");
    kill_process(Pid::from_child(&followed.child), Signal::INT).unwrap();
    assert_eq!(followed.child.wait().unwrap().code(), Some(0));
    let kinds = followed.lines().into_iter().map(|line| serde_json::from_str::<Value>(&line).unwrap()["kind"].clone());
    assert_eq!(kinds.collect::<Vec<_>>(), ["signed", "signed", "signed", "frozen"]);
    running.stop();
}

fn replaced() {
    let installation = Installation::new();
    installation.start().stop();
    let followed = Followed::new(&installation, &[]);
    followed.wait_for("the appliance started");
    let log = installation.path("state/log.jsonl");
    let bytes = fs::read(&log).unwrap();
    fs::write(installation.path("other"), bytes).unwrap();
    fs::rename(installation.path("other"), log).unwrap();
    let output = followed.child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("was replaced or cut"), "{said}");
}

fn strange() {
    let installation = Installation::new();
    let log = installation.path("state/log.jsonl");
    let good = fs::read_to_string(&log).unwrap();
    let later = "{\"index\":7,\"kind\":\"telepathy\",\"time\":\"2027-01-01T00:00:00.000000Z\"}";
    fs::write(&log, format!("{good}\u{1b}[2J not an entry\n{later}\n")).unwrap();
    let lines = show(&installation, &["show", "--last", "2"]);
    assert!(lines[0].contains("NOT AN ENTRY: \\u{1b}[2J"), "{lines:?}");
    assert!(lines[1].contains("telepathy") && lines[1].contains("not an entry this version can read"), "{lines:?}");
    for wrong in [["--time", "yesterday"], ["--kind", "telepathy"], ["--key", "a b"], ["--last", "-1"]] {
        let output = installation.command("chancery", &["audit", "show", wrong[0], wrong[1]]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
    fs::remove_file(&log).unwrap();
    let output = installation.command("chancery", &["audit", "tail", "--follow"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
}
