//! `chancery.toml`.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use appliance::config::Config;

use super::{
    Document, Table,
    document::{key, key_of},
};

pub(super) fn document() -> Document {
    Document { name: "chancery.toml", full: FULL, tables: tables(), read }
}

fn read(text: &str, directory: &Path) -> Result<String, String> {
    files(directory).map_err(|error| error.to_string())?;
    let config = Config::parse(text, directory).map_err(|mistakes| mistakes.to_string())?;
    Ok(format!("{:?}", Config { sha256: String::new(), ..config }))
}

/// What the text names; only that it can be read matters.
fn files(directory: &Path) -> io::Result<()> {
    for name in ["server.crt", "server.key", "ca.crt", "revoked.crl", "module.so", "pin", "attestation.pem"] {
        let path = directory.join(name);
        fs::write(&path, "")?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    }
    Ok(())
}

fn tables() -> Vec<Table> {
    vec![
        Table::new(
            "",
            "",
            vec![key_of(
                "profile",
                "yes",
                "`\"production\"` or `\"development\"`",
                "what the box is for, [see below](#what-the-profile-changes); the same as in the log's genesis, at \
                 start",
            )],
        ),
        Table::new(
            "[state]",
            "",
            vec![
                key("directory", "yes", "folder of the audit log"),
                key(
                    "mirror_directory",
                    "no",
                    "folder on another disk for [a second copy of the log](audit-log.md#the-mirror); neither in \
                     `directory` nor around it. That it holds no more and nothing else than the log is looked at \
                     when it starts",
                ),
                key(
                    "archive_directory",
                    "no",
                    "folder for [entries that leave the store](audit-log.md#archiving): an export of the log, made \
                     by `audit archive`; neither in `directory` nor around it",
                ),
            ],
        ),
        Table::new(
            "[audit_log]",
            "",
            vec![key(
                "origin",
                "yes",
                "first part of the log's name, for ever: 1 to 100 characters, no white space, no plus, not beginning \
                 with a slash",
            )],
        ),
        Table::new(
            "[watcher_listener]",
            "Where watchers connect: TLS 1.3, with client certificates.",
            watcher_listener(),
        ),
        Table::new(
            "[admin_listener]",
            "",
            vec![key(
                "socket",
                "yes",
                "path of the Unix socket of the administrator's commands, at most 107 bytes with its folder; made \
                 with mode 0660",
            )],
        ),
        Table::new(
            "[monitor_listener]",
            "Optional: metrics and readiness, and the [console page](console.md), over plain HTTP.",
            vec![
                key_of("address", "yes", "`\"IP:PORT\"`", "on loopback only; port 0 is any free one"),
                key(
                    "console",
                    "no, false",
                    "whether [the console page](console.md) is there: it shows the log and the policy to all who can \
                     open the port; metrics say nothing about requests",
                ),
            ],
        ),
        Table::new("[[token]]", "At least one. With `driver = \"pkcs11\"`:", pkcs11()),
        Table::new(
            "[token.pin]",
            "Where a secret is kept: exactly one of these. A text in place of the table is refused without repeating \
             it.",
            secret(),
        ),
        Table::new("[[token]]", "A token with `driver = \"yubihsm\"`:", yubihsm()).second(),
        Table::new(
            "[[witness]]",
            "Any number: whose [cosignatures](witnesses.md) of checkpoints are kept.",
            vec![
                key("name", "yes", "1 to 40 of `A-Z a-z 0-9 . _ -`, unlike the others': in status and metrics"),
                key(
                    "key",
                    "yes",
                    "the line `chancery-watcher witness key` printed, a C2SP verifier key of type 4, unlike the \
                     others'",
                ),
            ],
        ),
    ]
}

fn watcher_listener() -> Vec<super::Key> {
    vec![
        key_of("address", "yes", "`\"IP:PORT\"`", "port 0 is any free one"),
        key(
            "certificate",
            "yes",
            "PEM file, the server's chain; in time, at start and when [read again](operate.md#certificates)",
        ),
        key("private_key", "yes", "PEM file, no symbolic link, mode closed to group and others; the certificate's"),
        key("client_ca", "yes", "PEM file, CA of the watchers; more than one while it changes"),
        key(
            "client_crl",
            "no",
            "PEM file, [revocation lists](operate.md#certificates) of that CA, signed by a CA of `client_ca`",
        ),
    ]
}

fn common() -> [super::Key; 3] {
    [
        key("name", "yes", "1 to 40 of `A-Z a-z 0-9 . _ -`, unlike the others': in status, metrics and entries"),
        key(
            "environment",
            "no, {}",
            "the whole environment of the token's worker. The worker runs in the folder of the file",
        ),
        key("sessions", "no, 4", "so many sign at once; a YubiHSM always gets one"),
    ]
}

fn pkcs11() -> Vec<super::Key> {
    let [name, environment, sessions] = common();
    vec![
        name,
        key_of("driver", "yes", "`\"pkcs11\"`", "how the token is reached"),
        key(
            "module",
            "yes",
            "the vendor's shared library. In profile `production` a file named like SoftHSM, also behind a link, is \
             refused",
        ),
        key("label", "yes", "the token's label, 1 to 32 bytes"),
        key("serial", "no", "the token's serial number, 1 to 16 bytes; needed where two tokens share a label"),
        environment,
        sessions,
    ]
}

fn yubihsm() -> Vec<super::Key> {
    let [name, environment, sessions] = common();
    vec![
        name,
        key_of("driver", "yes", "`\"yubihsm\"`", "how the token is reached"),
        key(
            "connector",
            "yes",
            "`\"http://HOST:PORT\"` of a yubihsm-connector, on the same machine; `\"usb:SERIAL\"`; `\"simulator\"`, \
             which profile `production` refuses ([more](yubihsm.md))",
        ),
        key("authentication_key", "yes", "object id"),
        key(
            "attestation_ca",
            "no",
            "PEM file of the maker's certificates, the root last: every key must be \
             [attested](yubihsm.md#attestation) up to it",
        ),
        key_of("password", "yes", "table, as `[token.pin]`", "where its password is kept"),
        environment,
        sessions,
    ]
}

fn secret() -> Vec<super::Key> {
    vec![
        key_of(
            "credential",
            "one of these",
            "text",
            "a systemd credential (`LoadCredential=hsm-pin:PATH`); an error where `CREDENTIALS_DIRECTORY` is not set",
        ),
        key(
            "file",
            "one of these",
            "one line, at most 1024 bytes; no symbolic link, mode closed to group and others, checked again when it \
             is read",
        ),
        key_of(
            "prompt",
            "one of these",
            "`true`",
            "somebody types it at every opening of the token; an error without a terminal",
        ),
    ]
}

const FULL: &str = r#"profile = "development"

[state]
directory = "state"
mirror_directory = "mirror"
archive_directory = "archive"

[audit_log]
origin = "exchange.example/signer-1"

[watcher_listener]
address = "127.0.0.1:8443"
certificate = "server.crt"
private_key = "server.key"
client_ca = "ca.crt"
client_crl = "revoked.crl"

[admin_listener]
socket = "admin.sock"

[monitor_listener]
address = "127.0.0.1:9464"
console = true

[[token]]
name = "main"
driver = "pkcs11"
module = "module.so"
label = "chancery"
serial = "0123456789abcdef"
environment = { VENDOR_CONF = "vendor.conf" }
sessions = 8

[token.pin]
file = "pin"

[[token]]
name = "yubi"
driver = "yubihsm"
connector = "http://127.0.0.1:12345"
authentication_key = 2
attestation_ca = "attestation.pem"
environment = { SOME = "thing" }
sessions = 2
password = { prompt = true }

[[witness]]
name = "watcher-a"
key = "exchange.example/watcher-a+f836d5e6+BFA454n3lKMedytngX5F2x3YKE6YVBu6nuPmZ7Alk6X+"
"#;
