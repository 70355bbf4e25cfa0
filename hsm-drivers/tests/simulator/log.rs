//! The log store: digests, a full one with and without forced audit, options that stay.

use hsm_drivers::yubihsm2::protocol::{
    AUDIT_FIXED, AUDIT_OFF, AUDIT_ON, Algorithm, Command, DeviceInfoPage, ErrorCode, Frame, LogEntries, LogEntry,
};
use libtest_mimic::Trial;

use crate::{
    client::{Session, fresh, refused},
    trials_of,
};

const FORCE_AUDIT: u8 = 1;
const COMMAND_AUDIT: u8 = 3;

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    trials_of(
        "log",
        &[
            ("a_fresh_device_shows_its_reset_and_its_boot", a_fresh_device),
            ("every_audited_command_is_an_entry_chained_to_the_one_before", entries),
            ("a_refusal_is_logged_with_its_code", refusals),
            ("without_forced_audit_the_oldest_is_overwritten", overwritten),
            ("with_forced_audit_a_full_log_stops_what_it_would_log", forced),
            ("what_is_fixed_stays_until_a_reset", fixed),
            ("a_reset_leaves_nothing", reset),
        ],
    )
}

fn assert_chained(log: &LogEntries) {
    for pair in log.entries.windows(2) {
        assert!(pair[1].follows(&pair[0]), "{:?} after {:?}", pair[1], pair[0]);
    }
}

fn a_fresh_device() {
    let mut simulator = fresh();
    let log = Session::factory(&mut simulator).log(&mut simulator);
    assert_chained(&log);
    let said: Vec<_> = log.entries.iter().map(|entry| (entry.number, entry.command, entry.tick)).collect();
    assert_eq!(said, [(1, LogEntry::RESET, u32::MAX), (2, LogEntry::BOOT, 0)]);
    let info = simulator.exchange(&Frame::command(Command::DEVICE_INFO, vec![]).encode());
    let info = DeviceInfoPage::decode(&info[3..]).unwrap();
    assert_eq!((info.log_capacity, info.log_used), (62, 2));
}

fn entries() {
    let mut simulator = fresh();
    let mut session = Session::factory(&mut simulator);
    let audited = [Command::SIGN_ECDSA, Command::GENERATE_ASYMMETRIC_KEY, Command::CREATE_SESSION];
    let pairs: Vec<u8> = audited.iter().flat_map(|command| [command.0, AUDIT_ON]).collect();
    session.set_option(&mut simulator, COMMAND_AUDIT, &pairs).unwrap();
    session.generate(&mut simulator, 5, Algorithm::EC_K256);
    session.sign(&mut simulator, 5).unwrap();
    session.echo(&mut simulator).unwrap();
    Session::factory(&mut simulator);
    let log = session.log(&mut simulator);
    assert_chained(&log);
    let none = LogEntry::NO_KEY;
    let said = |entry: &LogEntry| (entry.command, entry.length, entry.session_key, entry.target_key, entry.result);
    let said: Vec<_> = log.entries.iter().skip(2).map(said).collect();
    assert_eq!(said, [(0x46, 53, 1, 5, 0xc6), (0x56, 34, 1, 5, 0xd6), (0x03, 10, none, 1, 0x83)]);
}

fn refusals() {
    let mut simulator = fresh();
    let mut session = Session::factory(&mut simulator);
    session.set_option(&mut simulator, COMMAND_AUDIT, &[Command::SIGN_ECDSA.0, AUDIT_ON]).unwrap();
    session.sign(&mut simulator, 99).unwrap_err();
    let entry = *session.log(&mut simulator).entries.last().unwrap();
    assert_eq!((entry.target_key, entry.result), (99, ErrorCode::OBJECT_NOT_FOUND.0));
    assert!(entry.is_refusal());
}

fn overwritten() {
    let mut simulator = fresh();
    let mut session = Session::factory(&mut simulator);
    session.set_option(&mut simulator, COMMAND_AUDIT, &[Command::ECHO.0, AUDIT_ON]).unwrap();
    for _ in 0..100 {
        session.echo(&mut simulator).unwrap();
    }
    let log = session.log(&mut simulator);
    assert_chained(&log);
    let numbers: Vec<u16> = log.entries.iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, (41..=102).collect::<Vec<_>>());
}

fn forced() {
    let mut simulator = fresh();
    let mut session = Session::factory(&mut simulator);
    session.generate(&mut simulator, 5, Algorithm::EC_K256);
    let pairs = [Command::SIGN_ECDSA, Command::CREATE_SESSION, Command::AUTHENTICATE_SESSION, Command::SET_LOG_INDEX];
    let pairs: Vec<u8> = pairs.iter().flat_map(|command| [command.0, AUDIT_FIXED]).collect();
    session.set_option(&mut simulator, COMMAND_AUDIT, &pairs).unwrap();
    session.set_option(&mut simulator, FORCE_AUDIT, &[AUDIT_FIXED]).unwrap();
    for _ in 0..60 {
        session.sign(&mut simulator, 5).unwrap();
    }
    assert_eq!(session.sign(&mut simulator, 5), Err(refused(ErrorCode::LOG_FULL)));
    session.echo(&mut simulator).unwrap();
    // Sessions are opened still, and counted; the log is read still.
    let mut auditor = Session::factory(&mut simulator);
    let full = auditor.log(&mut simulator);
    assert_eq!((full.entries.len(), full.unlogged_boots, full.unlogged_authentications), (62, 0, 2));
    assert_chained(&full);
    let missing = auditor.run(&mut simulator, Command::SET_LOG_INDEX, &[0, 99]);
    assert_eq!(missing, Err(refused(ErrorCode::INVALID_DATA)));
    auditor.run(&mut simulator, Command::SET_LOG_INDEX, &[0, 60]).unwrap();
    let left = auditor.log(&mut simulator);
    assert_eq!(left.entries.iter().map(|entry| entry.number).collect::<Vec<_>>(), [61, 62, 63]);
    assert_eq!((left.entries[2].command, left.unlogged_authentications), (Command::SET_LOG_INDEX.0, 0));
    assert_chained(&left);
    session.sign(&mut simulator, 5).unwrap();
}

fn fixed() {
    let mut simulator = fresh();
    let mut session = Session::factory(&mut simulator);
    let (sign, echo) = (Command::SIGN_ECDSA.0, Command::ECHO.0);
    session.set_option(&mut simulator, COMMAND_AUDIT, &[sign, AUDIT_FIXED, echo, AUDIT_ON]).unwrap();
    let invalid = Err(refused(ErrorCode::INVALID_DATA));
    let both = [echo, AUDIT_OFF, sign, AUDIT_OFF];
    assert_eq!(session.set_option(&mut simulator, COMMAND_AUDIT, &both), invalid);
    let value = |options: &[u8], code: u8| options.chunks(2).find(|pair| pair[0] == code).unwrap()[1];
    let options = session.run(&mut simulator, Command::GET_OPTION, &[COMMAND_AUDIT]).unwrap();
    assert_eq!((value(&options, sign), value(&options, echo)), (AUDIT_FIXED, AUDIT_ON), "all or nothing");
    assert_eq!(session.set_option(&mut simulator, FORCE_AUDIT, &[3]), invalid);
    session.run(&mut simulator, Command::RESET_DEVICE, &[]).unwrap();
    let mut session = Session::factory(&mut simulator);
    let options = session.run(&mut simulator, Command::GET_OPTION, &[COMMAND_AUDIT]).unwrap();
    assert_eq!(value(&options, sign), AUDIT_OFF);
}

fn reset() {
    let mut simulator = fresh();
    let mut session = Session::factory(&mut simulator);
    session.generate(&mut simulator, 5, Algorithm::EC_K256);
    session.run(&mut simulator, Command::RESET_DEVICE, &[]).unwrap();
    assert_eq!(session.echo(&mut simulator), Err(refused(ErrorCode::INVALID_SESSION)));
    let mut session = Session::factory(&mut simulator);
    assert_eq!(session.sign(&mut simulator, 5), Err(refused(ErrorCode::OBJECT_NOT_FOUND)));
    let numbers: Vec<u16> = session.log(&mut simulator).entries.iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, [1, 2]);
}
