//! The commands of `docs/install.md`, to be run as they stand there.

use std::fs;

use crate::harness::repository;

/// What the page says to type below this heading, up to the next.
pub(super) fn commands(heading: &str) -> String {
    let page = fs::read_to_string(repository().join("docs/install.md")).unwrap();
    let mut lines = page.lines().skip_while(|line| !(line.starts_with('#') && line.ends_with(heading)));
    assert!(lines.next().is_some(), "docs/install.md has no heading \"{heading}\"");
    let mut is_command = false;
    let mut commands = String::new();
    for line in lines.take_while(|line| !line.starts_with("## ") && !line.starts_with("### ")) {
        match line {
            "```sh" => is_command = true,
            "```" => is_command = false,
            _ if is_command => commands = commands + line + "\n",
            _ => {}
        }
    }
    assert!(!commands.is_empty(), "below \"{heading}\" nothing is to be typed");
    commands
}
