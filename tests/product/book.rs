//! The book: it is built without a warning, its links lead somewhere, and what it shows to be typed is typed here.

use std::{collections::BTreeSet, fs, process::Command};

use libtest_mimic::Trial;

use crate::harness::{repository, trial};

mod commands;
mod links;
mod named_tests;
mod pages;
mod program_lines;
mod python;
mod story;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = story::trials();
    trials.extend([
        trial("book::it_is_built_without_a_warning_and_every_link_leads_somewhere", builds),
        trial("book::every_page_is_in_the_summary", all_pages),
        trial("book::every_command_it_shows_is_one_the_programs_know", known_commands),
        trial("book::every_test_it_names_exists", named_tests::exist),
        trial("book::what_is_not_run_says_why", not_run),
        trial("book::its_python_reads_a_receipt_and_a_log", python::log),
        trial("book::its_python_knows_a_webhook", python::webhook),
    ]);
    trials
}

/// As `.ci/prerequisites` puts it there, or as somebody installed it.
fn mdbook() -> Command {
    let ours = repository().join("var/tools/bin/mdbook");
    Command::new(if ours.exists() { ours } else { "mdbook".into() })
}

fn builds() {
    let book = tempfile::tempdir().unwrap();
    let built = mdbook().args(["build", "docs", "-d"]).arg(book.path()).current_dir(repository()).output();
    let built = built.unwrap_or_else(|error| panic!("mdbook: {error}; run .ci/prerequisites tests"));
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{said}");
    assert!(!said.contains("WARN") && !said.contains("ERROR"), "{said}");
    let mut dead = links::dead_in_book(book.path());
    dead.extend(links::dead_in_readme(repository(), book.path()));
    assert!(dead.is_empty(), "{} links lead nowhere:\n{}", dead.len(), dead.join("\n"));
}

fn all_pages() {
    let summary = fs::read_to_string(repository().join("docs/SUMMARY.md")).unwrap();
    let listed: Vec<String> =
        summary.lines().filter_map(|line| Some(line.split_once("](")?.1.split_once(')')?.0.to_owned())).collect();
    let once: BTreeSet<String> = listed.iter().cloned().collect();
    assert_eq!(once.len(), listed.len(), "a page is there twice");
    let pages = pages::of_the_book().into_iter().map(|page| page.path.trim_start_matches("docs/").to_owned());
    assert_eq!(pages.collect::<BTreeSet<_>>(), once);
}

fn known_commands() {
    let mut wrong = Vec::new();
    let (mut lines, mut mentions) = (0, 0);
    for page in pages::all() {
        for block in page.shell_blocks() {
            for line in program_lines::in_block(&block) {
                lines += 1;
                wrong.extend(commands::mistake_of_line(&line).map(|why| format!("{}: {line:?}: {why}", block.place())));
            }
        }
        for (line, mention) in page.mentions() {
            mentions += 1;
            let place = format!("{}:{line}", page.path);
            wrong.extend(commands::mistake_of_mention(&mention).map(|why| format!("{place}: `{mention}`: {why}")));
        }
    }
    println!("{lines} commands in blocks and {mentions} in sentences were read");
    assert!(lines > 150 && mentions > 100, "{lines} and {mentions}: the book had more");
    assert!(wrong.is_empty(), "{} commands nobody can type:\n{}", wrong.len(), wrong.join("\n"));
}

fn not_run() {
    let pages = pages::all();
    let blocks: Vec<_> = pages.iter().flat_map(pages::Page::shell_blocks).collect();
    let run = blocks.iter().filter(|block| block.is_run()).count();
    println!("{run} of {} blocks are run. Not run:", blocks.len());
    for (block, why) in blocks.iter().filter_map(|block| Some((block, block.not_run_because()?))) {
        println!("  {}: {why}", block.place());
        assert!(why.len() > 15, "{}: why is it not run?", block.place());
    }
    assert!(run * 2 > blocks.len(), "most of the book is to be tried");
}
