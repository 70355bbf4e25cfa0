//! How commands print and end.

use std::{
    fmt::Display,
    io::{self, Write},
    process::ExitCode,
};

use serde::Serialize;

pub(super) use crate::reading::escape;
use crate::{config::ConfigError, error_chain::chain, transport::AdminError};

/// How a command ended that did not do what was asked.
#[derive(Debug)]
pub(super) struct Failure {
    status: u8,
    message: String,
}

impl Failure {
    /// Refused or failed.
    pub(super) fn failed(message: impl Display) -> Self {
        Self { status: 1, message: message.to_string() }
    }

    /// Wrong usage.
    pub(super) fn usage(message: impl Display) -> Self {
        Self { status: 2, message: message.to_string() }
    }

    /// The thing verified is not valid.
    pub(super) fn not_valid(message: impl Display) -> Self {
        Self { status: 3, message: message.to_string() }
    }

    /// A restart cannot mend it.
    pub(super) fn fatal(message: impl Display) -> Self {
        Self { status: 78, message: message.to_string() }
    }

    /// Why.
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// Says why on stderr, and gives the exit status.
    pub(super) fn report(self) -> ExitCode {
        let _ = writeln!(io::stderr(), "chancery: {}", self.message);
        ExitCode::from(self.status)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::fatal(chain(&error))
    }
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        Self::failed(chain(&error))
    }
}

/// Prints a line for people. A reader who left (a closed pipe) is no failure of the command.
pub(super) fn print(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Prints a line of many; an error where the reader left, for the rest is then of no use.
pub(super) fn print_to_reader(line: impl Display) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

/// Prints a value for machines.
pub(super) fn print_json(value: &impl Serialize) {
    print(serde_json::to_string_pretty(value).unwrap_or_default());
}
