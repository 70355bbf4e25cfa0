//! The appliance's image: what is in it, that it serves under a real runtime with everything taken away, and that the
//! files for engines take away the same.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use appliance_wire::sha256_hex;
use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::{repository, trial, typed};

mod manifests;
mod served;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![trial("container::the_image_is_the_program_its_libraries_and_a_user_bit_by_bit", content)];
    trials.extend(manifests::trials());
    trials.extend(served::trials());
    trials
}

/// Runs a command to its end, which must be good; what it wrote.
fn good(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; run .ci/prerequisites tests"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
    out.into_owned()
}

/// The version in the workspace's manifest.
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Makes the image as a user does, and lays it out in the folder.
fn image(folder: &Path) -> PathBuf {
    let said = good(typed("make").args(["--no-print-directory", "image", "PROFILE=dev"]));
    let file = said.lines().last().unwrap();
    let layout = folder.join("layout");
    fs::create_dir(&layout).unwrap();
    good(Command::new("tar").args(["--extract", "--file", file, "--directory"]).arg(&layout).current_dir(repository()));
    layout
}

/// A blob, which must have the digest that names it.
fn blob(layout: &Path, descriptor: &Value) -> Vec<u8> {
    let digest = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    let bytes = fs::read(layout.join("blobs/sha256").join(digest)).unwrap();
    assert_eq!((sha256_hex(&bytes).as_str(), bytes.len() as u64), (digest, descriptor["size"].as_u64().unwrap()));
    bytes
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn content() {
    let folder = tempfile::tempdir().unwrap();
    let layout = image(folder.path());
    let index = json(&fs::read(layout.join("index.json")).unwrap());
    let manifest = json(&blob(&layout, &index["manifests"][0]));
    let config = json(&blob(&layout, &manifest["config"]))["config"].clone();
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Entrypoint"], serde_json::json!(["/usr/bin/chancery"]));

    let layer = folder.path().join("layer");
    fs::write(&layer, blob(&layout, &manifest["layers"][0])).unwrap();
    let listed =
        good(Command::new("tar").args(["--list", "--verbose", "--numeric-owner", "--gzip", "--file"]).arg(&layer));
    let mut files = BTreeSet::new();
    for line in listed.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (mode, owner, path) = (words[0], words[1], words[5].trim_start_matches("./"));
        assert!(!mode.contains(['s', 't']), "{line}");
        let own = ["run/chancery/", "var/lib/chancery/"].contains(&path);
        assert_eq!(owner, if own { "65532/65532" } else { "0/0" }, "{line}");
        if !mode.starts_with('d') {
            files.insert(path.to_owned());
        }
    }
    let libraries: BTreeSet<String> = files.iter().filter(|path| path.contains(".so")).cloned().collect();
    let others: Vec<&str> = files.difference(&libraries).map(String::as_str).collect();
    assert_eq!(others, ["etc/group", "etc/passwd", "lib", "lib64", "usr/bin/chancery"]);
    let names: Vec<&str> = libraries.iter().map(|path| path.rsplit('/').next().unwrap()).collect();
    assert!(names.contains(&"libc.so.6") && names.iter().any(|name| name.starts_with("ld-linux")), "{names:?}");
    assert!(names.len() <= 5, "{names:?}");

    // Another time, the same bytes.
    let built = repository().join("appliance/package/container/image");
    let made = |name: &str| {
        let (program, file) = (program(folder.path()), folder.path().join(name));
        good(Command::new(&built).arg(program).arg(version()).arg(&file));
        fs::read(file).unwrap()
    };
    assert!(made("first") == made("second"), "two images of one program differ");
}

/// A small program that stands for the appliance's.
fn program(folder: &Path) -> PathBuf {
    let program = folder.join("chancery");
    fs::copy("/bin/true", &program).unwrap();
    program
}
