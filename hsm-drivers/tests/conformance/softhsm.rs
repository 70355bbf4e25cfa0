//! SoftHSM as a back end: every case has a token of its own, for a login belongs to the whole process.

use std::{
    cell::RefCell,
    env, fs,
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error as CryptokiError, RvError},
    mechanism::Mechanism,
    object::{Attribute, ObjectClass},
    session::Session,
};
use hsm_drivers::{
    Device, Pin, Protection,
    pkcs11::{
        self,
        ceremony::{Ceremony, find_softhsm, initialize_token},
    },
};
use hsm_types::{Algorithm, ChainCode, KeyLabel, PublicKey};

use crate::backend::Backend;

/// Where SoftHSM looks for its configuration.
pub(crate) const CONFIGURATION: &str = "SOFTHSM2_CONF";

pub(crate) const USER_PIN: &str = "271828";
pub(crate) const SO_PIN: &str = "so-314159";

/// Deviations of a key generated like OpenSC does by default, and extractable.
const UNFIT: &[Attribute] = &[
    Attribute::Token(true),
    Attribute::Private(true),
    Attribute::Sensitive(true),
    Attribute::Extractable(true),
    Attribute::Sign(true),
    Attribute::Decrypt(true),
    Attribute::Unwrap(false),
    Attribute::SignRecover(false),
    Attribute::Derive(true),
];
const UNFIT_WORDS: &[&str] = &["CKA_EXTRACTABLE", "CKA_NEVER_EXTRACTABLE", "CKA_DECRYPT", "CKA_DERIVE"];

/// prime256v1.
const P256_PARAMS: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

pub(crate) fn user_pin() -> Pin {
    Pin::new(USER_PIN.to_owned())
}

pub(crate) fn module() -> PathBuf {
    find_softhsm().expect("SoftHSM 2 is not installed: run `make test`, which installs it")
}

/// A token of this label with its PINs set; its serial.
pub(crate) fn initialize(label: &str) -> String {
    // One at a time: initialising takes "the first free slot", and the list of slots is the whole process's.
    static INITIALIZING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = INITIALIZING.lock().unwrap_or_else(PoisonError::into_inner);
    initialize_token(&module(), label, &Pin::new(SO_PIN.to_owned()), &user_pin()).unwrap()
}

/// A fresh token, and a read-write session that keeps the user logged in.
pub(crate) struct Token {
    pub(crate) label: String,
    pub(crate) serial: String,
    pub(crate) ceremony: RefCell<Ceremony>,
}

impl Token {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let label = format!("token {}", COUNT.fetch_add(1, Ordering::Relaxed));
        let serial = initialize(&label);
        let ceremony = RefCell::new(Ceremony::open(&module(), &label, None, &user_pin()).unwrap());
        Self { label, serial, ceremony }
    }

    pub(crate) fn backend() -> Box<dyn Backend> {
        Box::new(Self::new())
    }

    pub(crate) fn found(&self) -> pkcs11::Token {
        pkcs11::Token::find(&module(), &self.label, Some(&self.serial)).unwrap()
    }

    /// A session beside the driver's, for what the driver would never do.
    pub(crate) fn raw_session(&self) -> Session {
        let context = Pkcs11::new(module()).unwrap();
        match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) | Err(CryptokiError::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => panic!("{error}"),
        }
        let slots = context.get_slots_with_token().unwrap();
        // Another case may have moved its token away just now.
        let is_this = |slot: &_| context.get_token_info(*slot).is_ok_and(|info| info.serial_number() == self.serial);
        context.open_rw_session(slots.into_iter().find(is_this).unwrap()).unwrap()
    }

    /// The directory SoftHSM keeps this token in: its name is a UUID that ends in the serial.
    pub(crate) fn directory(&self) -> PathBuf {
        let configuration = PathBuf::from(env::var_os(CONFIGURATION).unwrap());
        let tokens = fs::read_dir(configuration.with_file_name("tokens")).unwrap();
        let is_this = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy().replace('-', "");
            name.ends_with(&self.serial)
        };
        tokens.map(|entry| entry.unwrap().path()).find(is_this).unwrap()
    }

    /// Where to move it, so that it is no token any more.
    pub(crate) fn away(&self) -> PathBuf {
        let configuration = PathBuf::from(env::var_os(CONFIGURATION).unwrap());
        configuration.with_file_name(format!("away-{}", self.serial))
    }

    pub(crate) fn put_raw_chain_code(&self, label: &KeyLabel, value: &[u8], private: bool, modifiable: bool) {
        let template = [
            Attribute::Class(ObjectClass::DATA),
            Attribute::Token(true),
            Attribute::Private(private),
            Attribute::Modifiable(modifiable),
            Attribute::Application(b"chancery chain code".to_vec()),
            Attribute::Label(label.as_str().into()),
            Attribute::Value(value.to_vec()),
        ];
        self.raw_session().create_object(&template).unwrap();
    }

    pub(crate) fn generate_raw(&self, label: &KeyLabel, private: &[Attribute]) {
        let session = self.raw_session();
        let id = session.generate_random_vec(16).unwrap();
        let names = [Attribute::Label(label.as_str().into()), Attribute::Id(id)];
        let public = [Attribute::Token(true), Attribute::Private(false), Attribute::EcParams(P256_PARAMS.to_vec())];
        let (public, private) = ([&names[..], &public].concat(), [&names[..], private].concat());
        session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private).unwrap();
    }
}

impl Backend for Token {
    fn device(&self) -> Box<dyn Device> {
        Box::new(self.found().log_in(&user_pin()).unwrap())
    }

    fn generate(&self, label: &KeyLabel, algorithm: Algorithm) -> PublicKey {
        self.ceremony.borrow_mut().generate_key(label, algorithm, Protection::NeverLeaves).unwrap()
    }

    fn generate_parent(&self, label: &KeyLabel) -> (PublicKey, ChainCode) {
        self.ceremony.borrow_mut().generate_parent(label, Protection::NeverLeaves).unwrap()
    }

    fn put_chain_code(&self, label: &KeyLabel, value: &[u8]) {
        self.put_raw_chain_code(label, value, true, false);
    }

    fn generate_twin(&self, label: &KeyLabel) {
        self.generate_raw(label, UNFIT);
    }

    fn generate_unfit(&self, label: &KeyLabel) -> &'static [&'static str] {
        self.generate_raw(label, UNFIT);
        UNFIT_WORDS
    }

    fn delete(&self, label: &KeyLabel) {
        let session = self.raw_session();
        for object in session.find_objects(&[Attribute::Label(label.as_str().into())]).unwrap() {
            session.destroy_object(object).unwrap();
        }
    }

    fn longest_message(&self) -> usize {
        4096
    }
}
