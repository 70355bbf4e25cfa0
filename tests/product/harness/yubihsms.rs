//! Simulated YubiHSM 2 devices behind connectors of their own: set up as a ceremony does, with forced audit, and with the
//! same keys in each.

use std::{
    cell::RefCell,
    fs,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    time::Duration,
};

use hsm_drivers::{
    Pin, Protection,
    simulator::{Faults, Options, Server, Simulator},
    yubihsm2::{
        ceremony::{Ceremony, Role, Roles, initialize},
        connector::{Address, DEADLINE},
    },
};
use hsm_types::{Algorithm, KeyLabel};

use super::Installation;

/// The keys of [`installation::POLICY`](super::installation::POLICY), in every device.
pub(crate) const KEYS: [(&str, Algorithm); 4] = [
    ("hot", Algorithm::Secp256k1),
    ("nist", Algorithm::P256),
    ("ed", Algorithm::Ed25519),
    ("raw", Algorithm::Secp256k1),
];
/// Those with children of `vault.toml`, in every device.
pub(crate) const PARENTS: [&str; 3] = ["vault", "cold", "eth"];

const ADMINISTRATOR: u16 = 3;
const SIGNER: u16 = 2;
const ADMINISTRATOR_PASSWORD: &str = "token/administrator-password";
const SIGNER_PASSWORD: &str = "token/password";

/// One device, and the connector it is plugged into.
pub(crate) struct Yubihsm {
    file: PathBuf,
    address: SocketAddr,
    signing_time: Duration,
    server: RefCell<Option<Server>>,
}

impl Installation {
    /// One whose tokens are so many devices, `main`, `yubi-2`, `yubi-3` and so on, each of which takes so long for a
    /// signature. There is no log yet. The log key is in `main` alone.
    pub(crate) fn on_yubihsms(count: usize, signing_time: Duration) -> (Self, Vec<Yubihsm>) {
        let directory = tempfile::Builder::new().prefix("chancery").tempdir().unwrap();
        let plug_in = |number: usize| {
            let file = directory.path().join(format!("yubihsm-{number}"));
            let serial = u32::try_from(17_000_000 + number).unwrap();
            Yubihsm::new(file, serial, signing_time)
        };
        let devices: Vec<Yubihsm> = (1..=count).map(plug_in).collect();
        let installation = Self::made_in(directory, &devices[0].url());
        let mut first = devices[0].ceremony(&installation);
        for (name, algorithm) in KEYS {
            first.generate_key(&label(name), algorithm, Protection::LeavesWrapped).unwrap();
        }
        for name in PARENTS {
            first.generate_parent(&label(name), Protection::LeavesWrapped).unwrap();
        }
        first.forget_log().unwrap();
        for (number, device) in devices.iter().enumerate().skip(1) {
            let mut ceremony = device.initialize(&installation);
            let self_test = label("chancery-self-test");
            ceremony.generate_key(&self_test, Algorithm::Secp256k1, Protection::NeverLeaves).unwrap();
            for name in KEYS.map(|(name, _)| name).into_iter().chain(PARENTS) {
                first.replicate(&label(name), &mut ceremony).unwrap();
                first.forget_log().unwrap();
                ceremony.forget_log().unwrap();
            }
            let main = devices[0].url();
            installation.edit_config(|config| {
                let token = config.rsplit_once("[[token]]").unwrap().1;
                let (name, url) = (format!("yubi-{}", number + 1), device.url());
                let previous = if number == 1 { "main".to_owned() } else { format!("yubi-{number}") };
                let before = if number == 1 { main.clone() } else { devices[number - 1].url() };
                let token = token.replace(&format!("{previous:?}"), &format!("{name:?}")).replace(&before, &url);
                format!("{config}\n[[token]]{token}")
            });
        }
        (installation, devices)
    }

    /// One with the log begun under [`installation::POLICY`](super::installation::POLICY).
    pub(crate) fn serving_yubihsms(count: usize, signing_time: Duration) -> (Self, Vec<Yubihsm>) {
        let (installation, devices) = Self::on_yubihsms(count, signing_time);
        installation.begin(super::installation::POLICY);
        (installation, devices)
    }
}

impl Yubihsm {
    fn new(file: PathBuf, serial: u32, signing_time: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let options = Options { serial, signing_time, ..Options::default() };
        let server = Simulator::open(Some(&file), options).unwrap().serve(listener).unwrap();
        Self { file, address, signing_time, server: RefCell::new(Some(server)) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it does wrong, while it is plugged in.
    pub(crate) fn faults(&self) -> Faults {
        self.server.borrow().as_ref().unwrap().faults()
    }

    /// Certificate (DER) of its maker.
    pub(crate) fn ca_certificate(&self) -> Vec<u8> {
        self.server.borrow().as_ref().unwrap().ca_certificate()
    }

    /// Takes device and connector away.
    pub(crate) fn unplug(&self) {
        self.server.take().unwrap();
    }

    /// Brings both back, powered on afresh.
    pub(crate) fn plug_in(&self) {
        let listener = TcpListener::bind(self.address).unwrap();
        let options = Options { signing_time: self.signing_time, ..Options::default() };
        let server = Simulator::open(Some(&self.file), options).unwrap().serve(listener).unwrap();
        assert!(self.server.replace(Some(server)).is_none(), "it was plugged in");
    }

    /// An administrator's session.
    pub(crate) fn ceremony(&self, installation: &Installation) -> Ceremony {
        let address: Address = self.url().parse().unwrap();
        let password = password(installation, ADMINISTRATOR_PASSWORD);
        Ceremony::open(address.connect(DEADLINE).unwrap(), ADMINISTRATOR, &password).unwrap()
    }

    /// With the passwords of the first.
    fn initialize(&self, installation: &Installation) -> Ceremony {
        let address: Address = self.url().parse().unwrap();
        let administrator = password(installation, ADMINISTRATOR_PASSWORD);
        let signer = password(installation, SIGNER_PASSWORD);
        let administrator = Role { id: ADMINISTRATOR, password: &administrator };
        let roles = Roles::new(administrator, Role { id: SIGNER, password: &signer });
        initialize(|| address.connect(DEADLINE), &roles).unwrap().0
    }
}

fn password(installation: &Installation, name: &str) -> Pin {
    Pin::new(fs::read_to_string(installation.path(name)).unwrap())
}

fn label(name: &str) -> KeyLabel {
    name.parse().unwrap()
}
