//! `token setup`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::{Error, appliance_config::ApplianceConfig, files, report::Report, token::ADMINISTRATOR};

/// Make a token ready for keys.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  chancery-provision token setup --token second --administrator-password-file admin-2 --config \
                  trial/chancery.toml"
)]
pub(super) struct Token {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Set up a YubiHSM 2 as it left the factory: an authentication key for the administrator and one for the appliance,
    /// each with the least rights and a password made here; forced audit, until it is reset; and last, no factory's key any
    /// more. After an interruption the same command goes on; a device that is set up stays as it is.
    #[command(
        after_help = "Example:\n  chancery-provision token setup --token second --administrator-password-file admin-2 \
                      --config trial/chancery.toml"
    )]
    Setup {
        /// The appliance's configuration. It names the appliance's authentication key, and the file for its password.
        #[arg(long, default_value = "/etc/chancery/chancery.toml")]
        config: PathBuf,
        /// Which [[token]], where there are more.
        #[arg(long, value_name = "NAME")]
        token: Option<String>,
        /// Object id of the administrator's authentication key.
        #[arg(long, value_name = "ID", default_value_t = ADMINISTRATOR)]
        administrator: u16,
        /// Where its password is to be; made unless it is there. Keep it away from the appliance.
        #[arg(long, value_name = "FILE")]
        administrator_password_file: PathBuf,
    },
}

impl Token {
    pub(super) fn run(self, report: &mut Report) -> Result<(), Error> {
        let Command::Setup { config, token, administrator, administrator_password_file } = self.command;
        let config = ApplianceConfig::read(&config)?;
        let token = config.token(token.as_deref())?;
        let password = std::path::absolute(&administrator_password_file).map_err(|source| Error::File {
            attempted: "find",
            path: administrator_password_file,
            source,
        })?;
        let device = config.to_set_up(token, (administrator, password))?;
        if let Some(directory) = device.simulator.parent() {
            files::create_directory(directory)?;
        }
        let ceremony = device.make(report)?;
        let serial = ceremony.serial();
        let text = format!("token \"{}\" is set up: the YubiHSM 2 with serial number {serial}", token.name);
        report.finish(&text, &json!({ "token": token.name, "serial": serial, "steps": report.steps }));
        Ok(())
    }
}
