//! `chancery audit export`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;

use super::{
    super::{
        Failure,
        output::{print, print_json},
    },
    bar, log_bytes, state_directory,
};
use crate::audit::{self, ExportError};

#[derive(Args, Debug)]
pub(in crate::cli) struct Export {
    /// State directory; the one of the configuration where left out.
    #[arg(long)]
    state: Option<PathBuf>,
    /// Where to: a new or empty directory, or an earlier export of this log.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// A checkpoint from before: only what is not complete in it is written, to be copied over an export that reaches it.
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
}

pub(super) fn run(config: &Path, arguments: &Export, as_json: bool) -> Result<(), Failure> {
    let state = state_directory(config, arguments.state.as_ref())?;
    let since = arguments.since.as_ref().map(fs::read_to_string).transpose();
    let since = since.map_err(|error| Failure::failed(format!("--since: {error}")))?;
    let bar = bar(log_bytes(&state));
    let progress = |position| bar.set_position(position);
    let request = audit::Export { state: &state, out: &arguments.out, since: since.as_deref(), progress: &progress };
    let exported = audit::export(&request);
    bar.finish_and_clear();
    let exported = exported.map_err(|error| match &error {
        ExportError::NotValid(_) => Failure::not_valid(error),
        ExportError::Failed(_) => Failure::failed(error),
    })?;
    if as_json {
        print_json(&exported);
        return Ok(());
    }
    let out = arguments.out.display();
    print(format!(
        "{out}: {} entries, {} of them new, {} files written",
        exported.entries, exported.new_entries, exported.files
    ));
    if exported.long_bundles > 0 {
        let bundles = exported.long_bundles;
        print(format!("{bundles} of the bundles are in tile/long-entries: each has an entry of over 65,535 bytes"));
    }
    print(format!("root {}\norigin {}", exported.root, exported.origin));
    Ok(())
}
