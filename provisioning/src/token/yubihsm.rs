//! A YubiHSM 2 to be set up: its passwords, and the simulated device itself where it is one.

use std::path::{Path, PathBuf};

use hsm_drivers::{
    simulator::{Options, Simulator},
    yubihsm2::{
        ceremony::{Ceremony, Role, Roles, initialize},
        connector::{Address, Connector, ConnectorError, DEADLINE},
    },
};
use rand::{Rng, rngs::OsRng};

use crate::{
    Error, files, programs,
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

/// Where the device is, and where the passwords of its authentication keys lie.
#[derive(Clone, Debug)]
pub struct YubiToken {
    /// The way to it.
    pub address: Address,
    /// The file it is in, where it is simulated.
    pub simulator: PathBuf,
    /// Object id and password file of who makes keys.
    pub administrator: (u16, PathBuf),
    /// Those of the appliance.
    pub signer: (u16, PathBuf),
}

impl YubiToken {
    /// The device at `address`, for the installation in `directory`, an absolute path.
    #[must_use]
    pub fn of(directory: &Path, address: &Address) -> Self {
        Self {
            address: address.clone(),
            simulator: directory.join(SIMULATOR),
            administrator: (ADMINISTRATOR, directory.join(ADMINISTRATOR_PASSWORD)),
            signer: (SIGNER, directory.join(SIGNER_PASSWORD)),
        }
    }

    /// Makes passwords, each unless it is there, and sets the device up, unless it is.
    pub fn make(&self, report: &mut Report) -> Result<Ceremony, Error> {
        self.refuse_lost_password()?;
        for (_, path) in [&self.administrator, &self.signer] {
            if let Some(parent) = path.parent() {
                files::create_directory(parent)?;
            }
            report.step(&programs::shown(path), || Ok((secret::create(path)?, ())))?;
        }
        report.step(&format!("YubiHSM 2 at {}, set up", self.address), || {
            let (administrator, signer) = (secret::read(&self.administrator.1)?, secret::read(&self.signer.1)?);
            let administrator = Role { id: self.administrator.0, password: &administrator };
            let signer = Role { id: self.signer.0, password: &signer };
            let (ceremony, made) =
                initialize(|| connect(&self.address, &self.simulator), &Roles::new(administrator, signer))?;
            Ok((if made { Outcome::Made } else { Outcome::Kept }, ceremony))
        })
    }

    /// A new password would not open the old device.
    fn refuse_lost_password(&self) -> Result<(), Error> {
        if self.address != Address::Simulator || !files::exists(&self.simulator)? {
            return Ok(());
        }
        for (_, path) in [&self.administrator, &self.signer] {
            if !files::exists(path)? {
                let reason = "the password of the device beside it is gone: bring the file back, or, if the device's keys \
                              are worth nothing, remove the whole directory and begin anew";
                return Err(Error::Config { path: path.clone(), reason: reason.to_owned() });
            }
        }
        Ok(())
    }
}

/// A way to the device. A simulated one is made, unless it is there.
fn connect(address: &Address, simulator: &Path) -> Result<Box<dyn Connector>, ConnectorError> {
    match address {
        Address::Simulator => Ok(Box::new(open_simulator(simulator)?)),
        Address::Http { .. } | Address::Usb { .. } => address.connect(DEADLINE),
    }
}

/// The simulated device of this file, made unless it is there, with a serial number that hardly another has.
pub(crate) fn open_simulator(file: &Path) -> Result<Simulator, ConnectorError> {
    let options = Options { serial: OsRng.gen_range(17_000_000..18_000_000), ..Options::default() };
    Simulator::open(Some(file), options).map_err(|error| ConnectorError::NotSent(error.to_string()))
}
