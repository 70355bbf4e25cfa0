//! Frames, names and the secure channel. Values of which no source is named are our own.

use super::{
    channel::{ChannelError, StaticKeys, card, host},
    *,
};

fn open(host_keys: StaticKeys, card_keys: &StaticKeys) -> Result<(host::Channel, card::Channel), ChannelError> {
    let (handshake, create) = host::Handshake::begin(1, host_keys, [0xa5; 8]);
    assert_eq!(create, [&[0x03, 0, 10, 0, 1][..], &[0xa5; 8]].concat());
    let offered = card::Handshake::begin(3, card_keys, [0xa5; 8], [0x5a; 8]);
    let response = Frame::response(Command::CREATE_SESSION, offered.response()).encode();
    let (pending, authenticate) = handshake.answer(&response)?;
    assert_eq!(authenticate[..4], [0x04, 0, 17, 3]);
    let card = offered.authenticate(&authenticate)?;
    let host = pending.open(&Frame::response(Command::AUTHENTICATE_SESSION, vec![]).encode())?;
    Ok((host, card))
}

fn opened() -> (host::Channel, card::Channel) {
    let keys = StaticKeys::from_password(b"password");
    open(keys.clone(), &keys).unwrap()
}

/// Value from the tests of Yubico's Python library (`test_utils.py`, `test_password_to_key`).
#[test]
fn the_password_password_gives_the_factorys_keys() {
    let expected = "090b47dbed595654901dee1cc655e420592fd483f759e29909a04c4505d2ce0a";
    assert_eq!(hex::encode(*StaticKeys::from_password(b"password").to_bytes()), expected);
}

#[test]
fn what_one_end_seals_the_other_opens() {
    let (mut host, mut card) = opened();
    for length in [0, 1, 12, 13, 14, 15, 16, 17, 2000] {
        let command = Frame::command(Command::ECHO, vec![0x80; length]);
        let sealed = host.seal(&command).unwrap();
        assert!(sealed.message.len() <= command.encode().len() + channel::OVERHEAD);
        assert_eq!(card.open(&sealed.message), Ok(command));
        let response = Frame::response(Command::ECHO, vec![0; length]);
        let message = card.seal(&response);
        assert_eq!(host.open(&sealed, &message), Ok(response));
    }
}

#[test]
fn a_wrong_password_is_noticed_by_the_host() {
    let (wrong, right) = (StaticKeys::from_password(b"passwort"), StaticKeys::from_password(b"password"));
    assert_eq!(open(wrong, &right).unwrap_err(), ChannelError::Cryptogram);
}

#[test]
fn every_altered_bit_of_a_command_is_noticed_by_the_device() {
    let (mut host, mut card) = opened();
    let sealed = host.seal(&Frame::command(Command::ECHO, b"hello".to_vec())).unwrap();
    for bit in 0..sealed.message.len() * 8 {
        let mut altered = sealed.message.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(card.open(&altered).is_err(), "bit {bit}");
    }
    assert!(card.open(&sealed.message).is_ok());
    let _answer = card.seal(&Frame::response(Command::ECHO, vec![]));
    assert_eq!(card.open(&sealed.message), Err(ChannelError::Mac), "the same message again");
}

#[test]
fn every_altered_bit_of_a_response_is_noticed_by_the_host() {
    let (mut host, mut card) = opened();
    let sealed = host.seal(&Frame::command(Command::ECHO, vec![])).unwrap();
    card.open(&sealed.message).unwrap();
    let response = card.seal(&Frame::response(Command::ECHO, b"hello".to_vec()));
    for bit in 0..response.len() * 8 {
        let mut altered = response.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(host.open(&sealed, &altered).is_err(), "bit {bit}");
    }
    for cut in 0..response.len() {
        assert!(host.open(&sealed, &response[..cut]).is_err(), "the first {cut} bytes");
    }
    assert!(host.open(&sealed, &response).is_ok());
}

#[test]
fn an_error_in_clear_is_told_as_what_the_device_said() {
    let (mut host, _) = opened();
    let sealed = host.seal(&Frame::command(Command::ECHO, vec![])).unwrap();
    let response = Frame::error(ErrorCode::INVALID_SESSION).encode();
    let expected = BadFrame::Refused(ErrorCode::INVALID_SESSION);
    assert_eq!(host.open(&sealed, &response), Err(expected.into()));
    assert_eq!(expected.to_string(), "the device answered invalid-session");
}

#[test]
fn a_frame_has_exactly_the_bytes_it_announces() {
    let bytes = Frame::command(Command::ECHO, b"abc".to_vec()).encode();
    assert_eq!(bytes, [1, 0, 3, b'a', b'b', b'c']);
    assert_eq!(Frame::decode(&bytes).unwrap().data, b"abc");
    for bad in [&bytes[..5], &bytes[..2], &[], &[&bytes[..], &[0]].concat()] {
        assert_eq!(Frame::decode(bad), Err(BadFrame::Length { length: bad.len() }));
    }
}

#[test]
fn capabilities_read_and_write_their_names() {
    assert_eq!(Capabilities::NAMED.len(), 56);
    for (position, (one, name)) in Capabilities::NAMED.iter().enumerate() {
        assert_eq!(one.0, 1 << position);
        assert_eq!(name.parse(), Ok(*one));
    }
    let signer = Capabilities::SIGN_ECDSA | Capabilities::SIGN_EDDSA | Capabilities::GET_LOG_ENTRIES;
    assert_eq!(signer.to_string(), "sign-ecdsa,sign-eddsa,get-log-entries");
    assert_eq!(signer.to_string().parse(), Ok(signer));
    assert_eq!(signer.names(), ["sign-ecdsa", "sign-eddsa", "get-log-entries"]);
    assert_eq!(Capabilities::from_names(["get-log-entries", "sign-eddsa", "sign-ecdsa"]), Ok(signer));
    assert!(Capabilities::from_names([" sign-ecdsa"]).is_err());
    assert_eq!("".parse(), Ok(Capabilities::NONE));
    assert_eq!(Capabilities(1 << 60).to_string(), "0x1000000000000000");
    assert!("sign-everything".parse::<Capabilities>().unwrap_err().to_string().contains("sign-everything"));
}

#[test]
fn domains_are_counted_from_one() {
    assert_eq!(Domains::one(1), Some(Domains(1)));
    assert_eq!(Domains::one(16), Some(Domains(0x8000)));
    assert_eq!((Domains::one(0), Domains::one(17)), (None, None));
    assert_eq!(Domains(0x8005).to_string(), "1,3,16");
    assert_eq!("16, 1,3".parse(), Ok(Domains(0x8005)));
    for bad in ["", "0", "17", "1,", "x", "-1"] {
        assert!(bad.parse::<Domains>().is_err(), "{bad:?}");
    }
}

/// The entry is the sample of the crate `yubihsm` 0.42 (`get_log_entries.rs`).
#[test]
fn the_entry_of_a_reset_is_read() {
    let mut bytes = vec![0, 0, 0, 0, 1, 0, 1];
    bytes.extend([0xff; 14]);
    bytes.extend(hex::decode("edd9b4e0c38c4f7ec50f057091f12fce").unwrap());
    let log = LogEntries::decode(&bytes).unwrap();
    assert_eq!((log.entries[0].number, log.entries[0].command), (1, LogEntry::RESET));
    assert_eq!(log.encode(), bytes);
    assert!(LogEntries::decode(&bytes[..bytes.len() - 1]).is_err());
}

/// Entries 48 to 51 of the log in Yubico's user guide, Get Log Entries.
#[test]
fn the_digests_of_yubicos_own_log_follow_on_each_other() {
    let entry = |number, command, length, session_key, target_key, second_key, result, tick, digest: &str| LogEntry {
        number,
        command,
        length,
        session_key,
        target_key,
        second_key,
        result,
        tick,
        digest: hex::decode(digest).unwrap().try_into().unwrap(),
    };
    let log = [
        entry(48, 0x00, 0, 0xffff, 0, 0, 0x00, 0, "14ac7747ba9bbb243cfc70befeb5349b"),
        entry(49, 0x03, 10, 0xffff, 1, 0xffff, 0x83, 139, "b20a8f25c025e693a8e869b433294a20"),
        entry(50, 0x04, 17, 0xffff, 1, 0xffff, 0x84, 139, "ebfae425c319ac7a0afbb8b92597de7c"),
        entry(51, 0x67, 2, 1, 0xffff, 0xffff, 0xe7, 697, "2e395d1b706668737e1d2215813db47e"),
    ];
    for pair in log.windows(2) {
        assert!(pair[1].follows(&pair[0]), "entry {}", pair[1].number);
        assert!(!pair[0].follows(&pair[1]));
    }
    let altered = LogEntry { length: 18, ..log[2] };
    assert!(!altered.follows(&log[1]) && !log[3].follows(&log[1]));
}

#[test]
fn an_object_is_described_in_66_bytes() {
    let origins = [Origin::GENERATED, Origin::IMPORTED.wrapped(), Origin(4)].map(|origin| origin.to_string());
    assert_eq!(origins, ["generated", "imported,wrapped", "0x04"]);
    let info = ObjectInfo {
        capabilities: Capabilities::SIGN_ECDSA,
        id: 0x1234,
        length: 32,
        domains: Domains(1),
        object_type: ObjectType::ASYMMETRIC_KEY,
        algorithm: Algorithm::EC_K256,
        sequence: 2,
        origin: Origin::GENERATED.wrapped(),
        label: Label::new("btc-hot").unwrap(),
        delegated_capabilities: Capabilities::NONE,
    };
    let bytes = info.encode();
    assert_eq!(bytes.len(), ObjectInfo::LENGTH);
    assert_eq!(ObjectInfo::decode(&bytes), Ok(info.clone()));
    assert_eq!((info.label.text(), info.origin.0), (Some("btc-hot"), 0x11));
    assert!(ObjectInfo::decode(&bytes[1..]).is_err());
    assert_eq!(Label::new(&"x".repeat(41)), None);
}

#[test]
fn filters_read_and_write_and_hold_together() {
    let filters = [
        ListFilter::Id(7),
        ListFilter::Type(ObjectType::OPAQUE),
        ListFilter::Domains(Domains(2)),
        ListFilter::Capabilities(Capabilities::SIGN_EDDSA),
        ListFilter::Algorithm(Algorithm::ED25519),
        ListFilter::Label(Label::new("x").unwrap()),
    ];
    let mut bytes = Vec::new();
    filters.iter().for_each(|filter| filter.encode(&mut bytes));
    assert_eq!(ListFilter::decode_all(&bytes).unwrap(), filters);
    assert!(ListFilter::decode_all(&[9]).is_err() && ListFilter::decode_all(&bytes[..bytes.len() - 1]).is_err());
}

#[test]
fn an_unknown_code_is_kept_and_shown_as_a_number() {
    assert_eq!(Command(0x78).to_string(), "0x78");
    assert_eq!(Command::SIGN_ECDSA.to_string(), "sign-ecdsa");
    assert_eq!(ErrorCode(0x10), ErrorCode::DEMO_MODE);
}
