//! A device from the factory, made ready.

use hsm_drivers::{
    Device, DeviceLogPage, Error, Protection,
    yubihsm2::{
        Yubihsm2Device,
        ceremony::{Ceremony, Role, Roles, initialize},
        protocol::{
            AUDIT_FIXED, AUDIT_OFF, Algorithm as Theirs, Capabilities, Command, Domains, ErrorCode, Label, ObjectType,
            OptionTag, channel::StaticKeys,
        },
        session::{CommandError, Credentials, OpenError, Session},
    },
};
use hsm_types::{Algorithm, Verifier};
use libtest_mimic::Trial;

use super::{ADMINISTRATOR, Plugged, SIGNER, pin, roles::initialize_all};
use crate::{
    backend::{input, label, sign},
    trial,
};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial("yubihsm_setup::two_keys_with_the_least_rights_are_left_and_not_the_factorys", two_keys_are_left),
        trial("yubihsm_setup::all_but_looking_is_noted_for_good_and_the_log_begins_empty", all_but_looking_is_noted),
        trial("yubihsm_setup::an_interruption_at_any_message_is_gone_on_from", interrupted),
        trial("yubihsm_setup::a_device_that_is_ready_stays_as_it_is", stays_as_it_is),
        trial("yubihsm_setup::a_device_that_holds_something_is_left", holds_something),
        trial("yubihsm_setup::the_factorys_key_and_password_are_nobodys", factorys_key_and_password),
        trial("yubihsm_setup::who_serves_must_have_no_wrap_rights", no_wrap_rights),
        trial("yubihsm_setup::the_administrator_makes_nobody_with_more_rights_than_a_signer", nobody_with_more_rights),
    ]
}

fn two_keys_are_left() {
    let device = Plugged::ready(1);
    let objects = device.objects();
    let mut found: Vec<_> = objects.iter().map(|info| (info.id, info.object_type, info.domains)).collect();
    found.sort_by_key(|(id, ..)| *id);
    let of_roles = |id| (id, ObjectType::AUTHENTICATION_KEY, Domains(1));
    assert_eq!(found, [of_roles(SIGNER), of_roles(ADMINISTRATOR)]);
    let signer = objects.iter().find(|info| info.id == SIGNER).unwrap();
    let names = "sign-ecdsa,sign-eddsa,get-log-entries,get-opaque,put-opaque,delete-opaque,get-option,\
                 sign-attestation-certificate";
    assert_eq!(signer.capabilities, names.parse().unwrap());
    assert_eq!(signer.delegated_capabilities, Capabilities::NONE);
    let administrator = objects.iter().find(|info| info.id == ADMINISTRATOR).unwrap();
    assert!(!administrator.capabilities.contains(Capabilities::RESET_DEVICE));
    assert!(!administrator.delegated_capabilities.contains(Capabilities::PUT_AUTHENTICATION_KEY));

    let factory = Credentials { id: 1, keys: StaticKeys::from_password(b"password") };
    assert_eq!(Session::open(device.connector(), &factory).unwrap_err(), OpenError::NoSuchKey);
}

fn all_but_looking_is_noted() {
    let device = Plugged::ready(1);
    let mut session = device.administrator();
    let options = session.option(OptionTag::COMMAND_AUDIT).unwrap();
    let of = |command: Command| options.chunks(2).find(|pair| pair[0] == command.0).unwrap()[1];
    for noted in [
        Command::CREATE_SESSION,
        Command::AUTHENTICATE_SESSION,
        Command::CLOSE_SESSION,
        Command::RESET_DEVICE,
        Command::SIGN_ECDSA,
        Command::SIGN_EDDSA,
        Command::SIGN_ATTESTATION_CERTIFICATE,
        Command::GENERATE_ASYMMETRIC_KEY,
        Command::PUT_ASYMMETRIC_KEY,
        Command::DELETE_OBJECT,
        Command::PUT_AUTHENTICATION_KEY,
        Command::CHANGE_AUTHENTICATION_KEY,
        Command::EXPORT_WRAPPED,
        Command::IMPORT_WRAPPED,
        Command::PUT_WRAP_KEY,
        Command::UNWRAP_DATA,
        Command::SET_OPTION,
        Command::EXPORT_WRAPPED_RSA,
    ] {
        assert_eq!(of(noted), AUDIT_FIXED, "{noted}");
    }
    for looking in [Command::ECHO, Command::LIST_OBJECTS, Command::GET_LOG_ENTRIES, Command::GET_PUBLIC_KEY] {
        assert_eq!(of(looking), AUDIT_OFF, "{looking}");
    }
    assert_eq!(session.option(OptionTag::FORCE_AUDIT), Ok(vec![AUDIT_FIXED]));
    let off = vec![OptionTag::FORCE_AUDIT.0, 0, 1, AUDIT_OFF];
    assert_eq!(session.run(Command::SET_OPTION, off), Err(CommandError::Refused(ErrorCode::INVALID_DATA)));
    let log: Vec<u8> = session.log_entries().unwrap().entries.iter().map(|entry| entry.command).collect();
    let opened = [Command::CREATE_SESSION.0, Command::AUTHENTICATE_SESSION.0];
    // The last of the setup, and this session.
    assert_eq!(log, [&[Command::CLOSE_SESSION.0][..], &opened, &[Command::SET_OPTION.0]].concat());
}

/// With every role there is.
fn interrupted() {
    for messages in 1.. {
        let device = Plugged::fresh(1);
        device.cut_after(messages);
        let first = initialize_all(&device).map(drop);
        if !device.mend() {
            first.unwrap();
            assert!(messages > 25, "{messages}");
            break;
        }
        let (mut ceremony, _) = initialize_all(&device).unwrap_or_else(|error| panic!("{messages}: {error}"));
        ceremony.generate_key(&label("hot"), Algorithm::P256, Protection::NeverLeaves).unwrap();
        device.device().public_key(&label("hot")).unwrap();
        assert_eq!(device.count(ObjectType::AUTHENTICATION_KEY), 4, "{messages}");
    }
}

fn stays_as_it_is() {
    let device = Plugged::ready(1);
    let before = device.objects();
    let (mut ceremony, made) = device.initialize().unwrap();
    assert!(!made);
    assert_eq!(device.objects(), before);
    ceremony.generate_key(&label("hot"), Algorithm::P256, Protection::NeverLeaves).unwrap();

    let (wrong, signer) = (pin("guessed"), pin("signer"));
    let administrator = Role { id: ADMINISTRATOR, password: &wrong };
    let error =
        initialize(|| Ok(device.connector()), &Roles::new(administrator, Role { id: SIGNER, password: &signer }));
    assert!(matches!(error, Err(Error::PinRefused { .. })), "{error:?}");
}

fn holds_something() {
    let device = Plugged::fresh(1);
    let key = [&[0, 9][..], &Label::new("old").unwrap().0, &[0, 1, 0, 0, 0, 0, 0, 0, 0, 0x80, Theirs::EC_K256.0]];
    device.session(1, "password").run(Command::GENERATE_ASYMMETRIC_KEY, key.concat()).unwrap();
    let error = device.initialize().unwrap_err().to_string();
    assert!(error.contains("not as it left the factory, for it holds 1 objects"), "{error}");
    device.session(1, "password").public_key(9).unwrap();
}

fn factorys_key_and_password() {
    let device = Plugged::fresh(1);
    let factory = pin("password");
    let error = Ceremony::open(device.connector(), 1, &factory).unwrap_err();
    assert!(matches!(error, Error::FactoryPassword { .. }), "{error}");
    let (one, two) = (pin("one"), pin("two"));
    for (administrator, signer) in [(1, 2), (3, 1), (3, 3)] {
        let (administrator, signer) = (Role { id: administrator, password: &one }, Role { id: signer, password: &two });
        let error = initialize(|| Ok(device.connector()), &Roles::new(administrator, signer)).unwrap_err().to_string();
        assert!(error.contains("each need an object id of their own"), "{error}");
    }
}

pub(super) fn put(
    session: &mut Session,
    id: u16,
    capabilities: Capabilities,
    delegated: Capabilities,
) -> Result<(), CommandError> {
    let data = [
        &id.to_be_bytes()[..],
        &Label::new("another").unwrap().0,
        &Domains(1).0.to_be_bytes(),
        &capabilities.0.to_be_bytes(),
        &[Theirs::AES128_YUBICO_AUTHENTICATION.0],
        &delegated.0.to_be_bytes(),
        &StaticKeys::from_password(b"another").to_bytes()[..],
    ];
    session.run(Command::PUT_AUTHENTICATION_KEY, data.concat()).map(drop)
}

fn no_wrap_rights() {
    let device = Plugged::fresh(1);
    let mut factory = device.session(1, "password");
    let signs = Capabilities::SIGN_ECDSA;
    for (right, delegated, may_serve) in [
        (Capabilities::NONE, Capabilities::ALL, true),
        (Capabilities::PUT_AUTHENTICATION_KEY, signs, true),
        (Capabilities::PUT_AUTHENTICATION_KEY, signs | Capabilities::EXPORT_WRAPPED, false),
        (Capabilities::PUT_AUTHENTICATION_KEY, signs | Capabilities::PUT_AUTHENTICATION_KEY, false),
        (Capabilities::EXPORT_WRAPPED, Capabilities::NONE, false),
        (Capabilities::IMPORT_WRAPPED, Capabilities::NONE, false),
        (Capabilities::PUT_WRAP_KEY, Capabilities::NONE, false),
        (Capabilities::GENERATE_WRAP_KEY, Capabilities::NONE, false),
        (Capabilities::UNWRAP_DATA, Capabilities::NONE, false),
    ] {
        put(&mut factory, 7, signs | right, delegated).unwrap();
        let opened = Yubihsm2Device::open(device.connector(), 7, &pin("another"));
        match opened {
            Ok(_) => assert!(may_serve, "{right}"),
            Err(Error::WrapRights { rights, .. }) => assert!(!may_serve && rights == right.to_string(), "{rights}"),
            Err(error) => panic!("{error}"),
        }
        factory.run(Command::DELETE_OBJECT, vec![0, 7, ObjectType::AUTHENTICATION_KEY.0]).unwrap();
    }
}

fn nobody_with_more_rights() {
    let device = Plugged::ready(1);
    let mut administrator = device.administrator();
    let refused = Err(CommandError::Refused(ErrorCode::INSUFFICIENT_PERMISSIONS));
    for surplus in [Capabilities::RESET_DEVICE, Capabilities::PUT_AUTHENTICATION_KEY, Capabilities::PUT_WRAP_KEY] {
        assert_eq!(put(&mut administrator, 7, Capabilities::SIGN_ECDSA | surplus, Capabilities::NONE), refused);
    }
    put(&mut administrator, 7, Capabilities::SIGN_ECDSA, Capabilities::NONE).unwrap();
    let public_key =
        device.ceremony().generate_key(&label("hot"), Algorithm::Secp256k1, Protection::NeverLeaves).unwrap();
    let mut successor = Yubihsm2Device::open(device.connector(), 7, &pin("another")).unwrap();
    sign(&mut successor, &label("hot"), &Verifier::new(public_key), &input(Algorithm::Secp256k1, 1));
    assert_ne!(device.ceremony().forget_log().unwrap(), 0);
    let page: DeviceLogPage = device.device().device_log().unwrap().read().unwrap();
    assert!(page.entries.len() < 10, "{page:?}");
}
