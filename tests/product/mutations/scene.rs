//! A real state directory with a mirror: several runs, one of them killed, and what it was after each.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde_json::{Value, json};

use super::files::Files;
use crate::harness::{
    Installation, Running,
    body::{DESTINATION, digest, payment},
    vault::{
        Vault,
        coins::{COIN, spend, to},
    },
    watcher::Watcher,
};

/// The state directory and the directory of the mirror.
pub(super) const NAMES: [&str; 2] = ["state", "second"];

pub(super) struct Scene {
    pub(super) installation: Installation,
    /// As the last run left it.
    pub(super) newest: Files,
    /// The newest log over the store and the anchor of the run before, as a killed appliance leaves them.
    pub(super) behind: Files,
    /// While nothing was asked yet, after a run that ended in order, and after one that was killed.
    pub(super) older: Vec<Files>,
    /// What was asked, and the bytes of every 200.
    pub(super) asked: BTreeMap<String, (Value, Vec<u8>)>,
}

impl Scene {
    pub(super) fn new() -> Self {
        let vault = Vault::new();
        fs::create_dir(vault.installation.path("second")).unwrap();
        let mirrored = "[state]\nmirror_directory = \"second\"\n";
        vault.installation.edit_config(|config| config.replace("[state]\n", mirrored));
        let directory = vault.installation.directory().to_owned();
        let mut older = Vec::new();
        // Read while nothing runs: a running appliance writes and renames under the reader.
        let vault = vault.restart(|running| {
            running.stop();
            older.push(Files::read(&directory, &NAMES));
        });
        let mut asked = BTreeMap::new();
        let mut ask = |watcher: &Watcher, id: String, body: Value| {
            let answer = watcher.put(&id, &body);
            assert_eq!(answer.status, 200, "{id}: {}", String::from_utf8_lossy(&answer.body));
            asked.insert(id, (body, answer.body));
        };
        vault.allocate("vault", 3);
        for number in 0..6 {
            let outputs = [to(30_000_000, DESTINATION), vault.back(COIN - 30_001_000, "vault/1")];
            ask(&vault.watcher, format!("vault-{number}"), spend(&[vault.plain(number)], &outputs).body());
        }
        requests(&vault.watcher, 0, &mut ask);
        let Vault { installation, running, .. } = vault;
        running.stop();
        older.push(Files::read(installation.directory(), &NAMES));
        for (run, end) in [(1, Running::kill as fn(Running)), (2, Running::stop)] {
            let running = installation.start();
            requests(&Watcher::new(&installation, &running), run, &mut ask);
            end(running);
            older.push(Files::read(installation.directory(), &NAMES));
        }
        let newest = older.pop().unwrap();
        let mut behind = newest.clone();
        behind.take(&["state/store", "state/anchor"], &older[2]);
        super::super::tamper::copy_all(&installation.path("token"), &installation.path("token-newest"));
        Self { installation, newest, behind, older, asked }
    }

    /// Puts the token back as the last run left it.
    pub(super) fn restore_token(&self) {
        let token = self.installation.path("token");
        fs::remove_dir_all(&token).unwrap();
        super::super::tamper::copy_all(&self.installation.path("token-newest"), &token);
    }

    /// Writes what a judge needs to know.
    pub(super) fn write_known(&self) -> PathBuf {
        let text =
            |(id, (_, body)): (&String, &(Value, Vec<u8>))| (id.clone(), String::from_utf8(body.clone()).unwrap());
        let answers: BTreeMap<String, String> = self.asked.iter().map(text).collect();
        let path = self.installation.path("known.json");
        fs::write(&path, json!({ "watcher": "btc-watcher", "answers": answers }).to_string()).unwrap();
        path
    }
}

/// What one run is asked for.
fn requests(watcher: &Watcher, run: u64, ask: &mut impl FnMut(&Watcher, String, Value)) {
    for number in 0..REQUESTS {
        let place = run * REQUESTS + number;
        let body = match number % 3 {
            0 => payment(place, "0.005", "0.0001"),
            1 => digest("raw", place),
            _ => digest("nist", place),
        };
        ask(watcher, format!("run-{run}-{number}"), body);
    }
}

const REQUESTS: u64 = 80;
