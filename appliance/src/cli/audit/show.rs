//! `chancery audit show`.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
};

use clap::Args;

use super::{
    super::{Failure, output::print_to_reader},
    state_directory, unreadable,
    view::View,
};
use crate::{
    audit::{Lines, Next},
    reading::Filter,
};

#[derive(Args, Debug)]
pub(in crate::cli) struct Show {
    /// State directory; the one of the configuration where left out.
    #[arg(long)]
    state: Option<PathBuf>,
    /// First entry.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Of those wanted, only the last so many.
    #[arg(long)]
    last: Option<usize>,
    #[command(flatten)]
    filter: Filter,
}

pub(super) fn run(config: &Path, arguments: &Show, as_json: bool) -> Result<(), Failure> {
    let directory = state_directory(config, arguments.state.as_ref())?;
    let mut lines = Lines::open(&directory).map_err(|error| unreadable(&directory, &error))?;
    let mut view = View::new(&arguments.filter, as_json);
    let mut kept = VecDeque::new();
    for index in 0.. {
        let Next::Line(bytes) = lines.next().map_err(|error| unreadable(&directory, &error))? else { break };
        let Some(shown) = view.line(bytes).filter(|_| index >= arguments.from) else { continue };
        let Some(last) = arguments.last else {
            if print_to_reader(shown).is_err() {
                return Ok(());
            }
            continue;
        };
        kept.push_back(shown);
        if kept.len() > last {
            kept.pop_front();
        }
    }
    // A reader who left has seen what he wanted.
    let _ = kept.iter().try_for_each(print_to_reader);
    Ok(())
}
