//! `deposits` and `address`.

use std::{
    io::{self, Write},
    time::Duration,
};

use serde_json::Value;

use super::{
    Shown,
    arguments::daemon::Deposits,
    daemon::Daemon,
    failure::Failure,
    table::{row, table},
};
use crate::{
    journal::{Assigned, Deposit, DepositState},
    run::words::{CursorQuery, DepositsAnswer},
};

const EVERY: Duration = Duration::from_secs(1);

/// Page after page.
pub(super) async fn list(asked: &Deposits, daemon: &Daemon) -> Result<Shown, Failure> {
    let (mut deposits, mut next) = (Vec::new(), asked.after);
    loop {
        let page = page(asked, daemon, next).await?;
        next = page.next;
        if page.deposits.is_empty() {
            break;
        }
        deposits.extend(page.deposits);
    }
    let mut rows = vec![row(["cursor", "state", "chain", "asset", "amount", "for", "address", "memo", "deposit"])];
    rows.extend(deposits.iter().map(|deposit| words(deposit).to_vec()));
    let text = format!("{}go on with --after {next}\n", table(&rows));
    Shown::new(text, &DepositsAnswer { deposits, next })
}

/// A line for each change, until it is stopped or nobody reads it.
pub(super) async fn follow(asked: &Deposits, daemon: &Daemon, json: bool) -> Result<Shown, Failure> {
    let mut next = asked.after;
    loop {
        let page = page(asked, daemon, next).await?;
        next = page.next;
        for deposit in &page.deposits {
            let line =
                if json { serde_json::to_string(deposit).unwrap_or_default() } else { words(deposit).join("  ") };
            let mut out = io::stdout().lock();
            let written = writeln!(out, "{}", line.trim_end()).and_then(|()| out.flush());
            written.map_err(|error| Failure::Failed(format!("writing: {error}")))?;
        }
        if page.deposits.is_empty() {
            tokio::time::sleep(EVERY).await;
        }
    }
}

/// The address of a name, given out where it has none yet, and below it the memo without which nobody knows the payer.
pub(super) async fn address(daemon: &Daemon, name: &str, chain: &str) -> Result<Shown, Failure> {
    let assigned: Assigned = daemon.put(&["chains", chain, "addresses", name], None::<&Value>).await?;
    let memo = assigned.memo.as_ref().map(|memo| format!("memo {memo}\n")).unwrap_or_default();
    Shown::new(format!("{}\n{memo}", assigned.address), &assigned)
}

async fn page(asked: &Deposits, daemon: &Daemon, after: u64) -> Result<DepositsAnswer, Failure> {
    let query = CursorQuery { chain: asked.chain.clone(), after: Some(after), limit: Some(1_000) };
    Ok(daemon.get_with(&["deposits"], &query).await?)
}

fn words(deposit: &Deposit) -> [String; 9] {
    let state = match deposit.state {
        DepositState::Pending => "pending",
        DepositState::Creditable => "creditable",
        DepositState::Removed => "REMOVED",
    };
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    [
        deposit.cursor.to_string(),
        state.to_owned(),
        deposit.chain.clone(),
        deposit.asset.clone(),
        deposit.amount.to_string(),
        or_none(&deposit.assigned_to),
        deposit.address.clone(),
        or_none(&deposit.memo),
        deposit.id.clone(),
    ]
}
