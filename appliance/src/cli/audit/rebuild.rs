//! `chancery audit rebuild`.

use std::path::Path;

use clap::{Args, ValueEnum};

use super::{
    super::{
        Failure,
        output::{print, print_json},
    },
    bar, log_bytes,
};
use crate::{
    audit::{self, RebuildError, RebuildFrom},
    config::Config,
};

#[derive(Args, Debug)]
pub(in crate::cli) struct Rebuild {
    /// The copy that is whole: `log` remakes the store, `store` the log, `mirror` both.
    #[arg(long, value_enum)]
    from: From,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum From {
    Log,
    Store,
    Mirror,
}

pub(super) fn run(config: &Path, arguments: &Rebuild, as_json: bool) -> Result<(), Failure> {
    let config = Config::load(config)?;
    let directory = &config.state_directory;
    let (from, bytes) = match arguments.from {
        From::Log => (RebuildFrom::Log, log_bytes(directory)),
        From::Store => (RebuildFrom::Store, log_bytes(directory)),
        From::Mirror => {
            let mirror = config.mirror_directory.as_deref();
            let mirror = mirror.ok_or_else(|| Failure::failed("the configuration names no state.mirror_directory"))?;
            (RebuildFrom::Mirror(mirror), log_bytes(mirror))
        }
    };
    let bar = bar(bytes);
    let rebuilt = audit::rebuild(directory, from, &|position| bar.set_position(position));
    bar.finish_and_clear();
    let rebuilt = rebuilt.map_err(|error| match &error {
        RebuildError::NotValid(_) => Failure::not_valid(error),
        RebuildError::Failed(_) => Failure::failed(error),
    })?;
    if as_json {
        print_json(&rebuilt);
        return Ok(());
    }
    print(format!("rebuilt: {} entries in {}", rebuilt.entries, directory.display()));
    if rebuilt.kept_entries > 0 {
        print(format!("{} of them are from the end of the old log.jsonl", rebuilt.kept_entries));
    }
    for kept in &rebuilt.replaced {
        print(format!("what was there is kept as {}", kept.display()));
    }
    Ok(())
}
