//! The document is committed, complete, and its examples are what the wire types read.

use std::{env, fs, path::Path};

use appliance_wire::{
    RequestId,
    openapi::{broken_references, references},
};
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::*;

#[test]
fn the_committed_copy_is_the_document() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    if env::var_os("UPDATE").is_some_and(|update| update == "1") {
        fs::write(&file, document()).unwrap();
    }
    let committed: Value = serde_json::from_slice(&fs::read(&file).unwrap_or_default()).unwrap_or_default();
    assert!(
        committed == whole(),
        "docs/openapi.json is not what the code says; `UPDATE=1 cargo test -p appliance openapi` rewrites it"
    );
}

#[test]
fn every_reference_and_link_leads_somewhere() {
    let document = whole();
    assert!(references(&document).len() > 50);
    assert_eq!(broken_references(&document), [""; 0]);
    let mut links = 0;
    for call in CALLS {
        for (name, link) in links::after(call.id).iter().flat_map(|links| links.as_object().unwrap()) {
            let target = CALLS.iter().find(|call| link["operationId"] == call.id).unwrap();
            for parameter in link["parameters"].as_object().unwrap().keys() {
                let takes = |known: &&&str| known.trim_start_matches('?').split('?').next() == Some(parameter);
                assert!(target.parameters.iter().find(takes).is_some(), "{name}: {parameter}");
            }
            links += 1;
        }
    }
    assert!(links > 5);
}

#[test]
fn the_document_is_what_utoipa_reads_as_openapi_3_1() {
    let read: utoipa::openapi::OpenApi = serde_json::from_str(&document()).unwrap();
    assert_eq!(serde_json::to_value(read.openapi).unwrap(), "3.1.0");
    assert_eq!(read.paths.paths.len(), CALLS.len() - 3, "one path has three methods, and one has two");
}

#[test]
fn examples_are_of_their_type() {
    fn read<T: DeserializeOwned + ToSchema>() {
        let name = T::name();
        serde_json::from_value::<T>(examples::of(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    read::<SignatureRequest>();
    read::<SignatureAnswer>();
    read::<KeysAnswer>();
    read::<KeyAnswer>();
    read::<LimitsAnswer>();
    read::<EventsAnswer>();
    read::<EntryAnswer>();
    read::<ProofAnswer>();
    assert!(calls::parameter("request_id")["example"].as_str().unwrap().parse::<RequestId>().is_ok());
}

#[test]
fn every_problem_can_be_met_by_some_call() {
    let raised: Vec<_> = CALLS.iter().flat_map(|call| call.problems.iter().copied().flatten()).collect();
    for code in ProblemCode::ALL.into_iter().filter(|code| *code != ProblemCode::MethodNotAllowed) {
        assert!(raised.contains(&&code), "{}", code.name());
    }
}
