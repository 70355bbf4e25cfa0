//! From a clean tree to a signature, over an upgrade and back, to nothing left but what may not go.

use serde_json::Value;

use super::{
    built::Packages,
    doc,
    look::{self, Look},
    machine::Machine,
    told,
    unit::Unit,
};
use crate::harness::{body::DESTINATION, eventually};

pub(super) fn passes() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can unpack a Debian tree and run in it");
        return;
    }
    let packages = Packages::built();
    let later = packages.renumbered("99-1");
    let machine = Machine::new();
    let clean = Look::at(&machine);
    packages.install(&machine);
    look::is_installed(&machine, &packages);
    for heading in ["Rehearse", "Into place", "A token that is a file", "The watcher host"] {
        machine.shell(&doc::commands(heading));
    }
    // What systemd decrypts.
    machine.shell("install -d -m 0700 credentials && cp signer-1/token/pin credentials/hsm-pin");
    let (appliance, watcher) = (Unit::installed(&machine, "chancery"), Unit::installed(&machine, "chancery-watcher"));
    let serving = appliance.start(&machine);
    machine.shell(&doc::commands("The first signature"));
    whoever_is_in_the_group_may_look(&machine);
    let first = sign(&machine, &watcher, "wd-1");
    is_on_the_page(&machine, &first);

    later.install(&machine);
    assert_eq!(machine.run(&["dpkg-query", "--show", "--showformat=${Version}", "chancery"]), "99-1");
    a_worker_ends(&machine, &appliance);
    let serving = serving.restart();
    assert_eq!(sign(&machine, &watcher, "wd-1"), first);
    is_on_the_page(&machine, &first);
    let second = sign(&machine, &watcher, "wd-2");

    // Back to the version before, which knows this state.
    let said = packages.install(&machine);
    assert!(said.contains("downgrading"), "{said}");
    let serving = serving.restart();
    assert_eq!((sign(&machine, &watcher, "wd-1"), sign(&machine, &watcher, "wd-2")), (first, second));
    serving.stop();
    look::is_purged(&machine, &clean);
    look::a_token_outlives_a_purge(&machine, &packages);
}

/// A person of the box who is in the socket's group, and neither root nor the service's user.
fn whoever_is_in_the_group_may_look(machine: &Machine) {
    let status = |groups| {
        let person = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", groups];
        machine.command(&[&person[..], &["chancery", "status", "--config", "/etc/chancery/chancery.toml"]].concat())
    };
    let shown = told(&mut status("--groups=chancery-admin"));
    assert!(shown.contains("main up"), "{shown}");
    let refused = status("--clear-groups").output().unwrap();
    assert!(!refused.status.success(), "anybody may open the admin socket");
}

/// While the program of before still runs, its worker is lost: it gets another of its own kind.
fn a_worker_ends(machine: &Machine, appliance: &Unit) {
    let worker = || {
        let status = ["chancery", "status", "--json", "--config", "/etc/chancery/chancery.toml"];
        let status: Value = serde_json::from_str(&told(&mut appliance.command(machine, &status))).unwrap();
        status["tokens"][0]["worker"].as_i64()
    };
    let lost = worker().unwrap();
    machine.run(&["bash", "-c", &format!("kill -KILL {lost}")]);
    eventually("another worker serves", || worker().filter(|worker| *worker != lost));
}

/// The answer to a request, without its receipt, which grows with the log.
fn sign(machine: &Machine, watcher: &Unit, id: &str) -> Value {
    let payment = format!("{DESTINATION}=0.1");
    let (digest, config) = ("ab".repeat(32), "/etc/chancery-watcher/watcher.toml");
    let request = ["sign", id, "--key", "btc-hot", "--digest", &digest, "--asset", "BTC", "--fee", "0.0001"];
    let asked = [&["chancery-watcher"], &request[..], &["--output", &payment, "--json", "--config", config]].concat();
    let output = watcher.command(machine, &asked).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{id}: {}\n{said}", output.status);
    let mut answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["status"], "signed", "{answer}");
    answer.as_object_mut().unwrap().remove("receipt");
    answer
}

/// The console lists the entry, and shows it with its proof.
fn is_on_the_page(machine: &Machine, answer: &Value) {
    let (entry, id) = (&answer["entry"], answer["request_id"].as_str().unwrap());
    let home = machine.page(9464, "/");
    assert!(home.contains(&format!("href=\"/entries/{entry}\"")), "{home}");
    eventually("the console shows the entry under a checkpoint", || {
        let page = machine.page(9464, &format!("/entries/{entry}"));
        assert!(page.starts_with("HTTP/1.1 200") && page.contains(id), "{page}");
        page.contains("Proven under the checkpoint").then_some(())
    });
}
