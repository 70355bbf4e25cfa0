//! Two watchers witness one appliance, and find out an appliance that is two.

use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
};

use appliance_wire::Fork;
use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, VerifyingKey};
use libtest_mimic::Trial;
use serde_json::Value;
use signed_note::{Note, StandardVerifier, Verifier, VerifierList, key_id};

use crate::harness::{Installation, Running, body::digest, eventually, trial, watcher::Watcher};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("witness::cosignatures_of_both_watchers_are_served_back_and_verify_elsewhere", together),
        trial("witness::an_appliance_that_knows_no_witness_takes_no_cosignature", unconfigured),
        trial("witness::what_is_no_cosigned_checkpoint_of_this_log_is_refused", refused),
        trial("witness::two_appliances_with_one_log_key_are_found_out_frozen_and_proven_to_anyone", fork),
    ]
}

/// A watcher as a witness: `NAME.toml`, with the certificate of `certificate`.
struct Host<'a> {
    installation: &'a Installation,
    name: &'static str,
    certificate: &'static str,
    key: String,
}

impl<'a> Host<'a> {
    fn new(installation: &'a Installation, name: &'static str, certificate: &'static str) -> Self {
        let (full, file) = (format!("witness.example/{name}"), format!("{name}.key"));
        let made = installation.run("chancery-watcher", &["witness", "key", "--name", &full, "--out", &file]);
        let key = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        Self { installation, name, certificate, key }
    }

    /// Writes its config; `other` is where another witness listens, and its key.
    fn follows(&self, running: &Running, other: Option<(&str, &str)>) {
        let (name, certificate) = (self.name, self.certificate);
        let mut config = format!(
            "url = \"https://{}\"\nca = \"pki/ca.crt\"\ncertificate = \"pki/{certificate}.crt\"\n\
             private_key = \"pki/{certificate}.key\"\nstate_directory = \"{name}-state\"\nlog_keys = [{:?}]\n\
             [witness]\nname = \"witness.example/{name}\"\nkey = \"{name}.key\"\nlisten = \"127.0.0.1:0\"\n",
            running.watcher,
            self.installation.log_key()
        );
        if let Some((address, key)) = other {
            config += &format!("[[witness.other]]\nurl = \"http://{address}\"\nkey = \"{key}\"\n");
        }
        fs::write(self.installation.path(&format!("{name}.toml")), config).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let config = format!("{}.toml", self.name);
        self.installation.command("chancery-watcher", &[arguments, &["--config", &config]].concat())
    }

    /// Exit status, and everything it said.
    fn run(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.command(arguments).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(said).unwrap())
    }

    fn round(&self) -> Value {
        let (status, said) = self.run(&["witness", "--once", "--json"]);
        assert_eq!(status, 0, "{said}");
        serde_json::from_str(&said).unwrap()
    }

    /// Begins to follow and to listen, and waits for its first round.
    fn start(&self) -> Following {
        let said = self.installation.path(&format!("{}.out", self.name));
        let out = File::create(&said).unwrap();
        let mut command = self.command(&["witness", "--every", "1s"]);
        let child = command.stdout(out.try_clone().unwrap()).stderr(Stdio::from(out)).spawn().unwrap();
        let mut following = Following { child, said, address: String::new() };
        following.address = eventually("it listens and has cosigned", || {
            let said = following.said();
            let (_, rest) = said.split_once("listening on ")?;
            let (address, rest) = rest.split_once('\n')?;
            rest.contains("cosigned by").then(|| address.to_owned())
        });
        following
    }

    /// The one file of a fork it wrote.
    fn fork_file(&self) -> String {
        let folder = format!("{}-state/witness", self.name);
        let entries = fs::read_dir(self.installation.path(&folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let forks: Vec<String> = names.filter(|name| name.starts_with("fork-") && name.ends_with(".json")).collect();
        let [fork] = &forks[..] else { panic!("{forks:?}") };
        format!("{folder}/{fork}")
    }
}

/// A running `chancery-watcher witness`.
struct Following {
    child: Child,
    said: std::path::PathBuf,
    address: String,
}

impl Following {
    fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap()
    }

    /// Its exit status, when it ends by itself.
    fn ends(&mut self) -> i32 {
        eventually("it ends", || self.child.try_wait().unwrap()).code().unwrap()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The crate knows notes but no cosignatures: this is the specification's text, and nothing of ours.
struct CosignatureVerifier {
    name: String,
    id: u32,
    key: VerifyingKey,
}

impl CosignatureVerifier {
    fn new(vkey: &str) -> Self {
        let parts: Vec<&str> = vkey.splitn(3, '+').collect();
        let data = STANDARD.decode(parts[2]).unwrap();
        assert_eq!(data[0], 4, "the type of a timestamped Ed25519 cosignature");
        let key = VerifyingKey::from_bytes(data[1..].try_into().unwrap()).unwrap();
        Self { name: parts[0].to_owned(), id: key_id(parts[0], &data), key }
    }
}

impl Verifier for CosignatureVerifier {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let (time, signature) = signature.split_at(8);
        let time = u64::from_be_bytes(time.try_into().unwrap());
        let signed = [format!("cosignature/v1\ntime {time}\n").as_bytes(), message].concat();
        self.key.verify_strict(&signed, &Signature::from_slice(signature).unwrap()).is_ok()
    }
}

/// Verifies log signature and both cosignatures with the crate `signed_note`: the size.
fn verified_elsewhere(installation: &Installation, note: &[u8], witnesses: &[&Host]) -> u64 {
    let mut known: Vec<Box<dyn Verifier>> = vec![Box::new(StandardVerifier::new(&installation.log_key()).unwrap())];
    known.extend(witnesses.iter().map(|host| Box::new(CosignatureVerifier::new(&host.key)) as Box<dyn Verifier>));
    let count = known.len();
    let note = Note::from_bytes(note).unwrap();
    let (verified, unknown) = note.verify(&VerifierList::new(known)).unwrap();
    assert_eq!((verified.len(), unknown.len()), (count, 0));
    tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap().size()
}

fn know(installation: &Installation, hosts: &[&Host]) {
    installation.edit_config(|config| {
        let section = |host: &&Host| format!("\n[[witness]]\nname = \"{}\"\nkey = \"{}\"\n", host.name, host.key);
        config + &hosts.iter().map(section).collect::<String>()
    });
}

/// Signs, and waits until a checkpoint covers it.
fn grow(watcher: &Watcher, id: &str) {
    watcher.signed(id, digest("raw", id.len() as u64));
    eventually("there is a receipt", || watcher.get(&format!("/v1/signatures/{id}")).good().get("receipt").cloned());
}

fn together() {
    let installation = Installation::with_second_watcher();
    let (a, b) = (Host::new(&installation, "a", "watcher"), Host::new(&installation, "b", "second"));
    know(&installation, &[&a, &b]);
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    grow(&watcher, "x");
    assert_eq!(watcher.get("/v1/log/checkpoint/cosigned").code(), "not-found");
    assert!(installation.status()["witnesses"][0]["cosigned"].is_null());
    assert_eq!(running.metric("chancery_witness_last_cosigned_timestamp_seconds{witness=\"a\"}"), 0);

    a.follows(&running, None);
    let following = a.start();
    b.follows(&running, Some((&following.address, &a.key)));
    let (status, said) = a.run(&["witness", "--once"]);
    assert!(status == 1 && said.contains("another process is the witness"), "{status}: {said}");
    let mut sizes = Vec::new();
    for id in ["y", "yy"] {
        grow(&watcher, id);
        // Between the two, A may be submitted a larger one by nobody but B: both cosign in the end.
        let round = eventually("both cosign", || {
            let round = b.round();
            (round["cosigned_by"].as_array().unwrap().len() == 2).then_some(round)
        });
        assert_eq!(round["handed_over"], true, "{round}");
        assert_eq!(round["compared_with"][0], "witness.example/a");
        let note = watcher.get("/v1/log/checkpoint/cosigned");
        assert_eq!(note.header("content-type"), Some("text/plain; charset=utf-8"));
        sizes.push(verified_elsewhere(&installation, &note.body, &[&a, &b]));
    }
    assert!(sizes[0] < sizes[1], "{sizes:?}");
    let status = installation.status();
    assert_eq!((&status["witnesses"][1]["name"], &status["witnesses"][1]["size"]), (&"b".into(), &sizes[1].into()));
    assert!(running.metric("chancery_witness_last_cosigned_timestamp_seconds{witness=\"b\"}") > 1_500_000_000);
    assert_eq!(running.metric("chancery_witness_cosigned_size{witness=\"b\"}"), sizes[1]);
    drop(following);
    running.stop();

    // Over a restart; and a damaged file is no reason not to start.
    for damaged in [false, true] {
        if damaged {
            fs::write(installation.path("state/cosigned"), "{\"").unwrap();
        }
        let running = installation.start();
        let note = Watcher::new(&installation, &running).get("/v1/log/checkpoint/cosigned");
        if damaged {
            assert_eq!(note.code(), "not-found");
            assert!(running.logged().contains("the cosignatures remembered are not used"));
        } else {
            assert_eq!(verified_elsewhere(&installation, &note.body, &[&a, &b]), sizes[1]);
        }
        running.stop();
    }
    installation.assert_log_verifies();
}

fn unconfigured() {
    let installation = Installation::new();
    let host = Host::new(&installation, "a", "watcher");
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    grow(&watcher, "x");
    host.follows(&running, None);
    let round = host.round();
    assert_eq!((&round["handed_over"], &round["troubles"]), (&false.into(), &Value::Array(Vec::new())));
    assert_eq!(watcher.get("/v1/log/checkpoint/cosigned").code(), "not-found");
    running.stop();
}

fn refused() {
    let installation = Installation::new();
    let (known, unknown) = (Host::new(&installation, "a", "watcher"), Host::new(&installation, "b", "watcher"));
    know(&installation, &[&known]);
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    grow(&watcher, "x");
    known.follows(&running, None);
    unknown.follows(&running, None);
    // Its cosignature is good, but nobody configured it.
    let (status, said) = unknown.run(&["witness", "--once"]);
    assert!(status == 1 && said.contains("compare the `key`"), "{status}: {said}");
    known.round();
    let note = String::from_utf8(watcher.get("/v1/log/checkpoint/cosigned").body).unwrap();
    let hand = |body: &str| {
        let head = "POST /v1/log/cosignatures HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ncontent-length:";
        let request = format!("{head} {}\r\n\r\n{body}", body.len());
        watcher.block_on(async {
            let mut connection = watcher.connect().await;
            connection.send(request.as_bytes()).await.unwrap();
            connection.answer().await.unwrap()
        })
    };
    let stranger_first = note.replace("\n\n", "\n\n\u{2014} x.example AAAAAAAA\n");
    assert_eq!(hand(&stranger_first).good()["cosigned_by"][0], "a", "others' lines are passed over");
    let bare = note.split_inclusive('\n').filter(|line| !line.contains("witness.example")).collect::<String>();
    let size = note.lines().nth(1).unwrap();
    for (body, wanted) in [
        (bare, "no cosignature in it is a valid one"),
        (note.replace("development.example", "other.example"), "no checkpoint of this log"),
        (note.replacen(&format!("\n{size}\n"), "\n1\n", 1), "no checkpoint of this log"),
        ("{}".to_owned(), "no checkpoint of this log"),
        (String::new(), "no checkpoint of this log"),
    ] {
        let problem = hand(&body).problem();
        assert_eq!(problem.status, 400, "{problem:?}");
        assert!(problem.detail.contains(wanted), "{problem:?}");
    }
    assert_eq!(hand(&"x".repeat(20 << 10)).code(), "too-large");
    let json = watcher.call("POST", "/v1/log/cosignatures", &note);
    assert!(json.problem().detail.contains("another content-type than text/plain"));
    running.stop();
}

/// A second appliance in the same folder: copies of state and token, as a thief of the disk has them.
fn beside(installation: &Installation) -> Running {
    let copy = |from: &str, to: &str| {
        let (from, to) = (installation.path(from), installation.path(to));
        assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
    };
    copy("state", "state-2");
    copy("token", "token-2");
    let edit = |from: &Path, to: &Path, edit: &dyn Fn(String) -> String| {
        fs::write(to, edit(fs::read_to_string(from).unwrap())).unwrap();
    };
    let softhsm = installation.path("token-2/softhsm2.conf");
    edit(&softhsm, &softhsm, &|text| text.replace("/token/", "/token-2/"));
    edit(&installation.path("chancery.toml"), &installation.path("second.toml"), &|text| {
        text.replace("\"state\"", "\"state-2\"").replace("\"token/", "\"token-2/").replace("admin.sock", "second.sock")
    });
    let mut command = installation.command("chancery-beside", &["serve", "--config", "second.toml"]);
    std::os::unix::process::CommandExt::arg0(&mut command, "chancery");
    Running::spawn_beside(installation.path("second.log"), command).unwrap_or_else(|said| panic!("{said}"))
}

fn fork() {
    let installation = Installation::with_second_watcher();
    let (a, b) = (Host::new(&installation, "a", "watcher"), Host::new(&installation, "b", "second"));
    let running = installation.start();
    grow(&Watcher::new(&installation, &running), "before");
    running.stop();
    let other = beside(&installation);
    let running = installation.start();
    let (first, second) = (Watcher::new(&installation, &running), Watcher::new(&installation, &other));
    grow(&first, "one");
    for id in ["two", "three", "four"] {
        grow(&second, &format!("another-{id}"));
    }

    a.follows(&running, None);
    let mut following = a.start();
    b.follows(&other, Some((&following.address, &a.key)));
    let (status, said) = b.run(&["witness", "--once"]);
    assert_eq!(status, 3, "{said}");
    assert!(said.contains("ALARM") && said.contains("which proves it to anyone"), "{said}");
    assert_eq!(following.ends(), 3, "{}", following.said());
    assert!(following.said().contains("ALARM"), "{}", following.said());

    // Anyone with the log key, without either appliance.
    let (file, log_key) = (b.fork_file(), installation.log_key());
    let (status, said) = b.run(&["verify", "--fork", &file, "--log-key", &log_key]);
    assert!(status == 0 && said.contains("this proves a fork"), "{status}: {said}");
    let fork: Fork = serde_json::from_str(&fs::read_to_string(installation.path(&file)).unwrap()).unwrap();
    let honest = Fork { larger: fork.smaller.clone(), ..fork };
    fs::write(installation.path("honest.json"), serde_json::to_string(&honest).unwrap()).unwrap();
    assert_eq!(b.run(&["verify", "--fork", "honest.json", "--log-key", &log_key]).0, 3);
    a.fork_file();

    // Each watcher is frozen at its appliance, and neither witness cosigns again.
    assert_eq!(first.put("after", digest("raw", 9)).code(), "frozen");
    let frozen = Watcher::named(&installation, &other, "second").put("after", digest("nist", 9));
    assert_eq!(frozen.code(), "frozen");
    for host in [&a, &b] {
        let (status, said) = host.run(&["witness", "--once"]);
        assert!(status == 3 && said.contains("nothing is cosigned"), "{status}: {said}");
    }
    running.stop();
    other.stop();
}
