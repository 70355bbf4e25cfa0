//! Deposits after a cursor.

use std::sync::Arc;

use axum::{extract::State, response::Response};

use super::{cursor, json, page};
use crate::run::{
    body::Asked,
    desk::Desk,
    problem::Refusal,
    words::{CursorQuery, DepositsAnswer},
};

pub(super) async fn list(State(desk): State<Arc<Desk>>, Asked(asked): Asked<CursorQuery>) -> Result<Response, Refusal> {
    let (most, after) = (page(asked.limit)?, cursor(asked.after)?);
    if let Some(chain) = &asked.chain {
        desk.chain(chain)?;
    }
    let deposits = desk.off(move |journal| journal.deposits(asked.chain.as_deref(), after, most)).await?;
    let next = deposits.last().map_or(after, |last| last.cursor);
    json(&DepositsAnswer { deposits, next })
}
