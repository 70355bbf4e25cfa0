//! Sixteen sessions of thirty idle seconds.

use std::{sync::Arc, time::Duration};

use hsm_drivers::{
    simulator::{ManualClock, Options, Simulator},
    yubihsm2::protocol::{Command, ErrorCode, Frame, channel::ChannelError},
};
use libtest_mimic::Trial;

use crate::{
    client::{Session, fresh, refused},
    trials_of,
};

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    trials_of(
        "sessions",
        &[
            ("the_seventeenth_is_refused_until_one_is_closed", the_seventeenth),
            ("one_is_forgotten_after_thirty_idle_seconds_and_not_before", idle),
            ("an_altered_message_costs_the_session", an_altered_message),
            ("a_wrong_password_is_noticed_and_opens_nothing", a_wrong_password),
            ("an_unknown_authentication_key_is_told", an_unknown_key),
            ("commands_of_a_session_are_refused_outside_one", outside),
            ("what_is_no_message_is_answered_with_an_error", no_message),
        ],
    )
}

fn the_seventeenth() {
    let mut simulator = fresh();
    let mut sessions: Vec<_> = (0..16).map(|_| Session::factory(&mut simulator)).collect();
    let error = Session::open(&mut simulator, 1, "password").err();
    assert_eq!(error, Some(refused(ErrorCode::SESSIONS_FULL)));
    sessions[7].run(&mut simulator, Command::CLOSE_SESSION, &[]).unwrap();
    assert_eq!(sessions[7].echo(&mut simulator), Err(refused(ErrorCode::INVALID_SESSION)));
    Session::factory(&mut simulator).echo(&mut simulator).unwrap();
    for open in [0, 6, 8, 15] {
        sessions[open].echo(&mut simulator).unwrap();
    }
}

fn idle() {
    let clock = Arc::new(ManualClock::default());
    let options = Options { clock: clock.clone(), ..Options::default() };
    let mut simulator = Simulator::open(None, options).unwrap();
    let mut session = Session::factory(&mut simulator);
    for _ in 0..3 {
        clock.advance(Duration::from_secs(30));
        session.echo(&mut simulator).unwrap();
    }
    clock.advance(Duration::from_millis(30_001));
    assert_eq!(session.echo(&mut simulator), Err(refused(ErrorCode::INVALID_SESSION)));
    // Sixteen that nobody closed come free, too.
    (0..16).for_each(|_| drop(Session::factory(&mut simulator)));
    assert!(Session::open(&mut simulator, 1, "password").is_err());
    clock.advance(Duration::from_secs(31));
    Session::factory(&mut simulator).echo(&mut simulator).unwrap();
}

fn an_altered_message() {
    let mut simulator = fresh();
    let mut session = Session::factory(&mut simulator);
    let forged = [&[5, 0, 25, 0][..], &[0xa5; 24]].concat();
    let answer = simulator.exchange(&forged);
    assert_eq!(answer, Frame::error(ErrorCode::AUTHENTICATION_FAILED).encode());
    assert_eq!(session.echo(&mut simulator), Err(refused(ErrorCode::INVALID_SESSION)));
}

fn a_wrong_password() {
    let mut simulator = fresh();
    let error = Session::open(&mut simulator, 1, "passwort").err();
    assert_eq!(error, Some(ChannelError::Cryptogram));
    // A host that does not care about the device's cryptogram gets no further.
    let create = [&[3, 0, 10, 0, 1][..], &[0; 8]].concat();
    let offered = simulator.exchange(&create);
    assert_eq!(offered[0], 0x83);
    let authenticate = [&[4, 0, 17, offered[3]][..], &[0; 16]].concat();
    assert_eq!(simulator.exchange(&authenticate), Frame::error(ErrorCode::AUTHENTICATION_FAILED).encode());
    assert_eq!(simulator.exchange(&authenticate), Frame::error(ErrorCode::INVALID_SESSION).encode());
}

fn an_unknown_key() {
    let error = Session::open(&mut fresh(), 77, "password").err();
    assert_eq!(error, Some(refused(ErrorCode::OBJECT_NOT_FOUND)));
}

fn outside() {
    let mut simulator = fresh();
    for command in Command::NAMED {
        let answer = simulator.exchange(&Frame::command(*command, vec![]).encode());
        let is_answered = [Command::ECHO, Command::DEVICE_INFO].contains(command);
        assert_eq!(answer[0] == command.response(), is_answered, "{command}");
        assert!(is_answered || answer[0] == 0x7f, "{command}");
    }
}

fn no_message() {
    let mut simulator = fresh();
    let short = Frame::error(ErrorCode::WRONG_LENGTH).encode();
    for bytes in [&[][..], &[1], &[1, 0], &[1, 0, 1], &[1, 0, 0, 0], &[5, 0xff, 0xff]] {
        assert_eq!(simulator.exchange(bytes), short, "{bytes:?}");
    }
    let echo = |length: usize| Frame::command(Command::ECHO, vec![0; length - 3]).encode();
    for (firmware, longest) in [([2, 4, 0], 3136), ([2, 3, 1], 2048)] {
        let mut simulator = Simulator::open(None, Options { firmware, ..Options::default() }).unwrap();
        assert_eq!(simulator.exchange(&echo(longest)).len(), longest);
        assert_eq!(simulator.exchange(&echo(longest + 1)), short);
    }
    for bytes in [&[5, 0, 0][..], &[4, 0, 0], &[3, 0, 1, 0], &[5, 0, 1, 0], &[4, 0, 1, 99]] {
        assert_eq!(simulator.exchange(bytes)[0], 0x7f, "{bytes:?}");
    }
}
