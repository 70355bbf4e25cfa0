//! Which token is meant, and who opens it.

use std::path::PathBuf;

use clap::Args;

use crate::{
    Error,
    appliance_config::{Access, ApplianceConfig},
    environment::Invocation,
    report::Report,
    token::{ADMINISTRATOR, Device},
};

#[derive(Args, Debug)]
pub(in crate::cli) struct TokenArguments {
    /// The appliance's configuration.
    #[arg(long, default_value = "/etc/chancery/chancery.toml")]
    pub(in crate::cli) config: PathBuf,
    /// Which [[token]], where there are more.
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) token: Option<String>,
    /// YubiHSM 2: object id of the administrator's authentication key. The appliance's, which the configuration names,
    /// makes no keys.
    #[arg(long, value_name = "ID", default_value_t = ADMINISTRATOR)]
    administrator: u16,
    /// YubiHSM 2: its password, in a file of mode 0600; asked for without.
    #[arg(long, value_name = "FILE")]
    administrator_password_file: Option<PathBuf>,
}

/// A token that was opened, and the configuration that names it.
pub(super) struct Opened {
    config: ApplianceConfig,
    pub(super) device: Device,
}

impl TokenArguments {
    pub(in crate::cli) fn access(&self) -> Access {
        let password_file = self.administrator_password_file.clone();
        Access { administrator: self.administrator, password_file }
    }

    pub(super) fn open(&self, invocation: &Invocation, report: &mut Report) -> Result<Opened, Error> {
        let config = ApplianceConfig::read(&self.config)?;
        let token = config.token(self.token.as_deref())?;
        invocation.ensure(&config.variables(token))?;
        let mut device = config.open(token, &self.access())?;
        if let Device::Yubihsm(ceremony) = &mut device {
            config.make_room(ceremony, report)?;
        }
        Ok(Opened { config, device })
    }
}

impl Opened {
    /// The ceremony is over.
    pub(super) fn close(mut self) -> Result<(), Error> {
        match &mut self.device {
            Device::Pkcs11(_) => Ok(()),
            Device::Yubihsm(ceremony) => self.config.leave(ceremony),
        }
    }
}
