//! Each refusal of tlog-witness by its name, and a memory that neither a restart nor a torn file shortens.

use std::fs;

use appliance_wire::tree::Hash;

use super::*;
use crate::{testing::TestLog, witness::generate};

struct Scene {
    folder: tempfile::TempDir,
    log: TestLog,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        generate("witness.example/w1", &folder.path().join("witness.key")).unwrap();
        Self { folder, log: TestLog::grown(40, "entry") }
    }

    fn try_open(&self) -> Result<Ledger, Error> {
        let signer = Signer::read("witness.example/w1", &self.folder.path().join("witness.key"))?;
        let state = StateDirectory::open(&self.folder.path().join("state"))?;
        let forks = ForkFiles::new(&state, vec![self.log.key.clone()]);
        Ledger::open(&state, vec![self.log.key.clone()], signer, forks)
    }

    fn open(&self) -> Ledger {
        self.try_open().unwrap()
    }

    fn memory(&self) -> std::path::PathBuf {
        self.folder.path().join("state/witness").join(origin_hash(self.log.key.origin()))
    }
}

fn body(log: &TestLog, old: u64, size: u64, proof: &[Hash]) -> String {
    AddCheckpoint { old, proof: proof.to_vec(), note: log.checkpoint(size).note().to_owned() }.to_string()
}

/// Submits as a good client does.
fn add(ledger: &Ledger, log: &TestLog, old: u64, size: u64) -> Result<String, Refusal> {
    let proof = if old == 0 { Vec::new() } else { log.prove(old, size) };
    ledger.add(&body(log, old, size, &proof)).unwrap()
}

#[test]
fn growth_is_cosigned_over_restarts_and_the_same_again() {
    let scene = Scene::new();
    let mut old = 0;
    for size in [5, 8, 8, 9, 40] {
        let ledger = scene.open();
        let line = add(&ledger, &scene.log, old, size).unwrap();
        let note = format!("{}{line}\n", scene.log.checkpoint(size).note());
        assert_eq!(ledger.key().newest(&note).unwrap().line, line);
        assert_eq!(fs::read_to_string(scene.memory()).unwrap(), note, "kept before it left");
        assert_eq!(ledger.note_of(&origin_hash(scene.log.key.origin())).unwrap().unwrap(), note);
        old = size;
    }
}

#[test]
fn each_bad_submission_has_the_refusal_of_the_specification() {
    let scene = Scene::new();
    let ledger = scene.open();
    add(&ledger, &scene.log, 0, 11).unwrap();
    let before = fs::read(scene.memory()).unwrap();
    let (log, fork) = (&scene.log, TestLog::grown(40, "other"));
    let good = body(log, 11, 20, &log.prove(11, 20));
    let mut bent = log.prove(11, 20);
    bent[0][0] ^= 1;
    let foreign = good.replace("signer-1", "signer-2");
    let cases = [
        (good.replace("old 11", "old x"), Refusal::Malformed(String::new())),
        (good.replace("\n20\n", "\n020\n"), Refusal::Malformed(String::new())),
        (foreign, Refusal::UnknownLog),
        (good.replace("\n20\n", "\n21\n"), Refusal::NotSigned),
        (body(log, 21, 20, &[]), Refusal::OldTooLarge),
        (body(log, 0, 20, &[]), Refusal::Conflict(11)),
        (body(log, 10, 20, &log.prove(10, 20)), Refusal::Conflict(11)),
        (body(log, 5, 5, &[]), Refusal::Conflict(11)),
        (body(log, 11, 20, &[]), Refusal::BadProof),
        (body(log, 11, 20, &bent), Refusal::BadProof),
        (body(log, 11, 11, &[[1; 32]]), Refusal::BadProof),
    ];
    for (body, wanted) in cases {
        match (ledger.add(&body).unwrap(), wanted) {
            (Err(Refusal::Malformed(_)), Refusal::Malformed(_)) => {}
            (found, wanted) => assert_eq!(found, Err(wanted), "{body}"),
        }
    }
    assert_eq!(fs::read(scene.memory()).unwrap(), before);
    assert!(ledger.found_fork().unwrap().is_none());

    // Another log of the same size, signed by the log key, is a fork: from then on nothing is cosigned.
    assert_eq!(ledger.add(&body(&fork, 11, 11, &[])).unwrap(), Err(Refusal::Conflict(11)));
    assert_eq!(ledger.add(&good).unwrap(), Err(Refusal::Stopped));
    assert!(ledger.found_fork().unwrap().unwrap().1.proven);
}

#[test]
fn what_the_log_key_signed_and_does_not_fit_is_held_against_the_log() {
    let scene = Scene::new();
    let ledger = scene.open();
    add(&ledger, &scene.log, 0, 8).unwrap();
    let fork = TestLog::grown(40, "other");
    // Eight is a power of two, so the submitted proof does not say what the other log begins with.
    assert_eq!(ledger.add(&body(&fork, 8, 20, &fork.prove(8, 20))).unwrap(), Err(Refusal::BadProof));
    assert_eq!(ledger.suspect().unwrap(), fork.checkpoint(20).note());
    ledger.clear(fork.checkpoint(20).note());
    assert_eq!(ledger.suspect(), None);
    // The same checkpoint from another start is nothing new.
    assert_eq!(add(&ledger, &scene.log, 5, 8), Err(Refusal::Conflict(8)));
    assert_eq!(ledger.suspect(), None);
}

#[test]
fn a_larger_log_with_another_beginning_is_proven_by_its_own_proof() {
    let scene = Scene::new();
    let ledger = scene.open();
    add(&ledger, &scene.log, 0, 11).unwrap();
    let fork = TestLog::grown(40, "other");
    assert_eq!(ledger.add(&body(&fork, 11, 20, &fork.prove(11, 20))).unwrap(), Err(Refusal::BadProof));
    let (_, file) = ledger.found_fork().unwrap().unwrap();
    assert!(file.proven);
    let kept: Fork = serde_json::from_str(&fs::read_to_string(&file.path).unwrap()).unwrap();
    assert!(kept.verify(std::slice::from_ref(&scene.log.key)).is_ok());
    drop(ledger);
    let error = scene.try_open().unwrap_err();
    assert!(matches!(error, Error::ForkKnown(_)), "{error}");
}

#[test]
fn a_torn_memory_is_refused_and_not_forgotten() {
    let scene = Scene::new();
    add(&scene.open(), &scene.log, 0, 8).unwrap();
    let good = fs::read(scene.memory()).unwrap();
    let of_the_log = scene.log.checkpoint(8).note().len() - 1;
    for length in 0..of_the_log {
        fs::write(scene.memory(), &good[..length]).unwrap();
        assert!(matches!(scene.try_open(), Err(Error::StateDamaged { .. })), "{length}");
    }
    fs::write(scene.memory(), &good).unwrap();
    assert_eq!(add(&scene.open(), &scene.log, 0, 8), Err(Refusal::Conflict(8)));
}

#[test]
fn a_second_process_is_refused() {
    let scene = Scene::new();
    let first = scene.open();
    assert!(matches!(scene.try_open(), Err(Error::WitnessRunning(_))));
    drop(first);
    scene.open();
}

#[test]
fn a_key_file_open_to_others_or_of_another_kind_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new();
    let file = scene.folder.path().join("witness.key");
    assert!(generate("witness.example/w1", &file).is_err(), "a key is never overwritten");
    let pem = fs::read_to_string(&file).unwrap();
    fs::write(&file, "no key").unwrap();
    assert!(scene.try_open().unwrap_err().to_string().contains("witness key"));
    fs::write(&file, pem.replace("MC4C", "MC4D")).unwrap();
    assert!(scene.try_open().unwrap_err().to_string().contains("not a PKCS#8 Ed25519 key"));
    fs::write(&file, pem).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let error = scene.try_open().unwrap_err().to_string();
    assert!(error.contains("chmod 600"), "{error}");
}
