//! Every proof up to 40 leaves, and every way to bend one.

use std::convert::Infallible;

use super::*;

struct Leaves(Vec<Hash>);

impl Nodes for Leaves {
    type Error = Infallible;

    fn node(&self, level: u32, index: u64) -> Result<Hash, Infallible> {
        if level == 0 {
            return Ok(self.0[index as usize]);
        }
        Ok(node_hash(&self.node(level - 1, 2 * index)?, &self.node(level - 1, 2 * index + 1)?))
    }
}

fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

fn leaves(count: u64) -> Leaves {
    Leaves((0..count).map(|index| leaf_hash(&entry(index))).collect())
}

#[test]
fn the_frontier_has_the_root_of_the_definition() {
    let mut frontier = Frontier::default();
    for size in 0..300 {
        assert_eq!(frontier.size(), size);
        assert_eq!(frontier.root(), root(&leaves(size), size).unwrap());
        assert_eq!(Frontier::of(&leaves(size), size).unwrap(), frontier);
        frontier.append(&entry(size));
    }
}

#[test]
fn every_inclusion_proof_verifies_and_no_other() {
    let leaves = leaves(40);
    for size in 1..=40 {
        let root = root(&leaves, size).unwrap();
        for index in 0..size {
            let leaf = leaves.0[index as usize];
            let proof = inclusion_proof(&leaves, index, size).unwrap().unwrap();
            verify_inclusion(&leaf, index, size, &proof, &root).unwrap();
            for wrong in (0..size + 2).filter(|wrong| *wrong != index) {
                assert_eq!(verify_inclusion(&leaf, wrong, size, &proof, &root), Err(BadProof));
            }
            for position in 0..proof.len() {
                let mut bent = proof.clone();
                bent[position][0] ^= 1;
                assert_eq!(verify_inclusion(&leaf, index, size, &bent, &root), Err(BadProof));
                bent.remove(position);
                assert_eq!(verify_inclusion(&leaf, index, size, &bent, &root), Err(BadProof));
            }
            let longer = [proof.clone(), vec![root]].concat();
            assert_eq!(verify_inclusion(&leaf, index, size, &longer, &root), Err(BadProof));
        }
        assert_eq!(inclusion_proof(&leaves, size, size).unwrap(), None);
    }
}

#[test]
fn every_consistency_proof_verifies_and_no_other() {
    let leaves = leaves(40);
    for to in 0..=40 {
        let to_root = root(&leaves, to).unwrap();
        for from in 0..=to {
            let from_root = root(&leaves, from).unwrap();
            let proof = consistency_proof(&leaves, from, to).unwrap().unwrap();
            verify_consistency(from, to, &proof, &from_root, &to_root).unwrap();
            let other = [7; 32];
            assert_eq!(verify_consistency(from, to, &proof, &other, &to_root), Err(BadProof));
            if from != 0 {
                assert_eq!(verify_consistency(from, to, &proof, &from_root, &other), Err(BadProof));
            }
            for position in 0..proof.len() {
                let mut bent = proof.clone();
                bent[position][31] ^= 0x80;
                assert_eq!(verify_consistency(from, to, &bent, &from_root, &to_root), Err(BadProof));
                bent.remove(position);
                assert_eq!(verify_consistency(from, to, &bent, &from_root, &to_root), Err(BadProof));
            }
            let longer = [proof.clone(), vec![to_root]].concat();
            assert_eq!(verify_consistency(from, to, &longer, &from_root, &to_root), Err(BadProof));
        }
        assert_eq!(consistency_proof(&leaves, to + 1, to).unwrap(), None);
    }
}

#[test]
fn published_roots_are_ours() {
    // Roots of the eight test inputs that the Certificate Transparency reference code publishes.
    let inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let mut frontier = Frontier::default();
    assert_eq!(hex::encode(frontier.root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for input in inputs {
        frontier.append(&hex::decode(input).unwrap());
    }
    assert_eq!(hex::encode(frontier.root()), "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
}

/// A log of this many entries, such as signatures make.
const MEASURED: u64 = 200_000;

#[test]
#[ignore = "a measurement: cargo test -p appliance-wire --config profile.dev.opt-level=3 measure -- --ignored --nocapture"]
fn measure_how_fast_entries_are_read_and_hashed() {
    let line = |index: u64| {
        let entry = serde_json::json!({
            "index": index, "time": "2026-11-21T08:00:00.000001Z", "elapsed": index, "policy": 1,
            "salt": format!("{index:032x}"), "kind": "signed", "watcher": "btc-watcher",
            "request_id": format!("wd-{index}"), "accepted": index / 2,
            "signatures": [{ "key": "btc-hot", "digest": format!("{index:064x}"), "signature": "ab".repeat(64),
                             "recovery_id": 0, "public_key": "02".repeat(33) }],
        });
        crate::canonical(&serde_json::from_value::<crate::Entry>(entry).unwrap()).unwrap()
    };
    let lines: Vec<Vec<u8>> = (0..MEASURED).map(line).collect();
    let bytes: usize = lines.iter().map(Vec::len).sum();
    let measured = |work: &dyn Fn() -> Hash| {
        let begun = std::time::Instant::now();
        let root = work();
        (MEASURED as f64 / begun.elapsed().as_secs_f64(), root)
    };
    let hashed = || {
        let mut frontier = Frontier::default();
        for line in &lines {
            frontier.append(line);
        }
        frontier.root()
    };
    let read = || {
        let mut frontier = Frontier::default();
        for line in &lines {
            crate::from_canonical::<crate::Entry>(line).unwrap();
            frontier.append(line);
        }
        frontier.root()
    };
    let ((tree, root), (entries, again)) = (measured(&hashed), measured(&read));
    assert_eq!(root, again);
    println!(
        "audit-tree entries={MEASURED} bytes_per_entry={} tree_entries_per_second={tree:.0} \
         read_and_tree_entries_per_second={entries:.0}",
        bytes / MEASURED as usize
    );
}
