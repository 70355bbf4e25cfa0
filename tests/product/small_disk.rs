//! A disk of the state directory that is full, fuller, or may not be written.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use libtest_mimic::Trial;

use crate::harness::{Installation, Running, body::digest, eventually, trial, watcher::Watcher};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("small_disk::a_full_one_refuses_and_goes_on_when_there_is_room_again", full),
        trial("small_disk::the_ballast_makes_room_for_a_freeze_and_a_stop_in_order", without_a_byte),
        trial("small_disk::one_that_may_not_be_written_refuses_the_start_and_is_left_as_it_was", read_only),
    ]
}

/// An installation whose state directory is a disk of its own.
struct OnDisk {
    installation: Installation,
    state: PathBuf,
}

impl OnDisk {
    /// None where this machine does not let us mount one.
    fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("SKIPPED: mounting a small disk needs root");
            return None;
        }
        let installation = Installation::new();
        let (state, made) = (installation.path("state"), installation.path("made"));
        fs::rename(&state, &made).unwrap();
        fs::create_dir(&state).unwrap();
        let mut mount = Command::new("mount");
        if !mount.args(["-t", "tmpfs", "-o", "size=96m", "tmpfs"]).arg(&state).status().unwrap().success() {
            println!("SKIPPED: this machine does not let root mount a tmpfs");
            return None;
        }
        let on_disk = Self { installation, state };
        assert!(Command::new("cp").arg("-a").arg(made.join(".")).arg(&on_disk.state).status().unwrap().success());
        Some(on_disk)
    }

    fn filler(&self) -> PathBuf {
        self.state.join("filler")
    }

    fn fill_up(&self) {
        let mut filler = fs::File::create(self.filler()).unwrap();
        while filler.write_all(&[0; 4096]).is_ok() {}
    }

    /// What a start says that is refused for now.
    fn refused(&self) -> String {
        let before = super::export::contents(&self.state);
        let Err(said) = Running::try_start(&self.installation, &[]) else { panic!("it starts on a full disk") };
        assert!(said.contains("exit status: 1\n"), "{said}");
        assert!(super::export::contents(&self.state) == before, "a refused start changed the state directory");
        said.lines().last().unwrap().to_owned()
    }
}

impl Drop for OnDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.state).status();
    }
}

fn full() {
    let Some(on_disk) = OnDisk::new() else { return };
    let installation = &on_disk.installation;
    let running = installation.start();
    let watcher = Watcher::new(installation, &running);
    watcher.signed("before", digest("raw", 1));
    fs::write(on_disk.filler(), vec![0; 40 << 20]).unwrap();
    let problem = eventually("it notices", || {
        let answer = watcher.put(&format!("full-{}", rand::random::<u32>()), digest("raw", 2));
        (answer.status == 503).then(|| answer.problem())
    });
    assert_eq!(problem.type_uri, "urn:chancery:problem:audit-log-unavailable");
    assert!(problem.detail.contains("MiB"), "{}", problem.detail);
    assert_eq!(watcher.put("before", digest("raw", 1)).status, 200, "what is signed is still answered");
    assert_eq!(running.metric("chancery_ballast_missing"), 0, "there is room beside it");
    fs::remove_file(on_disk.filler()).unwrap();
    eventually("it goes on", || (watcher.put("after", digest("raw", 3)).status == 200).then_some(()));
    running.stop();

    fs::write(on_disk.filler(), vec![0; 40 << 20]).unwrap();
    let said = on_disk.refused();
    assert!(said.contains("MiB free") && said.contains("free space"), "{said}");
    fs::remove_file(on_disk.filler()).unwrap();
    installation.assert_log_verifies();
}

fn without_a_byte() {
    let Some(on_disk) = OnDisk::new() else { return };
    let (installation, ballast) = (&on_disk.installation, on_disk.state.join("ballast"));
    let running = installation.start();
    let watcher = Watcher::new(installation, &running);
    let before = watcher.signed("before", digest("raw", 1));
    assert!(ballast.exists() && installation.status()["ballast_kept"] == true);
    on_disk.fill_up();
    assert!(ballast.exists(), "nothing was written yet");
    installation.run("chancery", &["freeze", "--key", "ed", "--reason", "while the disk is full"]);
    assert!(!ballast.exists(), "the freeze was recorded in room that was not there");
    assert_eq!(watcher.refused("during", digest("raw", 2)).type_uri, "urn:chancery:problem:audit-log-unavailable");
    assert_eq!(watcher.signed("before", digest("raw", 1)), before, "what is signed is still answered");
    assert_eq!(
        (running.metric("chancery_ballast_missing"), installation.status()["ballast_kept"].clone()),
        (1, false.into())
    );
    assert!(running.metric("chancery_disk_free_bytes") > 8 << 20);
    let shown = String::from_utf8(installation.run("chancery", &["status"]).stdout).unwrap();
    assert!(shown.contains("BALLAST           MISSING"), "{shown}");
    assert_eq!(running.logged().matches("the ballast file was removed").count(), 1, "{}", running.logged());
    running.stop();

    on_disk.fill_up();
    let said = on_disk.refused();
    assert!(said.contains("has 0 MiB free") && said.contains("free space"), "{said}");
    fs::remove_file(on_disk.filler()).unwrap();
    let running = installation.start();
    assert_eq!(installation.status()["ballast_kept"], true);
    let watcher = Watcher::new(installation, &running);
    assert_eq!(watcher.signed("before", digest("raw", 1)), before);
    watcher.signed("during", digest("raw", 2));
    let entries = installation.entries();
    assert!(entries.iter().any(|entry| entry["kind"] == "frozen" && entry["reason"] == "while the disk is full"));
    let charged = entries.iter().filter(|entry| entry["unanchored_percent"] == 5).count();
    assert_eq!(charged, 0, "every stop was in order, and no refused start has opened the token's anchor");
    running.stop();
    installation.assert_log_verifies();
}

fn read_only() {
    let Some(on_disk) = OnDisk::new() else { return };
    let installation = &on_disk.installation;
    installation.start().stop();
    remount(&on_disk.state, "ro");
    let before = super::export::contents(&on_disk.state);
    let Err(said) = Running::try_start(installation, &[]) else { panic!("it serves") };
    let last = said.lines().last().unwrap();
    assert!(said.contains("exit status: 78") && last.contains("Read-only file system"), "{said}");
    assert!(last.contains("Nothing was changed. Mount its disk for writing"), "{last}");
    assert!(super::export::contents(&on_disk.state) == before, "a refused start changed the state directory");
    remount(&on_disk.state, "rw");
    installation.start().stop();
    installation.assert_log_verifies();
}

fn remount(at: &Path, how: &str) {
    let options = format!("remount,{how}");
    assert!(Command::new("mount").args(["-o", &options]).arg(at).status().unwrap().success());
}
