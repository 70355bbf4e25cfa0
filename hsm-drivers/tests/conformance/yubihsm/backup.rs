//! A key in a device and in a file.

use hsm_drivers::{
    Device, Disposition, Error, Protection,
    ceremony::{BackupKey, Replica, WrappedKey},
    simulator::{Fault, Plan},
    yubihsm2::protocol::{Command, ErrorCode, ObjectType},
};
use hsm_types::{Algorithm, KeyLabel, PublicKey, Verifier};
use libtest_mimic::Trial;
use serde_json::Value;

use super::Plugged;
use crate::{
    backend::{input, label, sign},
    forged::{altered, backup_key, forged},
    replicate::{objects, seen, so_pin, with_backup},
    softhsm::{Token, user_pin},
    trial,
};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial("yubihsm_backup::a_key_comes_back_from_its_backup", comes_back),
        trial("yubihsm_backup::an_interruption_at_any_message_is_gone_on_from", interrupted),
        trial("yubihsm_backup::a_backup_altered_anywhere_is_refused_and_nothing_is_left", an_altered_backup),
        trial("yubihsm_backup::another_key_in_the_file_proves_nothing_and_is_deleted", another_key_in_the_file),
        trial("yubihsm_backup::where_the_device_refuses_the_key_nothing_is_left", refused_by_the_device),
        trial("yubihsm_backup::what_is_there_is_neither_used_nor_overwritten", what_is_there),
        trial("yubihsm_backup::one_kind_of_device_does_not_take_what_another_wrapped", another_kind),
        trial("yubihsm_backup::only_the_key_that_is_meant_is_destroyed_and_all_of_it", only_the_key_that_is_meant),
        trial("yubihsm_backup::a_destruction_interrupted_at_any_message_is_gone_on_from", interrupted_destruction),
    ]
}

fn parent(device: &Plugged, key: &KeyLabel) -> PublicKey {
    device.ceremony().generate_parent(key, Protection::LeavesWrapped).unwrap().0
}

fn restore(device: &Plugged, backup: &WrappedKey) -> Result<Replica, Error> {
    device.ceremony().restore(backup, &backup_key())
}

/// Asymmetric keys, opaque objects and wrap keys.
fn left(device: &Plugged) -> (usize, usize, usize) {
    let count = |object_type| device.count(object_type);
    (count(ObjectType::ASYMMETRIC_KEY), count(ObjectType::OPAQUE), count(ObjectType::WRAP_KEY))
}

fn comes_back() {
    let (from, to) = (Plugged::ready(1), Plugged::ready(2));
    for algorithm in Algorithm::ALL {
        let key = label(&format!("kept-{algorithm}"));
        let public_key = from.ceremony().generate_key(&key, algorithm, Protection::LeavesWrapped).unwrap();
        let backup = from.ceremony().back_up(&key, &backup_key()).unwrap();
        let backup: WrappedKey = serde_json::from_str(&serde_json::to_string(&backup).unwrap()).unwrap();
        for made in [true, false] {
            assert_eq!(restore(&to, &backup), Ok(Replica { public_key: public_key.clone(), made }));
        }
        let mut serving = to.device();
        assert_eq!(serving.protection(&key), Ok(Protection::LeavesWrapped));
        sign(&mut serving, &key, &Verifier::new(public_key), &input(algorithm, 1));
        // Each device notes more than its log holds by now.
        for device in [&from, &to] {
            assert_eq!(device.count(ObjectType::WRAP_KEY), 0);
            device.ceremony().forget_log().unwrap();
        }
    }
    let key = label("vault");
    let (public_key, chain_code) = from.ceremony().generate_parent(&key, Protection::LeavesWrapped).unwrap();
    let backup = from.ceremony().back_up(&key, &backup_key()).unwrap();
    from.ceremony().destroy_key(&key, &public_key).unwrap();
    assert_eq!(left(&from), (3, 0, 0));
    for device in [&from, &to] {
        restore(device, &backup).unwrap();
        let mut serving = device.device();
        let found = (serving.public_key(&key), serving.chain_code(&key));
        assert_eq!(found, (Ok(public_key.clone()), Ok(Some(chain_code.clone()))));
    }
}

/// Cut behind every message: of the backup first, then of the restore.
fn interrupted() {
    let key = label("vault");
    let directory = tempfile::tempdir().unwrap();
    let kept = |name: &str| directory.path().join(name);
    let (from, _) = (Plugged::kept(&kept("from"), 1), Plugged::kept(&kept("to"), 2));
    let public_key = parent(&from, &key);
    let backup = from.ceremony().back_up(&key, &backup_key()).unwrap();
    for messages in 1.. {
        let from = Plugged::copy_of(&kept("from"));
        let mut ceremony = from.ceremony();
        from.cut_after(messages);
        let first = ceremony.back_up(&key, &backup_key());
        if !from.mend() {
            first.unwrap();
            assert!(messages > 5, "{messages}");
            break;
        }
        assert_eq!(from.ceremony().back_up(&key, &backup_key()).unwrap().public_key, public_key, "{messages}");
        assert_eq!(left(&from), (1, 1, 0), "{messages}");
    }
    for messages in 1.. {
        let to = Plugged::copy_of(&kept("to"));
        let mut ceremony = to.ceremony();
        to.cut_after(messages);
        let first = ceremony.restore(&backup, &backup_key());
        if !to.mend() {
            first.unwrap();
            assert!(messages > 5, "{messages}");
            break;
        }
        let replica = restore(&to, &backup).unwrap_or_else(|error| panic!("{messages}: {error}"));
        assert_eq!(replica.public_key, public_key);
        assert_eq!(left(&to), (1, 1, 0), "{messages}");
    }
}

fn an_altered_backup() {
    let (from, to) = (Plugged::ready(1), Plugged::ready(2));
    let (key, another) = (label("vault"), label("another"));
    parent(&from, &key);
    let other = parent(&from, &another);
    let backup = from.ceremony().back_up(&key, &backup_key()).unwrap();
    let others = serde_json::to_value(from.ceremony().back_up(&another, &backup_key()).unwrap()).unwrap();
    for (member, value, words) in [
        ("wrapped", others["wrapped"].clone(), "the wrapped bytes in the backup changed"),
        ("label", "hot".into(), "the label in the backup changed"),
        ("public_key", other.to_string().into(), "the public key in the backup changed"),
        ("chain_code", "a5".repeat(32).into(), "the chain code in the backup changed"),
        ("chain_code", Value::Null, "the chain code in the backup changed"),
        ("id", "0x0777".into(), "the place in the device"),
        ("domains", "1,2".into(), "the place in the device"),
        ("capabilities", "sign-ecdsa".into(), "the place in the device"),
        ("backup_key", "00".repeat(8).into(), "wrapped under the backup key 0000000000000000"),
    ] {
        let error = restore(&to, &altered(&backup, member, value)).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(error.disposition(), Disposition::NotSent, "{error}");
    }
    let error = to.ceremony().restore(&backup, &BackupKey::from_secret(&[1; 32])).unwrap_err().to_string();
    assert!(error.contains("find the shares of that one"), "{error}");
    assert_eq!(left(&to), (0, 0, 0));
}

/// By somebody who has the backup key: what the device finds is what counts.
fn another_key_in_the_file() {
    let (from, to) = (Plugged::ready(1), Plugged::ready(2));
    let (key, another) = (label("vault"), label("another"));
    parent(&from, &key);
    let other = parent(&from, &another);
    let backup = from.ceremony().back_up(&key, &backup_key()).unwrap();
    let others = serde_json::to_value(from.ceremony().back_up(&another, &backup_key()).unwrap()).unwrap();
    let least = "by the backup its capabilities are";
    for (member, value, words) in [
        ("wrapped", others["wrapped"].clone(), "the device made asymmetric-key"),
        ("wrapped", "AAAA".into(), "Import Wrapped for the replica of key \"vault\""),
        ("public_key", other.to_string().into(), "has one already"),
        ("label", "hot".into(), "has no such key"),
        ("id", others["id"].clone(), "the device made asymmetric-key"),
        ("domains", "1,2".into(), "it was in domains 1,2"),
        ("capabilities", "sign-ecdsa,exportable-under-wrap,decrypt-oaep".into(), least),
    ] {
        let error = restore(&to, &forged(&backup, member, value)).unwrap_err().to_string();
        assert!(error.contains(words), "{member}: {error}");
        assert_eq!(left(&to), (0, 0, 0), "{member}");
        to.ceremony().forget_log().unwrap();
    }
    restore(&to, &backup).unwrap();
}

fn refused_by_the_device() {
    let (from, to) = (Plugged::ready(1), Plugged::ready(2));
    let key = label("vault");
    parent(&from, &key);
    let backup = from.ceremony().back_up(&key, &backup_key()).unwrap();
    for command in [Command::PUT_WRAP_KEY, Command::IMPORT_WRAPPED, Command::SIGN_ECDSA] {
        let plan = Plan::at(Fault::Refuse(ErrorCode::INVALID_DATA), command);
        to.line().simulator.faults().arm(plan);
        let error = restore(&to, &backup).unwrap_err().to_string();
        assert!(error.contains("invalid-data"), "{error}");
        assert_eq!(left(&to), (0, 0, 0), "{command}");
        to.ceremony().forget_log().unwrap();
    }
    restore(&to, &backup).unwrap();
}

fn what_is_there() {
    let (from, to) = (Plugged::ready(1), Plugged::ready(2));
    let key = label("kept");
    parent(&from, &key);
    let backup = from.ceremony().back_up(&key, &backup_key()).unwrap();
    let others = to.ceremony().generate_key(&key, Algorithm::Secp256k1, Protection::LeavesWrapped).unwrap();
    assert_eq!(restore(&to, &backup), Err(Error::KeyExists { key: key.clone() }));
    assert_eq!((to.device().public_key(&key), left(&to)), (Ok(others), (1, 0, 0)));
    let stays = label("stays");
    from.ceremony().generate_key(&stays, Algorithm::P256, Protection::NeverLeaves).unwrap();
    let error = from.ceremony().back_up(&stays, &backup_key()).unwrap_err().to_string();
    assert!(error.starts_with("backup of key \"stays\": it was made without a backup"), "{error}");
}

fn another_kind() {
    let (device, token, key) = (Plugged::ready(1), Token::new(), label("kept"));
    device.ceremony().generate_key(&key, Algorithm::P256, Protection::LeavesWrapped).unwrap();
    let backup = device.ceremony().back_up(&key, &backup_key()).unwrap();
    let error = token.ceremony.borrow_mut().restore(&backup, &backup_key()).unwrap_err().to_string();
    assert!(error.contains("made by a device of driver yubihsm, and no other kind takes"), "{error}");
    assert_eq!(objects(&token), seen(0, 0, 0));

    with_backup(&token, &key, Algorithm::P256);
    let backup = token.ceremony.borrow_mut().back_up(&key, &backup_key(), &so_pin(), &user_pin()).unwrap();
    let other = Plugged::ready(2);
    let error = restore(&other, &backup).unwrap_err().to_string();
    assert!(error.contains("made by a device of driver pkcs11, and no other kind takes"), "{error}");
    assert_eq!(left(&other), (0, 0, 0));
}

fn only_the_key_that_is_meant() {
    let device = Plugged::ready(1);
    let (key, beside) = (label("old"), label("beside"));
    let (public_key, other) = (parent(&device, &key), parent(&device, &beside));
    let error = device.ceremony().destroy_key(&key, &other).unwrap_err().to_string();
    assert!(error.contains(&format!("its public key is {public_key}, not {other}")), "{error}");
    assert_eq!(left(&device), (2, 2, 0));
    assert_eq!(device.ceremony().destroy_key(&key, &public_key), Ok(()));
    assert_eq!(left(&device), (1, 1, 0));
    assert_eq!(device.ceremony().destroy_key(&key, &public_key), Err(Error::UnknownKey { key }));
    sign(&mut device.device(), &beside, &Verifier::new(other), &input(Algorithm::Secp256k1, 1));
}

fn interrupted_destruction() {
    let key = label("old");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("device");
    let public_key = parent(&Plugged::kept(&file, 1), &key);
    for messages in 1.. {
        let device = Plugged::copy_of(&file);
        let mut ceremony = device.ceremony();
        device.cut_after(messages);
        let first = ceremony.destroy_key(&key, &public_key);
        if !device.mend() {
            first.unwrap();
            assert!(messages > 4, "{messages}");
            break;
        }
        match device.ceremony().destroy_key(&key, &public_key) {
            // The first call came to its end, and its last answer was lost.
            Ok(()) | Err(Error::UnknownKey { .. }) => assert_eq!(left(&device), (0, 0, 0), "{messages}"),
            Err(error) => panic!("{messages}: {error}"),
        }
    }
}
