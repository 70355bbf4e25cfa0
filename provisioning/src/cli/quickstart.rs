//! `quickstart`.

use std::path::PathBuf;

use clap::Args;

use crate::{
    Error,
    environment::Invocation,
    quickstart::{self, Options, With},
    report::Report,
};

/// Make a throwaway token, start the appliance on loopback, have a withdrawal signed, and stay up until Ctrl-C.
///
/// Run again it goes on with what is there.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  chancery-provision quickstart --directory var/quickstart --demonstration target/release/examples/withdrawal"
)]
pub(super) struct Quickstart {
    /// Where to keep everything.
    #[arg(long)]
    directory: PathBuf,
    /// Stop after the demonstration.
    #[arg(long)]
    once: bool,
    /// Show an exchange beside a node that is not ours, with the watcher as a daemon. Stays one directory's for ever.
    #[arg(long, value_name = "NODE")]
    with: Option<With>,
    /// A program that has a withdrawal signed; it is given the directory.
    #[arg(long, value_name = "PROGRAM")]
    demonstration: Option<PathBuf>,
    /// The SoftHSM module, where it is not in its usual place.
    #[arg(long, value_name = "PATH")]
    module: Option<PathBuf>,
    /// Where watchers connect, on 127.0.0.1: 8443 at first, then what chancery.toml says; 0 picks a free port.
    #[arg(long, value_name = "PORT")]
    watcher_port: Option<u16>,
    /// Where /metrics and /readyz are: 9464 at first, then what chancery.toml says; 0 picks a free port.
    #[arg(long, value_name = "PORT")]
    monitor_port: Option<u16>,
}

impl Quickstart {
    pub(super) fn run(self, invocation: &Invocation, report: &mut Report) -> Result<(), Error> {
        let options = Options {
            directory: self.directory,
            once: self.once,
            with: self.with,
            demonstration: self.demonstration,
            module: self.module,
            watcher_port: self.watcher_port,
            monitor_port: self.monitor_port,
        };
        quickstart::run(&options, invocation, report)
    }
}
