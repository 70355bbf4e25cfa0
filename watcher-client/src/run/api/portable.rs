//! Withdrawals as files: signed elsewhere, taken in again.

use std::sync::Arc;

use axum::{extract::State, response::Response};

use super::{json, withdrawals};
use crate::{
    flows::Portable,
    run::{
        body::{Json, LARGE, Named},
        desk::Desk,
        problem::{ProblemCode, Refusal, causes},
    },
};

pub(super) async fn export(State(desk): State<Arc<Desk>>, Named(id): Named<String>) -> Result<Response, Refusal> {
    let id = withdrawals::known(id)?;
    // That there is one, in the journal's words; then what may be in the way.
    desk.off({
        let id = id.clone();
        move |journal| journal.withdrawal(&id)
    })
    .await?;
    let exported = desk.off(move |journal| Ok(Portable::export(journal, &id))).await?;
    json(&exported.map_err(|error| Refusal::new(ProblemCode::NotPossible, causes(&error)))?)
}

/// `POST /v1/withdrawals/import`.
pub(super) async fn import(
    State(desk): State<Arc<Desk>>,
    Json(portable): Json<Portable, LARGE>,
) -> Result<Response, Refusal> {
    desk.chain(&portable.withdrawal.chain)?;
    let imported = desk.off(move |journal| Ok(portable.import(journal))).await?;
    let withdrawal = imported.map_err(|error| Refusal::new(ProblemCode::NotPossible, causes(&error)))?;
    json(&withdrawals::view(&desk, withdrawal).await?)
}
