//! The PIN is in its file and in the worker's memory, and nowhere else anybody could look.

use std::{collections::BTreeSet, fs, io::ErrorKind, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use libtest_mimic::Trial;

use crate::harness::{
    Installation, Running,
    body::{digest, message, payment},
    eventually,
    installation::POLICY,
    trial,
    watcher::Watcher,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("secrets::the_pin_is_in_no_log_file_answer_argument_or_environment", canary),
        trial("secrets::a_pin_file_that_others_can_read_is_refused", open_to_others),
    ]
}

struct Canary {
    forms: Vec<String>,
}

impl Canary {
    fn new(installation: &Installation) -> Self {
        let mut forms = Vec::new();
        for file in ["token/pin", "token/so-pin"] {
            let pin = fs::read_to_string(installation.path(file)).unwrap();
            let pin = pin.trim_end();
            assert!(pin.len() >= 16, "too short to be told from chance");
            forms.extend([pin.to_owned(), hex::encode(pin), STANDARD.encode(pin).trim_end_matches('=').to_owned()]);
            // As a careless `{:?}` of bytes prints it.
            forms.push(format!("{:?}", pin.as_bytes()).trim_matches(['[', ']']).to_owned());
        }
        Self { forms }
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        let text = String::from_utf8_lossy(bytes);
        self.forms.iter().any(|form| text.contains(form))
    }

    fn assert_absent(&self, place: &str, bytes: &[u8]) {
        assert!(!self.is_in(bytes), "a PIN is in {place}");
    }

    /// In every file but the PINs' own.
    fn assert_absent_below(&self, directory: &Path) -> usize {
        let mut files = 0;
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files += self.assert_absent_below(&path);
            } else if path.is_file() && !path.ends_with("token/pin") && !path.ends_with("token/so-pin") {
                self.assert_absent(&path.display().to_string(), &fs::read(&path).unwrap());
                files += 1;
            }
        }
        files
    }

    /// In what the system shows of a process and its children.
    fn assert_absent_in_processes(&self, pid: i32) -> BTreeSet<i32> {
        let mut seen = BTreeSet::from([pid]);
        for file in ["environ", "cmdline", "comm", "status"] {
            let path = format!("/proc/{pid}/{file}");
            match fs::read(&path) {
                // A worker is not dumpable, so that the system shows this to root alone.
                Err(error) if file == "environ" && error.kind() == ErrorKind::PermissionDenied => {}
                content => self.assert_absent(&path, &content.unwrap()),
            }
        }
        for task in fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
            let children = fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default();
            for child in children.split_whitespace() {
                seen.extend(self.assert_absent_in_processes(child.parse().unwrap()));
            }
        }
        seen
    }
}

fn canary() {
    let installation = Installation::new();
    let canary = Canary::new(&installation);
    for level in ["debug", "trace"] {
        let running = Running::start(&installation, &[("CHANCERY_LOG", level)]);
        let watcher = Watcher::new(&installation, &running);
        let processes = canary.assert_absent_in_processes(running.pid().as_raw_nonzero().get());
        assert!(processes.len() >= 2, "the worker is not there: {processes:?}");
        for (place, body) in
            [digest("raw", 1), digest("nist", 1), message(b"x"), payment(1, "0.1", "0.0001"), digest("cold", 1)]
                .into_iter()
                .enumerate()
        {
            canary.assert_absent("an answer", &watcher.put(&format!("{level}-{place}"), body).body);
        }
        for path in ["/v1/keys", "/v1/limits", "/openapi.json", "/v1/log/checkpoint", "/v1/log/entries/1"] {
            canary.assert_absent(path, &watcher.get(path).body);
        }
        for path in ["/metrics", "/readyz", "/livez"] {
            canary.assert_absent(path, running.monitor(path).1.as_bytes());
        }
        for arguments in [
            &["status"][..],
            &["status", "--json"],
            &["check", "--json"],
            &["audit", "show"],
            &["audit", "show", "--json"],
            &["audit", "verify", "--json"],
            &["freeze", "--all", "--reason", "x"],
            &["unfreeze", "--all", "--reason", "x"],
        ] {
            let output = installation.run("chancery", arguments);
            canary.assert_absent(&format!("{arguments:?}"), &output.stdout);
            canary.assert_absent(&format!("{arguments:?}"), &output.stderr);
        }
        // A token that fails and is opened again.
        fs::rename(installation.path("token/objects"), installation.path("token/away")).unwrap();
        canary.assert_absent("a refusal", &watcher.put(&format!("{level}-gone"), digest("raw", 1)).body);
        fs::rename(installation.path("token/away"), installation.path("token/objects")).unwrap();
        eventually("the token is back", || {
            (watcher.put(&format!("{level}-gone"), digest("raw", 1)).status == 200).then_some(())
        });
        if level == "debug" {
            installation.write_policy(&POLICY.replace("version = 1", "version = 2"));
            installation.run("chancery", &["policy", "install", "policy.toml"]);
        }
        // The level is in force: something that is told at debug only.
        drop(std::net::TcpStream::connect(running.watcher).unwrap());
        eventually("a debug line", || running.logged().contains("\"DEBUG\"").then_some(()));
        running.stop();
        let files = canary.assert_absent_below(installation.directory());
        assert!(files > 15, "only {files} files were looked into");
    }
    // The test can fail: the canary is found where it is.
    assert!(canary.is_in(&fs::read(installation.path("token/pin")).unwrap()));
}

fn open_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let installation = Installation::new();
    for mode in [0o644, 0o640, 0o604] {
        fs::set_permissions(installation.path("token/pin"), fs::Permissions::from_mode(mode)).unwrap();
        for command in ["check", "serve"] {
            let output = installation.command("chancery", &[command]).output().unwrap();
            let err = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(78), "{err}");
            assert!(err.contains("token/pin") && err.contains("600"), "{err}");
        }
    }
}
