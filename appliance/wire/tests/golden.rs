//! What was written and sent once is read and spelt alike for ever: real entries, requests and answers of each format.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]

use std::{collections::BTreeMap, fs, path::PathBuf};

use appliance_wire::{
    AddressesAnswer, AddressesRequest, Body, Entry, EntryAnswer, Event, EventsAnswer, Explanation, KeyAnswer,
    KeysAnswer, LimitsAnswer, Problem, ProblemCode, ProofAnswer, Receipt, SignatureAnswer, SignatureRequest, canonical,
    from_canonical, sha256_hex, tree::leaf_hash,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

fn golden(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// One entry of each kind, and of each member that is not always there.
#[test]
fn entries_of_format_1_are_read_and_written_to_the_same_bytes_and_leaf_hashes() {
    let entries = golden("entries-1.jsonl");
    let hashes = golden("entries-1.leaf-hashes");
    let mut kinds: Vec<String> = Vec::new();
    assert_eq!(entries.lines().count(), hashes.lines().count());
    for (number, (line, hash)) in (1..).zip(entries.lines().zip(hashes.lines())) {
        let entry: Entry = from_canonical(line.as_bytes()).unwrap_or_else(|error| panic!("line {number}: {error}"));
        assert_eq!(String::from_utf8(canonical(&entry).unwrap()).unwrap(), line, "line {number}");
        assert_eq!(hex::encode(leaf_hash(line.as_bytes())), hash, "line {number}");
        assert_eq!(entry.format, None, "line {number}: what says none is of format 1");
        let kind = serde_json::to_value(&entry).unwrap()["kind"].as_str().unwrap().to_owned();
        assert!(Body::KINDS.contains(&kind.as_str()), "{kind} is not in the list of kinds");
        kinds.push(kind);
    }
    let missing: Vec<_> = Body::KINDS.iter().filter(|kind| !kinds.iter().any(|found| found == *kind)).collect();
    assert!(missing.is_empty(), "no entry of kind {missing:?}");
}

/// What the bytes come to: those that this version writes for what it read.
type Again = fn(&Value) -> Result<Value, serde_json::Error>;

fn again<T: Serialize + DeserializeOwned>(value: &Value) -> Result<Value, serde_json::Error> {
    serde_json::to_value(serde_json::from_value::<T>(value.clone())?)
}

const REQUESTS: [(&str, Again); 2] =
    [("SignatureRequest", again::<SignatureRequest>), ("AddressesRequest", again::<AddressesRequest>)];
const ANSWERS: [(&str, Again); 12] = [
    ("SignatureAnswer", again::<SignatureAnswer>),
    ("KeysAnswer", again::<KeysAnswer>),
    ("KeyAnswer", again::<KeyAnswer>),
    ("AddressesAnswer", again::<AddressesAnswer>),
    ("LimitsAnswer", again::<LimitsAnswer>),
    ("ProofAnswer", again::<ProofAnswer>),
    ("EntryAnswer", again::<EntryAnswer>),
    ("EventsAnswer", again::<EventsAnswer>),
    ("Event", again::<Event>),
    ("Explanation", again::<Explanation>),
    ("Receipt", again::<Receipt>),
    ("Problem", again::<Problem>),
];

/// Documents by the name of their schema in `docs/openapi.json`.
fn documents(shape: &str) -> Vec<Value> {
    let all: BTreeMap<String, Vec<Value>> = serde_json::from_str(&golden("api-v1.json")).unwrap();
    all.get(shape).cloned().unwrap_or_else(|| panic!("no {shape} in api-v1.json"))
}

#[test]
fn requests_and_answers_of_v1_are_read_and_written_to_the_same_documents() {
    for (shape, again) in REQUESTS.iter().chain(&ANSWERS) {
        for document in documents(shape) {
            let found = again(&document).unwrap_or_else(|error| panic!("{shape}: {error}\n{document:#}"));
            assert_eq!(found, document, "{shape}");
        }
    }
}

/// The SHA-256 that binds an id: an upgrade must not make a known request another one.
#[test]
fn the_content_of_a_request_of_v1_stays_what_it_was() {
    let contents: Vec<String> =
        documents("SignatureRequest content").iter().map(|content| content.as_str().unwrap().to_owned()).collect();
    let found = documents("SignatureRequest").into_iter().map(|document| {
        let request: SignatureRequest = serde_json::from_value(document).unwrap();
        request.content().unwrap()
    });
    assert_eq!(found.collect::<Vec<_>>(), contents);
}

/// Problem documents as they were sent: status, title and retry are what clients go by.
#[test]
fn every_problem_of_v1_is_still_said_alike() {
    let documents = documents("Problem");
    for code in ProblemCode::ALL {
        let before =
            documents.iter().find(|problem| problem["type"] == format!("urn:chancery:problem:{}", code.name()));
        let before = before.unwrap_or_else(|| panic!("no {} in api-v1.json", code.name()));
        let now = serde_json::to_value(Problem::new(code, before["detail"].as_str().unwrap())).unwrap();
        for member in ["title", "status", "detail", "retry"] {
            assert_eq!(now[member], before[member], "{} of {}", member, code.name());
        }
    }
}

/// The document with one more member in each of its objects, one at a time.
fn with_one_more_member(document: &Value) -> Vec<Value> {
    let mut places = Vec::new();
    collect(document, String::new(), &mut places);
    let add = |place: &String| {
        let mut more = document.clone();
        more.pointer_mut(place).unwrap()["of_a_later_version"] = Value::from(vec![1]);
        more
    };
    places.iter().map(add).collect()
}

fn collect(value: &Value, place: String, places: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            places.push(place.clone());
            members.iter().for_each(|(name, value)| collect(value, format!("{place}/{name}"), places));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(number, value)| collect(value, format!("{place}/{number}"), places));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The rule of compatibility: an older client ignores what a newer appliance adds, an older appliance refuses what it would
/// not heed.
#[test]
fn members_of_a_later_version_are_ignored_in_answers_and_refused_in_requests() {
    for (shape, again) in &ANSWERS {
        for document in documents(shape) {
            for more in with_one_more_member(&document) {
                let found = again(&more).unwrap_or_else(|error| panic!("{shape}: {error}\n{more:#}"));
                assert_eq!(found, document, "{shape}");
            }
        }
    }
    for (shape, again) in &REQUESTS {
        for document in documents(shape) {
            for more in with_one_more_member(&document) {
                assert!(again(&more).is_err(), "{shape} takes what it does not know: {more:#}");
            }
        }
    }
}

/// A byte of a golden file that changed is no new truth: the files are named by what they hold.
#[test]
fn golden_files_are_never_changed() {
    for line in golden("SHA256SUMS").lines() {
        let (sum, name) = line.split_once("  ").unwrap();
        assert_eq!(sha256_hex(golden(name).as_bytes()), sum, "{name}: a golden file is not changed, another is added");
    }
}
