//! Every pair of sizes of two logs that part at some entry.

use std::convert::Infallible;

use ed25519_dalek::{Signer, SigningKey};

use super::*;
use crate::{
    UnsignedCheckpoint,
    tree::{Nodes, consistency_proof, inclusion_proof, leaf_hash, node_hash, root, root_before},
};

/// A log whose entries are other ones from `parts` on.
struct Log {
    parts: u64,
}

impl Nodes for Log {
    type Error = Infallible;

    fn node(&self, level: u32, index: u64) -> Result<Hash, Infallible> {
        if level == 0 {
            return Ok(leaf_hash(format!("entry {index}{}", if index < self.parts { "" } else { "'" }).as_bytes()));
        }
        Ok(node_hash(&self.node(level - 1, 2 * index)?, &self.node(level - 1, 2 * index + 1)?))
    }
}

fn log_key() -> (SigningKey, LogKey) {
    let signing = SigningKey::from_bytes(&[7; 32]);
    let key = LogKey::new("exchange.example/signer-1", signing.verifying_key().as_bytes()).unwrap();
    (signing, key)
}

impl Log {
    fn checkpoint(&self, size: u64) -> Checkpoint {
        let (signing, key) = log_key();
        let unsigned = UnsignedCheckpoint { origin: key.origin().to_owned(), size, root: root(self, size).unwrap() };
        let signature = signing.sign(unsigned.text().as_bytes()).to_bytes();
        unsigned.sign(&key, &signature).unwrap()
    }

    /// The proof from the start on.
    fn whole_proof(&self, from: u64, to: u64) -> Vec<Hash> {
        let mut proof = consistency_proof(self, from, to).unwrap().unwrap();
        if from.is_power_of_two() {
            let inclusion = inclusion_proof(self, from, to).unwrap().unwrap();
            proof.insert(0, root_before(from, to, &inclusion).unwrap());
        }
        proof
    }
}

fn verify(fork: &Fork) -> Result<ProvenFork, BadFork> {
    let file = serde_json::to_string(fork).unwrap();
    serde_json::from_str::<Fork>(&file).unwrap().verify(&[log_key().1])
}

const MOST: u64 = 20;

#[test]
fn a_fork_is_proven_exactly_where_the_beginnings_differ() {
    let known = Log { parts: MOST };
    for parts in [0, 3, 8, 13] {
        let other = Log { parts };
        for (to, from) in (1..=MOST).flat_map(|to| (0..=to).map(move |from| (to, from))) {
            let (smaller, larger) = (known.checkpoint(from), other.checkpoint(to));
            let proof = if from == 0 || from == to { Vec::new() } else { other.whole_proof(from, to) };
            let fork = Fork::new(&larger, &smaller, &proof, &[log_key().1], "why".to_owned(), 1);
            let found = verify(&fork);
            let what = format!("{parts} {from} {to}: {found:?}");
            if from <= parts {
                assert!(matches!(found, Err(BadFork::Consistent)), "{what}");
            } else if from == to {
                assert_eq!(found.unwrap(), ProvenFork::SameSize { size: to });
            } else {
                assert_eq!(found.unwrap(), ProvenFork::OtherBeginning { smaller: from, larger: to }, "{what}");
            }
        }
    }
}

#[test]
fn nobody_can_make_a_fork_of_one_history() {
    let log = Log { parts: MOST };
    for (to, from) in (2..=MOST).flat_map(|to| (1..to).map(move |from| (to, from))) {
        let (smaller, larger) = (log.checkpoint(from), log.checkpoint(to));
        let proof = log.whole_proof(from, to);
        let mut forgeries = vec![Vec::new(), [&proof[..], &[[1; 32]]].concat(), proof[1..].to_vec()];
        for position in 0..proof.len() {
            let mut bent = proof.clone();
            bent[position][5] ^= 1;
            forgeries.push(bent);
        }
        for forgery in forgeries {
            let fork = Fork::new(&smaller, &larger, &forgery, &[], "a lie".to_owned(), 1);
            assert!(matches!(verify(&fork), Err(BadFork::Open)), "{from} {to} {:?}", verify(&fork));
        }
    }
}

#[test]
fn notes_that_are_not_the_logs_prove_nothing() {
    let (known, other) = (Log { parts: MOST }, Log { parts: 0 });
    let good = Fork::new(&known.checkpoint(9), &other.checkpoint(9), &[], &[], "why".to_owned(), 1);
    assert!(good.verify(&[log_key().1]).is_ok());
    let stranger =
        LogKey::new("exchange.example/signer-1", SigningKey::from_bytes(&[8; 32]).verifying_key().as_bytes());
    assert!(matches!(good.verify(&[stranger.unwrap()]), Err(BadFork::Checkpoint { which: "smaller", .. })));
    assert!(good.verify(&[]).is_err());
    let changed = Fork { larger: good.larger.replace("\n9\n", "\n10\n"), ..good.clone() };
    assert!(matches!(verify(&changed), Err(BadFork::Checkpoint { which: "larger", .. })));
    let unreadable = Fork { proof: vec!["AAAA".to_owned()], ..good };
    assert!(matches!(verify(&unreadable), Err(BadFork::Encoding)));
}
