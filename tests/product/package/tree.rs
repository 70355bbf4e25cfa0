//! A clean Debian tree, made once by debootstrap from this machine's own package sources and kept as an archive.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::told;
use crate::harness::repository;

/// What a box has, beside the least of Debian: a token to rehearse on. `ip` brings the tree's own loopback up.
const PACKAGES: &str = "softhsm2,iproute2";

/// Unpacks the tree.
pub(super) fn unpack(into: &Path) {
    told(Command::new("tar").arg("--extract").arg("--file").arg(archive()).arg("--directory").arg(into));
}

fn archive() -> PathBuf {
    let (mirror, suite) = source();
    let folder = repository().join("var/debian-tree");
    let archive = folder.join(format!("{suite}.tar.gz"));
    if archive.exists() {
        return archive;
    }
    fs::create_dir_all(&folder).unwrap();
    let work = tempfile::tempdir_in(&folder).unwrap();
    let (tree, packed) = (work.path().join("tree"), work.path().join("tree.tar.gz"));
    eprintln!("unpacking {suite} with debootstrap; the next run finds it in {}", archive.display());
    let mut debootstrap = Command::new("debootstrap");
    debootstrap.args(["--variant=minbase", &format!("--include={PACKAGES}"), &suite]).arg(&tree).arg(mirror);
    let output = debootstrap.output().unwrap_or_else(|error| panic!("{error}: run .ci/prerequisites tests"));
    let said = String::from_utf8_lossy(&output.stdout);
    let end = said.lines().skip(said.lines().count().saturating_sub(20)).collect::<Vec<_>>().join("\n");
    assert!(output.status.success(), "debootstrap: {}\n{end}", output.status);
    // What was downloaded is installed.
    let without = ["--exclude=./var/cache/apt/archives/*.deb", "--exclude=./var/lib/apt/lists/*"];
    told(
        Command::new("tar")
            .args(["--create", "--gzip", "--file"])
            .arg(&packed)
            .args(without)
            .arg("-C")
            .arg(&tree)
            .arg("."),
    );
    // In place at once: what is there is whole.
    fs::rename(&packed, &archive).unwrap();
    archive
}

/// Mirror and suite of this machine's packages.
fn source() -> (String, String) {
    let release = fs::read_to_string("/etc/os-release").unwrap();
    let suite = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let suite = suite.expect("/etc/os-release names no suite: packages are tried on a Debian");
    let targets = told(Command::new("apt-get").args(["indextargets", "--format", "$(CODENAME) $(REPO_URI)"]));
    let mirror = targets.lines().find_map(|line| line.strip_prefix(&format!("{suite} ")));
    (mirror.unwrap_or_else(|| panic!("apt knows no source of {suite}\n{targets}")).to_owned(), suite.to_owned())
}
