//! Every place once: each part of each file, each file, each pair of files, each older copy.

use super::{
    change::{Change, PARTS, lines},
    files::Files,
    scene::Scene,
};

const LOG: &str = "state/log.jsonl";
const ANCHOR: &str = "state/anchor";
const DB: &str = "state/store/db";

pub(super) fn all(files: &Files, scene: &Scene) -> Vec<Change> {
    [anchor(), log(files), store(files), others(files), whole(files), older(scene)].concat()
}

fn flip(file: &str, byte: usize) -> Change {
    Change::Flip { file: file.to_owned(), bit: 8 * byte + byte % 8 }
}

fn zero(file: &str, at: usize, length: usize) -> Change {
    Change::Zero { file: file.to_owned(), at, length }
}

fn truncate(file: &str, length: usize) -> Change {
    Change::Truncate { file: file.to_owned(), length }
}

/// Each slot: checksum, members, filling, line end.
fn anchor() -> Vec<Change> {
    let flips = (0..1_024).step_by(13).map(|byte| flip(ANCHOR, byte));
    let zeros = [(0, 512), (512, 512), (0, 1_024), (0, 64), (512, 64), (70, 100), (582, 100), (500, 24)];
    let zeros = zeros.map(|(at, length)| zero(ANCHOR, at, length));
    let ends = [0, 1, 64, 511, 512, 513, 700, 1_023].map(|length| truncate(ANCHOR, length));
    let file = || ANCHOR.to_owned();
    let swapped = Change::SwapParts { file: file(), one: (0, 512), two: (512, 1_024) };
    let doubled = [(0, 512), (512, 0)].map(|(at, from_at)| Change::Splice {
        file: file(),
        at,
        removed: 512,
        from: file(),
        from_at,
        length: 512,
    });
    flips.chain(zeros).chain(ends).chain([swapped]).chain(doubled).collect()
}

/// Lines at both ends and between.
fn log(files: &Files) -> Vec<Change> {
    let lines = lines(files.bytes(LOG).unwrap());
    let last = lines.len() - 1;
    let mut changes = Vec::new();
    for place in [0, 1, 2, 3, last / 4, last / 2, last - 3, last - 2, last - 1, last] {
        let (begin, end) = lines[place];
        let file = || LOG.to_owned();
        let put =
            |at, removed, length| Change::Splice { file: file(), at, removed, from: file(), from_at: begin, length };
        changes.extend([begin, (begin + end) / 2, end - 2, end - 1].map(|byte| flip(LOG, byte)));
        changes.extend([zero(LOG, begin, end - begin), zero(LOG, end - 1, 1), zero(LOG, begin, 1)]);
        changes.extend([truncate(LOG, begin), truncate(LOG, end - 1), truncate(LOG, (begin + end) / 2)]);
        changes.extend([put(begin, end - begin, 0), put(end, 0, end - begin), put(end - 1, 1, 0)]);
        if place < last {
            changes.push(Change::SwapParts { file: file(), one: lines[place], two: lines[place + 1] });
        }
    }
    // Behind the end: half a line, a whole one, an empty one.
    let length = lines[last].1;
    for (from_at, added) in [(0, 20), (0, lines[0].1), (length - 1, 1)] {
        let (file, from) = (LOG.to_owned(), LOG.to_owned());
        changes.push(Change::Splice { file, at: length, removed: 0, from, from_at, length: added });
    }
    changes
}

fn store(files: &Files) -> Vec<Change> {
    let length = files.bytes(DB).unwrap().len();
    let at = |part: usize, parts: usize| part * length / parts;
    let flips = (0..60).map(|part| flip(DB, at(part, 60) + part % 50));
    let zeros = (0..24).map(|part| zero(DB, at(part, 24) & !0xfff, 4_096));
    let ends = (0..16).map(|part| truncate(DB, at(part, 16)));
    let small = files.names().into_iter().filter(|name| name.starts_with("state/store/") && name != DB);
    let small = small.flat_map(|name| {
        let length = files.bytes(&name).unwrap().len();
        let places = || (0..12).map(|part| part * length / 12);
        let flips: Vec<Change> = places().map(|byte| flip(&name, byte)).collect();
        let ends: Vec<Change> = places().step_by(3).map(|end| truncate(&name, end)).collect();
        [flips, ends, vec![zero(&name, 0, length)]].concat()
    });
    flips.chain(zeros).chain(ends).chain(small).collect()
}

/// What is beside log, store and anchor.
fn others(files: &Files) -> Vec<Change> {
    let mut changes = Vec::new();
    let evidence = files.names().into_iter().filter(|name| name.starts_with("state/evidence/")).take(2);
    for (name, step) in [("state/checkpoint".to_owned(), 7), ("second/log.jsonl".to_owned(), 20_011)]
        .into_iter()
        .chain(evidence.map(|name| (name, 101)))
    {
        let length = files.bytes(&name).unwrap().len();
        changes.extend((0..length).step_by(step).map(|byte| flip(&name, byte)));
        changes.extend([0, 1, length / 2, length - 1].map(|length| truncate(&name, length)));
        changes.push(zero(&name, 0, length));
    }
    changes
}

/// Each file gone, empty, and in the place of each other.
fn whole(files: &Files) -> Vec<Change> {
    let evidence = |name: &String| name.starts_with("state/evidence/");
    let mut names: Vec<String> = files.names().into_iter().filter(|name| !evidence(name)).collect();
    names.extend(files.names().into_iter().find(evidence));
    let mut changes = Vec::new();
    for (place, name) in names.iter().enumerate() {
        changes.extend([Change::Delete { name: name.clone() }, truncate(name, 0)]);
        changes.extend(names[..place].iter().map(|other| Change::SwapFiles(name.clone(), other.clone())));
    }
    let directories = ["state/store", "state/store/blobs", "state/evidence", "second", "state"];
    changes.extend(directories.map(|name| Change::Delete { name: name.to_owned() }));
    changes
}

/// Every choice of log, store, anchor and checkpoint, of every earlier time.
fn older(scene: &Scene) -> Vec<Change> {
    let mut changes = Vec::new();
    for copy in 0..scene.older.len() {
        for chosen in 1..1 << PARTS.len() {
            let names = PARTS.into_iter().enumerate().filter(|(place, _)| chosen >> place & 1 == 1);
            changes.push(Change::Older { names: names.map(|(_, name)| name).collect(), copy });
        }
        changes.extend([vec!["state"], vec!["second"]].map(|names| Change::Older { names, copy }));
        let in_store = ["state/store/db", "state/store/conf"];
        changes.extend(in_store.map(|name| Change::Older { names: vec![name], copy }));
    }
    changes
}
