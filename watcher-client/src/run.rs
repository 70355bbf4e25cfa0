//! The daemon: journal, flows, the API for the exchange's backend and webhooks, until it is told to stop.
//!
//! What is done about deposits and withdrawals is in [`flows`](crate::flows); here is only how others reach it.

use std::{future::Future, net::SocketAddr, path::Path, pin::pin, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    select,
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::timeout,
};

use crate::{
    Client, Config, ConfigError, RunConfig,
    flows::{self, Board, FlowError},
    journal::Journal,
};

mod api;
mod body;
mod desk;
mod error;
pub(crate) mod log;
mod openapi;
pub(crate) mod problem;
mod server;
mod stream;
#[cfg(test)]
mod tests;
pub(crate) mod token;
mod webhook;
pub mod words;

use self::{desk::Desk, problem::causes, token::Token, webhook::Receiver};
pub use self::{
    error::RunError,
    openapi::document,
    problem::{ProblemCode, WatcherProblem},
};

/// For a step of the flows that is under way: what it waits for is repeated after the next start.
const LAST_STEP: Duration = Duration::from_secs(45);

/// A daemon that listens.
#[derive(Debug)]
pub struct Daemon {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    flows: JoinHandle<Result<(), FlowError>>,
    others: JoinSet<()>,
}

impl Daemon {
    /// Reads secrets, opens the journal, listens, and starts what serves the chains.
    ///
    /// # Errors
    /// See [`RunError`]. Nothing was done about any withdrawal then.
    pub async fn start(config: &Config, client: Client) -> Result<Self, RunError> {
        let run = needed(config)?;
        let token = Token::read(&run.token_file)?;
        let receivers = run.webhooks.iter().map(Receiver::new).collect::<Result<Vec<_>, _>>()?;
        let tls = run.tls.as_ref().map(server::acceptor).transpose()?;
        let journal = Journal::open(&run.journal)?;
        let failed = |source| RunError::Listen { address: run.listen, source };
        let listener = TcpListener::bind(run.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;

        let (stop, stopped) = watch::channel(false);
        let board = Board::default();
        let mut others = JoinSet::new();
        for receiver in &receivers {
            others.spawn(receiver.clone().deliver(journal.clone(), stopped.clone()));
        }
        let flows = tokio::spawn({
            let (config, journal) = (config.clone(), journal.clone());
            let (board, stopped) = (board.clone(), stopped.clone());
            async move { flows::serve(&config, client, journal, board, stopped).await }
        });
        let desk = Arc::new(Desk::new(config, journal, board, token, receivers, stopped.clone()));
        others.spawn(server::serve(listener, tls, api::router(desk), stopped));
        tracing::info!(%address, journal = %run.journal.display(), "the watcher serves");
        Ok(Self { address, stop, flows, others })
    }

    /// Where its API listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is there, then ends in order: the step that is under way, the requests in progress.
    ///
    /// # Errors
    /// See [`RunError`]: what no restart mends ends it before.
    pub async fn serve_until(mut self, stop: impl Future<Output = ()>) -> Result<(), RunError> {
        let mut stop = pin!(stop);
        let ended = select! {
            () = &mut stop => None,
            ended = &mut self.flows => Some(ended),
        };
        if matches!(ended, Some(Ok(Ok(())))) {
            // No chain has a task: the API is there all the same.
            stop.await;
        }
        self.stop.send_replace(true);
        let ended = match ended {
            Some(ended) => Ok(ended),
            None => timeout(LAST_STEP, &mut self.flows).await,
        };
        while self.others.join_next().await.is_some() {}
        match ended {
            Ok(Ok(ended)) => Ok(ended?),
            Ok(Err(panicked)) => Err(RunError::Ended(causes(&panicked))),
            Err(_) => {
                tracing::warn!("a step of the chains is cut off: it is repeated after the next start");
                self.flows.abort();
                Ok(())
            }
        }
    }
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// See [`RunError`].
pub async fn run(config: &Config, client: Client) -> Result<(), RunError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signals)?;
    let daemon = Daemon::start(config, client).await?;
    let asked = async {
        select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
    };
    daemon.serve_until(asked).await
}

fn needed(config: &Config) -> Result<&RunConfig, ConfigError> {
    let missing = |what: &str| ConfigError::new(Path::new("watcher.toml"), what);
    if config.chains.is_empty() {
        return Err(missing("has no `[[chain]]`: name at least one to serve"));
    }
    config.run.as_ref().ok_or_else(|| missing("has no `[run]`: add `listen` and `token_file` of the daemon's API"))
}
