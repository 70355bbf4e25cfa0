//! Roles beside administrator and signer: what each can do, and that nothing it has is too much.

use hsm_drivers::{
    Device, Error, Protection,
    simulator::{Fault, Plan},
    yubihsm2::{
        Yubihsm2Device,
        ceremony::{Ceremony, Role, RoleName, Roles, capabilities_of, delegated_of, initialize},
        protocol::{AUDIT_FIXED, Capabilities, Command, ErrorCode, ObjectType, OptionTag},
        session::CommandError,
    },
};
use hsm_types::{Algorithm, Verifier};
use libtest_mimic::Trial;

use super::{ADMINISTRATOR, Plugged, SIGNER, pin, setup::put};
use crate::{
    backend::{input, label, sign},
    forged::{backup_key, forged},
    trial,
};

const AUDITOR: u16 = 4;
const BACKUP: u16 = 5;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial("yubihsm_roles::each_has_the_capabilities_of_the_table_and_no_others", as_the_table_says),
        trial("yubihsm_roles::each_needs_an_object_id_and_a_password_of_its_own", an_id_of_its_own),
        trial("yubihsm_roles::the_auditor_reads_the_log_and_the_options_and_does_nothing", the_auditor),
        trial("yubihsm_roles::who_makes_backups_makes_them_and_no_keys", the_backup),
        trial("yubihsm_roles::who_makes_backups_needs_every_one_of_its_capabilities", every_capability),
    ]
}

/// The password of a role is its name; the auditor's is given.
fn initialize_with(device: &Plugged, auditor: &str) -> Result<(Ceremony, bool), Error> {
    let [administrator, signer, auditor, backup] = ["administrator", "signer", auditor, "backup"].map(pin);
    let mut roles =
        Roles::new(Role { id: ADMINISTRATOR, password: &administrator }, Role { id: SIGNER, password: &signer });
    roles.auditor = Some(Role { id: AUDITOR, password: &auditor });
    roles.backup = Some(Role { id: BACKUP, password: &backup });
    initialize(|| Ok(device.connector()), &roles)
}

pub(super) fn initialize_all(device: &Plugged) -> Result<(Ceremony, bool), Error> {
    initialize_with(device, "auditor")
}

fn ready(serial: u32) -> Plugged {
    let device = Plugged::fresh(serial);
    assert!(initialize_all(&device).unwrap().1);
    device
}

fn backup_ceremony(device: &Plugged) -> Ceremony {
    Ceremony::open(device.connector(), BACKUP, &pin("backup")).unwrap()
}

fn as_the_table_says() {
    let device = ready(1);
    assert!(!initialize_all(&device).unwrap().1, "it stays as it is");
    let error = initialize_with(&device, "guessed").unwrap_err();
    assert!(matches!(error, Error::PinRefused { .. }), "{error}");
    let ids = [ADMINISTRATOR, SIGNER, AUDITOR, BACKUP];
    assert_eq!(device.objects().len(), ids.len());
    for (role, id) in RoleName::ALL.into_iter().zip(ids) {
        let facts = device.ceremony().role_facts(id).unwrap();
        let value = |name: &str| facts.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone());
        assert_eq!(value("capabilities"), Some(capabilities_of(role).to_string()), "{role}");
        assert_eq!(value("delegated-capabilities"), Some(delegated_of(role).to_string()), "{role}");
        assert_eq!((value("domains"), value("type")), (Some("1".into()), Some("authentication-key".into())), "{role}");
        let name = if role == RoleName::Signer { "appliance" } else { role.name() };
        assert_eq!(value("label").as_deref(), Some(name));
    }
    let auditor: Capabilities = "get-log-entries,get-option".parse().unwrap();
    assert_eq!((capabilities_of(RoleName::Auditor), delegated_of(RoleName::Auditor)), (auditor, Capabilities::NONE));
}

fn an_id_of_its_own() {
    let device = Plugged::fresh(1);
    let (one, two, factorys) = (pin("one"), pin("two"), pin("password"));
    let two_roles = Roles::new(Role { id: 3, password: &one }, Role { id: 2, password: &two });
    for (auditor, backup) in [(2, 5), (1, 5), (4, 4), (4, 3)] {
        let auditor = Some(Role { id: auditor, password: &one });
        let roles = Roles { auditor, backup: Some(Role { id: backup, password: &two }), ..two_roles };
        let error = initialize(|| Ok(device.connector()), &roles).unwrap_err().to_string();
        assert!(error.contains("each need an object id of their own"), "{error}");
    }
    let roles = Roles { backup: Some(Role { id: 1, password: &factorys }), ..two_roles };
    let error = initialize(|| Ok(device.connector()), &roles).unwrap_err();
    assert!(matches!(error, Error::FactoryPassword { .. }), "{error}");
    assert_eq!(device.session(1, "password").list_objects(&[]).unwrap().len(), 1, "nothing was made");
}

fn the_auditor() {
    let device = ready(1);
    let key = label("vault");
    device.ceremony().generate_parent(&key, Protection::LeavesWrapped).unwrap();
    let mut auditor = Yubihsm2Device::open(device.connector(), AUDITOR, &pin("auditor")).unwrap();
    let log = auditor.device_log().unwrap().read().unwrap();
    assert!(log.entries.iter().any(|entry| entry.command == Command::GENERATE_ASYMMETRIC_KEY.0));
    assert!(auditor.sign(&key, &input(Algorithm::Secp256k1, 1)).is_err());

    let mut session = device.session(AUDITOR, "auditor");
    assert_eq!(session.option(OptionTag::FORCE_AUDIT), Ok(vec![AUDIT_FIXED]));
    let objects = device.objects();
    let id = objects.iter().find(|info| info.object_type == ObjectType::OPAQUE).unwrap().id;
    let [high, low] = id.to_be_bytes();
    let digest = [&[high, low][..], &[7; 32]].concat();
    for (command, data) in [
        (Command::SIGN_ECDSA, digest),
        (Command::GET_OPAQUE, vec![high, low]),
        (Command::DELETE_OBJECT, vec![high, low, ObjectType::ASYMMETRIC_KEY.0]),
        (Command::DELETE_OBJECT, vec![high, low, ObjectType::OPAQUE.0]),
        (Command::SIGN_ATTESTATION_CERTIFICATE, vec![high, low, 0, 0]),
        (Command::SET_OPTION, vec![OptionTag::FORCE_AUDIT.0, 0, 1, 0]),
        (Command::GET_PSEUDO_RANDOM, vec![0, 8]),
        (Command::RESET_DEVICE, vec![]),
    ] {
        let refused = Err(CommandError::Refused(ErrorCode::INSUFFICIENT_PERMISSIONS));
        assert_eq!(session.run(command, data), refused, "{command}");
    }
}

fn the_backup() {
    let (from, to) = (ready(1), ready(2));
    for algorithm in Algorithm::ALL {
        let key = label(algorithm.name());
        let public_key = from.ceremony().generate_key(&key, algorithm, Protection::LeavesWrapped).unwrap();
        let backup = backup_ceremony(&from).back_up(&key, &backup_key()).unwrap();
        assert!(backup_ceremony(&to).restore(&backup, &backup_key()).unwrap().made);
        sign(&mut to.device(), &key, &Verifier::new(public_key), &input(algorithm, 1));
        from.ceremony().forget_log().unwrap();
        to.ceremony().forget_log().unwrap();
    }
    let refused = |error: Error| assert!(error.to_string().contains("insufficient-permissions"), "{error}");
    let mut ceremony = backup_ceremony(&from);
    refused(ceremony.generate_key(&label("more"), Algorithm::P256, Protection::NeverLeaves).unwrap_err());
    refused(ceremony.forget_log().unwrap_err());
    refused(ceremony.attest(&label("p256")).unwrap_err());
    let serves = Yubihsm2Device::open(from.connector(), BACKUP, &pin("backup"));
    assert!(matches!(serves, Err(Error::WrapRights { .. })), "{serves:?}");
}

/// All that the role is for, with an authentication key of these rights: whether nothing of it failed and nothing is left.
fn backs_up_and_restores(capabilities: Capabilities, delegated: Capabilities) -> bool {
    let (from, to) = (Plugged::fresh(1), Plugged::fresh(2));
    let [mut factory, mut other] = [&from, &to].map(|device| device.session(1, "password"));
    put(&mut factory, ADMINISTRATOR, Capabilities::ALL, Capabilities::ALL).unwrap();
    for session in [&mut factory, &mut other] {
        put(session, BACKUP, capabilities, delegated).unwrap();
    }
    let open = |device: &Plugged, id| Ceremony::open(device.connector(), id, &pin("another")).unwrap();
    let mut administrator = open(&from, ADMINISTRATOR);
    administrator.generate_parent(&label("vault"), Protection::LeavesWrapped).unwrap();
    administrator.generate_key(&label("log"), Algorithm::Ed25519, Protection::LeavesWrapped).unwrap();

    let (mut source, mut destination) = (open(&from, BACKUP), open(&to, BACKUP));
    let backups = ["vault", "log"].map(|key| source.back_up(&label(key), &backup_key()));
    let [Ok(vault), Ok(log)] = backups else { return false };
    // One that does not prove to be the key goes again.
    assert!(destination.restore(&forged(&vault, "label", "hot"), &backup_key()).is_err());
    to.line().simulator.faults().arm(Plan::at(Fault::Refuse(ErrorCode::INVALID_DATA), Command::IMPORT_WRAPPED));
    assert!(destination.restore(&vault, &backup_key()).is_err());
    if other.list_objects(&[]).unwrap().len() != 2 {
        return false;
    }
    [vault, log].iter().all(|backup| destination.restore(backup, &backup_key()).is_ok())
}

fn every_capability() {
    let (capabilities, delegated) = (capabilities_of(RoleName::Backup), delegated_of(RoleName::Backup));
    assert!(backs_up_and_restores(capabilities, delegated));
    for one in capabilities.iter() {
        assert!(!backs_up_and_restores(capabilities.without(one), delegated), "{one} is too much");
    }
    for one in delegated.iter() {
        assert!(!backs_up_and_restores(capabilities, delegated.without(one)), "{one} is too much to hand on");
    }
}
