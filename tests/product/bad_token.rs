//! A token, a module or a key that is not what the configuration and the policy say: the sentence tells what to do, and
//! the other token's keys go on.

use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};

use libtest_mimic::Trial;
use serde_json::Value;

use crate::{
    harness::{
        Installation, Running, body::digest, eventually, installation::POLICY, shim::Shim, trial, watcher::Watcher,
    },
    several_tokens::twins,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("bad_token::what_is_no_module_of_this_machine_ends_the_start_with_its_reason", modules),
        trial("bad_token::a_token_that_is_not_there_is_waited_for_and_told", no_such_token),
        trial("bad_token::two_tokens_of_one_label_are_told_apart_by_serial", two_tokens),
        trial("bad_token::a_locked_pin_is_not_tried_and_sent_to_the_security_officer", locked_pin),
        trial("bad_token::a_full_session_table_is_told_with_how_many_were_wanted", full_session_table),
        trial("bad_token::a_key_that_is_not_as_the_policy_says_is_not_taken_in", unfit_keys),
        trial("bad_token::two_keys_of_one_label_serve_nobody_and_the_rest_goes_on", two_keys),
        trial("bad_token::another_token_of_the_same_label_is_used_for_nothing", replaced),
        trial("bad_token::one_tokens_bad_module_leaves_the_other_token_signing", other_token_signs),
    ]
}

/// The last line of a start that no restart can mend.
fn refused(installation: &Installation) -> String {
    let Err(log) = Running::try_start(installation, &[]) else { panic!("it serves") };
    assert!(log.starts_with("exit status: 78"), "{log}");
    log.lines().last().unwrap().to_owned()
}

#[track_caller]
fn assert_says(text: &str, words: &[&str]) {
    for words in words {
        assert!(text.contains(words), "{words}: {text}");
    }
}

/// Replaces the line of the configuration's first token that sets `key`.
fn set(installation: &Installation, key: &str, value: &str) {
    installation.edit_config(|config| {
        let begins = format!("{key} = ");
        let line = config.lines().find(|line| line.starts_with(&begins)).unwrap_or_else(|| panic!("{config}"));
        config.replacen(line, &format!("{key} = {value}"), 1)
    });
}

fn tokens(installation: &Installation) -> Value {
    let status: Value = serde_json::from_slice(&installation.run("chancery", &["status", "--json"]).stdout).unwrap();
    status["tokens"].clone()
}

fn token(installation: &Installation, name: &str) -> Value {
    let tokens = tokens(installation);
    tokens.as_array().unwrap().iter().find(|token| token["name"] == name).unwrap().clone()
}

fn end_worker(installation: &Installation, name: &str) -> i64 {
    let worker = eventually("the token is up", || token(installation, name)["worker"].as_i64());
    assert!(Command::new("kill").args(["-KILL", &worker.to_string()]).status().unwrap().success());
    worker
}

/// Ends its worker, and waits for the next: the end of the one before may not have been noticed yet.
fn open_again(installation: &Installation, name: &str) {
    let before = end_worker(installation, name);
    eventually("it is open again", || token(installation, name)["worker"].as_i64().filter(|worker| *worker != before));
}

/// The module of the first token.
fn module(installation: &Installation) -> PathBuf {
    let config = fs::read_to_string(installation.path("chancery.toml")).unwrap();
    let line = config.lines().find_map(|line| line.strip_prefix("module = ")).unwrap();
    PathBuf::from(line.trim_matches('"'))
}

/// A module as it is for a machine that has none: number 0xfefe of the ELF standard is nobody's.
fn for_another_machine(module: &[u8]) -> Vec<u8> {
    let mut module = module.to_vec();
    module[18..20].fill(0xfe);
    module
}

/// Folders of the tokens that SoftHSM keeps, or files of one.
fn entries(installation: &Installation, folder: &str) -> BTreeSet<PathBuf> {
    fs::read_dir(installation.path(folder)).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn modules() {
    let installation = Installation::new();
    let softhsm = fs::read(module(&installation)).unwrap();
    fs::write(installation.path("text.so"), "INPUT(libsofthsm2.so)\n").unwrap();
    fs::write(installation.path("other.so"), for_another_machine(&softhsm)).unwrap();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let libc = maps.lines().find_map(|line| Some(&line[line.find('/')?..]).filter(|path| path.contains("libc.so")));
    fs::copy(libc.unwrap(), installation.path("libc.so")).unwrap();
    fs::write(installation.path("half.so"), &softhsm[..64]).unwrap();
    let module = |name: &str| installation.path(name).display().to_string();
    for (name, words) in [
        ("absent.so", &["token[1].module: ", "No such file or directory"][..]),
        ("token", &["token[1].module: ", "no regular file"]),
        ("text.so", &["token main: loading PKCS#11 module ", "no ELF file", "name the vendor's PKCS#11 module"]),
        ("other.so", &["token main: ", "it is for machine 65278", "install the vendor's module for "]),
        ("libc.so", &["token main: ", "no PKCS#11 module, for it has no C_GetFunctionList", "name the vendor's"]),
    ] {
        set(&installation, "module", &format!("{name:?}"));
        let err = refused(&installation);
        assert_says(&err, words);
        assert_says(&err, &[&module(name)]);
    }
    // It may be half installed at this moment, so that is waited for.
    set(&installation, "module", "\"half.so\"");
    let running = installation.start();
    assert_says(token(&installation, "main")["reason"].as_str().unwrap(), &["half.so", "install the vendor's package"]);
    fs::write(installation.path("half.next"), softhsm).unwrap();
    fs::rename(installation.path("half.next"), installation.path("half.so")).unwrap();
    eventually("it is whole", || (token(&installation, "main")["state"] == "up").then_some(()));
    // The log's anchor is written a moment later.
    let watcher = Watcher::new(&installation, &running);
    eventually("it is signed", || (watcher.put("a", digest("raw", 1)).status == 200).then_some(()));
    running.stop();
}

/// Starts, and finds the first token down; why. Requests are told to come back.
fn down(installation: &Installation) -> (Running, String) {
    let running = installation.start();
    let token = token(installation, "main");
    assert_eq!(token["state"], "down", "{token}");
    let problem = Watcher::new(installation, &running).refused("down", digest("raw", 1));
    assert_eq!(problem.type_uri, "urn:chancery:problem:token-unavailable", "{}", problem.detail);
    assert!(problem.retry_after_s.is_some());
    (running, token["reason"].as_str().unwrap().to_owned())
}

fn no_such_token() {
    let installation = Installation::new();
    set(&installation, "label", "\"chancellery\"");
    let (running, reason) = down(&installation);
    assert_says(&reason, &["token \"chancellery\": not found", "shows token \"chancery\" with serial "]);
    assert_says(&reason, &["plug it in, or write its `label` and `serial` as they are"]);
    running.stop();
    set(&installation, "label", "\"chancery\"\nserial = \"0123456789abcdef\"");
    let (running, reason) = down(&installation);
    assert_says(&reason, &["token \"chancery\" with serial 0123456789abcdef: not found"]);
    running.stop();
    fs::rename(entries(&installation, "token/objects").pop_first().unwrap(), installation.path("token/away")).unwrap();
    let (running, reason) = down(&installation);
    assert_says(&reason, &["not found", "the module shows no token"]);
    running.stop();
}

fn two_tokens() {
    let installation = Installation::new();
    let other = Installation::new();
    let running = installation.start();
    let serial = token(&installation, "main")["serial"].as_str().unwrap().to_owned();
    running.kill();
    let own = entries(&installation, "token/objects").pop_first().unwrap();
    let second = entries(&other, "token/objects").pop_first().unwrap();
    fs::rename(&second, own.with_file_name(second.file_name().unwrap())).unwrap();
    let err = refused(&installation);
    assert_says(&err, &["token main: token \"chancery\": 2 tokens are called so", &serial, "name the `serial`"]);
    set(&installation, "label", &format!("\"chancery\"\nserial = {serial:?}"));
    let running = installation.start();
    Watcher::new(&installation, &running).signed("a", digest("raw", 1));
    running.stop();
}

fn locked_pin() {
    let installation = Installation::new();
    let shim = Shim::between(&installation);
    shim.set(&["C_GetTokenInfo always flags CKF_USER_PIN_LOCKED".to_owned()]);
    for _ in 0..2 {
        let err = refused(&installation);
        assert_says(&err, &["token main: login to token \"chancery\": not tried", "is locked, no try is left"]);
        assert_says(&err, &["have the security officer set the PIN anew"]);
    }
    assert!(shim.logins().is_empty());
    shim.set(&["C_Login always return CKR_PIN_LOCKED".to_owned()]);
    let err = refused(&installation);
    assert_says(&err, &["CKR_PIN_LOCKED", "is locked, no try is left", "have the security officer set the PIN anew"]);
    assert_eq!(shim.logins().len(), 1);
}

fn full_session_table() {
    let installation = Installation::new();
    let shim = Shim::between(&installation);
    // So many that each worker finds the table full at its third.
    let full = (0..200).map(|start| format!("C_OpenSession {} return CKR_SESSION_COUNT", 3 * start + 3));
    shim.set(&full.collect::<Vec<_>>());
    let (running, reason) = down(&installation);
    assert_says(&reason, &["opening session 3 of 4 on token \"chancery\"", "CKR_SESSION_COUNT"]);
    assert_says(&reason, &["write a smaller `sessions`", "end what else holds sessions"]);
    // Whatever held them has ended.
    shim.clear();
    eventually("it is up", || (token(&installation, "main")["state"] == "up").then_some(()));
    running.stop();
    shim.set(&["C_OpenSession 3.. return CKR_SESSION_COUNT".to_owned()]);
    set(&installation, "sessions", "2");
    let running = installation.start();
    Watcher::new(&installation, &running).signed("a", digest("raw", 1));
    running.stop();
}

/// The files of a new key: the private one, then the public one.
fn generate(installation: &Installation, name: &str) -> [PathBuf; 2] {
    let token = entries(installation, "token/objects").pop_first().unwrap();
    let folder = token.strip_prefix(installation.directory()).unwrap().to_str().unwrap().to_owned();
    let before = entries(installation, &folder);
    let arguments = ["key", "generate", name, "--algorithm", "secp256k1", "--config", "chancery.toml"];
    installation.run("chancery-provision", &arguments);
    let after = entries(installation, &folder);
    let mut made: Vec<_> =
        after.difference(&before).filter(|path| path.extension().is_some_and(|kind| kind == "object")).collect();
    // CKA_CLASS, as SoftHSM writes a number: its type, the kind, its value, which is 3 for a private key.
    let private = [0_u64, 2, 3].map(u64::to_be_bytes).concat();
    made.sort_by_key(|path| !fs::read(path).unwrap().windows(private.len()).any(|bytes| bytes == private));
    let [private, public] = made[..] else { panic!("{made:?}") };
    [private.clone(), public.clone()]
}

/// Sets a truth value of an object of SoftHSM's.
fn set_attribute(object: &PathBuf, attribute: u64, value: u8) {
    let mut bytes = fs::read(object).unwrap();
    let wanted = [attribute, 1].map(u64::to_be_bytes).concat();
    let place = bytes.windows(wanted.len()).position(|bytes| bytes == wanted).unwrap();
    bytes[place + wanted.len()] = value;
    fs::write(object, bytes).unwrap();
}

const CKA_EXTRACTABLE: u64 = 0x162;

fn unfit_keys() {
    let installation = Installation::without_log();
    let [private, _] = generate(&installation, "loose");
    set_attribute(&private, CKA_EXTRACTABLE, 1);
    let [private, _] = generate(&installation, "twice");
    fs::copy(&private, private.with_file_name("00000000-0000-0000-0000-000000000000.object")).unwrap();
    for (name, algorithm, words) in [
        (
            "loose",
            "secp256k1",
            &["CKA_EXTRACTABLE", "may not serve", "make another with `chancery-provision key generate`"][..],
        ),
        ("twice", "secp256k1", &["more than one of this label", "destroy it or give it another label"]),
        ("nist", "secp256k1", &["key nist is p256 in token main, the policy says secp256k1"]),
        ("absent", "secp256k1", &["the device has no such key", "make it with `chancery-provision key generate`"]),
    ] {
        let policy = POLICY.replacen("name = \"raw\"", &format!("name = {name:?}"), 1);
        let policy = policy.replacen("\"raw\", \"nist\"", &format!("{name:?}"), 1);
        let policy = policy.replacen("[[key]]\nname = \"nist\"\nalgorithm = \"p256\"\nevidence = \"blind\"\n", "", 1);
        installation.write_policy(&policy.replacen("secp256k1", algorithm, 2));
        let output =
            installation.command("chancery", &["policy", "install", "policy.toml", "--genesis"]).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{name}: {err}");
        assert_says(&err, words);
        assert_eq!(err.contains("make it with"), name == "absent", "{err}");
    }
    // Nothing was begun, and with good keys it can be.
    assert!(!installation.path("state/log.jsonl").exists());
    installation.begin(POLICY);
    let running = installation.start();
    Watcher::new(&installation, &running).signed("a", digest("raw", 1));
    running.stop();
}

fn two_keys() {
    let installation = Installation::without_log();
    let [private, _] = generate(&installation, "twice");
    installation.begin(&POLICY.replace("\"raw\"", "\"twice\""));
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    watcher.signed("before", digest("twice", 1));
    let copy = private.with_file_name("00000000-0000-0000-0000-000000000000.object");
    fs::copy(&private, &copy).unwrap();
    open_again(&installation, "main");
    let unfit = token(&installation, "main")["unfit_keys"].to_string();
    assert_says(&unfit, &["twice: ", "more than one of this label", "destroy it or give it another label"]);
    let problem = watcher.refused("a", digest("twice", 2));
    assert_eq!(problem.type_uri, "urn:chancery:problem:token-unavailable");
    watcher.signed("b", digest("nist", 1));
    fs::remove_file(copy).unwrap();
    end_worker(&installation, "main");
    eventually("it is signed", || (watcher.put("a", digest("twice", 2)).status == 200).then_some(()));
    running.stop();
    installation.assert_log_verifies();
}

fn replaced() {
    let installation = Installation::new();
    let other = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let serial = token(&installation, "main")["serial"].clone();
    let swap = || {
        for file in ["token/objects", "token/pin"] {
            let (ours, theirs) = (installation.path(file), other.path(file));
            fs::rename(&ours, ours.with_extension("swapped")).unwrap();
            fs::rename(&theirs, &ours).unwrap();
            fs::rename(ours.with_extension("swapped"), &theirs).unwrap();
        }
        open_again(&installation, "main");
    };
    swap();
    let replaced = token(&installation, "main");
    assert_ne!(replaced["serial"], serial);
    let unfit = replaced["unfit_keys"].as_array().unwrap();
    for key in ["hot", "raw", "nist", "ed"] {
        let unfit = unfit.iter().find_map(|unfit| unfit.as_str()?.strip_prefix(&format!("{key}: "))).unwrap();
        assert_says(unfit, &["the log pins public key", "put back the token that the log means"]);
    }
    for number in 0..4 {
        let problem = watcher.refused(&format!("a-{number}"), digest("raw", number));
        assert_eq!(problem.type_uri, "urn:chancery:problem:token-unavailable");
    }
    swap();
    assert_eq!(token(&installation, "main")["serial"], serial);
    watcher.signed("a-0", digest("raw", 0));
    running.stop();
    installation.assert_log_verifies();
}

fn other_token_signs() {
    let installation = twins();
    let softhsm = fs::read(module(&installation)).unwrap();
    fs::write(installation.path("copy.so"), &softhsm).unwrap();
    installation.edit_config(|config| {
        let (rest, twin) = config.rsplit_once("[[token]]").unwrap();
        let line = twin.lines().find(|line| line.starts_with("module = ")).unwrap();
        format!("{rest}[[token]]{}", twin.replace(line, "module = \"copy.so\""))
    });
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    fs::write(installation.path("copy.next"), for_another_machine(&softhsm)).unwrap();
    fs::rename(installation.path("copy.next"), installation.path("copy.so")).unwrap();
    end_worker(&installation, "copy");
    let sealed = eventually("it waits for an operator", || {
        Some(token(&installation, "copy")).filter(|token| token["state"] == "sealed")
    });
    assert_says(sealed["reason"].as_str().unwrap(), &["copy.so", "it is for machine 65278", "install the vendor's"]);
    for number in 0..8 {
        watcher.signed(&format!("a-{number}"), digest("raw", number));
    }
    assert_eq!(token(&installation, "main")["state"], "up");
    running.stop();
    // A start does not ask for more than what was enough before it.
    let running = installation.start();
    assert_eq!(token(&installation, "copy")["state"], "sealed");
    Watcher::new(&installation, &running).signed("b", digest("raw", 1));
    running.stop();
    installation.assert_log_verifies();
}
