//! A token, found by its label and not by its slot: slots change their numbers.

use std::path::Path;

use cryptoki::{
    context::Pkcs11,
    error::{Error as CryptokiError, RvError},
    session::{Session, SessionState, UserType},
    slot::{Slot, TokenInfo},
    types::AuthPin,
};

use super::{
    LONGEST_MESSAGE, Pkcs11Device,
    failure::{call_failed, code_name},
    module,
};
use crate::{DeviceInfo, Disposition, Error, Login, Pin, TriesLeft};

/// One token of a loaded module.
#[derive(Clone, Debug)]
pub struct Token {
    context: Pkcs11,
    slot: Slot,
    /// `token "main"`.
    name: String,
}

impl Token {
    /// The initialised token with this label, and this serial number where one is given.
    ///
    /// # Errors
    /// None is there, or more than one.
    pub fn find(module: &Path, label: &str, serial: Option<&str>) -> Result<Self, Error> {
        let context = module::load(module)?;
        let name = match serial {
            None => format!("token \"{label}\""),
            Some(serial) => format!("token \"{label}\" with serial {serial}"),
        };
        let tokens = list(&context)?;
        let fits =
            |info: &TokenInfo| info.label() == label && serial.is_none_or(|serial| info.serial_number() == serial);
        let fitting: Vec<_> = tokens.iter().filter(|(_, info)| fits(info)).collect();
        match fitting[..] {
            [(slot, _)] => Ok(Self { context, slot: *slot, name }),
            [_, _, ..] => {
                let serials = fitting.iter().map(|(_, info)| info.serial_number().to_owned()).collect();
                Err(Error::AmbiguousToken { token: name, serials })
            }
            [] => {
                let found = tokens
                    .iter()
                    .map(|(_, info)| format!("token \"{}\" with serial {}", info.label(), info.serial_number()));
                Err(Error::TokenNotFound { token: name, found: found.collect::<Vec<_>>().join(", ") })
            }
        }
    }

    /// `wanted` sessions, and at least one, each as [`log_in`](Self::log_in) gives it.
    ///
    /// # Errors
    /// As `log_in`; [`Error::SessionLimit`] where the token gives fewer.
    pub fn open_sessions(&self, pin: &Pin, wanted: usize) -> Result<Vec<Pkcs11Device>, Error> {
        let wanted = wanted.max(1);
        (0..wanted).map(|opened| self.open_session(pin, opened, wanted)).collect()
    }

    /// A session with the user logged in.
    ///
    /// Login belongs to process and token: where a session before has logged in, the PIN is not sent again.
    ///
    /// # Errors
    /// [`Error::PinRefused`]; [`Error::PinNotTried`] where a wrong PIN would lock the token.
    pub fn log_in(&self, pin: &Pin) -> Result<Pkcs11Device, Error> {
        self.open_session(pin, 0, 1)
    }

    fn open_session(&self, pin: &Pin, opened: usize, wanted: usize) -> Result<Pkcs11Device, Error> {
        let session = match self.open_session_to_serve() {
            Err(CryptokiError::Pkcs11(RvError::SessionCount, _)) => {
                return Err(Error::SessionLimit { token: self.name.clone(), opened, wanted });
            }
            opened => opened.map_err(|error| self.failed(error))?,
        };
        self.log_in_session(&session, pin)?;
        Ok(Pkcs11Device::new(self.clone(), session))
    }

    pub(super) fn log_in_session(&self, session: &Session, pin: &Pin) -> Result<(), Error> {
        if self.is_logged_in(session)? {
            return Ok(());
        }
        self.try_pin(session, Login::User, &self.name, pin)
    }

    /// Logs the security officer in; nobody may be logged in.
    #[cfg(feature = "ceremony")]
    pub(super) fn log_in_officer(&self, session: &Session, so_pin: &Pin) -> Result<(), Error> {
        self.try_pin(session, Login::SecurityOfficer, &format!("{} as its security officer", self.name), so_pin)
    }

    /// `name` says in words who logs in where.
    fn try_pin(&self, session: &Session, login: Login, name: &str, pin: &Pin) -> Result<(), Error> {
        let tries_left = self.tries_left(login)?;
        if matches!(tries_left, TriesLeft::FinalTry | TriesLeft::Locked) {
            return Err(Error::PinNotTried { token: name.to_owned(), login, tries_left });
        }
        let user = match login {
            Login::User => UserType::User,
            Login::SecurityOfficer => UserType::So,
        };
        match session.login(user, Some(&auth_pin(pin))) {
            Ok(()) | Err(CryptokiError::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
            Err(CryptokiError::Pkcs11(code, _)) if refuses_pin(code) => {
                // What the flags say now is what counts; a token that does not answer is told by its code alone.
                let by_code = if code == RvError::PinLocked { TriesLeft::Locked } else { TriesLeft::Unknown };
                let tries_left =
                    self.tries_left(login).ok().filter(|told| *told != TriesLeft::Unknown).unwrap_or(by_code);
                let token = format!("{name} ({})", code_name(code));
                Err(Error::PinRefused { token, login, tries_left })
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Whether the token is there and the session still logged in.
    pub(super) fn check(&self, session: &Session) -> Result<(), Error> {
        self.token_info()?;
        if self.is_logged_in(session)? {
            return Ok(());
        }
        Err(Error::Call {
            attempted: format!("session on {}", self.name),
            cause: "it is no longer logged in".to_owned(),
            disposition: Disposition::Broken,
        })
    }

    fn is_logged_in(&self, session: &Session) -> Result<bool, Error> {
        let state = session.get_session_info().map_err(|error| self.failed(error))?.session_state();
        Ok(matches!(state, SessionState::RoUser | SessionState::RwUser))
    }

    pub(super) fn info(&self) -> Result<DeviceInfo, Error> {
        let info = self.token_info()?;
        let firmware = info.firmware_version();
        Ok(DeviceInfo {
            driver: "pkcs11".to_owned(),
            manufacturer: info.manufacturer_id().to_owned(),
            model: info.model().to_owned(),
            serial: info.serial_number().to_owned(),
            firmware: format!("{}.{}", firmware.major(), firmware.minor()),
            label: info.label().to_owned(),
            longest_message: LONGEST_MESSAGE,
        })
    }

    /// Whether both are one token, as far as they tell.
    #[cfg(feature = "ceremony")]
    pub(super) fn is(&self, other: &Self) -> Result<bool, Error> {
        let (one, another) = (self.info()?, other.info()?);
        Ok((one.manufacturer, one.model, one.serial) == (another.manufacturer, another.model, another.serial))
    }

    /// Read-write, for the anchor: a session of its own for each writing is one more than some tokens have.
    fn open_session_to_serve(&self) -> Result<Session, CryptokiError> {
        match self.context.open_rw_session(self.slot) {
            Err(CryptokiError::Pkcs11(RvError::TokenWriteProtected, _)) => self.context.open_ro_session(self.slot),
            opened => opened,
        }
    }

    #[cfg(feature = "ceremony")]
    pub(super) fn open_rw_session(&self) -> Result<Session, Error> {
        self.context.open_rw_session(self.slot).map_err(|error| self.failed(error))
    }

    pub(super) fn token_info(&self) -> Result<TokenInfo, Error> {
        self.context.get_token_info(self.slot).map_err(|error| self.failed(error))
    }

    pub(super) fn tries_left(&self, login: Login) -> Result<TriesLeft, Error> {
        let info = self.token_info()?;
        let (locked, final_try, count_low) = match login {
            Login::SecurityOfficer => (info.so_pin_locked(), info.so_pin_final_try(), info.so_pin_count_low()),
            Login::User => (info.user_pin_locked(), info.user_pin_final_try(), info.user_pin_count_low()),
        };
        Ok(if locked {
            TriesLeft::Locked
        } else if final_try {
            TriesLeft::FinalTry
        } else if count_low {
            TriesLeft::CountLow
        } else {
            TriesLeft::Unknown
        })
    }

    /// Where the token is plugged now.
    pub(super) fn slot(&self) -> Slot {
        self.slot
    }

    /// A further session beside one that has logged in: login belongs to process and token, so no PIN is sent.
    pub(super) fn open_further_session(&self) -> Result<Pkcs11Device, Error> {
        let session = self.open_session_to_serve().map_err(|error| self.failed(error))?;
        Ok(Pkcs11Device::new(self.clone(), session))
    }

    fn failed(&self, error: CryptokiError) -> Error {
        call_failed(error, &format!("on {}", self.name))
    }
}

/// Every initialised token of the module, with its slot.
pub(super) fn list(context: &Pkcs11) -> Result<Vec<(Slot, TokenInfo)>, Error> {
    let slots = context.get_slots_with_token().map_err(|error| call_failed(error, "of the module"))?;
    // A slot whose token is pulled meanwhile, or is another's and broken, must not hide the others.
    let tokens = slots.into_iter().filter_map(|slot| Some((slot, context.get_token_info(slot).ok()?)));
    Ok(tokens.filter(|(_, info)| info.token_initialized()).collect())
}

/// The PIN as `cryptoki` takes it; wiped like ours.
pub(super) fn auth_pin(pin: &Pin) -> AuthPin {
    AuthPin::from(pin.expose())
}

fn refuses_pin(code: RvError) -> bool {
    matches!(
        code,
        RvError::PinIncorrect
            | RvError::PinInvalid
            | RvError::PinLenRange
            | RvError::PinExpired
            | RvError::PinLocked
            | RvError::UserPinNotInitialized
    )
}
