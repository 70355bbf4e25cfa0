//! The crate `yubihsm` over HTTP: as the administrator of the cases that hold for every device, which our own driver
//! then serves, and as the client of what only one with rights can show.

use std::{
    net::TcpListener,
    sync::atomic::{AtomicU16, Ordering},
};

use hsm_drivers::{
    Device, Error, Pin, Protection,
    simulator::{Options, Server, Simulator},
    yubihsm2::Yubihsm2Device,
};
use hsm_types::{Algorithm, ChainCode, KeyLabel, PublicKey};
use libtest_mimic::Trial;
use yubihsm::{
    Capability, Client, Connector, Credentials, Domain, HttpConfig, asymmetric, authentication,
    object::{Filter, Id, Label, Type},
    opaque, wrap,
};

use crate::{
    backend::{Backend, input, label},
    trials_of,
};

/// What our driver opens; it would not open a device with the factory's key.
const AUTHENTICATION_KEY: u16 = 2;
const PASSWORD: &str = "correct horse";

/// A simulator, its server, and its administrator.
pub(crate) struct Simulated {
    administrator: Client,
    next_id: AtomicU16,
    server: Server,
}

pub(crate) fn serve(options: Options) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    Simulator::open(None, options).unwrap().serve(listener).unwrap()
}

fn open(server: &Server, key: u16, password: &str) -> Result<Yubihsm2Device, Error> {
    Yubihsm2Device::open_at(&server.url(), key, &Pin::new(password.to_owned()))
}

/// With the factory's authentication key.
pub(crate) fn administrator(server: &Server) -> Client {
    let (addr, port) = (server.address().ip().to_string(), server.address().port());
    let connector = Connector::http(&HttpConfig { addr, port, timeout_ms: 5000 });
    Client::open(connector, Credentials::from_password(1, b"password"), true).unwrap()
}

fn put_authentication_key(administrator: &Client, id: Id, password: &str, capabilities: Capability) {
    let key = authentication::Key::derive_from_password(password.as_bytes());
    let (none, algorithm) = (Capability::empty(), authentication::Algorithm::YubicoAes);
    let label = Label::from_bytes(b"role").unwrap();
    administrator.put_authentication_key(id, label, Domain::DOM1, capabilities, none, algorithm, key).unwrap();
}

impl Simulated {
    fn new() -> Self {
        let server = serve(Options::default());
        let administrator = administrator(&server);
        let signer = Capability::SIGN_ECDSA
            | Capability::SIGN_EDDSA
            | Capability::GET_OPAQUE
            | Capability::PUT_OPAQUE
            | Capability::DELETE_OPAQUE;
        put_authentication_key(&administrator, AUTHENTICATION_KEY, PASSWORD, signer);
        Self { administrator, next_id: AtomicU16::new(100), server }
    }

    pub(crate) fn backend() -> Box<dyn Backend> {
        Box::new(Self::new())
    }

    fn generate_at(&self, id: Id, label: &KeyLabel, algorithm: asymmetric::Algorithm, capabilities: Capability) {
        let label = named(label);
        self.administrator.generate_asymmetric_key(id, label, Domain::DOM1, capabilities, algorithm).unwrap();
    }

    fn put_opaque(&self, id: Id, label: &KeyLabel, value: &[u8]) {
        let (none, data) = (Capability::empty(), opaque::Algorithm::Data);
        self.administrator.put_opaque(id, named(label), Domain::DOM1, none, data, value).unwrap();
    }

    fn next_id(&self) -> Id {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }
}

fn named(label: &KeyLabel) -> Label {
    Label::from_bytes(label.as_str().as_bytes()).unwrap()
}

impl Backend for Simulated {
    fn device(&self) -> Box<dyn Device> {
        Box::new(open(&self.server, AUTHENTICATION_KEY, PASSWORD).unwrap())
    }

    fn generate(&self, label: &KeyLabel, algorithm: Algorithm) -> PublicKey {
        let (theirs, capability) = match algorithm {
            Algorithm::Secp256k1 => (asymmetric::Algorithm::EcK256, Capability::SIGN_ECDSA),
            Algorithm::P256 => (asymmetric::Algorithm::EcP256, Capability::SIGN_ECDSA),
            Algorithm::Ed25519 => (asymmetric::Algorithm::Ed25519, Capability::SIGN_EDDSA),
        };
        self.generate_at(self.next_id(), label, theirs, capability);
        self.device().public_key(label).unwrap()
    }

    fn generate_parent(&self, label: &KeyLabel) -> (PublicKey, ChainCode) {
        let id = self.next_id();
        let random = self.administrator.get_pseudo_random(32).unwrap();
        self.put_opaque(id, label, &random);
        self.generate_at(id, label, asymmetric::Algorithm::EcK256, Capability::SIGN_ECDSA);
        (self.device().public_key(label).unwrap(), ChainCode::new(random.try_into().unwrap()))
    }

    fn put_chain_code(&self, label: &KeyLabel, value: &[u8]) {
        let entries = self.administrator.list_objects(&[Filter::Label(named(label))]).unwrap();
        let id = if let [key] = &entries[..] { key.object_id } else { self.next_id() };
        self.put_opaque(id, label, value);
    }

    fn generate_twin(&self, label: &KeyLabel) {
        self.generate_at(self.next_id(), label, asymmetric::Algorithm::EcP256, Capability::SIGN_ECDSA);
    }

    fn generate_unfit(&self, label: &KeyLabel) -> &'static [&'static str] {
        let capabilities = Capability::SIGN_ECDSA | Capability::EXPORTABLE_UNDER_WRAP | Capability::DERIVE_ECDH;
        self.generate_at(self.next_id(), label, asymmetric::Algorithm::EcP256, capabilities);
        &["derive-ecdh"]
    }

    fn delete(&self, label: &KeyLabel) {
        for entry in self.administrator.list_objects(&[Filter::Label(named(label))]).unwrap() {
            self.administrator.delete_object(entry.object_id, entry.object_type).unwrap();
        }
    }

    fn longest_message(&self) -> usize {
        2000
    }
}

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    trials_of(
        "yubihsm_crate",
        &[
            ("a_key_exported_from_one_device_signs_in_another", a_key_moves),
            ("a_role_without_rights_is_refused_by_the_device", a_role_without_rights),
            ("its_own_audit_commands_work", audit_commands),
            ("device_info_and_storage_info_are_read", device_and_storage_info),
        ],
    )
}

fn a_key_moves() {
    let (from, to) = (Simulated::new(), Simulated::new());
    let carried = Capability::SIGN_ECDSA | Capability::EXPORTABLE_UNDER_WRAP;
    for device in [&from, &to] {
        let (name, rights) = (named(&label("wrap")), Capability::EXPORT_WRAPPED | Capability::IMPORT_WRAPPED);
        let algorithm = wrap::Algorithm::Aes256Ccm;
        let put = device.administrator.put_wrap_key(9, name, Domain::DOM1, rights, carried, algorithm, [7; 32]);
        put.unwrap();
    }
    from.generate_at(5, &label("moved"), asymmetric::Algorithm::EcK256, carried);
    let wrapped = from.administrator.export_wrapped(9, Type::AsymmetricKey, 5).unwrap();
    let handle = to.administrator.import_wrapped(9, wrapped).unwrap();
    assert_eq!((handle.object_id, handle.object_type), (5, Type::AsymmetricKey));
    let public = |device: &Simulated| device.administrator.get_public_key(5).unwrap().as_slice().to_vec();
    assert_eq!(public(&from), public(&to));
    to.administrator.sign_ecdsa_prehash_raw(5, vec![0x42; 32]).unwrap();
    let protection = |device: &Simulated| device.device().protection(&label("moved")).unwrap();
    assert_eq!((protection(&from), protection(&to)), (Protection::LeavesWrapped, Protection::LeavesWrapped));
}

fn a_role_without_rights() {
    let simulated = Simulated::new();
    let key = label("guarded");
    simulated.generate(&key, Algorithm::Secp256k1);
    put_authentication_key(&simulated.administrator, 3, "auditor", Capability::GET_LOG_ENTRIES);
    let mut auditor = open(&simulated.server, 3, "auditor").unwrap();
    auditor.public_key(&key).unwrap();
    let error = auditor.sign(&key, &input(Algorithm::Secp256k1, 0)).unwrap_err();
    assert!(error.to_string().contains("permission"), "{error}");
}

fn audit_commands() {
    let simulated = Simulated::new();
    let log = simulated.administrator.get_log_entries().unwrap();
    assert_eq!(log.entries.iter().map(|entry| entry.item).collect::<Vec<_>>(), [1, 2]);
    simulated.administrator.set_log_index(2).unwrap();
    assert!(simulated.administrator.get_log_entries().unwrap().entries.is_empty());
    simulated.administrator.set_force_audit_option(yubihsm::AuditOption::Fix).unwrap();
    assert_eq!(simulated.administrator.get_force_audit_option().unwrap(), yubihsm::AuditOption::Fix);
    assert!(simulated.administrator.set_force_audit_option(yubihsm::AuditOption::Off).is_err());
}

fn device_and_storage_info() {
    let simulated = Simulated::new();
    let info = simulated.administrator.device_info().unwrap();
    assert_eq!((info.major_version, info.minor_version, info.build_version), (2, 4, 0));
    assert_eq!((info.serial_number.to_string().as_str(), info.log_store_capacity), ("0017000001", 62));
    let before = simulated.administrator.get_storage_info().unwrap();
    simulated.generate(&label("one"), Algorithm::P256);
    let after = simulated.administrator.get_storage_info().unwrap();
    assert_eq!((before.total_records, before.free_records), (256, 254));
    assert_eq!((after.free_records, before.free_pages - after.free_pages), (253, 2));
}
