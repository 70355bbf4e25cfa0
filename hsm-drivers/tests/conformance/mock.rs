//! The crate's mock of a YubiHSM 2 behind the crate's connector as a back end: neither knows our client. It enforces no
//! capabilities, so only what is read back is tried here.

use std::{
    net::TcpListener,
    sync::atomic::{AtomicU16, Ordering},
    thread,
};

use hsm_drivers::{Device, DeviceLogPage, Disposition, Error, Pin, TriesLeft, yubihsm2::Yubihsm2Device};
use hsm_types::{Algorithm, ChainCode, KeyLabel, PublicKey};
use libtest_mimic::Trial;
use yubihsm::{
    Capability, Client, Connector, Credentials, Domain, HttpConfig, asymmetric, authentication,
    connector::http::Server,
    object::{Filter, Id, Label},
    opaque,
};

use crate::{
    backend::{Backend, input, label},
    trial,
};

/// What the mock, like a device from the factory, opens to. Our driver would not.
const FACTORY_KEY: u16 = 1;
const FACTORY_PASSWORD: &str = "password";
/// What our driver opens.
const AUTHENTICATION_KEY: u16 = 2;
const PASSWORD: &str = "correct horse";

pub(crate) struct Mock {
    url: String,
    connector: Connector,
    administrator: Client,
    next_id: AtomicU16,
}

impl Mock {
    fn new() -> Self {
        let connector = Connector::mockhsm();
        let administrator = administrator(&connector);
        Self { url: serve(&connector), connector, administrator, next_id: AtomicU16::new(100) }
    }

    /// Back to what left the factory, and set up as before. No session survives.
    fn reset(&mut self) {
        self.administrator.reset_device().unwrap();
        self.administrator = administrator(&self.connector);
    }

    pub(crate) fn backend() -> Box<dyn Backend> {
        Box::new(Self::new())
    }

    fn open(&self, password: &str) -> Result<Yubihsm2Device, Error> {
        Yubihsm2Device::open_at(&self.url, AUTHENTICATION_KEY, &Pin::new(password.to_owned()))
    }

    fn generate_with(&self, label: &KeyLabel, algorithm: asymmetric::Algorithm, capabilities: Capability) {
        self.generate_at(self.next_id(), label, algorithm, capabilities);
    }

    fn generate_at(&self, id: Id, label: &KeyLabel, algorithm: asymmetric::Algorithm, capabilities: Capability) {
        let label = Label::from_bytes(label.as_str().as_bytes()).unwrap();
        self.administrator.generate_asymmetric_key(id, label, Domain::DOM1, capabilities, algorithm).unwrap();
    }

    fn put_opaque(&self, id: Id, label: &KeyLabel, algorithm: opaque::Algorithm, value: &[u8]) {
        let label = Label::from_bytes(label.as_str().as_bytes()).unwrap();
        let none = Capability::empty();
        self.administrator.put_opaque(id, label, Domain::DOM1, none, algorithm, value).unwrap();
    }

    fn next_id(&self) -> Id {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }
}

/// A client of the crate's own, which puts our authentication key in.
fn administrator(connector: &Connector) -> Client {
    let credentials = Credentials::from_password(FACTORY_KEY, FACTORY_PASSWORD.as_bytes());
    let client = Client::open(connector.clone(), credentials, true).unwrap();
    let label = Label::from_bytes(b"appliance").unwrap();
    let signer = Capability::SIGN_ECDSA
        | Capability::SIGN_EDDSA
        | Capability::GET_OPAQUE
        | Capability::PUT_OPAQUE
        | Capability::DELETE_OPAQUE
        | Capability::GET_LOG_ENTRIES;
    let (capabilities, algorithm) = (signer, authentication::Algorithm::YubicoAes);
    let key = authentication::Key::derive_from_password(PASSWORD.as_bytes());
    let none = Capability::empty();
    client.put_authentication_key(AUTHENTICATION_KEY, label, Domain::DOM1, capabilities, none, algorithm, key).unwrap();
    client
}

/// The crate's look-alike of a yubihsm-connector, for as long as this program runs: its URL.
fn serve(connector: &Connector) -> String {
    let addr = "127.0.0.1".to_owned();
    // The server does not tell a port it chose itself, so a free one is looked for; somebody else may take it first.
    let (server, port) = (0..100)
        .find_map(|_| {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let config = HttpConfig { addr: addr.clone(), port, timeout_ms: 5000 };
            Server::new(&config, connector.clone()).ok().map(|server| (server, port))
        })
        .expect("a free port");
    // An error is that of one message, and answered with a status: real connectors go on as well.
    thread::spawn(move || {
        loop {
            let _ = server.handle_request();
        }
    });
    format!("http://127.0.0.1:{port}")
}

impl Backend for Mock {
    fn device(&self) -> Box<dyn Device> {
        Box::new(self.open(PASSWORD).unwrap())
    }

    fn generate(&self, label: &KeyLabel, algorithm: Algorithm) -> PublicKey {
        let (theirs, capability) = match algorithm {
            Algorithm::Secp256k1 => (asymmetric::Algorithm::EcK256, Capability::SIGN_ECDSA),
            Algorithm::P256 => (asymmetric::Algorithm::EcP256, Capability::SIGN_ECDSA),
            Algorithm::Ed25519 => (asymmetric::Algorithm::Ed25519, Capability::SIGN_EDDSA),
        };
        self.generate_with(label, theirs, capability);
        self.device().public_key(label).unwrap()
    }

    /// As the ceremony will: the chain code first, under the object id the key is to have.
    fn generate_parent(&self, label: &KeyLabel) -> (PublicKey, ChainCode) {
        let id = self.next_id();
        let random = self.administrator.get_pseudo_random(32).unwrap();
        self.put_opaque(id, label, opaque::Algorithm::Data, &random);
        self.generate_at(id, label, asymmetric::Algorithm::EcK256, Capability::SIGN_ECDSA);
        (self.device().public_key(label).unwrap(), ChainCode::new(random.try_into().unwrap()))
    }

    /// Under the key's object id, unless an object has that already.
    fn put_chain_code(&self, label: &KeyLabel, value: &[u8]) {
        let named = Label::from_bytes(label.as_str().as_bytes()).unwrap();
        let entries = self.administrator.list_objects(&[Filter::Label(named)]).unwrap();
        let id = if let [key] = &entries[..] { key.object_id } else { self.next_id() };
        self.put_opaque(id, label, opaque::Algorithm::Data, value);
    }

    fn generate_twin(&self, label: &KeyLabel) {
        self.generate_with(label, asymmetric::Algorithm::EcP256, Capability::SIGN_ECDSA);
    }

    fn generate_unfit(&self, label: &KeyLabel) -> &'static [&'static str] {
        let capabilities = Capability::SIGN_ECDSA | Capability::EXPORTABLE_UNDER_WRAP | Capability::DERIVE_ECDH;
        self.generate_with(label, asymmetric::Algorithm::EcP256, capabilities);
        &["derive-ecdh"]
    }

    fn delete(&self, label: &KeyLabel) {
        let label = Label::from_bytes(label.as_str().as_bytes()).unwrap();
        for entry in self.administrator.list_objects(&[Filter::Label(label)]).unwrap() {
            self.administrator.delete_object(entry.object_id, entry.object_type).unwrap();
        }
    }

    fn longest_message(&self) -> usize {
        2000
    }
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("yubihsm_mock::an_imported_key_is_unfit", an_imported_key_is_unfit),
        trial("yubihsm_mock::a_key_that_may_not_sign_is_unfit", a_key_that_may_not_sign_is_unfit),
        trial("yubihsm_mock::a_wrong_password_is_refused", a_wrong_password_is_refused),
        trial("yubihsm_mock::a_chain_code_under_another_object_id_is_refused", a_chain_code_under_another_object_id),
        trial("yubihsm_mock::a_keys_certificate_is_no_chain_code", a_keys_certificate_is_no_chain_code),
        trial("yubihsm_mock::a_lost_session_ends_the_device_and_another_works_at_once", a_lost_session_ends_the_device),
        trial("yubihsm_mock::the_password_of_the_factory_is_not_even_tried", the_factorys_password_is_not_tried),
        trial("yubihsm_mock::closed_sessions_are_free_again", closed_sessions_are_free_again),
        trial("yubihsm_mock::an_empty_log_is_read_and_acknowledged", an_empty_log_is_read_and_acknowledged),
    ]
}

fn an_imported_key_is_unfit() {
    let mock = Mock::new();
    let key = label("imported");
    let (name, capability) = (Label::from_bytes(b"imported").unwrap(), Capability::SIGN_ECDSA);
    let algorithm = asymmetric::Algorithm::EcP256;
    mock.administrator.put_asymmetric_key(7, name, Domain::DOM1, capability, algorithm, vec![7; 32]).unwrap();
    let error = mock.device().public_key(&key).unwrap_err();
    assert!(error.to_string().contains("origin imported"), "{error}");
}

fn a_key_that_may_not_sign_is_unfit() {
    let mock = Mock::new();
    let key = label("idle");
    mock.generate_with(&key, asymmetric::Algorithm::Ed25519, Capability::empty());
    let error = mock.device().public_key(&key).unwrap_err();
    assert!(error.to_string().contains("capability sign-eddsa is missing"), "{error}");
}

fn a_wrong_password_is_refused() {
    let error = Mock::new().open("passwort").unwrap_err();
    assert!(matches!(error, Error::PinRefused { tries_left: TriesLeft::Unknown, .. }), "{error}");
    assert!(error.needs_operator());
}

fn a_chain_code_under_another_object_id() {
    let mock = Mock::new();
    let key = label("elsewhere");
    mock.generate_at(7, &key, asymmetric::Algorithm::EcK256, Capability::SIGN_ECDSA);
    mock.put_opaque(8, &key, opaque::Algorithm::Data, &[0xa5; 32]);
    let error = mock.device().chain_code(&key).unwrap_err();
    assert!(error.to_string().contains("object id 0x0008, not 0x0007"), "{error}");
    assert!(error.needs_operator());
}

fn a_keys_certificate_is_no_chain_code() {
    let mock = Mock::new();
    let key = label("certified");
    mock.generate_at(7, &key, asymmetric::Algorithm::EcK256, Capability::SIGN_ECDSA);
    mock.put_opaque(7, &key, opaque::Algorithm::X509Certificate, &[0xa5; 32]);
    assert_eq!(mock.device().chain_code(&key).unwrap(), None);
}

/// Deletes its session on the device's side: the next command fails in the session layer, and no later one is tried.
fn a_lost_session_ends_the_device() {
    let mut mock = Mock::new();
    let key = label("lost");
    mock.generate(&key, Algorithm::P256);
    let mut device = mock.open(PASSWORD).unwrap();
    device.public_key(&key).unwrap();
    mock.reset();
    let error = device.sign(&key, &input(Algorithm::P256, 0)).unwrap_err();
    assert!(matches!(error.disposition(), Disposition::OutcomeUnknown | Disposition::Broken), "{error}");
    let error = device.info().unwrap_err();
    assert!(error.to_string().contains("given up"), "{error}");
    mock.generate(&key, Algorithm::P256);
    mock.open(PASSWORD).unwrap().sign(&key, &input(Algorithm::P256, 0)).unwrap();
}

fn the_factorys_password_is_not_tried() {
    let open = |url: &str| Yubihsm2Device::open_at(url, FACTORY_KEY, &Pin::new(FACTORY_PASSWORD.to_owned()));
    // Nothing listens there, and nothing is asked of it.
    for error in [open(&Mock::new().url).unwrap_err(), open("http://127.0.0.1:1").unwrap_err()] {
        assert!(matches!(error, Error::FactoryPassword { .. }), "{error}");
        assert!(error.needs_operator() && error.disposition() == Disposition::NotSent);
    }
}

/// The mock, like a device, has room for sixteen.
fn closed_sessions_are_free_again() {
    let mock = Mock::new();
    for _ in 0..40 {
        mock.open(PASSWORD).unwrap();
    }
}

/// The mock writes no log.
fn an_empty_log_is_read_and_acknowledged() {
    let mut device = Mock::new().open(PASSWORD).unwrap();
    let log = device.device_log().unwrap();
    assert_eq!(log.read().unwrap(), DeviceLogPage::default());
    log.acknowledge(0).unwrap();
}
