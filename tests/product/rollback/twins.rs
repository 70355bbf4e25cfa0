//! Two appliances with one token, each with a state directory of its own.

use std::{fs, thread};

use serde_json::Value;

use super::{Scene, keep, keep_of_running, refused, restore, used};
use crate::harness::{
    Installation, Running,
    body::{digest, payment},
    eventually,
    watcher::Watcher,
};

/// A second one, on a copy of the first's directory and with the same token.
fn second(installation: &Installation, name: &str) -> Result<Running, String> {
    let config = fs::read_to_string(installation.path("chancery.toml")).unwrap();
    let config = config.replace("directory = \"state\"", &format!("directory = {name:?}"));
    let config = config.replace("admin.sock", &format!("{name}.sock"));
    let file = format!("{name}.toml");
    fs::write(installation.path(&file), config).unwrap();
    let mut command = installation.command("chancery-beside", &["serve", "--config", &file]);
    std::os::unix::process::CommandExt::arg0(&mut command, "chancery");
    Running::spawn_beside(installation.path("second.log"), command)
}

pub(super) fn the_first_is_frozen(scene: &Scene) {
    let installation = &scene.installation;
    let first = installation.start();
    let watcher = Watcher::new(installation, &first);
    watcher.signed("before", digest("raw", 1));
    let stolen = keep_of_running(installation, &first, "stolen");
    let other = second(installation, "stolen").unwrap();
    // More than a twentieth of the limit: the first has to write its anchor before it may sign.
    let answer = watcher.put("a", payment(2, "0.5", "0.0001"));
    assert!(answer.status == 423 || answer.status == 503, "{}", String::from_utf8_lossy(&answer.body));
    let frozen =
        || installation.status()["frozen"].as_array().unwrap().iter().any(|what| what["scope"] == "all").then_some(());
    eventually("the first is frozen", frozen);
    assert_eq!(watcher.put("b", digest("raw", 3)).code(), "frozen");
    let entries = installation.entries();
    let entry = entries.iter().find(|entry| entry["kind"] == "frozen" && entry["what"]["scope"] == "all").unwrap();
    assert_eq!(entry["by"], "token anchor");
    assert!(!installation.kinds_of("a").contains(&"signed".to_owned()));
    // The other has the token to itself, and paid for what it may not know.
    let thief = Watcher::new(installation, &other);
    assert_eq!(used(&thief, "hot wallet, a day"), "0.5");
    let answer = thief.put("c", payment(4, "0.4", "0.0001"));
    // A device with a log shows the other what the first did, and that nobody can explain.
    assert!(answer.status == 200 || !scene.devices.is_empty() && answer.code() == "frozen", "{}", answer.status);
    first.stop();
    other.stop();
    let said = refused(installation, "the first, beside the anchor of the other");
    assert!(said.contains("anchor in token main"), "{said}");
    restore(installation, &stolen);
    installation.start().stop();
    installation.assert_log_verifies();
}

pub(super) fn the_second_is_refused(scene: &Scene) {
    let installation = &scene.installation;
    let first = installation.start();
    let watcher = Watcher::new(installation, &first);
    keep_of_running(installation, &first, "stolen");
    // More than a twentieth of the limit: the anchor then covers what the copy has not.
    let answers = [0, 1].map(|number| watcher.signed(&format!("a-{number}"), payment(number, "0.4", "0.0001")));
    let Err(said) = second(installation, "stolen") else { panic!("the second serves") };
    assert!(said.contains("exit status: 78") && said.contains("a valid but shorter log"), "{said}");
    for (number, answer) in answers.iter().enumerate() {
        let again = watcher.signed(&format!("a-{number}"), payment(number as u64, "0.4", "0.0001"));
        assert_eq!(again, *answer, "the first noticed nothing");
    }
    watcher.signed("after", payment(9, "0.5", "0.0001"));
    first.stop();
    installation.start().stop();
    installation.assert_log_verifies();
}

const STARTS: u64 = 4;
const SHARE: u64 = 50_000_000;

pub(super) fn at_once() {
    let installation = Installation::new();
    for round in 0..STARTS {
        keep(&installation, "twin");
        thread::scope(|scope| {
            scope.spawn(|| ask(&installation, Running::try_start(&installation, &[]), round));
            scope.spawn(|| ask(&installation, second(&installation, "twin"), round));
        });
        let [one, other] = ["state", "twin"].map(|name| signed(&installation, name, round));
        println!("start {round}: {one} and {other} were signed");
        assert!(one.min(other) <= SHARE, "both went on: {one} and {other}");
        // Whoever wrote last has the log that goes on.
        match Running::try_start(&installation, &[]) {
            Ok(running) => running.stop(),
            Err(_) => {
                restore(&installation, &installation.path("twin"));
                installation.start().stop();
            }
        }
    }
    installation.assert_log_verifies();
}

/// Asks for twice the share of one that may be refused at its start, or end by itself.
fn ask(installation: &Installation, started: Result<Running, String>, round: u64) {
    let Ok(running) = started else { return };
    let watcher = Watcher::new(installation, &running);
    for number in 0..4 {
        watcher.try_put_at_once([(format!("{round}-{number}"), payment(number, "0.25", "0"))]);
    }
    running.kill();
}

/// What a log says was signed in this round, in base units.
fn signed(installation: &Installation, name: &str, round: u64) -> u64 {
    let log = fs::read_to_string(installation.path(name).join("log.jsonl")).unwrap();
    let entries = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of_round = |entry: &Value| entry["request_id"].as_str().is_some_and(|id| id.starts_with(&format!("{round}-")));
    entries.filter(|entry| entry["kind"] == "signed" && of_round(entry)).count() as u64 * 25_000_000
}
