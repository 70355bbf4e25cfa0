//! `chancery audit archive`.

use std::path::Path;

use clap::Args;

use super::{
    super::{
        Failure,
        output::{print, print_json},
    },
    bar,
};
use crate::{
    audit::{self, ArchiveError, Archived},
    config::Config,
};

#[derive(Args, Debug)]
pub(in crate::cli) struct Archive {
    /// So many of the newest entries stay in the store, at least.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(audit::KEPT_AT_LEAST..))]
    keep: u64,
}

pub(super) fn run(config: &Path, arguments: &Archive, as_json: bool) -> Result<(), Failure> {
    let config = Config::load(config)?;
    let archive = config.archive_directory.as_deref();
    let archive = archive.ok_or_else(|| Failure::failed("the configuration names no state.archive_directory"))?;
    let bar = bar(0);
    let progress = |done, of| {
        bar.set_length(of);
        bar.set_position(done);
    };
    let archived = audit::archive(&config.state_directory, archive, arguments.keep, &progress);
    bar.finish_and_clear();
    let archived = archived.map_err(|error| match &error {
        ArchiveError::NotValid(_) => Failure::not_valid(error),
        ArchiveError::Failed(_) => Failure::failed(error),
    })?;
    if as_json {
        print_json(&archived);
    } else {
        show(&archived, archive, arguments.keep);
    }
    Ok(())
}

fn show(archived: &Archived, archive: &Path, keep: u64) {
    let Archived { entries, exported_entries, archived_entries, newly_archived_entries, .. } = archived;
    print(format!("{}: {exported_entries} of {entries} entries, read back", archive.display()));
    if *newly_archived_entries == 0 {
        print(format!("nothing more left the store: the newest {keep} entries stay, and what its last snapshot lacks"));
        return;
    }
    print(format!("{archived_entries} entries are no longer in the store, {newly_archived_entries} of them since now"));
    print(format!("the store has {} MiB, it had {}", archived.store_bytes >> 20, archived.store_bytes_before >> 20));
    if let Some(left) = &archived.left_behind {
        print(format!("what was there could not be removed: remove {}", left.display()));
    }
}
