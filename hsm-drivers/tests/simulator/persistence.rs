//! What a device keeps without power, and the file it is in.

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, Instant},
};

use hsm_drivers::{
    simulator::{Options, Simulator},
    yubihsm2::protocol::{Algorithm, Capabilities, Command, Domains, ErrorCode, LOG_CAPACITY, LogEntry},
};
use libtest_mimic::Trial;

use crate::{
    client::{Session, refused},
    trials_of,
};

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    trials_of(
        "persistence",
        &[
            ("a_device_comes_back_as_it_was_but_for_its_sessions", comes_back),
            ("the_file_is_private_and_one", private),
            ("a_file_that_is_damaged_is_refused_and_left", damaged),
            ("entries_of_the_log_are_kept_and_half_of_one_is_as_none", appended),
            ("where_no_other_file_can_be_made_the_one_there_is_goes_on", no_other_file),
            ("a_device_is_in_one_place_at_a_time", one_place),
            ("the_environment_names_a_device_that_is_there", environment),
            ("state_that_cannot_be_kept_is_a_failure_of_storage", not_kept),
        ],
    )
}

fn open(file: &Path) -> Simulator {
    Simulator::open(Some(file), Options::default()).unwrap()
}

fn comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("device");
    let mut simulator = Simulator::open(Some(&file), Options { serial: 99, ..Options::default() }).unwrap();
    let mut session = Session::factory(&mut simulator);
    session.generate(&mut simulator, 5, Algorithm::EC_K256);
    session.generate(&mut simulator, 6, Algorithm::ED25519);
    session.run(&mut simulator, Command::DELETE_OBJECT, &[0, 6, 3]).unwrap();
    let (rights, none) = (Capabilities::SIGN_ECDSA, Capabilities::NONE);
    session.put_authentication_key(&mut simulator, (2, "signer"), Domains(1), rights, none).unwrap();
    session.set_option(&mut simulator, 3, &[Command::SIGN_ECDSA.0, 2]).unwrap();
    session.sign(&mut simulator, 5).unwrap();
    let questions = [
        (Command::GET_PUBLIC_KEY, vec![0, 5]),
        (Command::LIST_OBJECTS, vec![]),
        (Command::GET_OPTION, vec![3]),
        (Command::GET_OBJECT_INFO, vec![0, 2, 2]),
        (Command::GET_STORAGE_INFO, vec![]),
    ];
    let ask = |simulator: &mut Simulator, session: &mut Session| -> Vec<Vec<u8>> {
        questions.iter().map(|(command, data)| session.run(simulator, *command, data).unwrap()).collect()
    };
    let (before, log) = (ask(&mut simulator, &mut session), session.log(&mut simulator));
    let ca = simulator.ca_certificate();
    drop(simulator);

    let mut simulator = open(&file);
    assert_eq!(session.echo(&mut simulator), Err(refused(ErrorCode::INVALID_SESSION)));
    let mut session = Session::factory(&mut simulator);
    assert_eq!(ask(&mut simulator, &mut session), before);
    assert_eq!(simulator.ca_certificate(), ca);
    let later = session.log(&mut simulator);
    assert_eq!(later.entries[..log.entries.len()], log.entries);
    let boot = later.entries.last().unwrap();
    assert!(boot.command == LogEntry::BOOT && boot.follows(log.entries.last().unwrap()));
    session.generate(&mut simulator, 6, Algorithm::EC_P256);
    let info = session.run(&mut simulator, Command::GET_OBJECT_INFO, &[0, 6, 3]).unwrap();
    assert_eq!(info[16], 1, "the second of its id");
    let mut signer = Session::open(&mut simulator, 2, "signer").unwrap();
    signer.sign(&mut simulator, 5).unwrap();
}

fn private() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("device");
    let mut simulator = open(&file);
    let mut session = Session::factory(&mut simulator);
    let before = fs::read(&file).unwrap();
    session.generate(&mut simulator, 5, Algorithm::EC_K256);
    assert_ne!(fs::read(&file).unwrap(), before);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let mut names: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["device", "device.lock"]);
    let (length, objects) = (|| fs::metadata(&file).unwrap().len(), || session_objects(&file));
    let before = length();
    session.echo(&mut simulator).unwrap();
    assert_eq!(length(), before, "what changes nothing writes nothing");
    session.generate(&mut simulator, 6, Algorithm::EC_K256);
    drop(simulator);
    assert_eq!(objects(), 3);
}

/// Objects of the device in the file.
fn session_objects(file: &Path) -> usize {
    let mut simulator = open(file);
    let mut session = Session::factory(&mut simulator);
    session.run(&mut simulator, Command::LIST_OBJECTS, &[]).unwrap().len() / 4
}

fn damaged() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("device");
    drop(open(&file));
    let good = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    let mut bad = vec![String::new(), "something else\n".to_owned(), good.replace("log ", "logs ")];
    for missing in 0..lines.len() {
        // Without its objects and options a device is a poor one, but a device.
        if !lines[missing].starts_with("object") && !lines[missing].starts_with("force-audit") {
            let rest: Vec<&str> = lines.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, l)| *l).collect();
            bad.push(rest.join("\n"));
        }
    }
    for text in bad {
        fs::write(&file, &text).unwrap();
        let error = Simulator::open(Some(&file), Options::default()).unwrap_err().to_string();
        assert!(error.contains("is not one of a simulator's state"), "{error}: {text}");
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
    let folder = directory.path().join("folder");
    fs::create_dir(&folder).unwrap();
    assert!(Simulator::open(Some(&folder), Options::default()).is_err(), "a directory");
}

/// Entries are appended to the file: over the wrap of the log, and over the point from where the file is written anew.
fn appended() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("device");
    let mut simulator = open(&file);
    let mut session = Session::factory(&mut simulator);
    session.generate(&mut simulator, 5, Algorithm::EC_K256);
    session.set_option(&mut simulator, 3, &[Command::ECHO.0, 1]).unwrap();
    let mut longest = 0;
    for round in 0..1100 {
        session.echo(&mut simulator).unwrap();
        longest = longest.max(fs::metadata(&file).unwrap().len());
        if ![0, 1, 61, 62, 63, 999, 1000, 1001, 1099].contains(&round) {
            continue;
        }
        let log = session.log(&mut simulator);
        drop(simulator);
        // Killed while the next entry was written.
        let mut half = fs::OpenOptions::new().append(true).open(&file).unwrap();
        half.write_all(b"entry 00ff").unwrap();
        simulator = open(&file);
        session = Session::factory(&mut simulator);
        let later = session.log(&mut simulator).entries;
        let boot = later.last().unwrap();
        assert!(boot.command == LogEntry::BOOT && boot.follows(log.entries.last().unwrap()), "round {round}");
        assert!(later.len() == LOG_CAPACITY || later[..later.len() - 1] == log.entries, "round {round}");
    }
    assert!(longest < 90_000 && fs::metadata(&file).unwrap().len() < longest, "{longest}");
}

/// As in a directory where a worker may make none.
fn no_other_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("device");
    drop(open(&file));
    fs::create_dir(directory.path().join("device.new")).unwrap();
    let mut before = 1;
    for round in 0..4_u16 {
        let mut simulator = open(&file);
        let mut session = Session::factory(&mut simulator);
        session.generate(&mut simulator, 5 + round, Algorithm::EC_K256);
        session.set_option(&mut simulator, 3, &[Command::ECHO.0, 1]).unwrap();
        for _ in 0..700 {
            session.echo(&mut simulator).unwrap();
        }
        let log = session.log(&mut simulator);
        let last = log.entries.last().unwrap().number;
        session.run(&mut simulator, Command::SET_LOG_INDEX, &last.to_be_bytes()).unwrap();
        session.echo(&mut simulator).unwrap();
        drop(simulator);
        // Killed while it wrote its state anew, and while it wrote a line.
        let text = fs::read_to_string(&file).unwrap();
        let newest = &text[text.rfind("simulated yubihsm").unwrap()..];
        let cut = if round % 2 == 0 { newest.find("log ").unwrap() } else { 40 };
        let mut half = fs::OpenOptions::new().append(true).open(&file).unwrap();
        half.write_all(&newest.as_bytes()[..cut]).unwrap();
        let objects = session_objects(&file);
        assert_eq!(objects, before + 1, "round {round}");
        before = objects;
        let mut simulator = open(&file);
        let mut session = Session::factory(&mut simulator);
        let entries = session.log(&mut simulator).entries;
        assert!(entries.len() == 3 && entries[0].number == last.wrapping_add(1), "round {round}: {entries:?}");
    }
}

fn one_place() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("device");
    let simulator = open(&file);
    let error = Simulator::open(Some(&file), Options::default()).unwrap_err().to_string();
    let holder = format!("process {} has this device open", std::process::id());
    assert!(error.contains(&holder) && error.contains("stop it, or name another file"), "{error}");
    drop(simulator);
    open(&file);
}

fn environment() {
    let directory = tempfile::tempdir().unwrap();
    let of = |variables: &[(&'static str, &str)]| {
        let value = |name| variables.iter().find(|(wanted, _)| *wanted == name).map(|(_, value)| value.into());
        Simulator::from_environment(value, directory.path())
    };
    let error = of(&[]).unwrap_err().to_string();
    assert!(error.contains("simulator.state: there is no such file: make a device"), "{error}");
    drop(open(&directory.path().join("simulator.state")));
    of(&[]).unwrap();

    fs::create_dir(directory.path().join("token")).unwrap();
    let file = directory.path().join("token/device");
    let options = Options { serial: 99, ..Options::default() };
    Session::factory(&mut Simulator::open(Some(&file), options).unwrap());
    let mut simulator = of(&[("CHANCERY_SIMULATOR", "token/device"), ("CHANCERY_SIMULATOR_SIGNING_MS", "50")]).unwrap();
    let mut session = Session::factory(&mut simulator);
    session.generate(&mut simulator, 5, Algorithm::EC_K256);
    let begun = Instant::now();
    session.sign(&mut simulator, 5).unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(50));
    let error = of(&[("CHANCERY_SIMULATOR_SIGNING_MS", "-1")]).unwrap_err().to_string();
    assert!(error.contains("CHANCERY_SIMULATOR_SIGNING_MS: write the milliseconds"), "{error}");
}

fn not_kept() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("device");
    let mut simulator = open(&file);
    let mut session = Session::factory(&mut simulator);
    drop(directory);
    session.echo(&mut simulator).unwrap();
    let error = session.run(&mut simulator, Command::SET_OPTION, &[1, 0, 1, 1]);
    assert_eq!(error, Err(refused(ErrorCode::STORAGE_FAILED)));
}
