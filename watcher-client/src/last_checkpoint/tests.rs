//! Growth is accepted; everything else that a signer could show is not.

use std::{cell::RefCell, fs};

use appliance_wire::{Problem, ProblemCode};

use super::*;
use crate::testing::TestLog;

struct Memory {
    folder: tempfile::TempDir,
    last: LastCheckpoint,
}

impl Memory {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let directory = StateDirectory::open(folder.path()).unwrap();
        Self { last: LastCheckpoint::new(directory, vec![TestLog::new().key]), folder }
    }

    /// Accepts the checkpoint of `size` entries of `log`, which also proves.
    async fn accept(&self, log: &TestLog, size: u64, at_least: u64) -> Result<Standing, Error> {
        let prove = |small: Checkpoint, large: Checkpoint| {
            let proof = log.prove(small.size(), large.size());
            async move { Ok(proof) }
        };
        let note = log.checkpoint(size).note().to_owned();
        self.last.accept(&note, at_least, prove).await.map(|(_, standing)| standing)
    }

    fn conflict_kept(&self) -> Option<String> {
        fs::read_to_string(self.folder.path().join(CONFLICT)).ok()
    }
}

fn assert_inconsistent(result: Result<Standing, Error>, wanted: &str) {
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Inconsistent { .. }), "{error}");
    let text = error.to_string();
    for part in ["ALARM", wanted, "checkpoint.conflict", "chancery audit verify"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn growth_is_accepted_and_remembered() {
    let (memory, log) = (Memory::new(), TestLog::grown(40, "entry"));
    assert_eq!(memory.accept(&log, 0, 0).await.unwrap(), Standing::First);
    assert_eq!(memory.accept(&log, 3, 0).await.unwrap(), Standing::Grown { from: 0 });
    assert_eq!(memory.accept(&log, 3, 3).await.unwrap(), Standing::Same);
    assert_eq!(memory.accept(&log, 40, 3).await.unwrap(), Standing::Grown { from: 3 });
    assert_eq!(memory.last.size().unwrap(), 40);
    assert_eq!(memory.conflict_kept(), None);
}

#[tokio::test]
async fn a_fork_is_refused_whatever_it_proves() {
    let (memory, log) = (Memory::new(), TestLog::grown(20, "entry"));
    memory.accept(&log, 10, 0).await.unwrap();
    let fork = TestLog::grown(20, "other");
    assert_inconsistent(memory.accept(&fork, 10, 0).await, "another root hash");
    assert_inconsistent(memory.accept(&fork, 15, 0).await, "does not begin with the log of 10");
    assert_inconsistent(memory.accept(&fork, 5, 0).await, "does not begin with the log of 5");
    assert_eq!(memory.last.remembered().unwrap(), Some(log.checkpoint(10)));
    assert_eq!(memory.conflict_kept().unwrap(), fork.checkpoint(10).note(), "the first evidence stays");
    for (size, proven) in [(10, true), (15, true)] {
        let file = memory.folder.path().join(format!("witness/fork-{size}.json"));
        let kept: appliance_wire::Fork = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        assert_eq!(kept.verify(std::slice::from_ref(&log.key)).is_ok(), proven, "{size}");
    }
    assert_eq!(memory.accept(&log, 20, 10).await.unwrap(), Standing::Grown { from: 10 });
}

#[tokio::test]
async fn a_smaller_one_is_a_rollback_unless_it_may_be_older() {
    let (memory, log) = (Memory::new(), TestLog::grown(20, "entry"));
    memory.accept(&log, 20, 0).await.unwrap();
    assert_inconsistent(memory.accept(&log, 19, 20).await, "it has 19 entries now, and had 20 before");
    assert_eq!(memory.accept(&log, 12, 0).await.unwrap(), Standing::Older);
    assert_eq!(memory.last.size().unwrap(), 20);
}

#[tokio::test]
async fn a_proof_refused_for_ever_is_an_alarm_and_an_outage_is_not() {
    let (memory, log) = (Memory::new(), TestLog::grown(20, "entry"));
    memory.accept(&log, 10, 0).await.unwrap();
    let note = log.checkpoint(20).note().to_owned();
    for (code, alarm) in [(ProblemCode::NotFound, true), (ProblemCode::AuditLogUnavailable, false)] {
        let refuse = |_, _| async move { Err(Error::Refused(Box::new(Problem::new(code, "no")))) };
        let error = memory.last.accept(&note, 0, refuse).await.unwrap_err();
        assert_eq!(matches!(error, Error::Inconsistent { .. }), alarm, "{error}");
    }
    assert_eq!(memory.last.size().unwrap(), 10);
}

#[tokio::test]
async fn what_another_process_remembered_meanwhile_counts() {
    let (memory, log) = (Memory::new(), TestLog::grown(20, "entry"));
    memory.accept(&log, 10, 0).await.unwrap();
    let faster = RefCell::new(Some(log.checkpoint(20)));
    let note = log.checkpoint(15).note().to_owned();
    let prove = |small: Checkpoint, large: Checkpoint| {
        if let Some(checkpoint) = faster.take() {
            memory.last.directory.replace(FILE, checkpoint.note()).unwrap();
        }
        let proof = log.prove(small.size(), large.size());
        async move { Ok(proof) }
    };
    let (_, standing) = memory.last.accept(&note, 10, prove).await.unwrap();
    assert_eq!(standing, Standing::Older);
    assert_eq!(memory.last.size().unwrap(), 20);
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_says_what_to_do() {
    let (memory, log) = (Memory::new(), TestLog::grown(20, "entry"));
    memory.accept(&log, 10, 0).await.unwrap();
    let file = memory.folder.path().join(FILE);
    let good = fs::read(&file).unwrap();
    for position in 0..good.len() {
        let mut bent = good.clone();
        bent[position] ^= 1;
        fs::write(&file, &bent).unwrap();
        let error = memory.accept(&log, 20, 0).await.unwrap_err();
        assert!(matches!(error, Error::StateDamaged { .. }), "byte {position}: {error}");
        assert!(error.to_string().contains("Restore it from a copy"), "{error}");
    }
    fs::write(&file, "").unwrap();
    assert!(matches!(memory.accept(&log, 20, 0).await, Err(Error::StateDamaged { .. })));
}

#[tokio::test]
async fn a_foreign_note_is_not_the_logs() {
    let memory = Memory::new();
    let log = TestLog::grown(4, "entry");
    let note = log.checkpoint(4).note().replace("signer-1", "signer-2");
    let error = memory.last.accept(&note, 0, |_, _| async { Ok(Vec::new()) }).await.unwrap_err();
    assert!(matches!(error, Error::Checkpoint(_)), "{error}");
    assert!(error.to_string().contains("log_keys"), "{error}");
}
