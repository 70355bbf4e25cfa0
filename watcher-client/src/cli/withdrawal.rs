//! `withdrawal ...`: what the daemon knows of withdrawals, and what is asked of it.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::Duration,
};

use serde::Serialize;

use super::{
    Shown,
    arguments::daemon::{Create, List, WithdrawalOfDaemon},
    daemon::Daemon,
    failure::Failure,
    table::{row, table},
};
use crate::{
    Client,
    flows::Portable,
    journal::{WithdrawalState, WithdrawalView},
    run::{
        problem::causes,
        words::{WithdrawalRequest, WithdrawalsAnswer, WithdrawalsQuery},
    },
};

mod timeline;

use timeline::{plain, timeline};

const EVERY: Duration = Duration::from_secs(1);

pub(super) async fn run(command: &WithdrawalOfDaemon, daemon: &Daemon, json: bool) -> Result<Shown, Failure> {
    match command {
        WithdrawalOfDaemon::Create(asked) => create(asked, daemon, json).await,
        WithdrawalOfDaemon::Show { id, watch: false } => shown(&find(daemon, id).await?),
        WithdrawalOfDaemon::Show { id, watch: true } => watch(daemon, id, json).await,
        WithdrawalOfDaemon::List(asked) => list(asked, daemon).await,
        WithdrawalOfDaemon::Bump { id } => shown(&daemon.post(&["withdrawals", id, "bump"], None::<&()>).await?),
        WithdrawalOfDaemon::Cancel { id } => shown(&daemon.post(&["withdrawals", id, "cancel"], None::<&()>).await?),
        WithdrawalOfDaemon::Export { id, out } => {
            let portable: Portable = daemon.get(&["withdrawals", id, "export"]).await?;
            write(out, &portable)?;
            let text = format!("{id}: written to {}; sign it where the signer is\n", out.display());
            Shown::new(text, &serde_json::json!({ "id": id, "file": out }))
        }
        WithdrawalOfDaemon::Import { file } => {
            let portable = read(file)?;
            shown(&daemon.post(&["withdrawals", "import"], Some(&portable)).await?)
        }
    }
}

async fn find(daemon: &Daemon, id: &str) -> Result<WithdrawalView, Failure> {
    Ok(daemon.get(&["withdrawals", id]).await?)
}

fn shown(view: &WithdrawalView) -> Result<Shown, Failure> {
    Shown::new(timeline(view), view)
}

async fn create(asked: &Create, daemon: &Daemon, json: bool) -> Result<Shown, Failure> {
    let request = WithdrawalRequest {
        chain: asked.chain.clone(),
        asset: asked.asset.clone(),
        destination: asked.to.clone(),
        amount: asked.amount.clone(),
        memo: asked.memo.clone(),
    };
    let view: WithdrawalView = daemon.put(&["withdrawals", asked.id.as_str()], Some(&request)).await?;
    if asked.wait { watch(daemon, asked.id.as_str(), json).await } else { shown(&view) }
}

/// Shows what is new whenever there is something, until it is settled. Ends well where it paid.
async fn watch(daemon: &Daemon, id: &str, json: bool) -> Result<Shown, Failure> {
    let mut told = String::new();
    loop {
        let view = find(daemon, id).await?;
        if view.state.is_settled() {
            let mut last = shown(&view)?;
            last.failure = (view.state != WithdrawalState::Confirmed)
                .then(|| Failure::Failed(format!("{id} is {}: it pays nobody", plain(&view.state))));
            return Ok(last);
        }
        let now = timeline(&view);
        if now != told && !json {
            let mut out = io::stdout().lock();
            let written = writeln!(out, "{now}").and_then(|()| out.flush());
            written.map_err(|error| Failure::Failed(format!("writing: {error}")))?;
        }
        told = now;
        tokio::time::sleep(EVERY).await;
    }
}

async fn list(asked: &List, daemon: &Daemon) -> Result<Shown, Failure> {
    let mut withdrawals: Vec<WithdrawalView> = Vec::new();
    let mut query = WithdrawalsQuery {
        chain: asked.chain.clone(),
        state: asked.state,
        open: Some(asked.open),
        after: None,
        limit: Some(1_000),
    };
    loop {
        let page: WithdrawalsAnswer = daemon.get_with(&["withdrawals"], &query).await?;
        withdrawals.extend(page.withdrawals);
        query.after = page.next.map(Into::into);
        if query.after.is_none() {
            break;
        }
    }
    let mut rows = vec![row(["withdrawal", "chain", "state", "amount", "asset", "destination", ""])];
    for one in &withdrawals {
        let amount = one.amount.as_ref().map_or("all".to_owned(), ToString::to_string);
        let waits = one.waiting.as_ref().map(|waiting| format!("waits: {}", waiting.why)).unwrap_or_default();
        let state = plain(&one.state);
        rows.push(row([one.id.as_str(), &one.chain, &state, &amount, &one.asset, &one.destination, &waits]));
    }
    let text = if withdrawals.is_empty() { "no withdrawal\n".to_owned() } else { table(&rows) };
    Shown::new(text, &WithdrawalsAnswer { withdrawals, next: None })
}

/// Asks the signer, and neither node nor daemon.
pub(super) async fn sign(client: &Client, file: &Path, out: &Path) -> Result<Shown, Failure> {
    let signed = read(file)?.sign(client).await.map_err(|error| Failure::Failed(causes(&error)))?;
    write(out, &signed)?;
    let id = &signed.withdrawal.id;
    let text = format!("{id}: signed and written to {}; import it where the daemon is\n", out.display());
    Shown::new(text, &serde_json::json!({ "id": id, "file": out, "entry": signed.entry }))
}

fn read(file: &Path) -> Result<Portable, Failure> {
    let failed = |what: String| Failure::Failed(format!("{}: {what}", file.display()));
    let text = std::fs::read(file).map_err(|error| failed(error.to_string()))?;
    serde_json::from_slice(&text).map_err(|error| failed(format!("no exported withdrawal: {error}")))
}

/// A file for its owner alone: what is signed could be sent by anybody.
fn write(file: &Path, portable: &impl Serialize) -> Result<(), Failure> {
    let failed = |what: String| Failure::Failed(format!("writing {}: {what}", file.display()));
    let text = serde_json::to_vec_pretty(portable).map_err(|error| failed(error.to_string()))?;
    let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file);
    let written = opened.and_then(|mut opened| {
        opened.write_all(&text)?;
        opened.sync_all()
    });
    written.map_err(|error| failed(error.to_string()))
}
