//! The commands of `chancery`. Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 not valid, 78 a restart cannot
//! mend it.

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

mod audit;
mod check;
mod doctor;
mod explain;
mod freeze;
mod output;
mod policy;
mod recovery;
mod serve;
mod status;
mod token;

use output::Failure;

/// HSM-backed signing appliance.
#[derive(Debug, Parser)]
#[command(name = "chancery", version, arg_required_else_help = true)]
struct Arguments {
    /// Configuration of the box.
    #[arg(long, global = true, default_value = "/etc/chancery/chancery.toml")]
    config: PathBuf,
    /// Answers in JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves watchers until SIGTERM.
    #[command(after_help = "Example: chancery serve --config var/quickstart/chancery.toml")]
    Serve,
    /// Checks the configuration: every mistake, with its line and key.
    #[command(after_help = "Example: chancery check --config chancery.toml")]
    Check,
    /// Shows how the running appliance is.
    #[command(after_help = "Example: chancery status --json")]
    Status,
    /// Looks at each token: what works, what is odd, what to configure. It may run beside the appliance.
    #[command(after_help = "Example: chancery doctor --config chancery.toml --json")]
    Doctor(doctor::Doctor),
    /// Freezes a key, a watcher or everything, at once.
    #[command(after_help = "Example: chancery freeze --watcher btc-watcher --reason 'host compromised'")]
    Freeze(freeze::What),
    /// Ends a freeze (profile development; elsewhere it takes officers).
    #[command(after_help = "Example: chancery unfreeze --all --reason 'drill over'")]
    Unfreeze(freeze::What),
    /// Tells what a watcher's request would come to now, rule by rule; it leaves no trace.
    #[command(after_help = "Example: chancery explain request.json --watcher btc-watcher --config chancery.toml")]
    Explain(explain::Explain),
    /// What may be signed.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// The audit log.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Tokens.
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Runs one token, on behalf of `serve`.
    #[command(hide = true)]
    TokenWorker,
}

/// Runs the program with these arguments, the first being its name.
#[must_use]
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let Arguments { config, json, command } = arguments;
    let result = match command {
        Command::TokenWorker => return hsm_drivers::worker::serve(),
        Command::Serve => serve::run(&config),
        Command::Check => check::run(&config, json),
        Command::Status => status::run(&config, json),
        Command::Doctor(doctor) => doctor::run(&config, &doctor, json),
        Command::Freeze(what) => freeze::run(&config, &what, freeze::Change::Freeze, json),
        Command::Unfreeze(what) => freeze::run(&config, &what, freeze::Change::Unfreeze, json),
        Command::Explain(explain) => explain::run(&config, &explain, json),
        Command::Policy(command) => policy::run(&config, command, json),
        Command::Audit(command) => audit::run(&config, command, json),
        Command::Token(command) => token::run(&config, command, json),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
