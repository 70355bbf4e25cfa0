//! What is said while the work goes on: each step and how long it took, or one JSON object at the end.

use std::{
    io::{self, Write},
    time::Instant,
};

use serde::Serialize;

use crate::Error;

/// How a step ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was not there and is now.
    Made,
    /// It was there and stays as it is.
    Kept,
    /// It leaves nothing behind, or changes what was there.
    Done,
}

/// One step of a command.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// What was to be made or done.
    pub what: String,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    pub milliseconds: u128,
}

/// Where a command says what it does.
#[derive(Debug)]
pub struct Report {
    json: bool,
    /// The steps so far.
    pub steps: Vec<Step>,
    /// What a person should know that stopped nothing.
    pub notes: Vec<String>,
}

impl Report {
    /// With `json` only [`finish`](Self::finish) prints.
    #[must_use]
    pub fn new(json: bool) -> Self {
        Self { json, steps: Vec::new(), notes: Vec::new() }
    }

    /// Whether the answer goes to a machine.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Does one step and says it.
    pub fn step<T>(&mut self, what: &str, act: impl FnOnce() -> Result<(Outcome, T), Error>) -> Result<T, Error> {
        let start = Instant::now();
        let (outcome, value) = act()?;
        let elapsed = start.elapsed();
        let word = match outcome {
            Outcome::Made => "made",
            Outcome::Kept => "kept",
            Outcome::Done => "done",
        };
        self.say(&format!("  {word}  {what:<56} {:>6.2} s", elapsed.as_secs_f64()));
        self.steps.push(Step { what: what.to_owned(), outcome, milliseconds: elapsed.as_millis() });
        Ok(value)
    }

    /// Says what a person should know.
    pub fn note(&mut self, text: String) {
        self.say(&format!("  note  {text}"));
        self.notes.push(text);
    }

    /// A line for people.
    pub fn say(&self, line: &str) {
        if !self.json {
            print(line);
        }
    }

    /// The answer: `text` for people, `value` for machines.
    pub fn finish(&self, text: &str, value: &serde_json::Value) {
        if self.json {
            print(&value.to_string());
        } else {
            print(text);
        }
    }
}

/// A closed pipe is the reader's wish, not our failure.
fn print(line: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
