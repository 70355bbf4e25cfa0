//! The daemon: journal, flows, the API for the exchange's backend and webhooks, until it is told to stop.
//!
//! What is done about deposits and withdrawals is in [`flows`](crate::flows); here is only how others reach it.

use std::{future::Future, net::SocketAddr, path::Path, pin::pin, sync::Arc, time::Duration};

use rustls::ServerConfig;
use service_manager::ServiceManager;
use tokio::{
    net::TcpListener,
    select,
    signal::unix::{Signal, SignalKind, signal},
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
mod metrics;
mod openapi;
pub(crate) mod problem;
mod served;
mod server;
mod stream;
mod supervision;
#[cfg(test)]
mod tests;
pub(crate) mod token;
mod webhook;
pub mod words;

use self::{desk::Desk, problem::causes, supervision::Standing, token::Token, webhook::Receiver};
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
    standing: Standing,
    certificates: Certificates,
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
        let (tls, shown) = watch::channel(run.tls.as_ref().map(server::config).transpose()?);
        let certificates = Certificates { config: config.clone(), client: client.clone(), tls };
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
        let standing = Standing::new(config, board.clone(), journal.clone());
        let desk = Arc::new(Desk::new(config, journal, board, token, receivers, stopped.clone()));
        others.spawn(server::serve(listener, shown, api::router(desk), stopped));
        tracing::info!(%address, journal = %run.journal.display(), "the watcher serves");
        Ok(Self { address, standing, certificates, stop, flows, others })
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

/// What it shows the signer, whom it believes there, and what its API shows.
#[derive(Clone, Debug)]
struct Certificates {
    config: Config,
    client: Client,
    tls: watch::Sender<Option<Arc<ServerConfig>>>,
}

impl Certificates {
    /// For connections to come. What cannot be used is refused as a whole.
    fn reload(&self) -> Result<(), ConfigError> {
        let tls = needed(&self.config)?.tls.as_ref().map(server::config).transpose()?;
        self.client.reload(&self.config)?;
        self.tls.send_replace(tls);
        Ok(())
    }
}

/// Serves until SIGTERM or SIGINT; reads the certificates again on SIGHUP. The service manager hears how it stands.
///
/// # Errors
/// See [`RunError`].
pub async fn run(config: &Config, client: Client) -> Result<(), RunError> {
    let manager = Arc::new(ServiceManager::of_environment());
    let ended = run_told(config, client, &manager).await;
    if let Err(error) = &ended {
        manager.status(&format!("not serving: {}", causes(error)));
    }
    ended
}

async fn run_told(config: &Config, client: Client, manager: &Arc<ServiceManager>) -> Result<(), RunError> {
    let on = |kind| signal(kind).map_err(RunError::Signals);
    let (terminate, interrupt) = (on(SignalKind::terminate())?, on(SignalKind::interrupt())?);
    let hangup = on(SignalKind::hangup())?;
    let mut daemon = Daemon::start(config, client).await?;
    let standing = daemon.standing.clone();
    daemon.others.spawn(standing.clone().keep_telling(Arc::clone(manager), daemon.stop.subscribe()));
    daemon.others.spawn(standing.clone().keep_alive(Arc::clone(manager), daemon.stop.subscribe()));
    let certificates = daemon.certificates.clone();
    daemon.serve_until(asked_to_stop([terminate, interrupt], hangup, certificates, standing, manager)).await
}

/// Until one of `ends`; each `hangup` is answered meanwhile.
async fn asked_to_stop(
    ends: [Signal; 2],
    mut hangup: Signal,
    certificates: Certificates,
    standing: Standing,
    manager: &ServiceManager,
) {
    let [mut terminate, mut interrupt] = ends;
    loop {
        select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => {}
        }
        manager.reloading();
        match certificates.reload() {
            Ok(()) => tracing::info!("the certificates were read again and are in force"),
            Err(error) => {
                let reason = causes(&error);
                tracing::error!(reason, "the certificates are not replaced: those read before stay in force");
            }
        }
        manager.ready(&standing.in_a_sentence());
    }
    tracing::info!("stopping");
    manager.stopping("stopping: the step under way is finished first");
}

fn needed(config: &Config) -> Result<&RunConfig, ConfigError> {
    let missing = |what: &str| ConfigError::new(Path::new("watcher.toml"), what);
    if config.chains.is_empty() {
        return Err(missing("has no `[[chain]]`: name at least one to serve"));
    }
    config.run.as_ref().ok_or_else(|| missing("has no `[run]`: add `listen` and `token_file` of the daemon's API"))
}
