//! Arguments, and the command they name.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::{Error, completions, configuration, man};

/// Writes the reference of the three programs from the programs themselves.
#[derive(Debug, Parser)]
#[command(name = "reference", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Writes the man pages, one a subcommand, into a folder.
    #[command(after_help = "Example: reference man target/man")]
    Man {
        /// Folder, made where it is missing.
        directory: PathBuf,
    },
    /// Writes the completions for bash, zsh and fish into a folder, each shell's in one of its own.
    #[command(after_help = "Example: reference completions target/completions")]
    Completions {
        /// Folder, made where it is missing.
        directory: PathBuf,
    },
    /// Writes the tables of every file's keys into their page, between the comments that mark them.
    #[command(after_help = "Example: reference configuration")]
    Configuration {
        /// The page.
        #[arg(default_value = "docs/configuration.md")]
        page: PathBuf,
    },
}

/// Runs the program; exit status 0 done, 1 failed, 2 wrong usage.
#[must_use]
pub fn run() -> ExitCode {
    match Arguments::parse().command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nowhere is left to report a closed terminal to.
            let _ = writeln!(io::stderr(), "reference: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Command {
    fn run(self) -> Result<(), Error> {
        match self {
            Self::Man { directory } => man::write(&directory),
            Self::Completions { directory } => completions::write(&directory),
            Self::Configuration { page } => configuration::write(&page),
        }
    }
}
