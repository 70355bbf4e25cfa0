//! A long log, changed where the start does not look: the scrub finds it, and meanwhile nothing of it is used.

use std::{fs, os::unix::fs::FileExt, process::Command, sync::OnceLock};

use appliance_wire::{Accepted, Body, Genesis, PolicyEntry, Scope, Signed, sha256_hex};
use tempfile::TempDir;

use super::*;
use crate::{
    audit::{
        Archive, FirstEntries, create, grow, journal,
        open::{Opened, open},
        store::{Store, StoreBatch},
    },
    state::{Binding, BindingKey, Outcome, State, Unfinished, Usage},
};

/// More than a start reads whole.
const ENTRIES: u64 = 25_000;
const POLICY: &str = "version = 1\n[[key]]\nname = \"k\"\nalgorithm = \"ed25519\"\nevidence = \"blind\"\n\
                      [[limit]]\nname = \"day\"\nkeys = [\"k\"]\nmax_signatures = 100000\nwindow = \"24h\"\n";

fn body(index: u64) -> Body {
    let request_id = format!("r{}", index - index % 2).parse().unwrap();
    if index % 2 == 1 {
        return Body::Signed(Signed {
            watcher: "w".to_owned(),
            request_id,
            accepted: index - 1,
            signatures: Vec::new(),
        });
    }
    let accepted = serde_json::json!({
        "watcher": "w", "request_id": request_id, "content": "00", "key": "k", "evidence": "blind",
        "amounts_verified": false, "payments": [], "rules": [], "items": [{ "key": "k", "digest": "00".repeat(32) }],
    });
    Body::Accepted(serde_json::from_value::<Accepted>(accepted).unwrap())
}

fn begin(directory: &Path) {
    let genesis = Genesis {
        origin: "o".to_owned(),
        log_key: "k".to_owned(),
        log_key_label: "chancery-log".parse().unwrap(),
        token: "t".to_owned(),
        profile: "development".to_owned(),
        ceremony: None,
    };
    let (sha256, document) = (sha256_hex(POLICY.as_bytes()), POLICY.to_owned());
    create(directory, FirstEntries { genesis, policy: PolicyEntry::unsigned(1, sha256, document), keys: Vec::new() })
        .unwrap();
}

/// A copy of one long log.
struct Scene(TempDir);

impl Scene {
    fn new() -> Self {
        static MADE: OnceLock<TempDir> = OnceLock::new();
        let made = MADE.get_or_init(|| {
            let made = tempfile::tempdir().unwrap();
            begin(&made.path().join("state"));
            grow(&made.path().join("state"), ENTRIES, body).unwrap();
            made
        });
        let copy = tempfile::tempdir().unwrap();
        assert!(
            Command::new("cp").arg("-a").arg(made.path().join("state")).arg(copy.path()).status().unwrap().success()
        );
        Self(copy)
    }

    fn state(&self) -> PathBuf {
        self.0.path().join("state")
    }

    fn store(&self, change: impl FnOnce(&Store) -> StoreBatch) {
        let store = Store::open(&self.state(), Archive::default()).unwrap();
        let size = store.size().unwrap();
        store.apply(StoreBatch { size, ..change(&store) }).unwrap();
    }

    fn flip(&self, position: u64) {
        let file = fs::OpenOptions::new().read(true).write(true).open(journal::path_in(&self.state())).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, position).unwrap();
        file.write_all_at(&[byte[0] ^ 1], position).unwrap();
    }

    /// Where the line of an entry begins.
    fn line(&self, index: usize) -> u64 {
        let log = fs::read(journal::path_in(&self.state())).unwrap();
        log.split_inclusive(|byte| *byte == b'\n').take(index).map(|line| line.len() as u64).sum()
    }

    fn open(&self) -> Opened {
        open(&self.state(), Archive::default()).unwrap()
    }
}

fn found(opened: Opened) -> (u64, String) {
    let Err(Found { index, reason }) = opened.scrub.check() else { panic!("nothing was found") };
    (index, reason)
}

#[test]
fn a_log_that_is_whole_is_found_whole_and_grows_on_from_its_snapshot() {
    let scene = Scene::new();
    let opened = scene.open();
    assert_eq!((opened.state.size, opened.frontier.size()), (ENTRIES + 2, ENTRIES + 2));
    assert!(!opened.state.uncounted && opened.state.usage.used(0, "", opened.state.elapsed).0 > Default::default());
    assert!(matches!(opened.scrub.check(), Ok(true)));
    drop((opened.log, opened.lock));
    grow(&scene.state(), 5_001, body).unwrap();
    assert!(matches!(scene.open().scrub.check(), Ok(true)));
}

#[test]
fn the_anchor_may_be_older_than_the_snapshot() {
    let scene = Scene::new();
    let anchor = scene.state().join("anchor");
    let before = fs::read(&anchor).unwrap();
    grow(&scene.state(), 12_000, body).unwrap();
    fs::write(&anchor, before).unwrap();
    let opened = scene.open();
    assert_eq!(opened.state.size, ENTRIES + 2 + 12_000);
    assert!(matches!(opened.scrub.check(), Ok(true)));
}

#[test]
fn a_line_that_was_changed_is_refused_behind_the_snapshot_and_found_before_it() {
    let scene = Scene::new();
    let last = scene.line(ENTRIES as usize - 1);
    scene.flip(last + 20);
    assert_eq!(open(&scene.state(), Archive::default()).unwrap_err().index, Some(ENTRIES - 1));

    let scene = Scene::new();
    scene.flip(scene.line(100) + 20);
    assert_eq!(found(scene.open()), (100, "log.jsonl and store do not agree".to_owned()));

    // Without one line everything behind it begins elsewhere, the first line to be read too.
    let scene = Scene::new();
    let log = fs::read_to_string(journal::path_in(&scene.state())).unwrap();
    let lines = log.split_inclusive('\n').enumerate();
    let without: String = lines.filter(|(index, _)| *index != 100).map(|(_, line)| line).collect();
    fs::write(journal::path_in(&scene.state()), without).unwrap();
    assert!(open(&scene.state(), Archive::default()).unwrap_err().reason.contains("log.jsonl"));
}

#[test]
fn a_store_that_was_changed_is_found_and_what_was_changed_is_not_used() {
    let scene = Scene::new();
    let entry: Arc<[u8]> = Arc::from(&b"{}"[..]);
    scene.store(|_| StoreBatch { entries: vec![(0, entry)], ..StoreBatch::default() });
    let opened = scene.open();
    assert!(opened.log.bytes(0).unwrap_err().to_string().contains("altered"));
    assert_eq!(found(opened).0, 0);

    // Tiles the edge is rebuilt from are refused at once; later they are held against it.
    let altered_tile = |store: &Store| {
        let mut tile = store.tile(0, 3).unwrap().unwrap();
        tile[9][0] ^= 1;
        StoreBatch { tiles: vec![((0, 3), tile.into())], size: store.size().unwrap(), ..StoreBatch::default() }
    };
    let scene = Scene::new();
    scene.store(altered_tile);
    assert!(open(&scene.state(), Archive::default()).unwrap_err().reason.contains("anchor"));
    let scene = Scene::new();
    let opened = scene.open();
    opened.log.store().apply(altered_tile(opened.log.store())).unwrap();
    assert!(opened.log.bytes(3 * 256 + 9).unwrap_err().to_string().contains("not of this tree"));
    assert!(opened.log.inclusion_proof(3 * 256, ENTRIES).is_err());
    assert!(opened.log.inclusion_proof(256, ENTRIES).is_ok());
    assert_eq!(found(opened).0, 3 * 256 + 255);

    let scene = Scene::new();
    let request = BindingKey::request("w", "r500");
    let other = Binding { accepted: 502, outcome: Outcome::Signed(503) };
    scene.store(|_| StoreBatch { bindings: vec![(request, other)], ..StoreBatch::default() });
    assert_eq!(found(scene.open()).0, 501);
}

#[test]
fn a_snapshot_that_was_changed_is_found() {
    for part in ["frozen", "open", "usage"] {
        let scene = Scene::new();
        let mut size = 0;
        scene.store(|store| {
            let (mut state, bytes) = State::from_snapshot(&store.snapshot().unwrap().unwrap()).unwrap();
            match part {
                "frozen" => state.frozen = [(Scope::All, 0)].into(),
                "open" => state.open = [(7, Unfinished { key: "k".parse().unwrap(), signatures: 1 })].into(),
                _ => state.usage = Usage::new(state.policy.as_ref().unwrap()),
            }
            size = state.size;
            StoreBatch { snapshot: Some((size, state.snapshot(bytes.unwrap()))), ..StoreBatch::default() }
        });
        let (index, reason) = found(scene.open());
        assert!(index == size - 1 && reason.contains(&format!("({part})")), "{index}: {reason}");
    }
}
