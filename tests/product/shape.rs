//! The shape of the workspace: who may depend on whom, and what only one file may name.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use appliance_wire::ProblemCode;
use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::{Installation, repository, trial};

pub(crate) fn trials() -> Vec<Trial> {
    let described = ["docs/api.md", "docs/src/api.md"].iter().any(|path| repository().join(path).exists());
    let sampled = !samples().is_empty();
    vec![
        trial("shape::crates_depend_only_on_the_floors_below_them", floors),
        trial("shape::only_provisioning_can_make_keys", ceremony),
        trial("shape::the_watcher_links_no_device_and_what_travels_no_server", watcher_links),
        trial("shape::every_crate_inherits_the_lints_of_the_workspace", lints),
        trial("shape::only_one_file_names_sled", sled),
        trial("shape::only_the_transport_knows_http", http),
        // Ignored aloud, and only as long as there is nothing to compare with.
        trial("shape::the_documentation_lists_every_problem", problems_documented).with_ignored_flag(!described),
        trial("shape::the_samples_of_the_documentation_are_good", samples_are_good).with_ignored_flag(!sampled),
    ]
}

fn packages() -> Vec<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn package(name: &str) -> Value {
    packages().into_iter().find(|package| package["name"] == name).unwrap_or_else(|| panic!("no package {name}"))
}

fn dependencies(package: &Value) -> impl Iterator<Item = &Value> {
    package["dependencies"].as_array().unwrap().iter()
}

fn floors() {
    let allowed = BTreeMap::from([
        ("hsm-types", vec![]),
        ("hsm-drivers", vec!["hsm-types"]),
        ("appliance-wire", vec!["hsm-types"]),
        ("service-manager", vec![]),
        ("appliance", vec!["appliance-wire", "hsm-drivers", "hsm-types", "service-manager"]),
        ("watcher-client", vec!["appliance-wire", "hsm-types", "service-manager"]),
        ("provisioning", vec!["appliance-wire", "hsm-drivers", "hsm-types"]),
        ("reference", vec!["appliance", "provisioning", "watcher-client"]),
        ("integration-tests", vec![]),
        ("pkcs11-shim", vec![]),
        ("faulty-disk", vec![]),
    ]);
    let packages = packages();
    let ours: BTreeSet<&str> = packages.iter().map(|package| package["name"].as_str().unwrap()).collect();
    assert_eq!(ours, allowed.keys().copied().collect::<BTreeSet<_>>());
    for package in &packages {
        let name = package["name"].as_str().unwrap();
        for dependency in dependencies(package) {
            let on = dependency["name"].as_str().unwrap();
            if !ours.contains(on) {
                continue;
            }
            let for_tests = dependency["kind"] == "dev";
            let own_features = for_tests && name == "hsm-drivers" && on == "hsm-drivers";
            let may = allowed[name].contains(&on) || own_features || (for_tests && name == "integration-tests");
            assert!(may, "{name} depends on {on}");
        }
    }
}

fn ceremony() {
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        for dependency in dependencies(&package).filter(|dependency| dependency["name"] == "hsm-drivers") {
            let features = dependency["features"].as_array().unwrap();
            let makes_keys = features.iter().any(|feature| feature == "ceremony");
            let for_tests = dependency["kind"] == "dev";
            assert!(!makes_keys || name == "provisioning" || for_tests, "{name} can make keys");
        }
    }
    assert!(package("hsm-drivers")["features"]["default"].is_null(), "a feature that is on by itself is on everywhere");
}

fn watcher_links() {
    let devices_and_store = ["cryptoki", "yubihsm", "sled", "hsm-drivers"];
    for name in ["watcher-client", "appliance-wire", "hsm-types"] {
        for dependency in dependencies(&package(name)) {
            let on = dependency["name"].as_str().unwrap();
            assert!(!devices_and_store.contains(&on), "{name} depends on {on}");
            // The daemon has an API of its own.
            assert!(name == "watcher-client" || !["axum", "redb"].contains(&on), "{name} depends on {on}");
        }
    }
}

fn lints() {
    for package in packages() {
        let manifest = fs::read_to_string(package["manifest_path"].as_str().unwrap()).unwrap();
        if package["name"] == "pkcs11-shim" {
            // A C interface: its lints are those of the workspace, but that unsafe is expected by name.
            let workspace =
                fs::read_to_string(repository().join("Cargo.toml")).unwrap().replace("[workspace.lints.", "[lints.");
            let (_, rust) = workspace.split_once("\n[lints.rust]\n").unwrap();
            let (rust, _) = rust.split_once("\n[profile.").unwrap();
            let own = rust.replace("unsafe_code = \"forbid\"", "unsafe_code = \"deny\"");
            assert_eq!(manifest.split_once("\n[lints.rust]\n").map(|(_, own)| own.trim()), Some(own.trim()));
            continue;
        }
        let lints = manifest.split_once("\n[lints]\n").map(|(_, rest)| rest.lines().next());
        assert_eq!(lints, Some(Some("workspace = true")), "{}", package["name"]);
    }
}

/// Every source file of a crate, with its text.
fn sources(directory: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    found
}

/// Files with a line of code, not of comment, that has one of these.
fn naming(directories: &[&str], words: &[&str]) -> BTreeSet<String> {
    let root = repository();
    let files = directories.iter().flat_map(|directory| sources(&root.join(directory)));
    let naming = files.filter(|(_, text)| {
        let code = text.lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
        code.into_iter().any(|line| words.iter().any(|word| line.contains(word)))
    });
    naming.map(|(path, _)| path.strip_prefix(root).unwrap().display().to_string()).collect()
}

fn sled() {
    let everywhere = ["appliance", "hsm-drivers", "watcher-client", "provisioning"];
    let naming = naming(&everywhere, &["sled::", "use sled", "extern crate sled"]);
    assert_eq!(naming, BTreeSet::from(["appliance/src/audit/store.rs".to_owned()]));
    let users = packages().into_iter().filter(|package| dependencies(package).any(|on| on["name"] == "sled"));
    assert_eq!(users.map(|package| package["name"].clone()).collect::<Vec<_>>(), ["appliance"]);
}

fn http() {
    let naming = naming(&["appliance/src"], &["axum", "StatusCode", "hyper_util", "rustls"]);
    assert!(!naming.is_empty());
    for file in naming {
        assert!(file.starts_with("appliance/src/transport/"), "{file} knows HTTP or TLS");
    }
}

fn problems_documented() {
    let path = ["docs/api.md", "docs/src/api.md"].iter().map(|path| repository().join(path)).find(|path| path.exists());
    let path = path.expect("docs/api.md is not written yet");
    let text = fs::read_to_string(&path).unwrap();
    for code in ProblemCode::ALL {
        let name = format!("`{}`", code.name());
        let line = text.lines().find(|line| line.contains(&name) && line.contains(&code.status().to_string()));
        assert!(line.is_some(), "{} has no line with {name} and {}", path.display(), code.status());
    }
}

fn samples() -> Vec<PathBuf> {
    let directories = ["docs/samples", "docs/src/samples"].map(|directory| repository().join(directory));
    let files = directories.iter().filter_map(|directory| fs::read_dir(directory).ok()).flatten();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "toml"));
    files.sort();
    files
}

fn samples_are_good() {
    let installation = Installation::new();
    for sample in samples() {
        let name = sample.file_name().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&sample).unwrap();
        if name.starts_with("policy") {
            installation.run("chancery", &["policy", "check", sample.to_str().unwrap()]);
        } else if name.starts_with("watcher") {
            // The files it names are not here; all else is as it should be.
            fs::write(installation.path("watcher.toml"), text).unwrap();
            let arguments = ["keys", "--config", "watcher.toml"];
            let output = installation.command("chancery-watcher", &arguments).output().unwrap();
            let err = String::from_utf8(output.stderr).unwrap();
            for problem in err.trim().split_once("cannot be used: ").map_or("", |(_, problems)| problems).split("; ") {
                let about_files = problem.contains("there is no file") || problem.contains("correct the path");
                assert!(problem.is_empty() || about_files, "{name}: {problem}");
            }
        } else if name.starts_with("chancery") {
            fs::write(installation.path("chancery.toml"), text).unwrap();
            let output = installation.command("chancery", &["check", "--json"]).output().unwrap();
            let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
            for mistake in answer["mistakes"].as_array().unwrap() {
                let about_files = mistake.to_string().contains("No such file");
                assert!(about_files, "{name}: {mistake}");
            }
        } else {
            panic!("nobody knows what {name} is a sample of");
        }
    }
}
