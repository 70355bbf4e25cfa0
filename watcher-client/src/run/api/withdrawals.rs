//! Withdrawals: wanted by id, shown, listed, bumped, cancelled.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use reqwest::StatusCode;

use super::{json, json_with, page};
use crate::{
    Network,
    chains::solana::FIXED,
    flows::{Wanted, order},
    journal::{Creation, Filter, Wish, Withdrawal, WithdrawalId, WithdrawalView},
    run::{
        body::{Asked, Json, Named},
        desk::{Desk, tip},
        problem::{ProblemCode, Refusal},
        words::{WithdrawalRequest, WithdrawalsAnswer, WithdrawalsQuery},
    },
};

/// The same id and content is the same withdrawal, for ever.
pub(super) async fn put(
    State(desk): State<Arc<Desk>>,
    Named(id): Named<String>,
    Json(wanted): Json<WithdrawalRequest>,
) -> Result<Response, Refusal> {
    let id: WithdrawalId = id.parse().map_err(Refusal::malformed)?;
    let chain = desk.chain(&wanted.chain)?;
    let WithdrawalRequest { asset, destination, amount, memo, .. } = wanted;
    let order = order(chain, &Wanted { asset, destination, amount, memo });
    let order = order.map_err(|why| Refusal::new(ProblemCode::Invalid, why))?;
    let name = chain.name.clone();
    let (status, withdrawal) = match desk.off(move |journal| journal.create(&id, &name, &order)).await? {
        Creation::New(withdrawal) => (StatusCode::CREATED, withdrawal),
        Creation::Same(withdrawal) => (StatusCode::OK, withdrawal),
    };
    json_with(status, &view(&desk, withdrawal).await?)
}

pub(super) async fn show(State(desk): State<Arc<Desk>>, Named(id): Named<String>) -> Result<Response, Refusal> {
    let id = known(id)?;
    let withdrawal = desk.off(move |journal| journal.withdrawal(&id)).await?;
    json(&view(&desk, withdrawal).await?)
}

pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    Asked(asked): Asked<WithdrawalsQuery>,
) -> Result<Response, Refusal> {
    let most = page(asked.limit)?;
    if let Some(chain) = &asked.chain {
        desk.chain(chain)?;
    }
    let filter = Filter {
        chain: asked.chain,
        state: asked.state,
        open: asked.open.unwrap_or_default(),
        after: asked.after.map(known).transpose()?,
    };
    let found = desk.off(move |journal| journal.withdrawals(&filter, most)).await?;
    let next = found.last().filter(|_| found.len() == most).map(|last| last.id.clone());
    let mut withdrawals = Vec::with_capacity(found.len());
    for withdrawal in found {
        withdrawals.push(WithdrawalView { history: Vec::new(), ..view(&desk, withdrawal).await? });
    }
    json(&WithdrawalsAnswer { withdrawals, next })
}

pub(super) async fn bump(State(desk): State<Arc<Desk>>, Named(id): Named<String>) -> Result<Response, Refusal> {
    wish(&desk, id, Wish::Bump).await
}

pub(super) async fn cancel(State(desk): State<Arc<Desk>>, Named(id): Named<String>) -> Result<Response, Refusal> {
    wish(&desk, id, Wish::Cancel).await
}

async fn wish(desk: &Desk, id: String, wish: Wish) -> Result<Response, Refusal> {
    let id = known(id)?;
    let of = id.clone();
    let withdrawal = desk.off(move |journal| journal.withdrawal(&of)).await?;
    if is_fixed(desk, &withdrawal, wish) {
        return Err(Refusal::new(ProblemCode::NotPossible, format!("{id}: {FIXED}")));
    }
    let withdrawal = desk.off(move |journal| journal.wish(&id, wish)).await?;
    json(&view(desk, withdrawal).await?)
}

/// Whether the chain could only give the wish up later.
fn is_fixed(desk: &Desk, withdrawal: &Withdrawal, wish: Wish) -> bool {
    let has_no_variants = desk.chain(&withdrawal.chain).is_ok_and(|chain| chain.network == Network::Solana);
    let is_signed = withdrawal.transactions.iter().any(|transaction| transaction.signed.is_some());
    has_no_variants && !withdrawal.state.is_settled() && (wish == Wish::Bump || is_signed)
}

/// An id that a withdrawal may have, the watcher's own too.
pub(super) fn known(id: String) -> Result<WithdrawalId, Refusal> {
    WithdrawalId::try_from(id).map_err(Refusal::malformed)
}

/// As it is shown.
pub(super) async fn view(desk: &Desk, withdrawal: Withdrawal) -> Result<WithdrawalView, Refusal> {
    let board = desk.board.clone();
    // A chain may have left the config.
    let needed = desk.chain(&withdrawal.chain).ok().map(|chain| chain.confirmations);
    desk.off(move |journal| {
        let tip = tip(journal, &board, &withdrawal.chain)?;
        Ok(WithdrawalView::of(&withdrawal, tip, needed))
    })
    .await
}
