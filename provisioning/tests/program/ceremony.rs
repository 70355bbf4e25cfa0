//! Ceremonies as people see them: on a terminal, on real SoftHSM tokens and simulated devices, interrupted and gone on with.
//! The appliance's program is a stand-in: it says what it was asked and begins a log.

mod backup;
mod interrupted;
mod kept;
mod refused;
mod terminal;
mod whole;

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use hsm_drivers::pkcs11::ceremony::find_softhsm;
use serde_json::Value;

use crate::harness::{PROGRAM, Place, Ran};

const CHANCERY: &str = r#"#!/bin/sh
echo "$@" >> asked
case "$1 $2" in
  "policy check") grep -q 'no such thing' "$3" && { echo "line 1: no such thing" >&2; exit 1; } ;;
  "policy install") test -t 0 && touch on-a-terminal; mkdir -p state; printf '%s\n' '{"kind":"genesis"}' > state/log.jsonl; echo '{}' ;;
esac
exit 0
"#;

const POLICY: &str = "version = 1\n[[watcher]]\nname = \"btc-watcher\"\npublic_keys_sha256 = [\"@btc-watcher@\"]\n\
                      [[key]]\nname = \"btc-vault\"\nalgorithm = \"secp256k1\"\nchildren = true\n";

const PEOPLE: &str = r#"
name = "A trial"
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
[[participant]]
name = "Erin"
role = "custodian"

[backup]
threshold = 2
custodians = ["Carol", "Dave", "Erin"]

[[key]]
name = "btc-vault"
algorithm = "secp256k1"
children = true
backup = true

[pki]
watchers = ["btc-watcher"]
"#;

/// A place whose `bin/` holds the program and the stand-in, with a policy.
struct Hall {
    place: Place,
    program: PathBuf,
}

impl Hall {
    fn new() -> Self {
        let place = Place::new();
        fs::create_dir(place.path("bin")).unwrap();
        let program = place.path("bin/chancery-provision");
        fs::copy(PROGRAM, &program).unwrap();
        fs::write(place.path("bin/chancery"), CHANCERY).unwrap();
        fs::set_permissions(place.path("bin/chancery"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(place.path("policy.toml"), POLICY).unwrap();
        Self { place, program }
    }

    /// With a plan for two SoftHSM tokens; `so_pin` is where the main token's officer's PIN comes from.
    fn softhsm(so_pin: &str) -> Self {
        let hall = Self::new();
        let module = find_softhsm().expect("SoftHSM is not on this machine").canonicalize().unwrap();
        let token = |name: &str, spare: bool, so_pin: &str| {
            format!(
                "[[token]]\nname = \"{name}\"\nspare = {spare}\ndriver = \"pkcs11\"\nmodule = \"{}\"\nlabel = \"trial-{name}\"\n\
                 environment = {{ SOFTHSM2_CONF = \"token/softhsm2.conf\" }}\nso_pin = {so_pin}\n\
                 pin = {{ file = \"token/{name}-pin\" }}\n",
                module.display()
            )
        };
        let spare = token("spare", true, "{ file = \"token/spare-so-pin\" }");
        hall.write_plan(&format!("{PEOPLE}\n{}{spare}", token("main", false, so_pin)));
        hall
    }

    /// With a plan for two simulated devices.
    fn simulated() -> Self {
        let hall = Self::new();
        let token = |name: &str, spare: bool| {
            format!(
                "[[token]]\nname = \"{name}\"\nspare = {spare}\ndriver = \"yubihsm\"\nconnector = \"simulator\"\n\
                 environment = {{ CHANCERY_SIMULATOR = \"token/{name}.simulator\" }}\n\
                 passwords.administrator = {{ file = \"token/{name}-administrator\" }}\n\
                 passwords.signer = {{ file = \"token/{name}-password\" }}\n\
                 passwords.auditor = {{ file = \"token/{name}-auditor\" }}\n"
            )
        };
        let roles = "[[role]]\nrole = \"administrator\"\nid = 3\n[[role]]\nrole = \"signer\"\nid = 2\n\
                     [[role]]\nrole = \"auditor\"\nid = 4\n";
        hall.write_plan(&format!("{PEOPLE}\n{}{}{roles}", token("main", false), token("spare", true)));
        hall
    }

    fn write_plan(&self, text: &str) {
        fs::write(self.place.path("plan.toml"), text).unwrap();
    }

    fn plan(&self) -> String {
        self.place.read("plan.toml")
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.place.command(&self.program, arguments).output().unwrap())
    }

    fn ceremony(&self, further: &[&str]) -> Ran {
        self.run(&[&["ceremony", "run", "plan.toml", "--out", "out"][..], further].concat())
    }

    fn terminal(&self, arguments: &[&str]) -> terminal::Terminal {
        terminal::Terminal::of(self.place.command(&self.program, arguments))
    }

    fn verify(&self) -> Ran {
        self.run(&["ceremony", "verify", "out/transcript.json", "--json"])
    }

    /// What each step of the transcript says.
    fn acts(&self) -> Vec<Value> {
        let transcript: Value = serde_json::from_str(&self.place.read("out/transcript.json")).unwrap();
        transcript["steps"].as_array().unwrap().iter().map(|step| step["what"].clone()).collect()
    }

    fn acts_of(&self, act: &str) -> Vec<Value> {
        self.acts().into_iter().filter(|what| what["act"] == act).collect()
    }

    /// What the stand-in was asked.
    fn asked(&self) -> Vec<String> {
        self.place.read("out/asked").lines().map(str::to_owned).collect()
    }
}
