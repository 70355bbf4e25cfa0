//! The ceremony of a YubiHSM 2 on our simulator: setting a device up, making its keys, replicating them.

mod anchor;
mod backup;
mod facts;
mod keys;
mod replicate;
mod roles;
mod setup;

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hsm_drivers::{
    Error, Pin,
    simulator::{Options, Simulator},
    yubihsm2::{
        Yubihsm2Device,
        ceremony::{Ceremony, Role, Roles, initialize},
        connector::{Connector, ConnectorError},
        protocol::{ListFilter, ObjectInfo, ObjectType, channel::StaticKeys},
        session::{Credentials, Session},
    },
};
use libtest_mimic::Trial;
use tempfile::TempDir;

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    let cases = [setup::trials(), keys::trials(), anchor::trials(), replicate::trials(), backup::trials()];
    cases.into_iter().flatten().chain(facts::trials()).chain(roles::trials())
}

const ADMINISTRATOR: u16 = 3;
const SIGNER: u16 = 2;

/// The password of a role is its name.
fn pin(text: &str) -> Pin {
    Pin::new(text.to_owned())
}

/// A simulator that several connectors lead to, one after the other or at once.
#[derive(Clone)]
struct Plugged(Arc<Mutex<Line>>);

struct Line {
    simulator: Simulator,
    /// Messages that still pass; the answer to the last of them is lost, and no other passes.
    passing: usize,
    /// Where its file is, if that is to go with it.
    directory: Option<TempDir>,
}

impl Plugged {
    /// From the factory.
    fn fresh(serial: u32) -> Self {
        Self::of(Simulator::open(None, Options { serial, ..Options::default() }).unwrap())
    }

    /// Set up.
    fn ready(serial: u32) -> Self {
        let device = Self::fresh(serial);
        device.initialize().unwrap();
        device
    }

    /// Set up, and kept in a file.
    fn kept(file: &Path, serial: u32) -> Self {
        let options = Options { serial, ..Options::default() };
        let device = Self::of(Simulator::open(Some(file), options).unwrap());
        device.initialize().unwrap();
        device
    }

    /// As the one in the file is now, and forgotten with the value.
    fn copy_of(file: &Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let copy = directory.path().join("copy");
        fs::copy(file, &copy).unwrap();
        let device = Self::of(Simulator::open(Some(&copy), Options::default()).unwrap());
        device.line().directory = Some(directory);
        device
    }

    fn of(simulator: Simulator) -> Self {
        let (passing, directory) = (usize::MAX, None);
        Self(Arc::new(Mutex::new(Line { simulator, passing, directory })))
    }

    fn initialize(&self) -> Result<(Ceremony, bool), Error> {
        let (administrator, signer) = (pin("administrator"), pin("signer"));
        let administrator = Role { id: ADMINISTRATOR, password: &administrator };
        let roles = Roles::new(administrator, Role { id: SIGNER, password: &signer });
        initialize(|| Ok(self.connector()), &roles)
    }

    fn ceremony(&self) -> Ceremony {
        Ceremony::open(self.connector(), ADMINISTRATOR, &pin("administrator")).unwrap()
    }

    fn device(&self) -> Yubihsm2Device {
        Yubihsm2Device::open(self.connector(), SIGNER, &pin("signer")).unwrap()
    }

    fn connector(&self) -> Box<dyn Connector> {
        Box::new(self.clone())
    }

    /// A session for what no ceremony does.
    fn session(&self, id: u16, password: &str) -> Session {
        let credentials = Credentials { id, keys: StaticKeys::from_password(password.as_bytes()) };
        Session::open(self.connector(), &credentials).unwrap()
    }

    fn administrator(&self) -> Session {
        self.session(ADMINISTRATOR, "administrator")
    }

    /// All objects the administrator reaches.
    fn objects(&self) -> Vec<ObjectInfo> {
        let mut session = self.administrator();
        let entries = session.list_objects(&[]).unwrap();
        entries.iter().map(|entry| session.object_info(entry.id, entry.object_type).unwrap()).collect()
    }

    fn count(&self, object_type: ObjectType) -> usize {
        self.administrator().list_objects(&[ListFilter::Type(object_type)]).unwrap().len()
    }

    /// Cuts the line behind so many messages.
    fn cut_after(&self, messages: usize) {
        self.line().passing = messages;
    }

    /// Whether the line was cut; from now on it is whole.
    fn mend(&self) -> bool {
        let mut line = self.line();
        std::mem::replace(&mut line.passing, usize::MAX) == 0
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connector for Plugged {
    fn exchange(&mut self, message: &[u8]) -> Result<Vec<u8>, ConnectorError> {
        let mut line = self.line();
        if line.passing == 0 {
            return Err(ConnectorError::NoAnswer("the line is cut".to_owned()));
        }
        line.passing -= 1;
        let answer = line.simulator.exchange(message);
        if line.passing == 0 {
            return Err(ConnectorError::NoAnswer("the line is cut".to_owned()));
        }
        Ok(answer)
    }
}
