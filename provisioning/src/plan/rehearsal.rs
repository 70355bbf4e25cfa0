//! The same ceremony on tokens that are thrown away.

use std::{collections::BTreeMap, path::PathBuf};

use hsm_drivers::yubihsm2::connector::Address;

use super::{Plan, PlannedKind, PlannedPki, check};
use crate::secret::PinSource;

impl Plan {
    /// The plan on this machine alone, with throwaway tokens in the ceremony's directory: SoftHSM with this module, and
    /// the simulator.
    #[must_use]
    pub fn into_rehearsal(mut self, module: &std::path::Path) -> Self {
        for token in &mut self.tokens {
            let name = token.name.clone();
            let variable = match &mut token.kind {
                PlannedKind::Pkcs11 { module: planned, .. } => {
                    module.clone_into(planned);
                    ("SOFTHSM2_CONF", "token/softhsm2.conf".to_owned())
                }
                PlannedKind::Yubihsm { connector, attestation_ca, .. } => {
                    (*connector, *attestation_ca) = (Address::Simulator, None);
                    ("CHANCERY_SIMULATOR", format!("token/{name}.simulator"))
                }
            };
            token.environment = BTreeMap::from([(variable.0.to_owned(), variable.1)]);
        }
        (self.watcher_address, self.monitor_address) = (check::WATCHERS.into(), check::MONITOR.into());
        // Certificates that come from elsewhere on the day are made for practice.
        self.pki.get_or_insert_with(|| PlannedPki { server_names: Vec::new(), watchers: Vec::new() });
        self.profile = "development".to_owned();
        self.rehearsal = true;
        self
    }

    /// The plan with every secret that is to be typed in a file, made there: for a ceremony without a terminal.
    #[must_use]
    pub fn with_secrets_in_files(mut self) -> Self {
        for token in &mut self.tokens {
            let name = token.name.clone();
            let into_file = |source: &mut PinSource, what: &str| {
                if matches!(source, PinSource::Prompt { .. }) {
                    *source = PinSource::File { file: PathBuf::from(format!("token/{name}-{what}")) };
                }
            };
            match &mut token.kind {
                PlannedKind::Pkcs11 { so_pin, pin, .. } => {
                    into_file(so_pin, "so-pin");
                    into_file(pin, "pin");
                }
                PlannedKind::Yubihsm { roles, .. } => {
                    roles.iter_mut().for_each(|role| into_file(&mut role.password, role.role.name()));
                }
            }
        }
        self
    }

    /// Whether a secret is to be typed.
    #[must_use]
    pub fn asks_for_secrets(&self) -> bool {
        let asks = |source: &PinSource| matches!(source, PinSource::Prompt { .. });
        self.tokens.iter().any(|token| match &token.kind {
            PlannedKind::Pkcs11 { so_pin, pin, .. } => asks(so_pin) || asks(pin),
            PlannedKind::Yubihsm { roles, .. } => roles.iter().any(|role| asks(&role.password)),
        })
    }
}
