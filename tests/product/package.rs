//! The Debian packages, as who racks a box gets to know them: on a clean Debian tree, by the commands of
//! `docs/install.md`.

use libtest_mimic::Trial;

use crate::harness::trial;

mod afternoon;
mod built;
mod doc;
mod look;
mod machine;
mod tree;
mod unit;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("package::a_clean_debian_is_racked_signs_is_upgraded_put_back_and_purged", afternoon::passes)]
}

/// Runs a command to its good end; what it wrote to both outputs.
fn told(command: &mut std::process::Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    said
}
