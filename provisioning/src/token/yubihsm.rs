//! The YubiHSM 2 of a directory: its passwords, and the simulated device itself where it is one.

use std::path::{Path, PathBuf};

use hsm_drivers::{
    simulator::{Options, Simulator},
    yubihsm2::{
        ceremony::{Ceremony, Role, initialize},
        connector::{Address, Connector, ConnectorError, DEADLINE},
    },
};
use rand::{Rng, rngs::OsRng};

use crate::{
    Error, files,
    report::{Outcome, Report},
    secret,
};

/// Object id of the authentication key with which keys are made.
pub const ADMINISTRATOR: u16 = 3;

/// Object id of the authentication key of the appliance.
pub const SIGNER: u16 = 2;

/// The administrator's password, in the directory of an installation. Of no use to the appliance, and best kept elsewhere.
pub const ADMINISTRATOR_PASSWORD: &str = "token/administrator-password";

const SIGNER_PASSWORD: &str = "token/password";
const SIMULATOR: &str = "token/simulator";

/// Where passwords lie, and where the device is.
#[derive(Clone, Debug)]
pub struct YubiToken {
    directory: PathBuf,
    address: Address,
}

impl YubiToken {
    /// The device at `address`, for the installation in `directory`, an absolute path.
    #[must_use]
    pub fn of(directory: &Path, address: &Address) -> Self {
        Self { directory: directory.to_owned(), address: address.clone() }
    }

    /// Makes passwords, each unless it is there, and sets the device up, unless it is.
    pub fn make(&self, report: &mut Report) -> Result<Ceremony, Error> {
        files::create_directory(&self.directory.join("token"))?;
        self.refuse_lost_password()?;
        for name in [ADMINISTRATOR_PASSWORD, SIGNER_PASSWORD] {
            report.step(name, || Ok((secret::create(&self.directory.join(name))?, ())))?;
        }
        report.step(&format!("YubiHSM 2 at {}, set up", self.address), || {
            let administrator = secret::read(&self.directory.join(ADMINISTRATOR_PASSWORD))?;
            let signer = secret::read(&self.directory.join(SIGNER_PASSWORD))?;
            let administrator = Role { id: ADMINISTRATOR, password: &administrator };
            let signer = Role { id: SIGNER, password: &signer };
            let (ceremony, made) = initialize(|| self.connect(), administrator, signer)?;
            Ok((if made { Outcome::Made } else { Outcome::Kept }, ceremony))
        })
    }

    /// A simulated device is made, unless it is there; two of them never have one serial number but by chance.
    fn connect(&self) -> Result<Box<dyn Connector>, ConnectorError> {
        if self.address != Address::Simulator {
            return self.address.connect(DEADLINE);
        }
        let options = Options { serial: OsRng.gen_range(17_000_000..18_000_000), ..Options::default() };
        match Simulator::open(Some(&self.directory.join(SIMULATOR)), options) {
            Ok(simulator) => Ok(Box::new(simulator)),
            Err(error) => Err(ConnectorError::NotSent(error.to_string())),
        }
    }

    /// A new password would not open the old device.
    fn refuse_lost_password(&self) -> Result<(), Error> {
        if self.address != Address::Simulator || !files::exists(&self.directory.join(SIMULATOR))? {
            return Ok(());
        }
        for name in [ADMINISTRATOR_PASSWORD, SIGNER_PASSWORD] {
            let path = self.directory.join(name);
            if !files::exists(&path)? {
                let reason = "the password of the device beside it is gone: bring the file back, or, if the device's keys \
                              are worth nothing, remove the whole directory and begin anew";
                return Err(Error::Config { path, reason: reason.to_owned() });
            }
        }
        Ok(())
    }
}
