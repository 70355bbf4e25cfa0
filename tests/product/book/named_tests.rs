//! Tests that the book names: each is in the source.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use super::pages;
use crate::harness::repository;

/// Pages that promise something of a test.
const PAGES: [&str; 4] = ["docs/threat-model.md", "docs/attacks.md", "docs/past-failures.md", "docs/architecture.md"];

/// Every `file::name`, and every name of a test beside the code, is one.
pub(super) fn exist() {
    let mut sources = String::new();
    for directory in ["appliance", "hsm-drivers", "watcher-client", "provisioning", "tests", "docs/reference"] {
        collect(&repository().join(directory), &mut sources);
    }
    let tests = functions_and_trials(&sources);
    let mut missing = Vec::new();
    let mut named = 0;
    for page in pages::of_the_book().into_iter().filter(|page| PAGES.contains(&page.path.as_str())) {
        for (index, line) in page.text.lines().enumerate() {
            for span in line.split('`').skip(1).step_by(2).filter(|span| is_name_of_a_test(span)) {
                named += 1;
                if !tests.contains(span) {
                    missing.push(format!("{}:{}: {span}", page.path, index + 1));
                }
            }
        }
    }
    println!("{named} names of tests were looked up");
    assert!(named > 120, "{named}: the book named more");
    assert!(missing.is_empty(), "{} tests do not exist:\n{}", missing.len(), missing.join("\n"));
}

/// A claim in words: `file::some_words`, or at least four words in lower case.
fn is_name_of_a_test(span: &str) -> bool {
    let name = span.rsplit("::").next().unwrap_or_default();
    let is_plain = span.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_:".contains(&byte));
    is_plain && (name.matches('_').count() >= 3 || (span.contains("::") && name.matches('_').count() >= 2))
}

/// Names of functions, and of the trials of this very binary.
fn functions_and_trials(sources: &str) -> BTreeSet<String> {
    let functions = sources.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
    let list = Command::new(std::env::current_exe().unwrap()).arg("--list").output().unwrap();
    let trials = String::from_utf8(list.stdout).unwrap();
    let trials = trials.lines().filter_map(|line| line.strip_suffix(": test"));
    // Of harnesses of our own: `("name", function)`.
    let tuples = sources.split("(\"").skip(1).filter_map(|rest| rest.split('"').next());
    functions.chain(tuples).chain(trials).map(str::to_owned).collect()
}

fn collect(directory: &Path, sources: &mut String) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, sources);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            sources.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}
