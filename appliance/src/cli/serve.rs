//! `chancery serve`.

use std::{io::IsTerminal, path::Path, sync::Arc};

use service_manager::ServiceManager;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::Notify,
};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::Failure;
use crate::{
    config::Config,
    error_chain::chain,
    log_writer::{LastWords, LogWriter},
};

pub(super) fn run(config: &Path) -> Result<(), Failure> {
    let _last_words = start_log()?;
    let manager = Arc::new(ServiceManager::of_environment());
    let result = serve(config, &manager);
    if let Err(failure) = &result {
        manager.status(&format!("not serving: {}", failure.message()));
    }
    result
}

fn serve(config: &Path, manager: &Arc<ServiceManager>) -> Result<(), Failure> {
    let config = Config::load(config)?;
    let runtime = runtime()?;
    let result = runtime.block_on(async {
        let stop = CancellationToken::new();
        let (mut terminate, mut interrupt, mut hangup) = signals()?;
        let reload = Arc::new(Notify::new());
        tokio::spawn({
            let (stop, reload, manager) = (stop.clone(), Arc::clone(&reload), Arc::clone(manager));
            async move {
                loop {
                    tokio::select! {
                        _ = terminate.recv() => break,
                        _ = interrupt.recv() => break,
                        _ = hangup.recv() => reload.notify_one(),
                    }
                }
                tracing::info!("stopping: requests under way are finished first");
                manager.stopping("stopping: requests under way are finished first");
                stop.cancel();
            }
        });
        crate::serve::serve(config, stop, reload, Arc::clone(manager)).await.map_err(|error| {
            let message = chain(&error);
            if error.is_final() { Failure::fatal(message) } else { Failure::failed(message) }
        })
    });
    // Token supervisors sleep or wait for their workers; nothing of theirs is left to finish.
    runtime.shutdown_background();
    result
}

/// SIGTERM, SIGINT, SIGHUP.
pub(super) fn signals() -> Result<(Signal, Signal, Signal), Failure> {
    let on = |kind| signal(kind).map_err(|error| Failure::failed(format!("listening for signals: {error}")));
    Ok((on(SignalKind::terminate())?, on(SignalKind::interrupt())?, on(SignalKind::hangup())?))
}

/// One thread a core; blocking work has threads of its own.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Failure::failed(format!("starting: {error}")))
}

/// JSON lines, or text where a person watches. `CHANCERY_LOG` chooses the level.
fn start_log() -> Result<LastWords, Failure> {
    let filter = EnvFilter::try_from_env("CHANCERY_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let writer = LogWriter::start().map_err(|error| Failure::failed(format!("starting the log: {error}")));
    let (writer, last_words) = writer?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    if std::io::stderr().is_terminal() {
        log.with_target(false).init();
    } else {
        log.json().init();
    }
    Ok(last_words)
}
