//! The tokens of a ceremony: their secrets, their setting up, and who opens them again.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use hsm_drivers::{
    Error as DeviceError, Pin,
    pkcs11::ceremony as pkcs11,
    yubihsm2::{
        ceremony::{self as yubihsm, RoleName},
        connector::{Address, Connector, ConnectorError, DEADLINE},
    },
};

use super::Screen;
use crate::{
    Error,
    environment::{self, Variables},
    files,
    plan::{Plan, PlannedKind, PlannedRole, PlannedToken},
    secret::{self, PinSource},
    token::{self, Device},
};

const SOFTHSM_CONF: &str = "SOFTHSM2_CONF";
const SIMULATOR: &str = "CHANCERY_SIMULATOR";
/// Of a YubiHSM's log of 62 entries: what a step leaves there, and as much again.
const ROOM: u8 = 24;

/// Tokens that are open.
pub(super) struct Tokens {
    directory: PathBuf,
    screen: Screen,
    open: BTreeMap<String, Open>,
    /// Certificates of the makers of simulated devices, by token.
    makers: RefCell<BTreeMap<String, Vec<u8>>>,
}

/// An open token and what opened it.
pub(super) struct Open {
    pub(super) device: Device,
    /// Security officer's and user's PIN of a PKCS#11 token.
    pins: Option<(Pin, Pin)>,
}

impl Open {
    /// The device, and beside it the PINs.
    pub(super) fn parts(&mut self) -> (&mut Device, Option<(&Pin, &Pin)>) {
        (&mut self.device, self.pins.as_ref().map(|(so_pin, pin)| (so_pin, pin)))
    }
}

/// What must be in the environment before a module is loaded.
pub(super) fn variables(plan: &Plan, directory: &Path) -> Variables {
    let soft = plan.tokens.iter().filter(|token| token.driver() == "pkcs11").flat_map(|token| &token.environment);
    soft.map(|(name, value)| (name.clone(), environment::resolve(value, directory))).collect()
}

impl Tokens {
    pub(super) fn new(directory: &Path, screen: Screen) -> Self {
        Self { directory: directory.to_owned(), screen, open: BTreeMap::new(), makers: RefCell::default() }
    }

    /// The token, opened with its secrets unless it is.
    pub(super) fn get(&mut self, token: &PlannedToken) -> Result<&mut Open, Error> {
        if !self.open.contains_key(&token.name) {
            let open = self.open_again(token)?;
            self.open.insert(token.name.clone(), open);
        }
        let open = self.open.get_mut(&token.name).ok_or(Error::Interrupted)?;
        if let Device::Yubihsm(ceremony) = &mut open.device
            && ceremony.log_room()? < ROOM
        {
            // No appliance has seen this device yet: there is no account that this could be missing from.
            ceremony.forget_log()?;
        }
        Ok(open)
    }

    /// Closes every token. A YubiHSM 2 forgets what the ceremony left in its log: the appliance would take it for
    /// signatures that nobody accounts for.
    pub(super) fn close(&mut self) -> Result<(), Error> {
        for open in self.open.values_mut() {
            if let Device::Yubihsm(ceremony) = &mut open.device {
                ceremony.forget_log()?;
            }
        }
        self.open.clear();
        Ok(())
    }

    fn open_again(&self, token: &PlannedToken) -> Result<Open, Error> {
        match &token.kind {
            PlannedKind::Pkcs11 { module, label, so_pin, pin } => {
                let so_pin = self.known(so_pin, &format!("security officer's PIN of token {}", token.name))?;
                let pin = self.known(pin, &format!("PIN of token {}", token.name))?;
                let device = Device::Pkcs11(pkcs11::Ceremony::open(module, label, None, &pin)?);
                Ok(Open { device, pins: Some((so_pin, pin)) })
            }
            PlannedKind::Yubihsm { connector, roles, .. } => {
                let administrator = administrator(roles, token)?;
                let password = self.known(&administrator.password, &password_of(administrator.role, token))?;
                let connector = self
                    .connect(token, connector)
                    .map_err(|error| Error::Connector { token: token.name.clone(), cause: error.to_string() })?;
                let ceremony = yubihsm::Ceremony::open(connector, administrator.id, &password)?;
                Ok(Open { device: Device::Yubihsm(ceremony), pins: None })
            }
        }
    }

    /// Makes the token ready, or finds that an interrupted run has.
    pub(super) fn set_up(&mut self, token: &PlannedToken) -> Result<(), Error> {
        let open = match &token.kind {
            PlannedKind::Pkcs11 { module, label, so_pin, pin } => {
                self.make_softhsm_directory(token)?;
                let so_name = format!("security officer's PIN of token {}", token.name);
                let so_text = self.chosen(so_pin, &so_name, None)?;
                let text = self.chosen(
                    pin,
                    &format!("PIN of token {}", token.name),
                    so_text.1.as_deref().map(String::as_str),
                )?;
                let (so_pin, pin) = (so_text.0, text.0);
                match pkcs11::initialize_token(module, label, &so_pin, &pin) {
                    Ok(_) | Err(DeviceError::TokenExists { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
                let device = Device::Pkcs11(pkcs11::Ceremony::open(module, label, None, &pin)?);
                Open { device, pins: Some((so_pin, pin)) }
            }
            PlannedKind::Yubihsm { connector, roles, .. } => {
                let device = self.set_up_yubihsm(token, connector, roles)?;
                Open { device, pins: None }
            }
        };
        self.open.insert(token.name.clone(), open);
        Ok(())
    }

    fn set_up_yubihsm(
        &self,
        token: &PlannedToken,
        connector: &Address,
        roles: &[PlannedRole],
    ) -> Result<Device, Error> {
        let mut secrets: Vec<(RoleName, u16, Pin)> = Vec::new();
        for role in roles {
            secrets.push((role.role, role.id, self.chosen(&role.password, &password_of(role.role, token), None)?.0));
        }
        let simulator = self.simulator(token);
        if let Some(parent) = simulator.parent().filter(|_| *connector == Address::Simulator) {
            files::create_directory(parent)?;
        }
        let role = |name: RoleName| {
            secrets.iter().find(|(role, ..)| *role == name).map(|(_, id, password)| yubihsm::Role { id: *id, password })
        };
        let missing = || Error::Argument { argument: "PLAN", reason: format!("token \"{}\" lacks a role", token.name) };
        let roles = yubihsm::Roles {
            administrator: role(RoleName::Administrator).ok_or_else(missing)?,
            signer: role(RoleName::Signer).ok_or_else(missing)?,
            auditor: role(RoleName::Auditor),
            backup: role(RoleName::Backup),
        };
        let (ceremony, _) = yubihsm::initialize(|| self.connect(token, connector), &roles)?;
        Ok(Device::Yubihsm(ceremony))
    }

    /// SoftHSM wants a configuration, and a directory for its tokens; both are made where the plan names them.
    fn make_softhsm_directory(&self, token: &PlannedToken) -> Result<(), Error> {
        let Some(value) = token.environment.get(SOFTHSM_CONF) else { return Ok(()) };
        let path = PathBuf::from(environment::resolve(value, &self.directory));
        let Some(parent) = path.parent().filter(|_| !path.exists()) else { return Ok(()) };
        let objects = parent.join("objects");
        files::create_directory(&objects)?;
        let text =
            format!("directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n", objects.display());
        files::create(&path, text.as_bytes(), files::PUBLIC).map(drop)
    }

    /// A way to the device; of a simulated one the maker is remembered, for nobody else could name it.
    fn connect(&self, token: &PlannedToken, address: &Address) -> Result<Box<dyn Connector>, ConnectorError> {
        if *address != Address::Simulator {
            return address.connect(DEADLINE);
        }
        let simulator = token::open_simulator(&self.simulator(token))?;
        self.makers.borrow_mut().insert(token.name.clone(), simulator.ca_certificate());
        Ok(Box::new(simulator))
    }

    /// Certificate of the simulated maker of an open token.
    pub(super) fn simulated_maker(&self, token: &PlannedToken) -> Vec<u8> {
        self.makers.borrow().get(&token.name).cloned().unwrap_or_default()
    }

    fn simulator(&self, token: &PlannedToken) -> PathBuf {
        let named = token.environment.get(SIMULATOR).map_or("token/simulator", String::as_str);
        self.directory.join(named)
    }

    /// A secret of a token that has it.
    fn known(&self, source: &PinSource, what: &str) -> Result<Pin, Error> {
        match source {
            PinSource::File { file } => secret::read(&self.directory.join(file)),
            PinSource::Prompt { .. } | PinSource::Credential { .. } => secret::ask(what),
        }
    }

    /// A secret of a token to be, and its text where somebody chose it.
    fn chosen(
        &self,
        source: &PinSource,
        what: &str,
        unlike: Option<&str>,
    ) -> Result<(Pin, Option<zeroize::Zeroizing<String>>), Error> {
        match source {
            PinSource::File { file } => {
                let path = self.directory.join(file);
                if let Some(parent) = path.parent() {
                    files::create_directory(parent)?;
                }
                secret::create(&path)?;
                Ok((secret::read(&path)?, None))
            }
            PinSource::Prompt { .. } | PinSource::Credential { .. } => {
                let text = self.screen.new_secret(what, unlike)?;
                Ok((Pin::new(text.to_string()), Some(text)))
            }
        }
    }
}

fn administrator<'a>(roles: &'a [PlannedRole], token: &PlannedToken) -> Result<&'a PlannedRole, Error> {
    let missing =
        || Error::Argument { argument: "PLAN", reason: format!("token \"{}\" lacks an administrator", token.name) };
    roles.iter().find(|role| role.role == RoleName::Administrator).ok_or_else(missing)
}

fn password_of(role: RoleName, token: &PlannedToken) -> String {
    format!("password of the {role} of token {}", token.name)
}
