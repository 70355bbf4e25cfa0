//! Capabilities, delegated capabilities and domains.

use hsm_drivers::{
    simulator::Simulator,
    yubihsm2::protocol::{
        Algorithm, Capabilities, Command, Domains, ErrorCode, ListEntry, ObjectInfo, ObjectType, Origin,
    },
};
use libtest_mimic::Trial;

use crate::{
    client::{Session, fresh, new_object, refused},
    trials_of,
};

const DENIED: ErrorCode = ErrorCode::INSUFFICIENT_PERMISSIONS;

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    trials_of(
        "rights",
        &[
            ("every_capability_is_missed_by_a_session_without_it", every_capability),
            ("to_sign_takes_the_right_of_the_session_and_of_the_key", both_rights),
            ("nothing_is_made_with_more_than_was_delegated", delegated),
            ("an_object_of_other_domains_is_not_there", domains),
            ("a_wrap_key_moves_only_what_it_may", wrap_keys),
            ("an_authentication_key_changes_itself_only", change),
            ("ids_are_taken_once_and_counted", ids),
        ],
    )
}

/// A session of a key with these rights in domain 1.
fn session(simulator: &mut Simulator, id: u16, capabilities: Capabilities, delegated: Capabilities) -> Session {
    let name = format!("role {id}");
    let mut factory = Session::factory(simulator);
    factory.put_authentication_key(simulator, (id, &name), Domains(1), capabilities, delegated).unwrap();
    factory.run(simulator, Command::CLOSE_SESSION, &[]).unwrap();
    Session::open(simulator, id, &name).unwrap()
}

/// Commands and the one capability each takes, with data that is good otherwise. Key 5 and opaque object 6 are there.
fn commands() -> Vec<(Command, Capabilities, Vec<u8>)> {
    let object = |algorithm| new_object(0, "made", Domains(1), Capabilities::NONE, algorithm);
    let delegating = |algorithm, value: &[u8]| [&object(algorithm)[..], &[0; 8], value].concat();
    let authentication = Algorithm::AES128_YUBICO_AUTHENTICATION;
    vec![
        (Command::GET_PSEUDO_RANDOM, Capabilities::GET_PSEUDO_RANDOM, vec![0, 8]),
        (Command::GET_OPTION, Capabilities::GET_OPTION, vec![1]),
        (Command::SET_OPTION, Capabilities::SET_OPTION, vec![1, 0, 1, 0]),
        (Command::GET_LOG_ENTRIES, Capabilities::GET_LOG_ENTRIES, vec![]),
        (Command::SET_LOG_INDEX, Capabilities::GET_LOG_ENTRIES, vec![0, 1]),
        (Command::PUT_OPAQUE, Capabilities::PUT_OPAQUE, [&object(Algorithm::OPAQUE_DATA)[..], b"value"].concat()),
        (Command::GET_OPAQUE, Capabilities::GET_OPAQUE, vec![0, 6]),
        (Command::PUT_AUTHENTICATION_KEY, Capabilities::PUT_AUTHENTICATION_KEY, delegating(authentication, &[1; 32])),
        (
            Command::PUT_ASYMMETRIC_KEY,
            Capabilities::PUT_ASYMMETRIC_KEY,
            [&object(Algorithm::EC_P256)[..], &[1; 32]].concat(),
        ),
        (Command::GENERATE_ASYMMETRIC_KEY, Capabilities::GENERATE_ASYMMETRIC_KEY, object(Algorithm::ED25519)),
        (Command::PUT_WRAP_KEY, Capabilities::PUT_WRAP_KEY, delegating(Algorithm::AES256_CCM_WRAP, &[1; 32])),
        (Command::GENERATE_WRAP_KEY, Capabilities::GENERATE_WRAP_KEY, delegating(Algorithm::AES192_CCM_WRAP, &[])),
        (Command::SIGN_ATTESTATION_CERTIFICATE, Capabilities::SIGN_ATTESTATION_CERTIFICATE, vec![0, 5, 0, 0]),
        (Command::DELETE_OBJECT, Capabilities::DELETE_OPAQUE, vec![0, 6, ObjectType::OPAQUE.0]),
        (Command::DELETE_OBJECT, Capabilities::DELETE_ASYMMETRIC_KEY, vec![0, 5, ObjectType::ASYMMETRIC_KEY.0]),
        (Command::RESET_DEVICE, Capabilities::RESET_DEVICE, vec![]),
    ]
}

fn every_capability() {
    for (command, capability, data) in commands() {
        let mut simulator = fresh();
        let mut factory = Session::factory(&mut simulator);
        factory.generate(&mut simulator, 5, Algorithm::EC_K256);
        let opaque = new_object(6, "opaque", Domains(1), Capabilities::NONE, Algorithm::OPAQUE_DATA);
        factory.run(&mut simulator, Command::PUT_OPAQUE, &[&opaque[..], b"value"].concat()).unwrap();

        let without = Capabilities::ALL.without(capability);
        let mut poor = session(&mut simulator, 2, without, Capabilities::ALL);
        assert_eq!(poor.run(&mut simulator, command, &data), Err(refused(DENIED)), "{command} without {capability}");
        let mut rich = session(&mut simulator, 3, capability, Capabilities::NONE);
        let outcome = rich.run(&mut simulator, command, &data);
        assert!(outcome.is_ok(), "{command} with {capability} alone: {outcome:?}");
    }
}

fn both_rights() {
    let mut simulator = fresh();
    let mut factory = Session::factory(&mut simulator);
    factory.generate(&mut simulator, 5, Algorithm::EC_K256);
    let mute = new_object(6, "mute", Domains(1), Capabilities::NONE, Algorithm::EC_K256);
    factory.run(&mut simulator, Command::GENERATE_ASYMMETRIC_KEY, &mute).unwrap();
    factory.sign(&mut simulator, 5).unwrap();
    assert_eq!(factory.sign(&mut simulator, 6), Err(refused(DENIED)), "the key may not");
    let mut reader = session(&mut simulator, 2, Capabilities::GET_LOG_ENTRIES, Capabilities::NONE);
    assert_eq!(reader.sign(&mut simulator, 5), Err(refused(DENIED)), "the session may not");
    assert_eq!(reader.sign(&mut simulator, 7), Err(refused(ErrorCode::OBJECT_NOT_FOUND)));
}

fn delegated() {
    let mut simulator = fresh();
    let maker = Capabilities::GENERATE_ASYMMETRIC_KEY | Capabilities::PUT_AUTHENTICATION_KEY;
    let mut session = session(&mut simulator, 2, maker, Capabilities::SIGN_ECDSA);
    let make = |capabilities| new_object(0, "made", Domains(1), capabilities, Algorithm::EC_P256);
    let command = Command::GENERATE_ASYMMETRIC_KEY;
    session.run(&mut simulator, command, &make(Capabilities::SIGN_ECDSA)).unwrap();
    let more = Capabilities::SIGN_ECDSA | Capabilities::EXPORTABLE_UNDER_WRAP;
    assert_eq!(session.run(&mut simulator, command, &make(more)), Err(refused(DENIED)));
    let (sign, none) = (Capabilities::SIGN_ECDSA, Capabilities::NONE);
    let mut put = |capabilities, delegated| {
        session.put_authentication_key(&mut simulator, (9, "heir"), Domains(1), capabilities, delegated)
    };
    assert_eq!(put(maker, none), Err(refused(DENIED)), "rights of its own that were not delegated");
    assert_eq!(put(none, more), Err(refused(DENIED)), "rights to pass on that were not delegated");
    put(sign, sign).unwrap();
}

fn domains() {
    let mut simulator = fresh();
    let mut factory = Session::factory(&mut simulator);
    let elsewhere = new_object(5, "elsewhere", Domains(0b110), Capabilities::SIGN_ECDSA, Algorithm::EC_K256);
    factory.run(&mut simulator, Command::GENERATE_ASYMMETRIC_KEY, &elsewhere).unwrap();
    let mut inside = session(&mut simulator, 2, Capabilities::ALL, Capabilities::ALL);
    let missing = Err(refused(ErrorCode::OBJECT_NOT_FOUND));
    assert_eq!(inside.sign(&mut simulator, 5), missing);
    assert_eq!(inside.run(&mut simulator, Command::GET_PUBLIC_KEY, &[0, 5]), missing);
    assert_eq!(inside.run(&mut simulator, Command::GET_OBJECT_INFO, &[0, 5, 3]), missing);
    assert_eq!(inside.run(&mut simulator, Command::DELETE_OBJECT, &[0, 5, 3]), missing);
    let listed = inside.run(&mut simulator, Command::LIST_OBJECTS, &[]).unwrap();
    let listed: Vec<u16> = ListEntry::decode_all(&listed).unwrap().iter().map(|entry| entry.id).collect();
    assert_eq!(listed, [1, 2], "the two authentication keys");
    let command = Command::GENERATE_ASYMMETRIC_KEY;
    let outside = new_object(6, "made", Domains(0b11), Capabilities::NONE, Algorithm::EC_K256);
    assert_eq!(inside.run(&mut simulator, command, &outside), Err(refused(DENIED)));
    let nowhere = new_object(6, "made", Domains(0), Capabilities::NONE, Algorithm::EC_K256);
    assert_eq!(inside.run(&mut simulator, command, &nowhere), Err(refused(ErrorCode::INVALID_DATA)));
    factory.sign(&mut simulator, 5).unwrap();
}

fn wrap_keys() {
    let mut simulator = fresh();
    let mut session = Session::factory(&mut simulator);
    let both = Capabilities::EXPORT_WRAPPED | Capabilities::IMPORT_WRAPPED;
    let carried = Capabilities::SIGN_ECDSA | Capabilities::SIGN_EDDSA | Capabilities::EXPORTABLE_UNDER_WRAP;
    let roles = [(10, both, carried), (11, Capabilities::NONE, carried), (12, both, Capabilities::SIGN_ECDSA)];
    for (id, capabilities, delegated) in roles {
        let object = new_object(id, "wrap", Domains(1), capabilities, Algorithm::AES128_CCM_WRAP);
        let data = [&object[..], &delegated.0.to_be_bytes(), &[9; 16]].concat();
        session.run(&mut simulator, Command::PUT_WRAP_KEY, &data).unwrap();
    }
    for (id, algorithm) in [(5_u8, Algorithm::EC_K256), (6, Algorithm::EC_P256), (7, Algorithm::ED25519)] {
        session.generate(&mut simulator, id.into(), algorithm);
        let public = session.run(&mut simulator, Command::GET_PUBLIC_KEY, &[0, id]).unwrap();
        assert_eq!(session.run(&mut simulator, Command::EXPORT_WRAPPED, &[0, 11, 3, 0, id]), Err(refused(DENIED)));
        assert_eq!(session.run(&mut simulator, Command::EXPORT_WRAPPED, &[0, 12, 3, 0, id]), Err(refused(DENIED)));
        for seed in [&[][..], &[0], &[1]] {
            let export = [&[0, 10, 3, 0, id][..], seed].concat();
            let wrapped = session.run(&mut simulator, Command::EXPORT_WRAPPED, &export).unwrap();
            let mut import = |wrap_key: u8, wrapped: &[u8]| {
                session.run(&mut simulator, Command::IMPORT_WRAPPED, &[&[0, wrap_key][..], wrapped].concat())
            };
            assert_eq!(import(10, &wrapped), Err(refused(ErrorCode::OBJECT_EXISTS)));
            assert_eq!(import(12, &wrapped), Err(refused(DENIED)));
            for bit in (0..wrapped.len() * 8).step_by(7) {
                let mut altered = wrapped.clone();
                altered[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(import(10, &altered), Err(refused(ErrorCode::INVALID_DATA)), "bit {bit}");
            }
            session.run(&mut simulator, Command::DELETE_OBJECT, &[0, id, 3]).unwrap();
            let data = [&[0, 10][..], &wrapped].concat();
            assert_eq!(session.run(&mut simulator, Command::IMPORT_WRAPPED, &data).unwrap(), [3, 0, id]);
            assert_eq!(session.run(&mut simulator, Command::GET_PUBLIC_KEY, &[0, id]).unwrap(), public);
            let info = session.run(&mut simulator, Command::GET_OBJECT_INFO, &[0, id, 3]).unwrap();
            assert_eq!(ObjectInfo::decode(&info).unwrap().origin, Origin::GENERATED.wrapped());
        }
    }
    let kept = new_object(20, "kept", Domains(1), Capabilities::SIGN_ECDSA, Algorithm::EC_K256);
    session.run(&mut simulator, Command::GENERATE_ASYMMETRIC_KEY, &kept).unwrap();
    assert_eq!(session.run(&mut simulator, Command::EXPORT_WRAPPED, &[0, 10, 3, 0, 20]), Err(refused(DENIED)));
}

fn change() {
    let mut simulator = fresh();
    let rights = Capabilities::CHANGE_AUTHENTICATION_KEY;
    let mut session = session(&mut simulator, 2, rights, Capabilities::NONE);
    let change = |id: u8| [&[0, id, Algorithm::AES128_YUBICO_AUTHENTICATION.0][..], &[7; 32]].concat();
    let command = Command::CHANGE_AUTHENTICATION_KEY;
    assert_eq!(session.run(&mut simulator, command, &change(1)), Err(refused(DENIED)));
    assert_eq!(session.run(&mut simulator, command, &change(2)).unwrap(), [0, 2]);
    assert!(Session::open(&mut simulator, 2, "role 2").is_err());
    Session::factory(&mut simulator).echo(&mut simulator).unwrap();
}

fn ids() {
    let mut simulator = fresh();
    let mut session = Session::factory(&mut simulator);
    let make = |id| new_object(id, "made", Domains(1), Capabilities::NONE, Algorithm::EC_P256);
    let command = Command::GENERATE_ASYMMETRIC_KEY;
    assert_eq!(session.run(&mut simulator, command, &make(5)).unwrap(), [0, 5]);
    assert_eq!(session.run(&mut simulator, command, &make(5)), Err(refused(ErrorCode::OBJECT_EXISTS)));
    assert_eq!(session.run(&mut simulator, command, &make(0xffff)), Err(refused(ErrorCode::INVALID_ID)));
    let chosen = session.run(&mut simulator, command, &make(0)).unwrap();
    assert_ne!(chosen, [0, 0]);
    session.run(&mut simulator, Command::DELETE_OBJECT, &[&chosen[..], &[3]].concat()).unwrap();
    session.run(&mut simulator, Command::DELETE_OBJECT, &[0, 5, 3]).unwrap();
    session.run(&mut simulator, command, &make(5)).unwrap();
    let info = session.run(&mut simulator, Command::GET_OBJECT_INFO, &[0, 5, 3]).unwrap();
    assert_eq!(ObjectInfo::decode(&info).unwrap().sequence, 1);
    for id in 6..=259 {
        session.run(&mut simulator, command, &make(id)).unwrap();
    }
    let full = session.run(&mut simulator, command, &make(300));
    assert_eq!(full, Err(refused(ErrorCode::STORAGE_FAILED)), "256 objects are there");
}
