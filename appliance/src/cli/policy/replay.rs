//! `chancery policy replay`.

use std::{fs, path::Path};

use super::{
    super::{
        Failure,
        output::{escape, print, print_json},
    },
    read,
};
use crate::{
    audit::{Replay, replay},
    config::Config,
    policy::Policy,
};

pub(super) fn run(config: &Path, file: &Path, as_json: bool) -> Result<(), Failure> {
    let policy = Policy::parse(&read(file)?);
    let policy = policy.map_err(|mistakes| Failure::failed(format!("policy {}:\n{mistakes}", file.display())))?;
    let directory = Config::load(config)?.state_directory;
    let bytes = fs::metadata(directory.join("log.jsonl")).map_or(0, |file| file.len());
    // Hidden by itself where stderr is no terminal.
    let bar = indicatif::ProgressBar::new(bytes);
    let replayed = replay(&directory, policy, &|position| bar.set_position(position));
    bar.finish_and_clear();
    let replayed = replayed.map_err(|finding| {
        Failure::failed(format!("the log in {} cannot be replayed: {finding}", directory.display()))
    })?;
    if as_json {
        print_json(&replayed);
    } else {
        print(text(&replayed));
    }
    Ok(())
}

fn text(replay: &Replay) -> String {
    let mut lines: Vec<String> = replay
        .flips
        .iter()
        .map(|flip| {
            format!(
                "entry {:>8}  {}  {}  {}\n    was       {}\n    would be  {}",
                flip.index,
                flip.time,
                flip.watcher,
                flip.request_id,
                escape(&flip.was),
                escape(&flip.would_be)
            )
        })
        .collect();
    lines.push(format!("{} decisions taken again, {} would be others", replay.decisions, replay.flips.len()));
    if replay.unknown > 0 {
        lines.push(format!(
            "{} refusals are not among them: the log does not say what they would have paid",
            replay.unknown
        ));
    }
    lines.join("\n")
}
