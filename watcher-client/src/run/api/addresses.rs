//! Addresses for customers.

use std::sync::Arc;

use axum::{extract::State, response::Response};

use super::{json, page};
use crate::{
    flows::memo_name,
    journal::{Journal, JournalError},
    run::{
        body::{Asked, Named},
        desk::Desk,
        problem::{ProblemCode, Refusal, causes},
        words::{AddressesQuery, AssignedAnswer},
    },
};

const LONGEST_NAME: usize = 200;

/// The same name is the same address, for ever; where there is one address for all, the same memo.
pub(super) async fn assign(
    State(desk): State<Arc<Desk>>,
    Named((chain, name)): Named<(String, String)>,
) -> Result<Response, Refusal> {
    let config = desk.chain(&chain)?;
    if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        let detail = format!("a name is at most {LONGEST_NAME} characters, without control characters");
        return Err(Refusal::malformed(detail));
    }
    let assigned = if config.network.has_children() {
        desk.journal.off(move |journal| journal.assign(&chain, &name)).await
    } else {
        memo_name(&name).map_err(|why| Refusal::new(ProblemCode::Invalid, why))?;
        let key = config.key.clone();
        desk.journal.off(move |journal| journal.assign_memo(&chain, &name, &key)).await
    };
    json(&assigned.map_err(|error| {
        // The pool is empty, or the chain not begun: both pass.
        let is_passing = matches!(error, JournalError::Refused(_));
        if is_passing { Refusal::new(ProblemCode::NotReady, causes(&error)) } else { error.into() }
    })?)
}

pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    Named(chain): Named<String>,
    Asked(asked): Asked<AddressesQuery>,
) -> Result<Response, Refusal> {
    let has_children = desk.chain(&chain)?.network.has_children();
    let most = page(asked.limit)?;
    let given_out = move |journal: &Journal| {
        let after = asked.after.as_deref();
        if has_children { journal.assigned(&chain, after, most) } else { journal.memos(&chain, after, most) }
    };
    let addresses = desk.off(given_out).await?;
    let next = addresses.last().filter(|_| addresses.len() == most).map(|last| last.name.clone());
    json(&AssignedAnswer { addresses, next })
}
