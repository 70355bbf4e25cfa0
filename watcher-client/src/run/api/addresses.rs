//! Addresses for customers.

use std::sync::Arc;

use axum::{extract::State, response::Response};

use super::{json, page};
use crate::{
    journal::JournalError,
    run::{
        body::{Asked, Named},
        desk::Desk,
        problem::{ProblemCode, Refusal, causes},
        words::{AddressesQuery, AssignedAnswer},
    },
};

const LONGEST_NAME: usize = 200;

/// The same name is the same address, for ever.
pub(super) async fn assign(
    State(desk): State<Arc<Desk>>,
    Named((chain, name)): Named<(String, String)>,
) -> Result<Response, Refusal> {
    desk.chain(&chain)?;
    if name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
        let detail = format!("a name is at most {LONGEST_NAME} bytes, without control characters");
        return Err(Refusal::malformed(detail));
    }
    let assigned = desk.journal.off(move |journal| journal.assign(&chain, &name)).await;
    json(&assigned.map_err(|error| {
        // The pool is empty: it is filled again.
        let is_passing = matches!(error, JournalError::Refused(_));
        if is_passing { Refusal::new(ProblemCode::NotReady, causes(&error)) } else { error.into() }
    })?)
}

pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    Named(chain): Named<String>,
    Asked(asked): Asked<AddressesQuery>,
) -> Result<Response, Refusal> {
    desk.chain(&chain)?;
    let most = page(asked.limit)?;
    let addresses = desk.off(move |journal| journal.assigned(&chain, asked.after.as_deref(), most)).await?;
    let next = addresses.last().filter(|_| addresses.len() == most).map(|last| last.name.clone());
    json(&AssignedAnswer { addresses, next })
}
