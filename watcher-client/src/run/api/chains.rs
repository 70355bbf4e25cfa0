//! Where the watcher stands on each chain.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use reqwest::StatusCode;

use super::{json, json_with};
use crate::{
    ChainConfig,
    journal::{Journal, JournalError},
    run::{
        body::Named,
        desk::Desk,
        problem::{ProblemCode, Refusal},
        words::{ChainView, ChainsAnswer, OldestView, ReceiverView},
    },
};

pub(super) async fn list(State(desk): State<Arc<Desk>>) -> Result<Response, Refusal> {
    let (chains, receivers) = standing(&desk).await?;
    let receivers = receivers.into_iter().map(|(view, _)| view).collect();
    json(&ChainsAnswer { chains, receivers })
}

/// Every chain, and every webhook with how often an event was not taken.
pub(in crate::run) async fn standing(desk: &Desk) -> Result<(Vec<ChainView>, Vec<(ReceiverView, u64)>), Refusal> {
    let mut chains = Vec::with_capacity(desk.chains.len());
    for chain in &desk.chains {
        chains.push(view(desk, chain).await?);
    }
    let last = *desk.journal.follow().borrow();
    let mut receivers = Vec::with_capacity(desk.receivers.len());
    for receiver in desk.receivers.clone() {
        let failures = receiver.failures();
        receivers.push((desk.off(move |journal| receiver.view(journal, last)).await?, failures));
    }
    Ok((chains, receivers))
}

pub(super) async fn show(State(desk): State<Arc<Desk>>, Named(chain): Named<String>) -> Result<Response, Refusal> {
    json(&view(&desk, desk.chain(&chain)?).await?)
}

/// Goes on after an alarm: the chain's task does it at its next step, when its node answers.
pub(super) async fn resume(State(desk): State<Arc<Desk>>, Named(chain): Named<String>) -> Result<Response, Refusal> {
    let chain = desk.chain(&chain)?;
    let view = view(&desk, chain).await?;
    if view.alarm.is_none() {
        let detail = format!("chain {} has no alarm to go on from", chain.name);
        return Err(Refusal::new(ProblemCode::NotPossible, detail));
    }
    desk.board.ask_to_resume(&chain.name);
    json_with(StatusCode::ACCEPTED, &view)
}

async fn view(desk: &Desk, chain: &ChainConfig) -> Result<ChainView, Refusal> {
    let (board, name, network) = (desk.board.clone(), chain.name.clone(), chain.network_name());
    let has_children = chain.network.has_children();
    desk.off(move |journal| {
        let mut view = of_journal(journal, name, network, has_children)?;
        let standing = board.standing(&view.name);
        let node = standing.node_tip.map(|tip| tip.behind.unwrap_or_default().max(tip.block.height));
        view.lag_blocks = node.zip(view.height).map(|(node, height)| node.saturating_sub(height));
        view.reachable = standing.reachable;
        view.trouble = standing.trouble;
        Ok(view)
    })
    .await
}

/// All of it that the journal knows.
fn of_journal(journal: &Journal, name: String, network: String, has_children: bool) -> Result<ChainView, JournalError> {
    let books = journal.chain(&name)?;
    let counts = journal.counts(&name)?;
    let now = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default();
    Ok(ChainView {
        network,
        reachable: false,
        trouble: None,
        height: books.tip.as_ref().map(|tip| tip.block.height),
        safe: books.safe,
        lag_blocks: None,
        lag_seconds: books.tip.map(|tip| now.saturating_sub(tip.time_s)),
        pending_deposits: counts.pending_deposits,
        unconfirmed_withdrawals: counts.open_withdrawals,
        oldest: counts.oldest.map(|(id, since)| OldestView { id, since }),
        pool: if has_children { Some(journal.pool(&name)?) } else { None },
        alarm: books.alarm,
        name,
    })
}
