//! The commands of `chancery`. Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 not valid, 78 a restart cannot
//! mend it.

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand};

mod acts;
mod audit;
mod check;
mod doctor;
mod explain;
mod freeze;
mod output;
mod pending;
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
    /// Ends a freeze: it takes officers, where the policy has any.
    #[command(after_help = "Example: chancery unfreeze --all --reason 'drill over' --text >act.txt\n  \
        ssh-keygen -Y sign -n chancery-unfreeze -f ~/.ssh/id_ed25519_sk act.txt\n  \
        chancery unfreeze --all --reason 'drill over' --signature act.txt.sig")]
    Unfreeze(freeze::Unfreeze),
    /// Lists what waits for officers.
    #[command(after_help = "Example: chancery pending --json")]
    Pending,
    /// Approves a request that waits: prints the text, or takes officers' signatures.
    #[command(after_help = "Example: chancery approve 1234 --text >act.txt\n  \
        ssh-keygen -Y sign -n chancery-approve -f ~/.ssh/id_ed25519_sk act.txt\n  \
        chancery approve 1234 --signature act.txt.sig")]
    Approve(pending::Decide),
    /// Ends a request that waits. One officer is enough.
    #[command(after_help = "Example: chancery reject 1234 --text")]
    Reject(pending::Decide),
    /// Has officers accept the wall clock after a step.
    #[command(after_help = "Example: chancery clock --time 2026-11-21T16:00:00Z --text")]
    Clock(pending::Clock),
    /// Frees what a lapsed withdrawal holds.
    #[command(after_help = "Example: chancery release btc-watcher wd-1042 --text")]
    Release(pending::Release),
    /// Keys on their way out.
    #[command(subcommand)]
    Key(pending::KeyCommand),
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

/// The command line of `chancery`, for its man pages and completions.
#[must_use]
pub fn command() -> clap::Command {
    Arguments::command()
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
        Command::Freeze(what) => freeze::run(&config, &what, json),
        Command::Unfreeze(unfreeze) => freeze::unfreeze(&config, &unfreeze, json),
        Command::Pending => pending::list(&config, json),
        Command::Approve(decide) => pending::approve(&config, &decide, json),
        Command::Reject(decide) => pending::reject(&config, &decide, json),
        Command::Clock(clock) => pending::clock(&config, &clock, json),
        Command::Release(release) => pending::release(&config, &release, json),
        Command::Key(command) => pending::key(&config, command, json),
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
