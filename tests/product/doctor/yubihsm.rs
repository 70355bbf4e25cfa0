//! A YubiHSM 2, simulated and served over HTTP, under `chancery doctor`.

use std::{
    fs::{self, Permissions},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    time::Duration,
};

use hsm_drivers::{
    simulator::{Options, Server, Simulator},
    yubihsm2::{
        connector::Address,
        protocol::{AUDIT_FIXED, Algorithm, Capabilities, Command, Domains, Label, OptionTag, channel::StaticKeys},
        session::{Credentials, Session},
    },
};
use libtest_mimic::Trial;
use serde_json::Value;

use super::{able, examine, found, key};
use crate::harness::{Installation, trial};

const SIGNER: u16 = 2;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial("doctor::a_yubihsm_can_serve_and_every_fact_is_told", yubihsm),
        trial("doctor::a_refused_password_of_a_yubihsm_is_remembered", refused_password),
    ]
}

fn object(id: u16, text: &str, capabilities: Capabilities, algorithm: Algorithm) -> Vec<u8> {
    let label = Label::new(text).unwrap();
    let (id, domains) = (id.to_be_bytes(), Domains(1).0.to_be_bytes());
    [&id[..], &label.0, &domains, &capabilities.0.to_be_bytes(), &[algorithm.0]].concat()
}

/// A device with a signer and the self-test key, told to log signatures for ever.
fn device(password: &str) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Simulator::open(None, Options::default()).unwrap().serve(listener).unwrap();
    let connector = server.url().parse::<Address>().unwrap().connect(Duration::from_secs(30)).unwrap();
    let credentials = Credentials { id: 1, keys: StaticKeys::from_password(b"password") };
    let mut administrator = Session::open(connector, &credentials).unwrap();
    let rights = Capabilities::SIGN_ECDSA
        | Capabilities::SIGN_EDDSA
        | Capabilities::GET_LOG_ENTRIES
        | Capabilities::GET_OPAQUE
        | Capabilities::GET_OPTION;
    let mut signer = object(SIGNER, "signer", rights, Algorithm::AES128_YUBICO_AUTHENTICATION);
    signer.extend(Capabilities::NONE.0.to_be_bytes());
    signer.extend(*StaticKeys::from_password(password.as_bytes()).to_bytes());
    administrator.run(Command::PUT_AUTHENTICATION_KEY, signer).unwrap();
    let key = object(7, "chancery-self-test", Capabilities::SIGN_ECDSA, Algorithm::EC_K256);
    administrator.run(Command::GENERATE_ASYMMETRIC_KEY, key).unwrap();
    let commands = [Command::SIGN_ECDSA.0, AUDIT_FIXED, Command::SIGN_EDDSA.0, AUDIT_FIXED];
    let commands = [&[OptionTag::COMMAND_AUDIT.0, 0, 4][..], &commands].concat();
    administrator.run(Command::SET_OPTION, commands).unwrap();
    administrator.run(Command::SET_OPTION, vec![OptionTag::FORCE_AUDIT.0, 0, 1, AUDIT_FIXED]).unwrap();
    server
}

/// An installation whose token is the device.
fn installation(server: &Server, password: &str) -> Installation {
    let installation = Installation::new();
    let file = installation.path("token/password");
    fs::write(&file, password).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let url = server.url();
    let section = format!(
        "[[token]]\nname = \"yubi\"\ndriver = \"yubihsm\"\nconnector = {url:?}\nauthentication_key = {SIGNER}\n\
         password = {{ file = \"token/password\" }}\n"
    );
    installation.edit_config(|config| {
        let before = config.split("[[token]]").next().unwrap();
        assert!(!config[before.len()..].contains("\n["), "the token is the last section");
        format!("{before}{section}")
    });
    installation
}

fn yubihsm() {
    let server = device("correct horse");
    let installation = installation(&server, "correct horse");
    let token = able(&installation, &[]);
    assert_eq!((&token["name"], &token["driver"]), (&"yubi".into(), &"yubihsm".into()));
    assert_eq!((&token["device"]["serial"], &token["signing"]), (&"0017000001".into(), &Value::Null));
    let facts = &token["yubihsm"];
    assert_eq!((&facts["force_audit"], &facts["has_key_1"]), (&"fixed".into(), &true.into()), "{facts}");
    assert_eq!(facts["audited_for_ever"], serde_json::json!(["sign-ecdsa", "sign-eddsa"]));
    assert_eq!(key(&token, "chancery-self-test")["protection"], "never_leaves");
    assert!(found(&token, "odd").iter().any(|what| what.contains("--signatures 10")), "{token}");
    assert_eq!(able(&installation, &["--signatures", "3"])["signing"]["signatures"], 3);

    let text = String::from_utf8(installation.run("chancery", &["doctor"]).stdout).unwrap();
    for words in
        ["token yubi can serve", "authentication key 2", "delegated none", "force-audit fixed", "it was not tried"]
    {
        assert!(text.contains(words), "{words:?}: {text}");
    }
}

fn refused_password() {
    let server = device("correct horse");
    let installation = installation(&server, "wrong horse");
    for words in ["the PIN was refused", "was refused before and is not tried again"] {
        let (status, _, err) = examine(&installation, &[]);
        assert_eq!(status, 78, "{err}");
        assert!(err.contains(words), "{words}: {err}");
    }
}
