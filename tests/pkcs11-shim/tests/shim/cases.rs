//! Each fault once, and none.

use std::{
    os::{
        linux::net::SocketAddrExt,
        unix::{
            net::{SocketAddr, UnixListener},
            process::ExitStatusExt,
        },
    },
    process, thread,
    time::{Duration, Instant},
};

use cryptoki::{
    error::RvError,
    object::{Attribute, AttributeType, ObjectClass},
    session::SessionState,
};
use libtest_mimic::Trial;

use crate::client::{
    clear, context, fault, find, journal, log_in, other_process, point, session, sign, sign_code, slot, verifies,
};

/// SIGABRT.
const ABORTED: Option<i32> = Some(6);

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name, test: fn()| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    vec![
        trial("without_faults_everything_is_forwarded", untouched),
        trial("a_code_is_returned_for_the_calls_that_were_named", codes),
        trial("any_function_can_fail", any_function),
        trial("calls_are_counted_over_all_processes", over_processes),
        trial("a_call_is_delayed", delayed),
        trial("a_call_hangs_until_its_line_is_gone", hangs),
        trial("a_line_that_is_no_fault_ends_the_process", no_fault),
        trial("a_lost_login_is_lost_until_the_next_one", logout),
        trial("closed_sessions_are_invalid_and_new_ones_are_not", sessions_closed),
        trial("each_wrong_signature_is_wrong_in_its_way", signatures),
        trial("attributes_lie", attributes),
        trial("the_point_is_given_in_each_form", points),
        trial("the_token_is_another_one_or_nearly_locked", token_info),
        trial("slots_and_objects_have_other_numbers", numbers),
        trial("logins_are_counted", logins),
        trial("what_is_tried_is_noted_with_its_outcome", attempts),
    ]
}

fn untouched() {
    let session = session();
    let (first, second) = (sign(&session).unwrap(), sign(&session).unwrap());
    assert_ne!(first, second);
    assert!(verifies(&first, &point(&session)) && verifies(&second, &point(&session)));
    let info = context().get_token_info(slot()).unwrap();
    assert_eq!((info.label(), info.manufacturer_id()), ("shim", "SoftHSM project"));
    assert_eq!(session.generate_random_vec(16).unwrap().len(), 16);
    assert!(context().get_mechanism_list(slot()).unwrap().len() > 10);
    assert_eq!(session.get_session_info().unwrap().session_state(), SessionState::RoUser);
}

fn codes() {
    let session = session();
    // A signature is two calls, of which the first asks for the length.
    let identity = fault("C_Sign 3 return CKR_DEVICE_ERROR");
    sign(&session).unwrap();
    assert_eq!(sign_code(&session), RvError::DeviceError);
    assert!(journal().contains(&format!("C_Sign CKR_DEVICE_ERROR {identity}")));
    let session = crate::client::session();
    fault("C_SignInit 2..3 return 0x80000001");
    sign(&session).unwrap();
    assert_eq!(sign_code(&session), RvError::VendorDefined(0x8000_0001));
    assert_eq!(sign_code(&session), RvError::VendorDefined(0x8000_0001));
    sign(&session).unwrap();
    fault("C_SignInit always return CKR_KEY_HANDLE_INVALID");
    for _ in 0..3 {
        assert_eq!(sign_code(&session), RvError::KeyHandleInvalid);
    }
    clear();
    sign(&session).unwrap();
}

fn any_function() {
    let session = session();
    fault("* 1.. return CKR_DEVICE_REMOVED");
    assert!(session.get_session_info().is_err() && context().get_slots_with_token().is_err());
    assert!(context().get_library_info().is_err() && session.generate_random_vec(1).is_err());
    clear();
}

fn over_processes() {
    session();
    fault("C_SignInit 2 crash");
    assert!(other_process().success());
    assert_eq!(other_process().signal(), ABORTED);
    assert!(other_process().success());
}

fn delayed() {
    let session = session();
    fault("C_SignInit 1 delay 300");
    let begun = Instant::now();
    sign(&session).unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(300));
    let begun = Instant::now();
    sign(&session).unwrap();
    assert!(begun.elapsed() < Duration::from_millis(300));
}

fn hangs() {
    let session = session();
    let identity = fault("C_SignInit 1 hang");
    let begun = Instant::now();
    let waiting = thread::spawn(move || sign(&session).unwrap());
    thread::sleep(Duration::from_millis(200));
    assert!(!waiting.is_finished());
    assert!(journal().contains(&format!("C_SignInit met {identity}")), "it is told while it lasts");
    clear();
    waiting.join().unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(200));
}

fn no_fault() {
    session();
    for line in
        ["C_Sign", "C_Sign 0 crash", "C_Sign 1 crash twice", "Sign 1 crash", "C_Sign 1 slots 3", "C_Sign 1 return CKR_"]
    {
        fault(line);
        assert_eq!(other_process().signal(), ABORTED, "{line}");
    }
    clear();
}

fn logout() {
    let session = session();
    let key = find(&session, ObjectClass::PRIVATE_KEY).unwrap();
    fault("C_SignInit 1 logout");
    assert_eq!(sign_code(&session), RvError::UserNotLoggedIn);
    assert_eq!(sign_code(&session), RvError::ObjectHandleInvalid, "private objects are not found");
    assert!(session.sign(&cryptoki::mechanism::Mechanism::Ecdsa, key, &[0; 32]).is_err());
    assert_eq!(session.get_session_info().unwrap().session_state(), SessionState::RoPublic);
    log_in(&session).unwrap();
    sign(&session).unwrap();
}

fn sessions_closed() {
    let (session, idle) = (session(), session());
    fault("C_SignInit 1 close-sessions");
    for session in [&session, &idle] {
        assert_eq!(sign_code(session), RvError::SessionHandleInvalid);
    }
    let session = context().open_ro_session(slot()).unwrap();
    assert_eq!(session.get_session_info().unwrap().session_state(), SessionState::RoPublic);
    log_in(&session).unwrap();
    sign(&session).unwrap();
}

fn signatures() {
    let session = session();
    let point = point(&session);
    let half = |signature: &[u8], from: usize| signature[from..from + 32].to_vec();
    for number in 0..16 {
        let identity = fault("C_Sign 1 high-s");
        let signature = sign(&session).unwrap();
        assert!(verifies(&signature, &point) && signature[32] >= 0x7f, "{number}");
        let was_low = journal().contains(&format!("C_Sign CKR_OK {identity}"));
        // Half of the token's own are high.
        if was_low {
            break;
        }
        assert!(number < 15);
    }
    fault("C_Sign 1 flip 300");
    assert!(!verifies(&sign(&session).unwrap(), &point));
    fault("C_Sign 1 zero-r");
    let signature = sign(&session).unwrap();
    assert_eq!((half(&signature, 0) == [0; 32], half(&signature, 32) == [0; 32]), (true, false));
    fault("C_Sign 1 zero-s");
    let signature = sign(&session).unwrap();
    assert_eq!((half(&signature, 0) == [0; 32], half(&signature, 32) == [0; 32]), (false, true));
    fault("C_Sign 1 short");
    assert_eq!(sign(&session).unwrap().len(), 63);
    fault("C_Sign 1 long");
    assert_eq!(sign(&session).unwrap().len(), 65);
    clear();
    let before = sign(&session).unwrap();
    fault("C_Sign 1 previous");
    assert_eq!(sign(&session).unwrap(), before);
    fault("C_SignInit 1 another-key");
    assert!(!verifies(&sign(&session).unwrap(), &point));
    assert!(verifies(&sign(&session).unwrap(), &point), "each was to come once");
}

fn attributes() {
    let session = session();
    let key = find(&session, ObjectClass::PRIVATE_KEY).unwrap();
    let wanted = [AttributeType::Sensitive, AttributeType::Derive, AttributeType::EcParams, AttributeType::Label];
    let truth = session.get_attributes(key, &wanted).unwrap();
    for (lie, place, told) in [
        ("CKA_SENSITIVE false", 0, Attribute::Sensitive(false)),
        ("CKA_DERIVE true", 1, Attribute::Derive(true)),
        (
            "CKA_EC_PARAMS 06082a8648ce3d030107",
            2,
            Attribute::EcParams(b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07".into()),
        ),
    ] {
        fault(&format!("C_GetAttributeValue always attribute {lie}"));
        let mut expected = truth.clone();
        assert_ne!(expected[place], told);
        expected[place] = told;
        assert_eq!(session.get_attributes(key, &wanted).unwrap(), expected);
    }
    clear();
    assert_eq!(session.get_attributes(key, &wanted).unwrap(), truth);
}

fn points() {
    let session = session();
    let wrapped = point(&session);
    assert_eq!((&wrapped[..3], wrapped.len()), (&[0x04, 65, 0x04][..], 67));
    let parity = 2 + (wrapped[66] & 1);
    for (form, expected) in [
        ("wrapped", wrapped.clone()),
        ("bare", wrapped[2..].to_vec()),
        ("bits", [&[0x03, 66, 0], &wrapped[2..]].concat()),
        ("compressed", [&[0x04, 33, parity], &wrapped[3..35]].concat()),
        ("truncated", wrapped[..66].to_vec()),
    ] {
        fault(&format!("C_GetAttributeValue always point {form}"));
        assert_eq!(hex::encode(point(&session)), hex::encode(expected), "{form}");
    }
    clear();
}

fn token_info() {
    session();
    let info = || context().get_token_info(slot()).unwrap();
    let truth = info();
    fault("C_GetTokenInfo always serial 0123");
    assert_eq!(info().serial_number(), "0123");
    fault("C_GetTokenInfo always flags CKF_USER_PIN_FINAL_TRY");
    assert!(info().user_pin_final_try() && !truth.user_pin_final_try());
    fault("C_GetTokenInfo always flags CKF_USER_PIN_LOCKED");
    assert!(info().user_pin_locked() && !truth.user_pin_locked());
    clear();
    assert_eq!(info().serial_number(), truth.serial_number());
}

fn numbers() {
    let session = session();
    let (old_slot, old_key) = (slot(), find(&session, ObjectClass::PRIVATE_KEY).unwrap());
    fault("* always slots 5");
    assert_ne!(slot(), old_slot);
    context().open_ro_session(slot()).unwrap();
    assert!(context().open_ro_session(old_slot).is_err());
    fault("* always objects 1000");
    assert_ne!(find(&session, ObjectClass::PRIVATE_KEY).unwrap(), old_key);
    assert!(session.get_attributes(old_key, &[AttributeType::Label]).is_err());
    assert!(verifies(&sign(&session).unwrap(), &point(&session)));
    clear();
    assert_eq!(find(&session, ObjectClass::PRIVATE_KEY).unwrap(), old_key);
}

fn logins() {
    let session = session();
    let logins = || journal().iter().filter(|line| line.starts_with("C_Login ")).count();
    let before = logins();
    for code in ["CKR_PIN_INCORRECT", "CKR_PIN_LOCKED"] {
        let identity = fault(&format!("C_Login 1 return {code}"));
        log_in(&session).unwrap_err();
        assert_eq!(journal().last().unwrap(), &format!("C_Login {code} {identity}"));
    }
    log_in(&session).unwrap();
    let identity = fault("C_Login 1 delay 1");
    log_in(&session).unwrap();
    assert!(journal().contains(&format!("C_Login met {identity}")));
    let met = journal().iter().filter(|line| line.starts_with("C_Login met ")).count();
    assert_eq!((logins() - met, met), (before + 4, 1), "what was met is noted beside what was answered");
}

fn attempts() {
    let name = format!("pkcs11-shim-{}", process::id());
    let _socket = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().display();
    for (attempt, outcome) in [
        (format!("make {folder}/file"), "done"),
        (format!("make {folder}/file"), "AlreadyExists"),
        (format!("read {folder}/file"), "done"),
        (format!("read {folder}/absent"), "NotFound"),
        (format!("write {folder}/file"), "done"),
        (format!("rename {folder}/file"), "done"),
        (format!("list {folder}"), "done"),
        (format!("list {folder}/file"), "NotADirectory"),
        ("listen".to_owned(), "done"),
        (format!("abstract {name}"), "done"),
        (format!("abstract {name}-absent"), "ConnectionRefused"),
        (format!("signal {}", process::id()), "done"),
    ] {
        let identity = fault(&format!("C_GetInfo 1 try {attempt}"));
        context().get_library_info().unwrap();
        assert!(journal().contains(&format!("C_GetInfo {outcome} {identity}")), "{attempt}: {:?}", journal().last());
    }
}
