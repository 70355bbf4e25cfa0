//! From nothing to a signed withdrawal in one command, with a throwaway token.

mod appliance;
mod audit_log;
mod demonstration;
mod http;
mod interrupt;
mod ports;
mod with;

use std::{path::PathBuf, time::Duration};

use serde_json::json;

pub use self::with::With;
use self::{appliance::Appliance, interrupt::Interrupt};
use crate::{
    Error,
    appliance_config::ApplianceConfig,
    environment::Invocation,
    init::{self, Initialised, Plan},
    programs::{self, CHANCERY, CHANCERY_WATCHER, Programs},
    report::{Outcome, Report},
    token::TokenKind,
};

/// What a quickstart is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where everything is kept.
    pub directory: PathBuf,
    /// Stop after the demonstration.
    pub once: bool,
    /// The node beside which it shows an exchange; without one it shows a withdrawal, and nothing is sent.
    pub with: Option<With>,
    /// A program that has a withdrawal signed; it is given the directory.
    pub demonstration: Option<PathBuf>,
    /// The PKCS#11 module, where one is named.
    pub module: Option<PathBuf>,
    /// Where watchers connect; 0 for any free port, None for what the configuration says.
    pub watcher_port: Option<u16>,
    /// Where the monitor listens.
    pub monitor_port: Option<u16>,
}

/// Runs the whole way, then waits for Ctrl-C unless it is to be done once.
pub fn run(options: &Options, invocation: &Invocation, report: &mut Report) -> Result<(), Error> {
    let made = prepare(options, invocation, report)?;
    let config = ApplianceConfig::read(&made.configuration)?;
    let programs = Programs::new(invocation, &made.directory);
    let interrupt = Interrupt::watch()?;

    begin_log(&made, &config, &programs, report)?;
    let log_key = audit_log::log_key(&config)?;
    let mut appliance = start(&made, &config, &programs, &interrupt, report)?;
    // One that shows an exchange stays until Ctrl-C, unless all is to be done once.
    let stays = options.with.is_some() && options.demonstration.is_some() && !options.once;
    if let Some(program) = &options.demonstration {
        let command = demonstration::command(program, options, &made, &programs, stays, report.is_json())?;
        demonstration::run(command, &mut appliance, &interrupt, report)?;
    }
    report.step("the audit log verifies", || {
        programs.output(CHANCERY, &["audit", "verify", "--config", CONFIGURATION, "--json"])?;
        Ok((Outcome::Done, ()))
    })?;
    // After its end, Ctrl-C is what a demonstration that stays was waiting for.
    if !stays {
        interrupt.check()?;
    }

    let answer = json!({
        "directory": made.directory,
        "watcher_url": format!("https://{}", config.watcher_address()),
        "monitor_url": format!("http://{}", config.monitor_address()?),
        "log_key": log_key,
        "steps": report.steps,
        "notes": report.notes,
    });
    report.finish(&what_next(&made, &config, &programs, options.once || stays)?, &answer);
    if !options.once && !stays {
        appliance.wait_for(&interrupt)?;
    }
    appliance.stop()?;
    report.say("the appliance has stopped");
    Ok(())
}

fn prepare(options: &Options, invocation: &Invocation, report: &mut Report) -> Result<Initialised, Error> {
    // Ports first: a taken one is found before anything is made.
    let ports = ports::choose(options)?;
    let plan = Plan {
        directory: options.directory.clone(),
        origin: "quickstart.example/signer".to_owned(),
        token: TokenKind::SoftHsm,
        module: options.module.clone(),
        watcher_port: ports.watcher,
        monitor_port: ports.monitor,
        console: true,
        keys: with::keys(options.with)?,
        policy: with::policy(options.with),
    };
    let made = init::initialise(&plan, invocation, report)?;
    ports.write(&made.directory)?;
    Ok(made)
}

/// The first policy begins the log; a log that is there stays.
fn begin_log(
    made: &Initialised,
    config: &ApplianceConfig,
    programs: &Programs,
    report: &mut Report,
) -> Result<(), Error> {
    report.step("policy installed, audit log begun", || {
        if audit_log::exists(config)? {
            return Ok((Outcome::Kept, ()));
        }
        let arguments = ["policy", "install", "policy.toml", "--genesis", "--config", CONFIGURATION, "--json"];
        programs.output(CHANCERY, &arguments)?;
        Ok((Outcome::Made, ()))
    })?;
    report.step("watcher.toml knows the log's key", || Ok((audit_log::tell_watcher(&made.directory, config)?, ())))
}

fn start(
    made: &Initialised,
    config: &ApplianceConfig,
    programs: &Programs,
    interrupt: &Interrupt,
    report: &mut Report,
) -> Result<Appliance, Error> {
    let address = config.monitor_address()?;
    report.step(&format!("the appliance is ready at {}", config.watcher_address()), || {
        let command = programs.command(CHANCERY, &["serve", "--config", CONFIGURATION])?;
        let mut appliance = Appliance::start(command, made.directory.join("appliance.log"))?;
        appliance.wait_until_ready(address, READY_WITHIN, interrupt)?;
        Ok((Outcome::Done, appliance))
    })
}

fn what_next(made: &Initialised, config: &ApplianceConfig, programs: &Programs, once: bool) -> Result<String, Error> {
    let chancery = programs::shown(&programs.find(CHANCERY)?);
    let watcher = programs::shown(&programs.find(CHANCERY_WATCHER)?);
    let file = |name| programs::shown(&made.directory.join(name));
    let (box_file, watcher_file) = (file(CONFIGURATION), file("watcher.toml"));
    let receipt = file("try-1.receipt.json");
    let verify = format!("  {chancery} audit verify --config {box_file}");
    if once {
        return Ok(format!("\nall done; the audit log stays and can be verified again:\n{verify}"));
    }
    // A directory of an earlier version has no console.
    let address = config.monitor_address()?;
    let console = if config.has_console() { format!("Look at it: http://{address}/\n") } else { String::new() };
    Ok(format!(
        "\nThe appliance listens at https://{}; its log is {}.\n{console}Try in another terminal:\n\
         \x20 {watcher} keys --config {watcher_file}\n\
         \x20 {watcher} sign try-1 --config {watcher_file} --key btc-hot --digest {EXAMPLE_DIGEST} --asset BTC \
         --fee 0.00001 --output {EXAMPLE_ADDRESS}=0.1 --receipt {receipt}\n\
         \x20 {watcher} verify {receipt} --config {watcher_file}\n\
         \x20 {chancery} status --config {box_file}\n{verify}\n\
         Ctrl-C stops it; `make clean-quickstart` throws everything away.",
        config.watcher_address(),
        file("appliance.log"),
    ))
}

const CONFIGURATION: &str = "chancery.toml";
const READY_WITHIN: Duration = Duration::from_secs(30);
const EXAMPLE_DIGEST: &str = "5f78c33274e43fa9de5659265c1d917e25c03722dcb0b8d27db8d5feaa813953";
const EXAMPLE_ADDRESS: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
