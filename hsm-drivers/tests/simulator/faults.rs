//! Each fault once, and that the device is well afterwards.

use std::{sync::Arc, time::Duration};

use hsm_drivers::{
    simulator::{Clock, Fault, ManualClock, Options, Plan, Simulator},
    yubihsm2::protocol::{
        Algorithm, BadFrame, Command, DeviceInfoPage, ErrorCode, Frame, LogEntry, channel::ChannelError,
    },
};
use hsm_types::{Digest, PublicKey, RawSignature, ToSign, Verifier};
use libtest_mimic::Trial;

use crate::{
    client::{Session, fresh, numbers, refused},
    trials_of,
};

const LOST: ChannelError = refused(ErrorCode::INVALID_SESSION);

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    trials_of(
        "faults",
        &[
            ("a_dropped_session_is_one_session", dropped_session),
            ("a_power_cut_costs_all_sessions_and_is_logged", power_cut),
            ("another_device_has_another_serial", other_serial),
            ("all_sessions_are_taken_until_they_were_idle", full_table),
            ("the_log_is_nearly_full", nearly_full_log),
            ("the_log_has_a_command_nobody_knows", unknown_log_command),
            ("the_log_has_a_broken_digest", broken_digest),
            ("a_code_is_answered_at_the_nth_time_and_so_often", refusal),
            ("every_bit_of_a_signature_can_be_flipped", flipped_bits),
            ("spoiled_signatures_do_not_verify", spoiled_signatures),
            ("s_is_either_of_two_unless_the_high_one_is_asked_for", high_s),
            ("a_wrong_mac_is_noticed", wrong_mac),
            ("an_answer_comes_late_or_an_hour_later_or_not_whole", late_and_torn),
        ],
    )
}

/// A fresh device with the secp256k1 key 5, and a session.
fn with_key() -> (Simulator, Session) {
    let mut simulator = fresh();
    let mut session = Session::factory(&mut simulator);
    session.generate(&mut simulator, 5, Algorithm::EC_K256);
    (simulator, session)
}

fn assert_well(simulator: &mut Simulator) {
    assert_eq!(simulator.faults().armed(), []);
    Session::factory(simulator).sign(simulator, 5).unwrap();
}

fn dropped_session() {
    let (mut simulator, mut session) = with_key();
    let mut other = Session::factory(&mut simulator);
    simulator.faults().arm(Plan::at(Fault::DropSession, Command::SIGN_ECDSA));
    session.echo(&mut simulator).unwrap();
    assert_eq!(session.sign(&mut simulator, 5), Err(LOST));
    assert_eq!(session.echo(&mut simulator), Err(LOST));
    other.echo(&mut simulator).unwrap();
    assert_well(&mut simulator);
}

fn power_cut() {
    let (mut simulator, mut session) = with_key();
    let mut other = Session::factory(&mut simulator);
    simulator.faults().arm(Plan::at(Fault::PowerCut, Command::SIGN_ECDSA));
    assert_eq!(session.sign(&mut simulator, 5), Err(LOST));
    assert_eq!(other.echo(&mut simulator), Err(LOST));
    let log = Session::factory(&mut simulator).log(&mut simulator);
    assert_eq!(log.entries.iter().map(|entry| entry.command).collect::<Vec<_>>(), [LogEntry::RESET, 0, 0]);
    assert_well(&mut simulator);
}

fn other_serial() {
    let (mut simulator, mut session) = with_key();
    let serial = |simulator: &mut Simulator| {
        let answer = simulator.exchange(&Frame::command(Command::DEVICE_INFO, vec![]).encode());
        DeviceInfoPage::decode(&answer[3..]).unwrap().serial
    };
    let before = serial(&mut simulator);
    simulator.faults().arm(Plan::at(Fault::OtherSerial, Command::ECHO));
    assert_eq!(session.echo(&mut simulator), Err(LOST));
    assert_eq!(serial(&mut simulator), before + 1);
    assert_well(&mut simulator);
}

fn full_table() {
    let clock = Arc::new(ManualClock::default());
    let mut simulator = Simulator::open(None, Options { clock: clock.clone(), ..Options::default() }).unwrap();
    let mut session = Session::factory(&mut simulator);
    session.generate(&mut simulator, 5, Algorithm::EC_K256);
    simulator.faults().arm(Plan::at(Fault::FillSessions, Command::CREATE_SESSION));
    let full = Some(refused(ErrorCode::SESSIONS_FULL));
    for _ in 0..3 {
        assert_eq!(Session::open(&mut simulator, 1, "password").err(), full);
        clock.advance(Duration::from_secs(10));
        session.echo(&mut simulator).unwrap();
    }
    clock.advance(Duration::from_millis(1));
    assert_well(&mut simulator);
}

fn nearly_full_log() {
    let (mut simulator, mut session) = with_key();
    session.set_option(&mut simulator, 3, &[Command::SIGN_ECDSA.0, 1]).unwrap();
    session.set_option(&mut simulator, 1, &[1]).unwrap();
    simulator.faults().arm(Plan::next(Fault::FillLog { free: 2 }));
    session.sign(&mut simulator, 5).unwrap();
    session.sign(&mut simulator, 5).unwrap();
    assert_eq!(session.sign(&mut simulator, 5), Err(refused(ErrorCode::LOG_FULL)));
    let last = session.log(&mut simulator).entries[61].number;
    session.run(&mut simulator, Command::SET_LOG_INDEX, &last.to_be_bytes()).unwrap();
    assert_well(&mut simulator);
}

fn unknown_log_command() {
    let (mut simulator, mut session) = with_key();
    simulator.faults().arm(Plan::next(Fault::LogUnknown { command: 0x7a }));
    session.echo(&mut simulator).unwrap();
    let log = session.log(&mut simulator);
    assert_eq!((log.entries[2].command, log.entries[2].result), (0x7a, 0xfa));
    assert!(log.entries[2].follows(&log.entries[1]));
    assert_well(&mut simulator);
}

fn broken_digest() {
    let (mut simulator, mut session) = with_key();
    simulator.faults().arm(Plan::next(Fault::BreakLogDigest));
    session.echo(&mut simulator).unwrap();
    let log = session.log(&mut simulator);
    assert!(!log.entries[1].follows(&log.entries[0]));
    assert_well(&mut simulator);
}

fn refusal() {
    let (mut simulator, mut session) = with_key();
    let fault = Fault::Refuse(ErrorCode::STORAGE_FAILED);
    simulator.faults().arm(Plan { fault, command: Some(Command::SIGN_ECDSA), skip: 2, count: 3 });
    let outcomes: Vec<bool> = (0..7)
        .map(|_| {
            session.echo(&mut simulator).unwrap();
            session.sign(&mut simulator, 5).is_ok()
        })
        .collect();
    assert_eq!(outcomes, [true, true, false, false, false, true, true]);
    simulator.faults().arm(Plan::at(Fault::Refuse(ErrorCode::SESSIONS_FULL), Command::CREATE_SESSION));
    let error = Session::open(&mut simulator, 1, "password").err();
    assert_eq!(error, Some(refused(ErrorCode::SESSIONS_FULL)));
    assert_well(&mut simulator);
}

/// The signature a session gives over this input with key 5, made fit for the release gate.
fn raw(session: &mut Session, simulator: &mut Simulator) -> RawSignature {
    let (r, s) = numbers(&session.sign(simulator, 5).unwrap());
    let mut bytes = [0; 64];
    bytes[32 - r.len()..32].copy_from_slice(&r);
    bytes[64 - s.len()..].copy_from_slice(&s);
    RawSignature(bytes)
}

fn verifier(session: &mut Session, simulator: &mut Simulator) -> Verifier {
    let public = session.run(simulator, Command::GET_PUBLIC_KEY, &[0, 5]).unwrap();
    let point = [&[4], &public[1..]].concat();
    Verifier::new(PublicKey::decode(hsm_types::Algorithm::Secp256k1, &point).unwrap())
}

fn flipped_bits() {
    let (mut simulator, mut session) = with_key();
    let verifier = verifier(&mut session, &mut simulator);
    let input = ToSign::Digest(Digest([0x42; 32]));
    verifier.verify(&input, &raw(&mut session, &mut simulator)).unwrap();
    for bit in (0..512).step_by(13) {
        simulator.faults().arm(Plan::at(Fault::FlipBit(bit), Command::SIGN_ECDSA));
        let flipped = raw(&mut session, &mut simulator);
        assert!(verifier.verify(&input, &flipped).is_err(), "bit {bit}");
    }
    assert_well(&mut simulator);
}

fn spoiled_signatures() {
    let (mut simulator, mut session) = with_key();
    let verifier = verifier(&mut session, &mut simulator);
    let input = ToSign::Digest(Digest([0x42; 32]));
    for (fault, r_is_zero, s_is_zero) in
        [(Fault::OtherKey, false, false), (Fault::ZeroR, true, false), (Fault::ZeroS, false, true)]
    {
        simulator.faults().arm(Plan::at(fault, Command::SIGN_ECDSA));
        let RawSignature(bytes) = raw(&mut session, &mut simulator);
        assert_eq!((bytes[..32] == [0; 32], bytes[32..] == [0; 32]), (r_is_zero, s_is_zero), "{fault:?}");
        assert!(verifier.verify(&input, &RawSignature(bytes)).is_err(), "{fault:?}");
    }
    assert_well(&mut simulator);
}

fn high_s() {
    let (mut simulator, mut session) = with_key();
    let verifier = verifier(&mut session, &mut simulator);
    let input = ToSign::Digest(Digest([0x42; 32]));
    let mut is_high = |simulator: &mut Simulator| {
        let raw = raw(&mut session, simulator);
        verifier.verify(&input, &raw).unwrap();
        // Half of the curve's order begins with 0x7f.
        raw.0[32] >= 0x80
    };
    let high = (0..64).filter(|_| is_high(&mut simulator)).count();
    assert!((1..64).contains(&high), "{high} of 64");
    simulator.faults().arm(Plan { count: 16, ..Plan::at(Fault::HighS, Command::SIGN_ECDSA) });
    assert!((0..16).all(|_| is_high(&mut simulator)));
    assert_well(&mut simulator);
}

fn wrong_mac() {
    let (mut simulator, mut session) = with_key();
    simulator.faults().arm(Plan::at(Fault::WrongMac, Command::SIGN_ECDSA));
    assert_eq!(session.sign(&mut simulator, 5), Err(ChannelError::Mac));
    assert_well(&mut simulator);
}

fn late_and_torn() {
    let clock = Arc::new(ManualClock::default());
    let options = Options { clock: clock.clone(), signing_time: Duration::from_millis(70), ..Options::default() };
    let mut simulator = Simulator::open(None, options).unwrap();
    let mut session = Session::factory(&mut simulator);
    session.generate(&mut simulator, 5, Algorithm::EC_K256);
    assert_eq!(clock.now(), Duration::ZERO);
    session.sign(&mut simulator, 5).unwrap();
    assert_eq!(clock.now(), Duration::from_millis(70), "a signature takes its time");
    simulator.faults().arm(Plan::next(Fault::Delay { ms: 930 }));
    session.echo(&mut simulator).unwrap();
    assert_eq!(clock.now(), Duration::from_secs(1));
    simulator.faults().arm(Plan::next(Fault::Hang));
    session.echo(&mut simulator).unwrap();
    assert_eq!(clock.now(), Duration::from_secs(3601));
    let mut session = Session::factory(&mut simulator);
    simulator.faults().arm(Plan::next(Fault::CloseAfter { bytes: 5 }));
    let torn = Err(BadFrame::Length { length: 5 }.into());
    assert_eq!(session.echo(&mut simulator), torn);
    assert_well(&mut simulator);
}
