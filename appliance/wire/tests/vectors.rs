//! Inclusion and consistency against the published cases of transparency-dev/merkle, where they are present: in the
//! directory `CHANCERY_TEST_VECTORS`, or in `shared/vectors` beside the repository.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use appliance_wire::tree::{BadProof, Hash, empty_root, leaf_hash, verify_consistency, verify_inclusion};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

/// The cases; none, said aloud, where they are not here.
fn cases(kind: &str) -> Option<Vec<(PathBuf, Value)>> {
    let beside = || Some(Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3)?.join("shared/vectors"));
    let vectors = env::var_os("CHANCERY_TEST_VECTORS").map(PathBuf::from).or_else(beside)?;
    let directory = vectors.join("transparency-dev-merkle/testdata").join(kind);
    if !directory.is_dir() {
        eprintln!("SKIPPED: there are no cases in {}: set CHANCERY_TEST_VECTORS", directory.display());
        return None;
    }
    let (mut cases, mut directories) = (Vec::new(), vec![directory]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                let case = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
                cases.push((path, case));
            }
        }
    }
    Some(cases)
}

fn bytes(text: &Value) -> Vec<u8> {
    STANDARD.decode(text.as_str().unwrap()).unwrap()
}

/// Some have not 32 bytes, which our types cannot say: something else stands for them, equal where they are equal.
fn hash(text: &Value) -> Hash {
    let bytes = bytes(text);
    <Hash>::try_from(bytes.as_slice()).unwrap_or_else(|_| leaf_hash(&bytes))
}

/// Refused where it has not 32 bytes.
fn exact(text: &Value) -> Result<Hash, BadProof> {
    bytes(text).try_into().map_err(|_| BadProof)
}

fn proof(case: &Value) -> Vec<Hash> {
    case["proof"].as_array().into_iter().flatten().map(hash).collect()
}

fn check(kind: &str, expected: usize, verify: impl Fn(&Value) -> Result<(), BadProof>) {
    let Some(cases) = cases(kind) else { return };
    assert_eq!(cases.len(), expected, "{kind}");
    for (path, case) in cases {
        let refused = case["wantErr"].as_bool().unwrap();
        assert_eq!(verify(&case).is_err(), refused, "{}: {}", path.display(), case["desc"]);
    }
}

fn number(case: &Value, name: &str) -> u64 {
    case[name].as_u64().unwrap_or_else(|| panic!("no {name} in {case}"))
}

#[test]
fn inclusion_is_as_others_verify_it() {
    check("inclusion", 98, |case| {
        let (index, size) = (number(case, "leafIdx"), number(case, "treeSize"));
        verify_inclusion(&exact(&case["leafHash"])?, index, size, &proof(case), &exact(&case["root"])?)
    });
}

#[test]
fn consistency_is_as_others_verify_it() {
    check("consistency", 98, |case| {
        let (from, to) = (number(case, "size1"), number(case, "size2"));
        // That each tree begins with the empty one is true, and says nothing: these cases refuse to hear it.
        if from == 0 && to > 0 {
            return Err(BadProof);
        }
        verify_consistency(from, to, &proof(case), &hash(&case["root1"]), &hash(&case["root2"]))
    });
}

/// Whether a tree can hold the range as a subtree: it begins at a multiple of the power of two that covers it.
fn is_subtree(start: u64, end: u64) -> bool {
    end.checked_sub(start).and_then(u64::checked_next_power_of_two).is_some_and(|cover| start.is_multiple_of(cover))
}

#[test]
fn inclusion_in_a_subtree_is_inclusion_in_a_tree_of_its_own() {
    check("subtreeinclusion", 204, |case| {
        let (index, start, end) = (number(case, "leafIdx"), number(case, "start"), number(case, "end"));
        let index = index.checked_sub(start).filter(|_| is_subtree(start, end)).ok_or(BadProof)?;
        verify_inclusion(&exact(&case["leafHash"])?, index, end - start, &proof(case), &exact(&case["root"])?)
    });
}

/// All cases that hold have an empty subtree, or one that begins the tree: that is plain consistency.
#[test]
fn consistency_with_a_subtree_that_begins_the_tree_is_consistency() {
    check("subtreeconsistency", 118, |case| {
        let (start, end, size) = (number(case, "start"), number(case, "end"), number(case, "size"));
        let (root, whole, proof) = (hash(&case["root1"]), hash(&case["root2"]), proof(case));
        if start == end && end <= size {
            return if root == empty_root() && proof.is_empty() { Ok(()) } else { Err(BadProof) };
        }
        if start != 0 || !is_subtree(start, end) {
            return Err(BadProof);
        }
        verify_consistency(end, size, &proof, &root, &whole)
    });
}
