//! Arguments, and the command they name.

mod backup;
mod ceremony;
mod init;
mod key;
mod pki;
mod policy;
mod quickstart;
mod shares;
mod token;

use std::{
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
};

use clap::{CommandFactory, Parser, Subcommand};

use crate::{Error, environment::Invocation, report::Report};

/// Makes what a Chancery appliance starts from: token, keys, certificates, configuration, first policy.
#[derive(Debug, Parser)]
#[command(name = "chancery-provision", version, after_help = EXAMPLE)]
struct Arguments {
    /// Answer in JSON, for machines.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Init),
    Quickstart(quickstart::Quickstart),
    Key(key::Key),
    Token(token::Token),
    Pki(pki::Pki),
    Policy(policy::Policy),
    Ceremony(ceremony::Ceremony),
    Backup(backup::Backup),
}

/// The command line of `chancery-provision`, for its man pages and completions.
#[must_use]
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Runs the program with these arguments, its name first, and returns its exit status.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let invocation = Invocation(arguments.into_iter().collect());
    let parsed = match Arguments::try_parse_from(&invocation.0) {
        Ok(parsed) => parsed,
        Err(error) => {
            let _ = error.print();
            return u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    let mut report = Report::new(parsed.json);
    match parsed.command.run(&invocation, &mut report) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "chancery-provision: {}", error.chain());
            ExitCode::from(error.exit_status())
        }
    }
}

impl Command {
    fn run(self, invocation: &Invocation, report: &mut Report) -> Result<(), Error> {
        match self {
            Self::Init(init) => init.run(invocation, report),
            Self::Quickstart(quickstart) => quickstart.run(invocation, report),
            Self::Key(key) => key.run(invocation, report),
            Self::Token(token) => token.run(report),
            Self::Policy(policy) => policy.run(invocation, report),
            Self::Pki(pki) => pki.run(report),
            Self::Ceremony(ceremony) => ceremony.run(invocation, report),
            Self::Backup(backup) => backup.run(invocation, report),
        }
    }
}

const EXAMPLE: &str = "Example:
  chancery-provision init --directory trial --development
  chancery-provision key generate btc-hot --algorithm secp256k1 --config trial/chancery.toml
  chancery-provision key generate btc-vault --algorithm secp256k1 --children --config trial/chancery.toml
Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 the thing verified is not valid, 78 a restart cannot mend it (configuration, refused PIN).";
