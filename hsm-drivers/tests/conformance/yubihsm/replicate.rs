//! A key in two devices.

use hsm_drivers::{
    Device, Error, Protection,
    yubihsm2::{
        ceremony::Replica,
        protocol::{Capabilities, Command, LogEntry, ObjectType, Origin},
    },
};
use hsm_types::{Algorithm, Verifier};
use libtest_mimic::Trial;

use super::Plugged;
use crate::{
    backend::{input, label, sign},
    trial,
};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial("yubihsm_replicate::a_replica_signs_for_the_original", signs_for_the_original),
        trial("yubihsm_replicate::an_interruption_at_any_message_is_gone_on_from", interrupted),
        trial("yubihsm_replicate::a_key_made_without_backup_is_not_replicated", without_backup),
        trial("yubihsm_replicate::a_key_is_not_replicated_into_its_own_device", its_own_device),
        trial("yubihsm_replicate::another_key_of_the_name_or_object_id_stays", another_key),
        trial("yubihsm_replicate::the_wrap_key_can_take_this_kind_of_key_and_one_way", least_wrap_key),
    ]
}

fn signs_for_the_original() {
    let (from, to, third) = (Plugged::ready(1), Plugged::ready(2), Plugged::ready(3));
    for algorithm in Algorithm::ALL {
        let key = label(&format!("kept-{algorithm}"));
        let public_key = from.ceremony().generate_key(&key, algorithm, Protection::LeavesWrapped).unwrap();
        let replica = |made| Ok(Replica { public_key: public_key.clone(), made });
        assert_eq!(from.ceremony().replicate(&key, &mut to.ceremony()), replica(true));
        assert_eq!(from.ceremony().replicate(&key, &mut to.ceremony()), replica(false));
        assert_eq!(to.ceremony().replicate(&key, &mut third.ceremony()), replica(true), "a replica's replica");
        for device in [&from, &to, &third] {
            let mut serving = device.device();
            assert_eq!(serving.public_key(&key), Ok(public_key.clone()));
            assert_eq!(serving.protection(&key), Ok(Protection::LeavesWrapped));
            sign(&mut serving, &key, &Verifier::new(public_key.clone()), &input(algorithm, 1));
            assert_eq!(device.count(ObjectType::WRAP_KEY), 0);
        }
        // Each device notes more than its log holds by now.
        for device in [&from, &to, &third] {
            device.ceremony().forget_log().unwrap();
        }
    }
    let key = label("vault");
    let (public_key, chain_code) = from.ceremony().generate_parent(&key, Protection::LeavesWrapped).unwrap();
    from.ceremony().replicate(&key, &mut to.ceremony()).unwrap();
    let mut serving = to.device();
    assert_eq!((serving.public_key(&key), serving.chain_code(&key)), (Ok(public_key), Ok(Some(chain_code))));
    let origins: Vec<_> =
        to.objects().into_iter().filter(|info| info.object_type == ObjectType::ASYMMETRIC_KEY).collect();
    assert!(origins.iter().all(|info| info.origin == Origin::GENERATED.wrapped()), "{origins:?}");
}

/// Cut behind every message, of either device.
fn interrupted() {
    let key = label("vault");
    let directory = tempfile::tempdir().unwrap();
    let kept = |name: &str| directory.path().join(name);
    let (from, _) = (Plugged::kept(&kept("from"), 1), Plugged::kept(&kept("to"), 2));
    let (public_key, chain_code) = from.ceremony().generate_parent(&key, Protection::LeavesWrapped).unwrap();
    for cut_source in [false, true] {
        for messages in 1.. {
            let (from, to) = (Plugged::copy_of(&kept("from")), Plugged::copy_of(&kept("to")));
            let (mut source, mut destination) = (from.ceremony(), to.ceremony());
            let cut = if cut_source { &from } else { &to };
            cut.cut_after(messages);
            let first = source.replicate(&key, &mut destination);
            if !cut.mend() {
                first.unwrap();
                assert!(messages > 5, "{messages}");
                break;
            }
            let replica = from.ceremony().replicate(&key, &mut to.ceremony());
            let replica = replica.unwrap_or_else(|error| panic!("{cut_source} {messages}: {error}"));
            assert_eq!(replica.public_key, public_key);
            assert_eq!(to.device().chain_code(&key), Ok(Some(chain_code.clone())));
            for device in [&from, &to] {
                let left = (device.count(ObjectType::WRAP_KEY), device.count(ObjectType::ASYMMETRIC_KEY));
                assert_eq!(left, (0, 1), "{cut_source} {messages}");
            }
        }
    }
}

fn without_backup() {
    let (from, to) = (Plugged::ready(1), Plugged::ready(2));
    let key = label("here");
    from.ceremony().generate_key(&key, Algorithm::Secp256k1, Protection::NeverLeaves).unwrap();
    let error = from.ceremony().replicate(&key, &mut to.ceremony()).unwrap_err().to_string();
    assert!(error.contains("made without a backup and never leaves its device"), "{error}");
    assert_eq!(to.count(ObjectType::ASYMMETRIC_KEY), 0);
}

fn its_own_device() {
    let device = Plugged::ready(1);
    let key = label("kept");
    device.ceremony().generate_key(&key, Algorithm::Secp256k1, Protection::LeavesWrapped).unwrap();
    let error = device.ceremony().replicate(&key, &mut device.ceremony()).unwrap_err().to_string();
    assert!(error.contains("both are the same device"), "{error}");
}

fn another_key() {
    let (from, to) = (Plugged::ready(1), Plugged::ready(2));
    let key = label("kept");
    from.ceremony().generate_key(&key, Algorithm::Secp256k1, Protection::LeavesWrapped).unwrap();
    let others = to.ceremony().generate_key(&key, Algorithm::Secp256k1, Protection::LeavesWrapped).unwrap();
    let error = from.ceremony().replicate(&key, &mut to.ceremony()).unwrap_err();
    assert_eq!(error, Error::KeyExists { key: key.clone() });
    assert_eq!(to.device().public_key(&key), Ok(others));

    let named = from.objects().into_iter().find(|info| info.object_type == ObjectType::ASYMMETRIC_KEY).unwrap();
    let third = Plugged::ready(3);
    let mut data = named.id.to_be_bytes().to_vec();
    data.extend(hsm_drivers::yubihsm2::protocol::Label::new("other").unwrap().0);
    data.extend([0, 1]);
    data.extend(Capabilities::SIGN_ECDSA.0.to_be_bytes());
    data.push(named.algorithm.0);
    third.administrator().run(Command::GENERATE_ASYMMETRIC_KEY, data).unwrap();
    let error = from.ceremony().replicate(&key, &mut third.ceremony()).unwrap_err().to_string();
    assert!(error.contains("another key of the device has the object id"), "{error}");
    third.device().public_key(&label("other")).unwrap();
}

fn least_wrap_key() {
    let (from, to) = (Plugged::ready(1), Plugged::ready(2));
    let key = label("kept");
    from.ceremony().generate_key(&key, Algorithm::Secp256k1, Protection::LeavesWrapped).unwrap();
    for (device, way) in [(&from, Capabilities::EXPORT_WRAPPED), (&to, Capabilities::IMPORT_WRAPPED)] {
        // Cut behind Put Wrap Key: the wrap key stays.
        for messages in 1.. {
            let (mut source, mut destination) = (from.ceremony(), to.ceremony());
            device.cut_after(messages);
            source.replicate(&key, &mut destination).unwrap_err();
            assert!(device.mend(), "{messages}");
            from.ceremony().forget_log().unwrap();
            to.ceremony().forget_log().unwrap();
            let Some(left) = device.objects().into_iter().find(|info| info.object_type == ObjectType::WRAP_KEY) else {
                continue;
            };
            assert_eq!(left.capabilities, way);
            let carried = Capabilities::SIGN_ECDSA | Capabilities::EXPORTABLE_UNDER_WRAP;
            assert_eq!(left.delegated_capabilities, carried);
            break;
        }
    }
    from.ceremony().replicate(&key, &mut to.ceremony()).unwrap();
    let log = to.device().device_log().unwrap().read().unwrap();
    let commands: Vec<u8> = log.entries.iter().map(|entry: &LogEntry| entry.command).collect();
    let order = [Command::PUT_WRAP_KEY, Command::IMPORT_WRAPPED, Command::DELETE_OBJECT, Command::SIGN_ECDSA];
    let mut rest = commands.iter();
    assert!(order.iter().all(|wanted| rest.any(|command| *command == wanted.0)), "{commands:02x?}");
}
