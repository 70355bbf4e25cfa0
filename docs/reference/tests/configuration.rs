//! The tables of the book about every file's keys are those the readers give.

use std::{fs, path::Path};

/// `UPDATE=1` writes them anew.
#[test]
fn the_book_tells_of_every_key_what_its_reader_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configuration.md");
    let page = reference::configuration::page(&path).unwrap_or_else(|error| panic!("{error}"));
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let is = fs::read_to_string(&path).unwrap();
    let differs = is.lines().zip(page.lines()).find(|(is, wanted)| is != wanted);
    assert!(is == page, "docs/configuration.md: run this test with UPDATE=1\nis, and should be: {differs:#?}");
}

/// Its reader names no keys, so they are read where it matches them.
#[test]
fn the_sections_of_a_plan_are_those_of_its_reader() {
    let reader =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../provisioning/src/plan/document.rs"))
            .unwrap();
    let arms = reader.lines().filter_map(|line| line.trim().strip_prefix('"')?.split_once("\" => self."));
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../configuration.md")).unwrap();
    let (_, plan) = page.split_once("## plan.toml").unwrap();
    let mut count = 0;
    for (part, _) in arms {
        count += 1;
        let told = [format!("| `{part}` |"), format!("### `[{part}]`"), format!("### `[[{part}]]`")];
        assert!(told.iter().any(|told| plan.contains(told.as_str())), "{part}");
    }
    assert_eq!(count, 11, "parts of a plan");
}
