use super::*;
use crate::{
    DeviceLogEntry, DeviceLogPage, Disposition, Error, Login, TriesLeft,
    worker::{frame, wire::Numbered},
};

fn key() -> KeyLabel {
    "btc-hot".parse().unwrap()
}

fn opening() -> Opening {
    let pin = Pin::new("secret-pin".to_owned());
    let (module, label) = (PathBuf::from("/usr/lib/softhsm/libsofthsm2.so"), "main".to_owned());
    let forbidden = vec![PathBuf::from("/etc/chancery/server.key"), PathBuf::from("/var/lib/chancery")];
    Opening { sessions: 4, forbidden, driver: Driver::Pkcs11 { module, label, serial: Some("0a".to_owned()), pin } }
}

/// Every field another number.
fn page() -> DeviceLogPage {
    let entry = DeviceLogEntry {
        number: 0x0102,
        command: 0xee,
        length: 0x0304,
        session_key: 0x0506,
        target_key: 0x0708,
        second_key: 0x090a,
        result: 0x0b,
        tick: 0x0c0d_0e0f,
        digest: std::array::from_fn(|position| 0x10 + position as u8),
    };
    DeviceLogPage { unlogged_boots: 1, unlogged_authentications: 2, entries: vec![entry; 2] }
}

fn through<T: Wire>(value: &T) -> T {
    let mut bytes = Vec::new();
    value.encode(&mut bytes);
    Bytes::decode_all(&bytes).unwrap()
}

#[test]
fn an_opening_arrives_whole_and_never_outgrows_its_frame() {
    let opening = opening();
    let frame = frame::encode_secret(opening.capacity(), &opening).unwrap();
    assert!(frame.len() <= opening.capacity());
    let arrived: Opening = Bytes::decode_all(&frame[4..]).unwrap();
    assert_eq!(format!("{arrived:?}"), format!("{opening:?}"));
    let Driver::Pkcs11 { pin, .. } = arrived.driver else { unreachable!("a PKCS#11 opening") };
    assert_eq!(pin.expose(), "secret-pin");

    let password = Pin::new("password".to_owned());
    let connector = "http://127.0.0.1:12345".to_owned();
    let driver = Driver::Yubihsm { connector, authentication_key: 2, password };
    let opening = Opening { sessions: 1, forbidden: Vec::new(), driver };
    assert_eq!(format!("{:?}", through(&opening)), format!("{opening:?}"));
}

#[test]
fn requests_and_responses_arrive_as_they_were_sent() {
    let inputs = vec![ToSign::Digest(Digest([7; 32])), ToSign::Message(Vec::new()), ToSign::Message(vec![1; 4096])];
    let requests = [
        Request::Info,
        Request::PublicKey(key()),
        Request::ChainCode(key()),
        Request::Protection(key()),
        Request::Sign { key: key(), inputs },
        Request::Attestation(key()),
        Request::AttestationIssuer,
        Request::ReadDeviceLog,
        Request::AcknowledgeDeviceLog(65_535),
        Request::ObjectId(key()),
        Request::ReadAnchor,
        Request::WriteAnchor(vec![7; 256]),
    ];
    for request in requests {
        assert_eq!(through(&request), request);
    }
    let info = DeviceInfo {
        driver: "pkcs11".to_owned(),
        manufacturer: "SoftHSM project".to_owned(),
        model: "SoftHSM v2".to_owned(),
        serial: "1882836039".to_owned(),
        firmware: "2.6".to_owned(),
        label: "main".to_owned(),
        longest_message: 4096,
    };
    let point = hex::decode("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").unwrap();
    let public_key = PublicKey::decode(Algorithm::Ed25519, &point).unwrap();
    let signatures = vec![RawSignature([1; 64]), RawSignature([2; 64])];
    let responses = [
        Response::Info(info),
        Response::PublicKey(public_key),
        Response::Signatures(signatures),
        Response::ChainCode(None),
        Response::Protection(Protection::NeverLeaves),
        Response::Protection(Protection::LeavesWrapped),
        Response::ChainCode(Some(ChainCode::new([0xa5; 32]))),
        Response::Attestation(None),
        Response::Attestation(Some(vec![0x30, 0x00])),
        Response::DeviceLog(None),
        Response::DeviceLog(Some(page())),
        Response::DeviceLogAcknowledged,
        Response::ObjectId(65_534),
        Response::Anchor(None),
        Response::Anchor(Some(vec![7; 256])),
        Response::AnchorWritten,
    ];
    for response in responses {
        assert_eq!(through(&response), response);
    }
}

#[test]
fn every_error_arrives_as_it_was_sent() {
    let token = || "token \"main\"".to_owned();
    let mut errors = vec![
        Error::TokenNotFound { token: token(), found: String::new() },
        Error::AmbiguousToken { token: token(), serials: vec!["0a".to_owned(), "0b".to_owned()] },
        Error::TokenExists { token: token() },
        Error::UnknownKey { key: key() },
        Error::AmbiguousKey { key: key() },
        Error::KeyExists { key: key() },
        Error::KeyUnfit { key: key(), findings: vec!["it may derive".to_owned(), "it may unwrap".to_owned()] },
        Error::WrongInput { key: key(), reason: "too long".to_owned() },
        Error::WorkerGone { reason: "gone".to_owned() },
        Error::FactoryPassword { token: token() },
        Error::WrapRights { token: token(), rights: "export-wrapped".to_owned() },
        Error::SessionsFull { token: token() },
        Error::SessionLimit { token: token(), opened: 3, wanted: 4 },
        Error::ModuleUnfit { module: "/opt/module.so".to_owned(), reason: "it is a folder".to_owned() },
    ];
    for tries_left in [TriesLeft::Unknown, TriesLeft::CountLow, TriesLeft::FinalTry, TriesLeft::Locked] {
        for login in [Login::User, Login::SecurityOfficer] {
            errors.push(Error::PinRefused { token: token(), login, tries_left });
            errors.push(Error::PinNotTried { token: token(), login, tries_left });
        }
    }
    for disposition in [Disposition::NotSent, Disposition::Refused, Disposition::OutcomeUnknown, Disposition::Broken] {
        errors.push(Error::Call { attempted: "C_Sign".to_owned(), cause: "CKR_CANCEL".to_owned(), disposition });
    }
    for error in errors {
        assert_eq!(through(&error), error);
    }
}

#[test]
fn no_cut_or_changed_byte_makes_the_decoder_panic() {
    let inputs = vec![ToSign::Digest(Digest([7; 32])), ToSign::Message(vec![1; 40])];
    let request = Numbered { id: 9, value: Request::Sign { key: key(), inputs } };
    let mut bytes = Vec::new();
    request.encode(&mut bytes);
    for cut in 0..bytes.len() {
        assert!(Bytes::decode_all::<Numbered<Request>>(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    for position in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[position] ^= 1 << bit;
            let _ = Bytes::decode_all::<Numbered<Request>>(&changed);
        }
    }
    bytes.push(0);
    assert_eq!(Bytes::decode_all::<Numbered<Request>>(&bytes).map(|_| ()), Err(Malformed("bytes after its end")));
}

#[test]
fn a_chain_code_is_32_bytes_and_silent() {
    let response = Response::ChainCode(Some(ChainCode::new([0xa5; 32])));
    assert_eq!(format!("{response:?}"), "ChainCode(Some(ChainCode(..)))");
    let mut bytes = Vec::new();
    response.encode(&mut bytes);
    assert_eq!(bytes, [&[3, 1][..], &[0xa5; 32]].concat());
    for cut in 0..bytes.len() {
        assert!(Bytes::decode_all::<Response>(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    bytes.push(0xa5);
    assert_eq!(Bytes::decode_all::<Response>(&bytes), Err(Malformed("bytes after its end")));
}

#[test]
fn a_count_beyond_the_frame_is_refused_before_anything_is_reserved() {
    let mut bytes = vec![2];
    key().encode(&mut bytes);
    u32::MAX.encode(&mut bytes);
    assert_eq!(Bytes::decode_all::<Request>(&bytes), Err(Malformed("more values than bytes")));
}

#[test]
fn an_opening_of_another_version_is_refused() {
    let mut bytes = Vec::new();
    opening().encode(&mut bytes);
    bytes[3] = b'0';
    assert!(Bytes::decode_all::<Opening>(&bytes).is_err());
}

#[test]
fn frames_too_long_are_neither_sent_nor_read() {
    let inputs = vec![ToSign::Message(vec![0; 9 << 20])];
    assert!(frame::encode(Some(1), &Request::Sign { key: key(), inputs }).is_err());
    assert!(frame::read(&mut &[0xff; 64][..]).is_err());
    assert!(frame::read(&mut &[0, 0, 0, 9, 1][..]).is_err(), "cut short");
    assert!(frame::read(&mut &[][..]).unwrap().is_none());
}
