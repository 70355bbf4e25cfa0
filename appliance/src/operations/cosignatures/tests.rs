//! What is kept of cosignatures, and that a damaged file costs nothing but itself.

use appliance_wire::{UnsignedCheckpoint, cosigned_text};
use ed25519_dalek::{Signer, SigningKey};

use super::*;

fn log() -> (SigningKey, LogKey) {
    let signing = SigningKey::from_bytes(&[7; 32]);
    let key = LogKey::new("exchange.example/signer-1", signing.verifying_key().as_bytes()).unwrap();
    (signing, key)
}

fn witness(seed: u8) -> (SigningKey, WitnessConfig) {
    let signing = SigningKey::from_bytes(&[seed; 32]);
    let name = format!("w{seed}");
    let key = WitnessKey::new(&format!("witness.example/{name}"), signing.verifying_key().as_bytes()).unwrap();
    (signing, WitnessConfig { name, key })
}

/// A checkpoint of `size`, cosigned by these at this time.
fn cosigned(size: u64, by: &[u8], timestamp: u64) -> Checkpoint {
    let (signing, key) = log();
    let unsigned = UnsignedCheckpoint { origin: key.origin().to_owned(), size, root: [3; 32] };
    let signature = signing.sign(unsigned.text().as_bytes()).to_bytes();
    let mut note = unsigned.sign(&key, &signature).unwrap().note().to_owned();
    for seed in by {
        let (signing, config) = witness(*seed);
        let signature = signing.sign(cosigned_text(&note, timestamp).unwrap().as_bytes()).to_bytes();
        note += &format!("{}\n", config.key.line(timestamp, &signature));
    }
    Checkpoint::open(&note, &key).unwrap()
}

fn open(folder: &Path) -> Cosignatures {
    Cosignatures::open(folder, log().1, vec![witness(1).1, witness(2).1])
}

fn sizes(cosignatures: &Cosignatures) -> Vec<(Option<u64>, Option<u64>)> {
    cosignatures.status().into_iter().map(|status| (status.size, status.timestamp)).collect()
}

#[test]
fn the_newest_of_each_witness_is_kept_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let cosignatures = open(folder.path());
    assert_eq!(cosignatures.newest(), None);
    assert_eq!(cosignatures.keep(&cosigned(9, &[1, 2, 3], 50)), ["w1", "w2"]);
    assert_eq!(cosignatures.keep(&cosigned(8, &[1], 60)), ["w1"], "valid, and older");
    assert_eq!(cosignatures.keep(&cosigned(9, &[2], 70)), ["w2"]);
    assert_eq!(cosignatures.keep(&cosigned(12, &[3], 80)), Vec::<String>::new());
    assert_eq!(sizes(&cosignatures), [(Some(9), Some(50)), (Some(9), Some(70))]);
    let both = cosignatures.newest().unwrap();
    assert!(witness(1).1.key.newest(&both).is_some() && witness(2).1.key.newest(&both).is_some());
    assert!(witness(3).1.key.newest(&both).is_none());
    cosignatures.keep(&cosigned(12, &[1], 90));

    let again = open(folder.path());
    assert_eq!(sizes(&again), [(Some(12), Some(90)), (Some(9), Some(70))]);
    let newest = again.newest().unwrap();
    assert!(witness(1).1.key.newest(&newest).is_some() && witness(2).1.key.newest(&newest).is_none());
    assert_eq!(again.status()[0].cosigned.as_deref(), Some("1970-01-01T00:01:30Z"));
}

#[test]
fn a_damaged_file_is_as_good_as_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cosigned");
    open(folder.path()).keep(&cosigned(9, &[1], 50));
    let good = fs::read(&file).unwrap();
    for position in (0..good.len()).step_by(3) {
        let mut bent = good.clone();
        bent[position] ^= 0x40;
        fs::write(&file, &bent).unwrap();
        assert_eq!(sizes(&open(folder.path())), [(None, None), (None, None)], "byte {position}");
        fs::write(&file, &good[..position]).unwrap();
        assert_eq!(sizes(&open(folder.path())), [(None, None), (None, None)], "{position} bytes");
    }
    open(folder.path()).keep(&cosigned(9, &[1], 50));
    assert_eq!(sizes(&open(folder.path()))[0].0, Some(9), "begun anew");
}
