//! An installation whose state directory is on a faulty disk.

use std::{
    fs,
    os::unix::fs::symlink,
    process::{Command, Output, Stdio},
};

use faulty_disk::{FaultyDisk, Image, Unsynced};

use crate::harness::{Installation, eventually};

pub(super) struct OnDisk {
    // Unmounted before the directory it is in is removed.
    pub(super) disk: FaultyDisk,
    pub(super) installation: Installation,
}

/// Disk and token as they were at one time.
pub(super) struct Saved(Image);

const TOKEN: &str = "token";
const TOKEN_SAVED: &str = "token.saved";

impl OnDisk {
    /// One with a token and keys, and no log yet.
    pub(super) fn without_log() -> Self {
        let installation = Installation::without_log();
        let at = installation.path("disk");
        fs::create_dir(&at).unwrap();
        let disk = FaultyDisk::mount(&at).unwrap_or_else(|error| panic!("{error}"));
        installation.edit_config(|config| {
            let elsewhere = config.replace("directory = \"state\"", "directory = \"disk/chancery/state\"");
            assert_ne!(config, elsewhere);
            elsewhere
        });
        symlink("disk/chancery/state", installation.path("state")).unwrap();
        Self { disk, installation }
    }

    /// One that has never been started.
    pub(super) fn with_policy(policy: &str) -> Self {
        let on_disk = Self::without_log();
        on_disk.installation.begin(policy);
        on_disk
    }

    /// What `policy install --genesis` comes to.
    pub(super) fn genesis(&self) -> Output {
        self.installation.command("chancery", &["policy", "install", "policy.toml", "--genesis"]).output().unwrap()
    }

    pub(super) fn save(&self) -> Saved {
        self.copy_token(TOKEN, TOKEN_SAVED);
        Saved(self.disk.image())
    }

    /// Brings back what was last saved.
    pub(super) fn restore(&self, saved: &Saved) {
        self.disk.restore(&saved.0);
        self.copy_token(TOKEN_SAVED, TOKEN);
    }

    fn copy_token(&self, from: &str, to: &str) {
        let [from, to] = [from, to].map(|name| self.installation.path(name));
        let _ = fs::remove_dir_all(&to);
        assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
    }

    /// Starts it, and cuts the power before a change, or when it serves. Whether it was cut before.
    pub(super) fn start_and_cut_before(&self, change: u64, unsynced: Unsynced) -> bool {
        self.disk.cut_before_change(change, unsynced);
        let log = self.installation.path("cut.log");
        let mut command = self.installation.command("chancery", &["serve"]);
        let mut child = command.stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
        eventually("it serves, or its power is cut", || {
            let serves = || fs::read_to_string(&log).unwrap().contains("\"listening\"");
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none() || !self.disk.is_on(), "it ended:\n{}", fs::read_to_string(&log).unwrap());
            (!self.disk.is_on() || serves()).then_some(())
        });
        let came = !self.disk.is_on();
        if !came {
            self.disk.cut(unsynced);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        self.disk.power_on();
        came
    }
}

/// Both kinds of cut.
pub(super) fn both(seed: u64) -> [Unsynced; 2] {
    [Unsynced::Dropped, Unsynced::Torn(seed)]
}
