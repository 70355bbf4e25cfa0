//! Whether a command is one our programs know, by their own definitions of arguments.

use clap::error::ErrorKind;

use crate::harness::repository;

/// With these words files begin: the book names them, and nobody types them.
const HEADS_OF_FILES: [&str; 3] = ["chancery anchor 1", "chancery watcher journal 1", "chancery ceremony v1"];

/// What is wrong with a call that is shown to be typed.
pub(super) fn mistake_of_line(words: &[String]) -> Option<String> {
    if words[0] == "make" {
        return mistake_of_make(&words[1..]);
    }
    // A word in capitals, or one with dots, stands for a value of the reader's.
    let stands_for = |word: &String| {
        let is_capital =
            |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit() || "+_-".contains(letter);
        word.contains("...") || (word.len() > 2 && !word.starts_with('-') && word.chars().all(is_capital))
    };
    let forgiven: &[ErrorKind] = if words.iter().any(stands_for) { &[ErrorKind::ValueValidation] } else { &[] };
    mistake(words, forgiven)
}

/// What is wrong with a command a sentence mentions: it may leave out what is required, and put a word for a value.
pub(super) fn mistake_of_mention(text: &str) -> Option<String> {
    let words = words(text);
    if words[0] == "make" {
        return mistake_of_make(&words[1..]);
    }
    let stands_for_a_command = words.get(1).is_some_and(|word| word.chars().all(|letter| letter.is_ascii_uppercase()));
    if stands_for_a_command || HEADS_OF_FILES.contains(&text) {
        return None;
    }
    mistake(
        &words,
        &[
            ErrorKind::MissingRequiredArgument,
            ErrorKind::MissingSubcommand,
            ErrorKind::InvalidValue,
            ErrorKind::ValueValidation,
        ],
    )
}

fn mistake(words: &[String], forgiven: &[ErrorKind]) -> Option<String> {
    let command = match words[0].as_str() {
        "chancery" => appliance::cli::command(),
        "chancery-watcher" => watcher_client::cli::command(),
        "chancery-provision" => provisioning::cli::command(),
        other => panic!("no program of ours: {other}"),
    };
    let error = command.try_get_matches_from(words).err()?;
    let asks_for_help =
        [ErrorKind::DisplayHelp, ErrorKind::DisplayVersion, ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand];
    if asks_for_help.contains(&error.kind()) || forgiven.contains(&error.kind()) {
        return None;
    }
    Some(error.to_string().lines().next().unwrap_or_default().to_owned())
}

fn mistake_of_make(words: &[String]) -> Option<String> {
    let makefile = std::fs::read_to_string(repository().join("Makefile")).unwrap();
    words.iter().find_map(|word| match word.split_once('=') {
        Some((name, _)) => (!makefile.contains(name)).then(|| format!("the Makefile knows no {name}")),
        None => {
            let is_target = makefile.lines().any(|line| line.starts_with(&format!("{word}:")));
            (!is_target).then(|| format!("the Makefile has no target {word}"))
        }
    })
}

/// The words of a short command; quotes keep words together.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for letter in text.chars() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (None, '\'' | '"') => quote = Some(letter),
            (None, ' ') => words.push(String::new()),
            (_, letter) => words.last_mut().unwrap().push(letter),
        }
    }
    words.retain(|word| !word.is_empty() && word != "...");
    words
}
