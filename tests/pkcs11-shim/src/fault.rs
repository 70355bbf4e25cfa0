//! Faults as they are written: see the crate's documentation for the grammar.

use std::{str::SplitWhitespace, time::Duration};

use cryptoki_sys::{CK_ATTRIBUTE_TYPE, CK_FLAGS, CK_RV};

use crate::{attempt::Attempt, codes, point::Form, signature::Bend};

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    pub(crate) identity: u64,
    /// None for any function.
    pub(crate) function: Option<String>,
    pub(crate) when: When,
    pub(crate) action: Action,
}

/// Which calls, counted from 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum When {
    Always,
    Calls { first: u64, last: u64 },
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    Return(CK_RV),
    Delay(Duration),
    Hang,
    Crash,
    Logout,
    CloseSessions,
    Bend(Bend),
    AnotherKey,
    Attribute(CK_ATTRIBUTE_TYPE, Vec<u8>),
    Point(Form),
    Serial(String),
    Flags(CK_FLAGS),
    Slots(u64),
    Objects(u64),
    Try(Attempt),
}

/// Every fault of the file.
///
/// # Errors
/// The first line that is none.
pub(crate) fn parse(text: &str) -> Result<Vec<Fault>, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| parse_line(line).ok_or_else(|| format!("this is no fault: {line}"))).collect()
}

fn parse_line(line: &str) -> Option<Fault> {
    let mut words = line.split_whitespace();
    let identity = words.next()?.parse().ok()?;
    let function = match words.next()? {
        "*" => None,
        name => Some(name.strip_prefix("C_").map(|_| name.to_owned())?),
    };
    let when = parse_when(words.next()?)?;
    let action = parse_action(&mut words)?;
    let standing = matches!(action, Action::Slots(_) | Action::Objects(_));
    let may_stand = function.is_none() && when == When::Always;
    let done = words.next().is_none();
    (done && (!standing || may_stand)).then_some(Fault { identity, function, when, action })
}

fn parse_when(word: &str) -> Option<When> {
    if word == "always" {
        return Some(When::Always);
    }
    let (first, last) = match word.split_once("..") {
        None => (word.parse().ok()?, word.parse().ok()?),
        Some((first, "")) => (first.parse().ok()?, u64::MAX),
        Some((first, last)) => (first.parse().ok()?, last.parse().ok()?),
    };
    (1 <= first && first <= last).then_some(When::Calls { first, last })
}

fn parse_action(words: &mut SplitWhitespace<'_>) -> Option<Action> {
    Some(match words.next()? {
        "return" => Action::Return(codes::return_value(words.next()?)?),
        "delay" => Action::Delay(Duration::from_millis(words.next()?.parse().ok()?)),
        "hang" => Action::Hang,
        "crash" => Action::Crash,
        "logout" => Action::Logout,
        "close-sessions" => Action::CloseSessions,
        "flip" => Action::Bend(Bend::Flip(words.next()?.parse().ok()?)),
        "previous" => Action::Bend(Bend::Previous),
        "high-s" => Action::Bend(Bend::HighS),
        "zero-r" => Action::Bend(Bend::ZeroR),
        "zero-s" => Action::Bend(Bend::ZeroS),
        "short" => Action::Bend(Bend::Short),
        "long" => Action::Bend(Bend::Long),
        "another-key" => Action::AnotherKey,
        "attribute" => Action::Attribute(codes::attribute(words.next()?)?, attribute_value(words.next()?)?),
        "point" => Action::Point(Form::named(words.next()?)?),
        "serial" => Action::Serial(words.next()?.to_owned()),
        "flags" => Action::Flags(codes::token_flag(words.next()?)?),
        "slots" => Action::Slots(words.next()?.parse().ok()?),
        "objects" => Action::Objects(words.next()?.parse().ok()?),
        "try" => Action::Try(Attempt::parse(words)?),
        _ => return None,
    })
}

/// `true`, `false`, or bytes in hex.
fn attribute_value(word: &str) -> Option<Vec<u8>> {
    match word {
        "true" => Some(vec![1]),
        "false" => Some(vec![0]),
        hex if hex.is_ascii() && hex.len() % 2 == 0 => {
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect()
        }
        _ => None,
    }
}
