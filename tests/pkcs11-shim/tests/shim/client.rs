//! A user of the shim: a token with two secp256k1 keys, and what it is told to do to its owner.

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, ExitStatus},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
    mechanism::Mechanism,
    object::{Attribute, AttributeType, ObjectClass, ObjectHandle},
    session::{Session, UserType},
    slot::Slot,
};
use k256::ecdsa::{Signature, VerifyingKey, signature::hazmat::PrehashVerifier};

pub(crate) const DIGEST: [u8; 32] = [0x42; 32];
const PIN: &str = "271828";
const SECP256K1: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a];

pub(crate) fn context() -> &'static Pkcs11 {
    static CONTEXT: OnceLock<Pkcs11> = OnceLock::new();
    CONTEXT.get_or_init(|| {
        // Cargo puts the module beside the tests of its package.
        let module = env::current_exe().unwrap().with_file_name("libpkcs11_shim.so");
        let context = Pkcs11::new(module).unwrap();
        context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
        context
    })
}

/// The token, made by the first who wants it.
pub(crate) fn slot() -> Slot {
    let context = context();
    let initialized = context.get_slots_with_initialized_token().unwrap();
    if let [slot] = initialized[..] {
        return slot;
    }
    let slot = context.get_slots_with_token().unwrap()[0];
    context.init_token(slot, &"so-314159".into(), "shim").unwrap();
    let slot = context.get_slots_with_initialized_token().unwrap()[0];
    let session = context.open_rw_session(slot).unwrap();
    session.login(UserType::So, Some(&"so-314159".into())).unwrap();
    session.init_pin(&PIN.into()).unwrap();
    session.logout().unwrap();
    session.login(UserType::User, Some(&PIN.into())).unwrap();
    for label in ["one", "other"] {
        let names = [Attribute::Label(label.into()), Attribute::Id(label.into()), Attribute::Token(true)];
        let public = [&names[..], &[Attribute::EcParams(SECP256K1.to_vec())]].concat();
        let private = [&names[..], &[Attribute::Private(true), Attribute::Sensitive(true)]].concat();
        session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private).unwrap();
    }
    slot
}

/// A session in which the user is logged in, on a shim that has no faults.
pub(crate) fn session() -> Session {
    clear();
    let session = context().open_ro_session(slot()).unwrap();
    log_in(&session).unwrap();
    session
}

/// Logs in. That another session has is as good.
pub(crate) fn log_in(session: &Session) -> Result<(), Error> {
    match session.login(UserType::User, Some(&PIN.into())) {
        Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        result => result,
    }
}

pub(crate) fn find(session: &Session, class: ObjectClass) -> Result<ObjectHandle, Error> {
    let wanted = [Attribute::Class(class), Attribute::Label("one".into())];
    session
        .find_objects(&wanted)?
        .first()
        .copied()
        .ok_or(Error::Pkcs11(RvError::ObjectHandleInvalid, cryptoki::context::Function::FindObjects))
}

/// A signature of [`DIGEST`] by key `one`.
pub(crate) fn sign(session: &Session) -> Result<Vec<u8>, Error> {
    session.sign(&Mechanism::Ecdsa, find(session, ObjectClass::PRIVATE_KEY)?, &DIGEST)
}

/// The code a signature failed with.
pub(crate) fn sign_code(session: &Session) -> RvError {
    match sign(session) {
        Err(Error::Pkcs11(code, _)) => code,
        other => panic!("no code: {other:?}"),
    }
}

pub(crate) fn point(session: &Session) -> Vec<u8> {
    let key = find(session, ObjectClass::PUBLIC_KEY).unwrap();
    match &session.get_attributes(key, &[AttributeType::EcPoint]).unwrap()[..] {
        [Attribute::EcPoint(point)] => point.clone(),
        other => panic!("{other:?}"),
    }
}

/// Whether it is a signature of [`DIGEST`] by the key at this point, with a low s or a high one.
pub(crate) fn verifies(signature: &[u8], point: &[u8]) -> bool {
    let key = VerifyingKey::from_sec1_bytes(&point[2..]).unwrap();
    let Ok(signature) = Signature::from_slice(signature) else { return false };
    key.verify_prehash(&DIGEST, &signature.normalize_s().unwrap_or(signature)).is_ok()
}

fn path(variable: &str) -> PathBuf {
    PathBuf::from(env::var_os(variable).unwrap())
}

/// The shim does this from now on, and nothing else; the fault's identity.
pub(crate) fn fault(fault: &str) -> u64 {
    static IDENTITY: AtomicU64 = AtomicU64::new(1);
    let identity = IDENTITY.fetch_add(1, Ordering::Relaxed);
    write(&format!("# a comment\n\n{identity} {fault}\n"));
    identity
}

pub(crate) fn clear() {
    write("");
}

fn write(faults: &str) {
    let path = path("PKCS11_SHIM_FAULTS");
    fs::write(path.with_extension("next"), faults).unwrap();
    fs::rename(path.with_extension("next"), path).unwrap();
}

/// Lines of the journal: function, value, faults.
pub(crate) fn journal() -> Vec<String> {
    let text = fs::read_to_string(path("PKCS11_SHIM_JOURNAL")).unwrap();
    text.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
}

/// Another process that signs once: how it ended.
pub(crate) fn other_process() -> ExitStatus {
    Command::new(env::current_exe().unwrap()).arg(crate::SIGN_ONCE).status().unwrap()
}

pub(crate) fn sign_once() {
    let session = context().open_ro_session(slot()).unwrap();
    log_in(&session).unwrap();
    assert!(verifies(&sign(&session).unwrap(), &point(&session)));
}
