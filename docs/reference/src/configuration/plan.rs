//! The plan of a key ceremony.

use std::{fs, path::Path};

use provisioning::plan::Plan;

use super::{
    Document, Key, Table,
    document::{key, key_of},
};

pub(super) fn document() -> Document {
    Document { name: "plan.toml", full: FULL, tables: tables(), read }
}

fn read(text: &str, directory: &Path) -> Result<String, String> {
    let write = |name: &str, text: &str| fs::write(directory.join(name), text).map_err(|error| error.to_string());
    write("policy.toml", POLICY)?;
    write("attestation.pem", "")?;
    let plan = Plan::parse(text, &directory.join("plan.toml"))?;
    Ok(format!("{:?}", Plan { sha256: String::new(), ..plan }))
}

const SECRET: &str = "table: `{ file = ... }`, `{ prompt = true }`";

fn tables() -> Vec<Table> {
    vec![
        Table::new("", "", first()).without_names(),
        Table::new(
            "[[participant]]",
            "Who is there: an administrator, and in profile `production` a witness or auditor.",
            vec![
                key("name", "yes", "unlike the others': one person has one part"),
                key("role", "yes", "`administrator`, `custodian`, `witness`, `auditor`"),
            ],
        ),
        Table::new(
            "[backup]",
            "Where a key has a backup: among whom its secret is split.",
            vec![
                key("threshold", "yes", "so many of them can bring keys back, and renew officers"),
                key("custodians", "yes", "names of participants; each holds one share"),
            ],
        ),
        Table::new("[[token]]", "At least one; a spare of the same kind, where a key has a backup.", token()),
        Table::new(
            "[[role]]",
            "Authentication keys of YubiHSM 2 devices.",
            vec![
                key_of("role", "yes", "text", "`administrator`, `signer`, `auditor`, `backup`"),
                key("id", "yes", "its object id"),
                key(
                    "capabilities",
                    "no",
                    "what it may do, in Yubico's spelling: neither more nor less than it needs, which it gets without",
                ),
            ],
        ),
        Table::new("[[key]]", "The appliance's own keys are made without being named.", planned_key()),
        Table::new(
            "[pki]",
            "Optional: certificates to be made, with a CA of their own.",
            vec![
                key("server_names", "no, []", "names and addresses of the appliance"),
                key("watchers", "no, []", "one certificate each; the policy names its key's hash as `@NAME@`"),
            ],
        ),
        Table::new(
            "[appliance]",
            "Optional: what goes into `chancery.toml`.",
            vec![
                key("watcher_address", "no, \"127.0.0.1:8443\"", "where watchers connect"),
                key("monitor_address", "no, \"127.0.0.1:9464\"", "where metrics are read"),
            ],
        ),
    ]
}

fn first() -> Vec<Key> {
    vec![
        key_of("name", "yes", "text", "the ceremony's, on every screen and in the transcript"),
        key_of("origin", "yes", "text", "first part of the log's name, for ever"),
        key_of(
            "profile",
            "yes",
            "`\"production\"` or `\"development\"`",
            "of the appliance; `production` admits no software token",
        ),
        key_of("policy", "yes", "text", "the file of the first policy, relative to the plan"),
    ]
}

fn token() -> Vec<Key> {
    vec![
        key("name", "yes", "1 to 40 of `A-Z a-z 0-9 . _ -`"),
        key_of("driver", "yes", "`\"pkcs11\"` or `\"yubihsm\"`", "how it is reached"),
        key("spare", "no, false", "holds nothing but what is restored, and proves that it can be"),
        key("module", "yes, with `pkcs11`", "whole path of the vendor's module"),
        key("label", "yes, with `pkcs11`", "its label to be, 1 to 32 bytes"),
        key_of(
            "environment",
            "no, {}",
            "table of texts",
            "variables its module must find; paths start at the folder of `--out`",
        ),
        key_of(
            "so_pin",
            "yes, with `pkcs11`",
            SECRET,
            "the security officer's. A file is made, with random content, unless it is there",
        ),
        key_of("pin", "yes, with `pkcs11`", SECRET, "the user's; the appliance reads it there"),
        key("connector", "yes, with `yubihsm`", "as in [chancery.toml](#chancerytoml)"),
        key_of(
            "passwords",
            "no, {}",
            "table: `ROLE = { ... }`",
            "of each `[[role]]`, as `pin`; required with `yubihsm`",
        ),
        key_of("domains", "no, [1]", "list of integers", "with `yubihsm`; everything is made in this one"),
        key("attestation_ca", "no", "with `yubihsm`: PEM file of its maker's certificates, the root last"),
    ]
}

fn planned_key() -> Vec<Key> {
    vec![
        key("name", "yes", "its label, as in the policy"),
        key_of("algorithm", "yes", "text", "`secp256k1`, `p256`, `ed25519`"),
        key("children", "no, false", "endless addresses; never added later"),
        key("backup", "no, false", "may leave the token, wrapped; never changed later"),
        key("token", "no", "its token; required where there is more than one to serve"),
    ]
}

const POLICY: &str = r#"version = 1

[[key]]
name = "btc-vault"
algorithm = "secp256k1"
children = true
"#;

const FULL: &str = r#"name = "First keys"
origin = "exchange.example/signer-1"
profile = "development"
policy = "policy.toml"

[[participant]]
name = "Alice"
role = "administrator"

[[participant]]
name = "Carol"
role = "custodian"

[[participant]]
name = "Dave"
role = "custodian"

[backup]
threshold = 2
custodians = ["Carol", "Dave"]

[[token]]
name = "main"
driver = "pkcs11"
module = "/usr/lib/softhsm/libsofthsm2.so"
label = "signer-1"
environment = { SOFTHSM2_CONF = "token/softhsm2.conf" }
so_pin = { prompt = true }
pin = { file = "token/pin" }

[[token]]
name = "spare"
spare = true
driver = "pkcs11"
module = "/usr/lib/softhsm/libsofthsm2.so"
label = "signer-1-spare"
environment = { SOFTHSM2_CONF = "token/softhsm2.conf" }
so_pin = { prompt = true }
pin = { prompt = true }

[[token]]
name = "yubi"
driver = "yubihsm"
connector = "usb:12345678"
domains = [1]
attestation_ca = "attestation.pem"
passwords = { administrator = { prompt = true }, signer = { file = "password" } }

[[role]]
role = "administrator"
id = 3

[[role]]
role = "signer"
id = 2
capabilities = ["sign-ecdsa", "sign-eddsa", "get-opaque", "put-opaque", "delete-opaque", "get-log-entries", "get-option", "sign-attestation-certificate"]

[[key]]
name = "btc-vault"
algorithm = "secp256k1"
children = true
backup = true
token = "main"

[pki]
server_names = ["localhost"]
watchers = ["btc-watcher"]

[appliance]
watcher_address = "10.0.0.7:8443"
monitor_address = "127.0.0.1:9000"
"#;
