//! The program `chancery-watcher`, callable from tests and multi-call binaries.

use std::{
    ffi::OsString,
    io::{self, IsTerminal, Write},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use clap::{CommandFactory, Parser};

use crate::{Client, Config, Options};
use arguments::{
    Arguments, Command, Witness, WitnessCommand,
    daemon::{ChainCommand, DaemonCommand, WithdrawalCommand},
};
use daemon::Daemon;
use failure::Failure;

mod addresses;
mod arguments;
mod chains;
mod daemon;
mod deposits;
mod events;
mod explain;
mod failure;
mod limits;
mod read;
mod run;
mod sign;
mod sign_transaction;
mod status;
mod table;
mod verify;
mod withdrawal;
mod witness;

/// How long the daemon asks the signer at a time.
const ROUND: Duration = Duration::from_secs(3);

/// What a command has to say: text for people, JSON for machines.
struct Shown {
    text: String,
    /// For people, beside a text that is for machines: goes to standard error.
    told: String,
    json: serde_json::Value,
    /// A failure that comes after something worth showing.
    failure: Option<Failure>,
}

impl Shown {
    fn new(text: String, json: &impl serde::Serialize) -> Result<Self, Failure> {
        let json = serde_json::to_value(json).map_err(|error| Failure::Failed(error.to_string()))?;
        Ok(Self { text, told: String::new(), json, failure: None })
    }
}

/// The command line of `chancery-watcher`, for its man pages and completions.
#[must_use]
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Runs one command; the first argument is the program's name.
///
/// Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 what was verified is not valid, 78 a config or a memory
/// that a restart cannot mend.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(usage) => {
            // Nowhere is left to report a closed terminal to.
            let _ = usage.print();
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2));
        }
    };
    let json = arguments.json;
    let result = execute(arguments).and_then(|shown| {
        let text = if json { format!("{:#}", shown.json) } else { shown.text };
        if !json {
            // Nowhere is left to report a closed terminal to.
            let _ = write!(io::stderr(), "{}", shown.told);
        }
        if !text.is_empty() {
            let written = writeln!(io::stdout(), "{}", text.trim_end());
            written.map_err(|error| Failure::Failed(format!("writing: {error}")))?;
        }
        shown.failure.map_or(Ok(()), Err)
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "{}", if json { failure.json() } else { failure.text() });
            ExitCode::from(failure.exit_status())
        }
    }
}

fn execute(arguments: Arguments) -> Result<Shown, Failure> {
    if let Command::Verify(verify) = &arguments.command {
        return verify::run(verify, &arguments.config);
    }
    if let Command::Witness(Witness { command: Some(WitnessCommand::Key { name, out }), .. }) = &arguments.command {
        return witness::make_key(name, out);
    }
    let json = arguments.json;
    let mut runtime = if matches!(arguments.command, Command::Run) {
        tokio::runtime::Builder::new_multi_thread()
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    let runtime = runtime.enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Failed(format!("starting the runtime: {error}")))?;
    let config = Config::load(&arguments.config).map_err(crate::Error::from)?;
    let on_terminal = io::stderr().is_terminal() && !matches!(arguments.command, Command::Run);
    let mut options = Options {
        on_retry: on_terminal.then_some(tell_retry),
        on_page: on_terminal.then_some(tell_page),
        ..Options::default()
    };
    if let Command::Sign(sign) = &arguments.command {
        options.deadline = sign.deadline();
    }
    if matches!(arguments.command, Command::Run) {
        // The round comes again: no withdrawal waits for another one's answer.
        options.deadline = ROUND;
    }
    let client = Client::with_options(&config, options)?;
    let bars = io::stdout().is_terminal();
    let shown = runtime.block_on(async {
        match &arguments.command {
            Command::Sign(sign) if sign_transaction::is_asked(sign) => sign_transaction::run(sign, &client).await,
            Command::Sign(sign) => sign::run(sign, &client).await,
            Command::Status { id: Some(id) } => status::of_request(&client, id).await,
            Command::Status { id: None } => status::of_all(&config, &arguments.config, &client, bars).await,
            Command::Withdraw { id } => status::withdraw(&client, id).await,
            Command::Events(asked) if asked.follow => events::follow(&client, asked.after, json).await,
            Command::Events(asked) => events::list(&client, asked.after).await,
            Command::Keys => read::keys(&client).await,
            Command::Addresses(addresses) => addresses::run(addresses, &client, on_terminal).await,
            Command::Limits => read::limits(&client, bars).await,
            Command::Freeze { reason } => read::freeze(&client, reason).await,
            Command::Verify(verify) => verify::run(verify, &arguments.config),
            Command::Witness(witness) => witness::run(witness, &config, client, json).await,
            Command::Run => run::run(&config, client).await,
            Command::Daemon(command) => {
                let asker = Asker { config: &config, file: &arguments.config, json };
                ask_daemon(command, &asker, &client).await
            }
        }
    });
    if on_terminal {
        // The line that says how far it is.
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    shown
}

/// What the commands that ask the daemon go by.
struct Asker<'a> {
    config: &'a Config,
    file: &'a Path,
    json: bool,
}

async fn ask_daemon(command: &DaemonCommand, asker: &Asker<'_>, client: &Client) -> Result<Shown, Failure> {
    let daemon = || Daemon::new(asker.config, asker.file);
    match command {
        DaemonCommand::Withdrawal(asked) => match &asked.command {
            WithdrawalCommand::Sign { file, out } => withdrawal::sign(client, file, out).await,
            WithdrawalCommand::Daemon(command) => withdrawal::run(command, &daemon()?, asker.json).await,
        },
        DaemonCommand::Deposits(asked) if asked.follow => deposits::follow(asked, &daemon()?, asker.json).await,
        DaemonCommand::Deposits(asked) => deposits::list(asked, &daemon()?).await,
        DaemonCommand::Address { name, chain } => deposits::address(&daemon()?, name, chain).await,
        DaemonCommand::Chains => chains::list(&daemon()?).await,
        DaemonCommand::Chain { command: ChainCommand::Resume { name } } => chains::resume(&daemon()?, name).await,
    }
}

fn tell_retry(what: &str, pause: Duration) {
    let _ = writeln!(io::stderr(), "{what}\n  asking again in {:.1} s", pause.as_secs_f64());
}

fn tell_page(key: &str, children: usize) {
    let _ = write!(io::stderr(), "\r{key}: {children} children searched\x1b[K");
}

#[cfg(test)]
pub(crate) mod tests;
