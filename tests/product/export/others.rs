//! The export through the eyes of others' crates.

use std::{fs, path::PathBuf};

use appliance_wire::tree::{leaf_hash, verify_consistency, verify_inclusion};
use rand::Rng;
use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::{
    Checkpoint, Error, Hash, Tile, TileHashReader, TileReader, check_record, check_tree, prove_record, prove_tree,
    record_hash, tree_hash,
};

use super::{export, files, sign, verify};
use crate::harness::{Installation, watcher::Watcher};

/// Tiles as a static file server gives them.
struct Files(PathBuf);

impl TileReader for Files {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        let read = |tile: &Tile| {
            // The crate's paths are those of an older form, which begins with the height.
            let path = tile.path().replacen("tile/8/", "tile/", 1);
            fs::read(self.0.join(&path)).map_err(|error| Error::InvalidInput(format!("{path}: {error}")))
        };
        tiles.iter().map(read).collect()
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

const PROOFS: usize = 1_000;

pub(super) fn agree() {
    let installation = Installation::new();
    let running = installation.start();
    let out = installation.path("log");
    let mut checkpoints = Vec::new();
    for (round, count) in [5, 130, 1, 160, 90].into_iter().enumerate() {
        sign(&installation, &running, &format!("r{round}"), count);
        export(&installation, "log", &[]);
        checkpoints.push(read_checkpoint(&installation, &fs::read(out.join("checkpoint")).unwrap()));
    }
    verify(&installation, "log");
    let newest = checkpoints.last().unwrap();
    let (size, root) = (newest.size(), *newest.hash());
    assert!(size > 768, "{size}");
    let tiles = Files(out.clone());
    let reader = TileHashReader::new(size, root, &tiles);
    assert_eq!(tree_hash(size, &reader).unwrap(), root);

    let entries = entries(&installation, size);
    let mut random = rand::thread_rng();
    for _ in 0..PROOFS {
        let index = random.gen_range(0..size);
        let leaf = record_hash(&entries[index as usize]);
        assert_eq!(leaf.0, leaf_hash(&entries[index as usize]));
        let proof = prove_record(size, index, &reader).unwrap();
        check_record(&proof, size, root, index, leaf).unwrap();
        let ours: Vec<_> = proof.iter().map(|hash| hash.0).collect();
        verify_inclusion(&leaf.0, index, size, &ours, &root.0).unwrap();
    }
    for older in &checkpoints {
        let proof = prove_tree(size, older.size(), &reader).unwrap();
        check_tree(&proof, size, root, older.size(), *older.hash()).unwrap();
        let ours: Vec<_> = proof.iter().map(|hash| hash.0).collect();
        verify_consistency(older.size(), size, &ours, &older.hash().0, &root.0).unwrap();
    }
    serves_the_same(&installation, &running, &entries, size, root);
    running.stop();
}

/// What the running appliance proves, others believe.
fn serves_the_same(
    installation: &Installation,
    running: &crate::harness::Running,
    entries: &[Vec<u8>],
    size: u64,
    root: Hash,
) {
    let watcher = Watcher::new(installation, running);
    let mut random = rand::thread_rng();
    watcher.block_on(async {
        let mut connection = watcher.connect().await;
        for _ in 0..PROOFS {
            let index = random.gen_range(0..size);
            let path = format!("/v1/log/proof/inclusion?index={index}&size={size}");
            let answer = connection.request("GET", &path, b"").await.unwrap().good();
            let hashes: Vec<String> = serde_json::from_value(answer["proof"].clone()).unwrap();
            let hashes = appliance_wire::decode_hashes(&hashes).unwrap();
            let proof = hashes.into_iter().map(Hash).collect();
            check_record(&proof, size, root, index, record_hash(&entries[index as usize])).unwrap();
        }
    });
}

fn read_checkpoint(installation: &Installation, note: &[u8]) -> Checkpoint {
    let log_key = installation.log_key();
    let verifier = StandardVerifier::new(&log_key).unwrap();
    let (verified, unknown) =
        Note::from_bytes(note).unwrap().verify(&VerifierList::new(vec![Box::new(verifier)])).unwrap();
    assert_eq!((verified.len(), unknown.len()), (1, 0));
    let checkpoint = Checkpoint::from_bytes(Note::from_bytes(note).unwrap().text()).unwrap();
    assert_eq!(checkpoint.origin(), log_key.split('+').next().unwrap());
    checkpoint
}

/// The entries, from the bundles alone.
fn entries(installation: &Installation, size: u64) -> Vec<Vec<u8>> {
    let out = installation.path("log");
    let mut entries = Vec::new();
    for number in 0..size.div_ceil(256) {
        let width = (size - number * 256).min(256);
        let partial = if width < 256 { format!(".p/{width}") } else { String::new() };
        let bundle = fs::read(out.join(format!("tile/entries/{number:03}{partial}")));
        let bundle = bundle.unwrap_or_else(|error| panic!("{number} of {size}: {error} in {:?}", files(&out)));
        let mut rest = bundle.as_slice();
        while let Some((length, behind)) = rest.split_first_chunk::<2>() {
            let (entry, behind) = behind.split_at(u16::from_be_bytes(*length).into());
            entries.push(entry.to_vec());
            rest = behind;
        }
        assert!(rest.is_empty());
    }
    let log = fs::read(installation.path("state/log.jsonl")).unwrap();
    assert!(entries.iter().map(Vec::as_slice).eq(log.split(|byte| *byte == b'\n').take(size as usize)));
    entries
}
