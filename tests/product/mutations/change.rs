//! What is changed: the kinds of change, chosen at random or one after another.

use super::{files::Files, scene::Scene};
use crate::harness::load::Random;

/// A change of the state directory or the mirror. Files are named from the directory both are in.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// A bit is another.
    Flip { file: String, bit: usize },
    /// Bytes are zero.
    Zero { file: String, at: usize, length: usize },
    /// The file ends earlier.
    Truncate { file: String, length: usize },
    /// Bytes are replaced, by more or fewer, of this file or another.
    Splice { file: String, at: usize, removed: usize, from: String, from_at: usize, length: usize },
    /// Two files have each other's name.
    SwapFiles(String, String),
    /// Two parts of a file that do not overlap are in each other's place.
    SwapParts { file: String, one: (usize, usize), two: (usize, usize) },
    /// Files are as they were earlier.
    Older { names: Vec<&'static str>, copy: usize },
    /// A file or directory is gone.
    Delete { name: String },
}

/// Number of kinds that [`random`] chooses from.
pub(super) const KINDS: usize = 8;

pub(super) const PARTS: [&str; 4] = ["state/log.jsonl", "state/store", "state/anchor", "state/checkpoint"];

impl Change {
    pub(super) fn apply(&self, files: &mut Files, scene: &Scene) {
        match self {
            Self::Flip { file, bit } => {
                if let Some(byte) = files.bytes_mut(file).and_then(|bytes| bytes.get_mut(bit / 8)) {
                    *byte ^= 1 << (bit % 8);
                }
            }
            Self::Zero { file, at, length } => {
                if let Some(bytes) = files.bytes_mut(file) {
                    let end = (at + length).min(bytes.len());
                    bytes[(*at).min(end)..end].fill(0);
                }
            }
            Self::Truncate { file, length } => files.bytes_mut(file).into_iter().for_each(|it| it.truncate(*length)),
            Self::Splice { file, at, removed, from, from_at, length } => {
                let from = files.bytes(from).map_or(&[][..], Vec::as_slice);
                let part = from[(*from_at).min(from.len())..(from_at + length).min(from.len())].to_vec();
                if let Some(bytes) = files.bytes_mut(file) {
                    let at = (*at).min(bytes.len());
                    bytes.splice(at..(at + removed).min(bytes.len()), part);
                }
            }
            Self::SwapFiles(one, two) => {
                let [first, second] = [one, two].map(|name| files.0.remove(name));
                files.0.extend(first.map(|file| (two.clone(), file)));
                files.0.extend(second.map(|file| (one.clone(), file)));
            }
            Self::SwapParts { file, one, two } => {
                let Some(bytes) = files.bytes_mut(file).filter(|bytes| two.1 <= bytes.len()) else { return };
                let swapped = [&bytes[..one.0], &bytes[two.0..two.1], &bytes[one.1..two.0], &bytes[one.0..one.1]];
                *bytes = [&swapped.concat(), &bytes[two.1..]].concat();
            }
            Self::Older { names, copy } => files.take(names, &scene.older[*copy]),
            Self::Delete { name } => files.take(&[name], &Files::default()),
        }
    }
}

/// A change of this kind.
pub(super) fn random(random: &mut Random, kind: usize, files: &Files, scene: &Scene) -> Change {
    let file = weighted(random, files);
    let length = files.bytes(&file).map_or(0, Vec::len);
    let mut below = |most: usize| random.below(most.max(1) as u64) as usize;
    match kind {
        0 => Change::Flip { bit: below(8 * length), file },
        1 => Change::Zero { at: below(length), length: 1 << below(13), file },
        2 => Change::Truncate { length: below(length), file },
        3 => {
            let names = files.names();
            let from = if below(2) == 0 { file.clone() } else { names[below(names.len())].clone() };
            let from_at = below(files.bytes(&from).map_or(0, Vec::len));
            let (removed, length_of_part) = (below(2) * below(5_000), below(5_000));
            Change::Splice { at: below(length), removed, from, from_at, length: length_of_part, file }
        }
        4 => {
            let names = files.names();
            Change::SwapFiles(file, names[below(names.len())].clone())
        }
        5 if file.ends_with(".jsonl") => {
            let lines = lines(files.bytes(&file).map_or(&[][..], Vec::as_slice));
            let second = 1 + below(lines.len().saturating_sub(1));
            match (lines.get(below(second)), lines.get(second)) {
                (Some(one), Some(two)) => Change::SwapParts { one: *one, two: *two, file },
                _ => Change::Delete { name: file },
            }
        }
        5 => {
            let size = 1 + below((length / 4).clamp(1, 5_000));
            let one = below(length / 2);
            let two = one + size + below((length / 2).saturating_sub(2 * size));
            Change::SwapParts { file, one: (one, one + size), two: (two, two + size) }
        }
        6 => {
            let chosen = 1 + below(15);
            let names = PARTS.into_iter().enumerate().filter(|(place, _)| chosen >> place & 1 == 1);
            Change::Older { names: names.map(|(_, name)| name).collect(), copy: below(scene.older.len()) }
        }
        _ => Change::Delete { name: file },
    }
}

/// Mostly what a start reads.
fn weighted(random: &mut Random, files: &Files) -> String {
    let names = files.names();
    let snapshot = names.iter().find(|name| name.starts_with("state/store/snap")).cloned();
    match random.below(20) {
        0..6 => "state/log.jsonl".to_owned(),
        6..12 => "state/store/db".to_owned(),
        12..14 => "state/anchor".to_owned(),
        14..16 => snapshot.unwrap_or_else(|| "state/store/conf".to_owned()),
        16 => "state/checkpoint".to_owned(),
        _ => names[random.below(names.len() as u64) as usize].clone(),
    }
}

/// Where each line begins and ends, its end included.
pub(super) fn lines(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut begin = 0;
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(place, _)| place + 1);
    ends.map(|end| (std::mem::replace(&mut begin, end), end)).collect()
}
