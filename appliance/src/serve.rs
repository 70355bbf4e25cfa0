//! From a configuration to a running appliance, in the order in which things must be proven: the log first, then the
//! tokens, then the listeners, and traffic last.

use std::{path::Path, sync::Arc, time::Duration};

use appliance_wire::{BootToken, LogKey, Scope, sha256_hex};
use hsm_types::PublicKey;
use service_manager::ServiceManager;
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    audit::{self, Archive, Audit, BootFacts, LogError, Mirror, Opened},
    config::{Config, DriverConfig, Profile},
    freezes::Freezes,
    metrics::Metrics,
    operations::{Addresses, Anchoring, Checkpoints, Cosignatures, FoundAnchor, Operations},
    refusal::Refusal,
    supervision::{keep_alive, keep_telling},
    tokens::{LOG_KEY, TokenState, Tokens, reserved},
    transport::{Admin, Certificates, Https, Limits, Monitor, TlsFiles, TransportError},
};

/// Why the appliance does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The log is refused.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A token waits for an operator: a refused PIN, say.
    #[error("token {token}: {reason}")]
    Token {
        /// Which.
        token: String,
        /// Why.
        reason: String,
    },
    /// The token is not the one this log was made with.
    #[error("{0}")]
    OtherToken(String),
    /// The log cannot be gone on with.
    #[error("{0}")]
    State(String),
    /// The log cannot be written.
    #[error("{}", .0.problem.detail)]
    Unwritable(Refusal),
    /// A listener cannot start.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The system refused something.
    #[error("{0}")]
    System(String),
}

impl ServeError {
    /// Whether starting again cannot mend it (exit status 78).
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Log(_) | Self::Token { .. } | Self::OtherToken(_) | Self::State(_) => true,
            // A port may be given back and an address may appear; a wrong certificate stays wrong.
            Self::Transport(error) => matches!(error, TransportError::Content { .. } | TransportError::NotLoopback(_)),
            Self::Unwritable(_) | Self::System(_) => false,
        }
    }
}

/// The file that runs, whatever has its name by now.
pub(crate) const THIS_PROGRAM: &str = "/proc/self/exe";
const TOKENS_OPEN_WITHIN: Duration = Duration::from_secs(20);
/// A call of a module that hangs is ended after 60 s, and the next token asked.
const LAST_REQUESTS: Duration = Duration::from_secs(150);
/// The devices' own logs, ours, and the anchor: two calls.
const LAST_ANCHOR: Duration = Duration::from_secs(150);

/// Serves until `stop`; reads the certificates again whenever `reload` is notified. The manager hears how it stands.
///
/// # Errors
/// [`ServeError`]: nothing was signed.
pub async fn serve(
    config: Config,
    stop: CancellationToken,
    reload: Arc<Notify>,
    manager: Arc<ServiceManager>,
) -> Result<(), ServeError> {
    let config = Arc::new(config);
    check_room(&config)?;
    let opened = open_log(&config).await?;
    check_officers(&config, &opened)?;
    check_mirror(&config, &opened).await?;
    let metrics = Arc::new(Metrics::default());
    let freezes = Arc::new(Freezes::new(opened.state().frozen.keys().cloned().collect()));
    for suspect in opened.state().unfrozen_suspects() {
        freezes.begin(Scope::Key(suspect.as_str().to_owned()));
    }
    let tokens = open_tokens(&config, &opened, &freezes, &metrics).await?;
    let checkpoints = checkpoints(&config, &opened, &tokens).await?;
    let (anchoring, found) =
        Anchoring::begin(&tokens, checkpoints.token(), &opened).await.map_err(ServeError::State)?;

    let (https, certificates) = bind_https(&config).await?;
    let monitor = match config.monitor_address {
        Some(address) => Some(Monitor::bind(address, Limits::monitor()).await?),
        None => None,
    };
    let admin = Admin::bind(&config.admin_socket, Limits::admin())?;
    let addresses = Addresses { watcher: Some(https.address()), monitor: monitor.as_ref().map(Monitor::address) };

    let facts = boot_facts(&config, &tokens, found).map_err(ServeError::System)?;
    let audit = opened.start(&config.state_directory, facts, Arc::clone(&metrics)).map_err(ServeError::Unwritable)?;
    let audit = Arc::new(audit);
    let mirror = start_mirror(&config, &audit)?;
    tokens.record_device_logs(Arc::clone(&audit));
    tokens.empty_device_logs().await;
    let cosignatures = Cosignatures::open(&config.state_directory, checkpoints.key().clone(), config.witnesses.clone());
    let in_token = (checkpoints, anchoring);
    let operations = Operations::new(config, audit, tokens, freezes, metrics, in_token, addresses.clone());
    let operations =
        Arc::new(operations.with_mirror(mirror).with_cosignatures(cosignatures).with_certificates(certificates));
    // The charge of this start is in the log: only a token that knows of it keeps it there.
    if let Err(reason) = operations.anchor_and_tell().await {
        tracing::warn!(reason, "nothing is accepted until the log's anchor is written");
    }
    tracing::info!(watcher = ?addresses.watcher, monitor = ?addresses.monitor, "listening");

    let anchoring = tokio::spawn(Arc::clone(&operations).keep_anchoring(stop.clone()));
    let background = tokio::spawn(Arc::clone(&operations).keep_checkpointing());
    let settling = tokio::spawn(Arc::clone(&operations).keep_settling());
    let resuming = tokio::spawn(Arc::clone(&operations).keep_resuming());
    let certificates = tokio::spawn(Arc::clone(&operations).keep_certificates(reload, Arc::clone(&manager)));
    let listeners = TaskTracker::new();
    listeners.spawn(https.serve(Arc::clone(&operations), stop.clone()));
    listeners.spawn(admin.serve(Arc::clone(&operations), stop.clone()));
    if let Some(monitor) = monitor {
        listeners.spawn(monitor.serve(Arc::clone(&operations), stop.clone()));
    }
    listeners.close();
    let telling = tokio::spawn(keep_telling(Arc::clone(&manager), Arc::clone(&operations), stop.clone()));
    let living = tokio::spawn(keep_alive(Arc::clone(&manager), Arc::clone(&operations)));
    listeners.wait().await;
    for task in [certificates, resuming, settling, background, telling, living] {
        task.abort();
    }
    manager.needs(LAST_REQUESTS);
    operations.finish_requests().await;
    anchoring.abort();
    let _ = anchoring.await;
    manager.needs(LAST_ANCHOR);
    operations.stop().await;
    if let Some(reason) = operations.refused_by_anchor() {
        return Err(ServeError::State(reason));
    }
    tracing::info!("stopped: everything is recorded");
    Ok(())
}

/// Before anything is opened: sled writes at once, and what it cannot write it takes for damage.
fn check_room(config: &Config) -> Result<(), ServeError> {
    if !config.state_directory.exists() {
        return Ok(()); // a refusal of its own
    }
    audit::check_room(&config.state_directory, 0)
        .map_err(|reason| ServeError::Unwritable(Refusal::log_unavailable(reason)))
}

/// Only profile `development` does without officers.
fn check_officers(config: &Config, opened: &Opened) -> Result<(), ServeError> {
    let has_none = opened.state().policy.as_ref().is_none_or(|policy| policy.officers.is_empty());
    if has_none && config.profile == Profile::Production {
        let reason = "the policy in force has no officers, which only profile development admits: begin the log with a \
                      ceremony and a policy that has some";
        return Err(ServeError::State(reason.to_owned()));
    }
    Ok(())
}

pub(crate) async fn open_log(config: &Arc<Config>) -> Result<Opened, ServeError> {
    let (directory, archive) = (config.state_directory.clone(), Archive::at(config.archive_directory.as_deref()));
    let opened = tokio::task::spawn_blocking(move || audit::open(&directory, archive)).await;
    let opened = opened.map_err(|error| ServeError::System(format!("opening the audit log: {error}")))??;
    let profile = opened.state().genesis.as_ref().map(|genesis| genesis.profile.as_str());
    if profile.is_some_and(|profile| profile != config.profile.name()) {
        let reason = format!(
            "the audit log was begun in profile {}, the configuration says {}: a log keeps its profile",
            profile.unwrap_or_default(),
            config.profile.name()
        );
        return Err(ServeError::State(reason));
    }
    Ok(opened)
}

/// A mirror that cannot be read costs the mirror; one that holds more than the log shows that the log was shortened.
async fn check_mirror(config: &Arc<Config>, opened: &Opened) -> Result<(), ServeError> {
    let Some(directory) = config.mirror_directory.clone() else { return Ok(()) };
    let (state, bytes) = (config.state_directory.clone(), opened.log().tip().bytes);
    let checked = tokio::task::spawn_blocking(move || audit::check_mirror(&state, &directory, bytes)).await;
    let checked = checked.map_err(|error| ServeError::System(format!("reading the mirror: {error}")))?;
    checked.map_err(|error| ServeError::State(error.to_string()))
}

fn start_mirror(config: &Config, audit: &Audit) -> Result<Option<Mirror>, ServeError> {
    let start = |directory| Mirror::start(Arc::clone(audit.log()), &config.state_directory, directory);
    let mirror = config.mirror_directory.as_deref().map(start).transpose();
    mirror.map_err(|error| ServeError::System(format!("starting the mirror's thread: {error}")))
}

async fn open_tokens(
    config: &Arc<Config>,
    opened: &Opened,
    freezes: &Arc<Freezes>,
    metrics: &Arc<Metrics>,
) -> Result<Tokens, ServeError> {
    let tokens = Tokens::new(config, Arc::clone(freezes), Arc::clone(metrics));
    tokens.know(opened.state().keys_in_tokens()).map_err(ServeError::State)?;
    let sealed = wait_for_tokens(&tokens, config).await?;
    // With one that may serve, the others wait for their operator as they would had it happened a day later.
    let all = sealed.len() == config.tokens.len();
    match sealed.into_iter().next().filter(|_| all) {
        Some(error) => Err(error),
        None => Ok(tokens),
    }
}

/// Opens the tokens and waits for the outcome: those that wait for an operator, each with why. One that is merely down
/// may come later.
pub(crate) async fn wait_for_tokens(tokens: &Tokens, config: &Arc<Config>) -> Result<Vec<ServeError>, ServeError> {
    tokens.open(config);
    let mut sealed = Vec::new();
    for token in tokens.all() {
        let waited = Arc::clone(token);
        let state = tokio::task::spawn_blocking(move || waited.opened(TOKENS_OPEN_WITHIN)).await;
        let state = state.map_err(|error| ServeError::System(format!("opening token {}: {error}", token.name())))?;
        if let TokenState::Sealed { reason } = state {
            sealed.push(ServeError::Token { token: token.name().to_owned(), reason });
        }
    }
    Ok(sealed)
}

/// The log key is pinned by the genesis; the token must have that one.
async fn checkpoints(config: &Config, opened: &Opened, tokens: &Tokens) -> Result<Checkpoints, ServeError> {
    let home = opened.state().log_home.as_ref();
    let home = home.ok_or_else(|| ServeError::State("the audit log has no genesis".to_owned()))?;
    let key = LogKey::parse(&home.log_key).map_err(|error| ServeError::State(error.to_string()))?;
    let label = reserved(LOG_KEY).map_err(ServeError::State)?;
    let token = tokens.token(&home.token).ok_or_else(|| {
        ServeError::OtherToken(format!("the log key is in token {}, which is not configured", home.token))
    })?;
    if token.info().is_some() {
        let found = tokens.public_key(&home.token, &label).await;
        let same = matches!(&found, Ok(PublicKey::Ed25519(found)) if found.as_bytes() == key.public());
        if !same {
            let found = found.map_or_else(|reason| reason, |found| found.to_string());
            return Err(ServeError::OtherToken(format!(
                "token {} is not the one this audit log was made with: its log key is {found}, the log pins {}. Bring the \
                 right token; where it is lost for ever, `chancery token replace`",
                home.token,
                hex::encode(key.public())
            )));
        }
    }
    Checkpoints::open(&config.state_directory, key, home.token.clone(), opened.log()).map_err(ServeError::State)
}

async fn bind_https(config: &Config) -> Result<(Https, Arc<Certificates>), TransportError> {
    let listener = &config.watcher_listener;
    let certificates = Certificates::load(&TlsFiles {
        certificate: listener.certificate.clone(),
        private_key: listener.private_key.clone(),
        client_ca: listener.client_ca.clone(),
        client_crl: listener.client_crl.clone(),
    })?;
    let https = Https::bind(listener.address, Arc::clone(&certificates), Limits::default()).await?;
    Ok((https, certificates))
}

fn boot_facts(config: &Config, tokens: &Tokens, anchor: FoundAnchor) -> Result<BootFacts, String> {
    let sha256 = |path: &Path| {
        std::fs::read(path).map(|bytes| sha256_hex(&bytes)).map_err(|error| format!("{}: {error}", path.display()))
    };
    let tokens = config.tokens.iter().map(|token| {
        let module_sha256 = match &token.driver {
            DriverConfig::Pkcs11 { module, .. } => Some(sha256(module)?),
            DriverConfig::Yubihsm { .. } => None,
        };
        let serial = tokens.token(&token.name).and_then(|token| token.info()).map(|info| info.serial);
        Ok(BootToken { name: token.name.clone(), serial, module_sha256 })
    });
    Ok(BootFacts {
        program_sha256: sha256(Path::new(THIS_PROGRAM))?,
        config_sha256: config.sha256.clone(),
        tokens: tokens.collect::<Result<_, String>>()?,
        anchored: anchor.is_written,
        unanchored_percent: anchor.charge_percent,
    })
}
