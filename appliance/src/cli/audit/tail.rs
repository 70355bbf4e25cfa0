//! `chancery audit tail`.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;

use super::{
    super::{
        Failure,
        output::print_to_reader,
        serve::{runtime, signals},
    },
    state_directory, unreadable,
    view::View,
};
use crate::{
    audit::{Lines, Next},
    reading::Filter,
};

#[derive(Args, Debug)]
pub(in crate::cli) struct Tail {
    /// State directory; the one of the configuration where left out.
    #[arg(long)]
    state: Option<PathBuf>,
    /// Of those wanted, so many of the last.
    #[arg(long, default_value_t = 10)]
    last: usize,
    /// Goes on with new entries as they come, until Ctrl-C.
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    filter: Filter,
}

/// The file is looked at so often: another process writes it, a batch at a time.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(super) fn run(config: &Path, arguments: &Tail, as_json: bool) -> Result<(), Failure> {
    let directory = state_directory(config, arguments.state.as_ref())?;
    let failed = |error| unreadable(&directory, &error);
    // With a filter nobody knows how far back the last ones lie.
    let lines = if arguments.filter.is_empty() {
        Lines::open_last(&directory, arguments.last)
    } else {
        Lines::open(&directory)
    };
    let mut lines = lines.map_err(failed)?;
    let mut view = View::new(&arguments.filter, as_json);
    let mut kept = VecDeque::new();
    while let Next::Line(bytes) = lines.next().map_err(failed)? {
        kept.extend(view.line(bytes));
        if kept.len() > arguments.last {
            kept.pop_front();
        }
    }
    // A reader who left has seen what he wanted.
    if kept.iter().try_for_each(print_to_reader).is_err() || !arguments.follow {
        return Ok(());
    }
    runtime()?.block_on(follow(&directory, &mut lines, &mut view))
}

async fn follow(directory: &Path, lines: &mut Lines, view: &mut View<'_>) -> Result<(), Failure> {
    let (mut terminate, mut interrupt, mut hangup) = signals()?;
    let failed = |error| unreadable(directory, &error);
    loop {
        lines.go_back().map_err(failed)?;
        while let Next::Line(bytes) = lines.next().map_err(failed)? {
            if view.line(bytes).is_some_and(|shown| print_to_reader(shown).is_err()) {
                return Ok(());
            }
        }
        if !lines.is_current(directory).map_err(failed)? {
            let said = "log.jsonl was replaced or cut while it was followed: see with `chancery audit verify --since` \
                        that nothing is missing";
            return Err(Failure::failed(format!("{}: {said}", directory.display())));
        }
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hangup.recv() => return Ok(()),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}
