use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use tempfile::TempDir;

use super::*;

/// The example of the documentation, with what this version does not know yet taken out.
const EXAMPLE: &str = r#"profile = "development"

[state]
directory = "state"

[audit_log]
origin = "exchange.example/signer-1"

[watcher_listener]
address = "127.0.0.1:8443"
certificate = "pki/server.crt"
private_key = "pki/server.key"
client_ca = "pki/ca.crt"

[admin_listener]
socket = "admin.sock"

[monitor_listener]
address = "127.0.0.1:9464"

[[token]]
name = "main"
driver = "pkcs11"
module = "libsofthsm2.so"
label = "chancery"
serial = "0123456789abcdef"
environment = { SOFTHSM2_CONF = "token/softhsm2.conf" }
pin = { file = "token/pin" }
sessions = 8

[[token]]
name = "yubi"
driver = "yubihsm"
connector = "http://127.0.0.1:12345"
authentication_key = 2
password = { credential = "yubihsm-password" }
"#;

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for directory in ["pki", "token"] {
        fs::create_dir(folder.path().join(directory)).unwrap();
    }
    for file in ["pki/server.crt", "pki/server.key", "pki/ca.crt", "libsofthsm2.so", "libvendor.so", "token/pin"] {
        write(folder.path(), file, "123456\n", 0o600);
    }
    folder
}

fn write(folder: &Path, name: &str, text: &str, mode: u32) {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
}

fn mistakes_of(text: &str, folder: &Path) -> Vec<String> {
    Config::parse(text, folder).unwrap_err().0.iter().map(ToString::to_string).collect()
}

#[test]
fn the_example_is_read() {
    let folder = folder();
    let path = folder.path().join("box.toml");
    fs::write(&path, EXAMPLE).unwrap();
    let config = Config::load(&path).unwrap();
    let at = |name: &str| folder.path().join(name);
    assert_eq!((&config.path, config.directory.as_path()), (&path, folder.path()));
    assert_eq!(config.sha256, sha256_hex(EXAMPLE.as_bytes()));
    assert_eq!((config.profile, config.origin.as_str()), (Profile::Development, "exchange.example/signer-1"));
    assert_eq!((config.state_directory, config.admin_socket), (at("state"), at("admin.sock")));
    assert_eq!(config.watcher_listener.private_key, at("pki/server.key"));
    assert_eq!(config.monitor_address, Some("127.0.0.1:9464".parse().unwrap()));
    assert!(!config.serves_console, "an upgrade shows nobody more than before");
    let with = EXAMPLE.replace("127.0.0.1:9464\"", "127.0.0.1:9464\"\nconsole = true");
    assert!(Config::parse(&with, folder.path()).unwrap().serves_console);
    let [main, yubi] = config.tokens.as_slice() else { panic!("{:?}", config.tokens) };
    let serial = Some("0123456789abcdef".to_owned());
    let driver = DriverConfig::Pkcs11 { module: at("libsofthsm2.so"), label: "chancery".to_owned(), serial };
    assert_eq!((&main.driver, main.sessions), (&driver, 8));
    assert_eq!(main.environment.get("SOFTHSM2_CONF").map(String::as_str), Some("token/softhsm2.conf"));
    assert_eq!(main.secret, SecretSource::File(at("token/pin")));
    let connector = "http://127.0.0.1:12345".to_owned();
    assert_eq!(yubi.driver, DriverConfig::Yubihsm { connector, authentication_key: 2, attestation_ca: None });
    assert_eq!((&yubi.secret, yubi.sessions), (&SecretSource::Credential("yubihsm-password".to_owned()), 4));
}

#[test]
fn three_mistakes_are_told_together() {
    let folder = folder();
    let text = EXAMPLE
        .replace("127.0.0.1:8443", "localhost")
        .replace("label =", "lable =")
        .replace("authentication_key = 2", "authentication_key = 65536");
    assert_eq!(
        mistakes_of(&text, folder.path()),
        [
            "line 10, watcher_listener.address: \"localhost\" is no IP address and port, such as 127.0.0.1:8443",
            "line 21, token[1].label: is missing",
            "line 25, token[1].lable: unknown key, did you mean \"label\"?",
            "line 35, token[2].authentication_key: write an integer from 1 to 65535",
        ]
    );
    let path = folder.path().join("chancery.toml");
    fs::write(&path, text).unwrap();
    let said = Config::load(&path).unwrap_err().to_string();
    assert!(said.contains("chancery.toml:\nline 10") && said.lines().count() == 5, "{said}");
}

#[test]
fn every_mistake_has_its_line_and_words() {
    let table = [
        ("profile = \"development\"", "profile = \"test\"", "line 1, profile: write \"production\" or"),
        ("profile = \"development\"", "", "line 1, profile: is missing"),
        ("profile = \"development\"", "profile = \"production\"", "line 24, token[1].module: is a software token"),
        ("[admin_listener]\nsocket = \"admin.sock\"", "", "line 1, admin_listener: is missing"),
        ("directory = \"state\"", "directory = \"\"", "line 4, state.directory: is empty"),
        (
            "directory = \"state\"",
            "directory = \"s\"\nmirror_directory = \"s/m\"",
            "line 5, state.mirror_directory: and state.directory lie in each other",
        ),
        (
            "directory = \"state\"",
            "directory = \"s\"\narchive_directory = \"s/a\"",
            "line 5, state.archive_directory: and state.directory lie in each other",
        ),
        ("exchange.example/signer-1", "/exchange", "line 7, audit_log.origin: write"),
        ("exchange.example/signer-1", "a b", "line 7, audit_log.origin: write"),
        ("exchange.example/signer-1", "a+b", "line 7, audit_log.origin: write"),
        ("exchange.example/signer-1", "", "line 7, audit_log.origin: write"),
        ("pki/server.crt", "pki", "line 11, watcher_listener.certificate: "),
        ("pki/ca.crt", "pki/absent.crt", "line 13, watcher_listener.client_ca: "),
        (
            "client_ca = \"pki/ca.crt\"",
            "client_ca = \"pki/ca.crt\"\nclient_crl = \"pki/absent.crl\"",
            "line 14, watcher_listener.client_crl: ",
        ),
        ("admin.sock", &"s".repeat(108), "line 16, admin_listener.socket: the path"),
        ("127.0.0.1:9464", "0.0.0.0:9464", "line 19, monitor_listener.address: is not on loopback"),
        ("127.0.0.1:9464\"", "127.0.0.1:9464\"\nconsole = 1", "line 20, monitor_listener.console: write true or false"),
        ("\"main\"", "\"a b\"", "line 22, token[1].name: write 1 to 40"),
        ("\"yubi\"", "\"main\"", "line 32, token[2].name: another token has this name"),
        ("\"pkcs11\"", "\"tpm\"", "line 23, token[1].driver: write \"pkcs11\" or \"yubihsm\""),
        ("libsofthsm2.so", "absent.so", "line 24, token[1].module: "),
        ("label = \"chancery\"", "label = \"\"", "line 25, token[1].label: write 1 to 32 bytes"),
        ("0123456789abcdef", "0123456789abcdef0", "line 26, token[1].serial: write 1 to 16 bytes"),
        ("environment = {", "environment = { A = 1,", "line 27, token[1].environment: write a table of texts"),
        ("{ file = \"token/pin\" }", "\"123456\"", "line 28, token[1].pin: never stands in this file; write one of"),
        ("{ file = \"token/pin\" }", "123456", "line 28, token[1].pin: never stands in this file; write one of"),
        ("{ file = \"token/pin\" }", "{}", "line 28, token[1].pin: write one of"),
        ("{ file = \"token/pin\" }", "{ prompt = false }", "line 28, token[1].pin: write one of"),
        ("{ file = \"token/pin\" }", "{ prompt = true, file = \"token/pin\" }", "line 28, token[1].pin: write one of"),
        ("{ file = \"token/pin\" }", "{ environment = \"PIN\" }", "line 28, token[1].pin.environment: unknown key"),
        ("pin =", "password =", "line 28, token[1].password: unknown key"),
        ("password =", "pin =", "line 36, token[2].pin: unknown key"),
        ("sessions = 8", "sessions = 65", "line 29, token[1].sessions: write an integer from 1 to 64"),
        ("sessions = 8", "sessions = 0", "line 29, token[1].sessions: write an integer from 1 to 64"),
        ("http://127.0.0.1:12345", "usb:1a", "line 34, token[2].connector: \"usb:1a\" is no YubiHSM connector: write"),
        ("http://127.0.0.1:12345", "http://127.0.0.1", "line 34, token[2].connector: \"http://127.0.0.1\" is no"),
        ("http://127.0.0.1:12345", "127.0.0.1:12345", "line 34, token[2].connector: \"127.0.0.1:12345\" is no"),
        ("\"yubihsm-password\"", "\"../pin\"", "line 36, token[2].password.credential: write the name"),
    ];
    let folder = folder();
    for (from, to, words) in table {
        assert!(EXAMPLE.contains(from), "{from}");
        let mistakes = mistakes_of(&EXAMPLE.replacen(from, to, 1), folder.path());
        assert!(mistakes.iter().any(|mistake| mistake.starts_with(words)), "{words} in {mistakes:#?}");
        assert!(!mistakes.iter().any(|mistake| mistake.contains("123456\"")), "{mistakes:#?}");
    }
    let (without, _) = EXAMPLE.split_once("[[token]]").unwrap();
    for text in [without.to_owned(), format!("token = []\n{without}")] {
        assert_eq!(mistakes_of(&text, folder.path()), ["line 1, token: write at least one section [[token]]"]);
    }
}

#[test]
fn misspelling_any_key_is_a_mistake() {
    let folder = folder();
    for (number, line) in EXAMPLE.lines().enumerate().filter(|(_, line)| line.contains(" = ") || line.starts_with('['))
    {
        let misspelled = if line.contains(" = ") { line.replacen(" = ", "x = ", 1) } else { line.replace(']', "x]") };
        let misspelled = misspelled.replace("x]x]", "x]]");
        let mut text: Vec<_> = EXAMPLE.lines().collect();
        text[number] = &misspelled;
        let mistakes = mistakes_of(&text.join("\n"), folder.path());
        let place = format!("line {}, ", number + 1);
        let is_told = |mistake: &String| mistake.starts_with(&place) && mistake.contains("unknown key");
        assert!(mistakes.iter().any(is_told), "{misspelled}: {mistakes:#?}");
    }
}

#[test]
fn secrets_others_can_read_are_refused() {
    let folder = folder();
    for mode in [0o640, 0o604, 0o620, 0o601, 0o666] {
        write(folder.path(), "token/pin", "1", mode);
        write(folder.path(), "pki/server.key", "1", mode);
        let mistakes = mistakes_of(EXAMPLE, folder.path());
        let told = format!("has mode 0{mode:o}, open to others than its owner");
        assert!(mistakes.len() == 2 && mistakes.iter().all(|mistake| mistake.contains(&told)), "{mistakes:#?}");
    }
    write(folder.path(), "pki/server.key", "1", 0o400);
    write(folder.path(), "token/kept", "1", 0o600);
    fs::remove_file(folder.path().join("token/pin")).unwrap();
    symlink("kept", folder.path().join("token/pin")).unwrap();
    let mistakes = mistakes_of(EXAMPLE, folder.path());
    assert!(mistakes.len() == 1 && mistakes.iter().all(|mistake| mistake.contains("symbolic link")), "{mistakes:#?}");
}

#[test]
fn a_software_token_behind_another_name_is_found() {
    let folder = folder();
    symlink("libsofthsm2.so", folder.path().join("libhardware.so")).unwrap();
    let production = EXAMPLE.replace("development", "production");
    let mistakes = mistakes_of(&production.replace("libsofthsm2.so", "libhardware.so"), folder.path());
    assert!(mistakes.iter().any(|mistake| mistake.contains("software token")), "{mistakes:#?}");
    assert!(Config::parse(&production.replace("libsofthsm2.so", "libvendor.so"), folder.path()).is_ok());
}

#[test]
fn a_device_is_reached_over_http_or_usb_and_simulated_only_in_development() {
    let folder = folder();
    let production = EXAMPLE.replace("development", "production").replace("libsofthsm2.so", "libvendor.so");
    fs::write(folder.path().join("libvendor.so"), "").unwrap();
    for connector in ["http://localhost:12345", "http://[::1]:12345", "usb:0012345678", "simulator"] {
        for text in [EXAMPLE, &production] {
            let parsed = Config::parse(&text.replace("http://127.0.0.1:12345", connector), folder.path());
            if connector == "simulator" && text == production {
                let mistakes = parsed.unwrap_err().to_string();
                assert_eq!(
                    mistakes,
                    "line 34, token[2].connector: is a software token: only profile \"development\" admits it"
                );
                continue;
            }
            let tokens = parsed.unwrap_or_else(|mistakes| panic!("{connector}: {mistakes}")).tokens;
            let connector = connector.to_owned();
            assert_eq!(
                tokens[1].driver,
                DriverConfig::Yubihsm { connector, authentication_key: 2, attestation_ca: None }
            );
        }
    }
}
