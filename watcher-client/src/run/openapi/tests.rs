//! The document is committed, and complete in itself.

use std::{env, fs, path::Path};

use appliance_wire::openapi::{broken_references, references};

use super::*;

#[test]
fn the_committed_copy_of_the_openapi_document_is_the_document() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/watcher-openapi.json");
    if env::var_os("UPDATE").is_some_and(|update| update == "1") {
        fs::write(&file, document()).unwrap();
    }
    let committed: Value = serde_json::from_slice(&fs::read(&file).unwrap_or_default()).unwrap_or_default();
    assert!(
        committed == whole(),
        "docs/watcher-openapi.json is not what the code says; `UPDATE=1 cargo test -p watcher-client openapi` rewrites it"
    );
}

#[test]
fn every_reference_of_the_openapi_document_leads_somewhere() {
    let document = whole();
    assert!(references(&document).len() > 50);
    assert_eq!(broken_references(&document), [""; 0]);
}

#[test]
fn utoipa_reads_the_document_as_openapi_3_1() {
    let read: utoipa::openapi::OpenApi = serde_json::from_str(&document()).unwrap();
    assert_eq!(serde_json::to_value(read.openapi).unwrap(), "3.1.0");
    assert_eq!(read.paths.paths.len(), CALLS.len() - 1, "one path has two methods");
}

#[test]
fn every_problem_can_be_met_by_some_call() {
    let raised: Vec<_> = CALLS.iter().flat_map(|call| call.problems.iter().copied().flatten()).collect();
    let of_no_call = [ProblemCode::MethodNotAllowed, ProblemCode::NotFound];
    for code in ProblemCode::ALL.into_iter().filter(|code| !of_no_call.contains(code)) {
        assert!(raised.contains(&&code), "{}", code.name());
    }
}
