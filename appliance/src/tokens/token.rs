//! One token: whether it can be asked, and the worker that is asked.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use hsm_drivers::{DeviceInfo, worker::Worker};
use hsm_types::{KeyLabel, PublicKey};

use super::{device_log::DeviceLog, holding::Holdings, line::Line, load::Load};

/// Where a token stands.
#[derive(Clone, Debug)]
pub enum TokenState {
    /// The first opening is under way.
    Opening,
    /// It signs.
    Up(Arc<Up>),
    /// It failed and is opened again after a while.
    Down {
        /// Why.
        reason: String,
    },
    /// It is left alone until a person has acted: its PIN was refused, say.
    Sealed {
        /// Why.
        reason: String,
    },
}

/// An open token.
#[derive(Debug)]
pub struct Up {
    /// The way to its worker.
    pub(super) line: Line,
    /// What it says of itself.
    pub info: DeviceInfo,
    /// The keys of the log it holds; more come in with a policy.
    pub(super) holdings: RwLock<Holdings>,
    /// Public half of the self-test key.
    pub self_test_key: PublicKey,
}

impl Up {
    /// Keys of the log it does not hold as the log says, with why.
    #[must_use]
    pub fn unfit(&self) -> Vec<(KeyLabel, String)> {
        let holdings = self.holdings.read().unwrap_or_else(PoisonError::into_inner);
        holdings.iter().filter_map(|(key, fit)| Some((key.clone(), fit.clone().err()?))).collect()
    }

    /// Empties the device's own log whenever it must be, where it keeps one.
    pub(super) async fn keep_device_log(self: Arc<Self>) {
        if let Some(log) = &self.line.device_log {
            log.keep(&self.line.worker).await;
        }
    }

    pub(super) fn want_device_log(&self) {
        self.line.device_log.iter().for_each(DeviceLog::want);
    }

    pub(super) fn holds(&self, key: &KeyLabel) -> Option<Result<(), String>> {
        self.holdings.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    pub(super) fn note(&self, key: KeyLabel, fit: Result<(), String>) {
        self.holdings.write().unwrap_or_else(PoisonError::into_inner).insert(key, fit);
    }
}

/// One configured token.
#[derive(Debug)]
pub struct Token {
    name: String,
    pub(super) load: Load,
    state: Mutex<TokenState>,
    changed: Condvar,
}

impl Token {
    pub(super) fn new(name: String) -> Self {
        Self { name, load: Load::default(), state: Mutex::new(TokenState::Opening), changed: Condvar::new() }
    }

    /// Its name in the config.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> TokenState {
        self.lock().clone()
    }

    /// Waits until the first opening has come to something. Blocks; for use before the listeners start.
    #[must_use]
    pub fn opened(&self, deadline: Duration) -> TokenState {
        let opening = |state: &mut TokenState| matches!(state, TokenState::Opening);
        let (state, _) =
            self.changed.wait_timeout_while(self.lock(), deadline, opening).unwrap_or_else(PoisonError::into_inner);
        state.clone()
    }

    /// What it says of itself, where it is open.
    #[must_use]
    pub fn info(&self) -> Option<DeviceInfo> {
        match &*self.lock() {
            TokenState::Up(up) => Some(up.info.clone()),
            TokenState::Opening | TokenState::Down { .. } | TokenState::Sealed { .. } => None,
        }
    }

    /// Process id of its worker, where it is open.
    #[must_use]
    pub fn worker_pid(&self) -> Option<u32> {
        self.worker().map(|up| up.pid())
    }

    /// Why it cannot be asked.
    #[must_use]
    pub fn down_reason(&self) -> String {
        match &*self.lock() {
            TokenState::Opening => format!("token {} is being opened", self.name),
            TokenState::Up(_) => format!("token {} ended, or was opened, just now", self.name),
            TokenState::Down { reason } => format!("token {} is down: {reason}", self.name),
            TokenState::Sealed { reason } => format!("token {} waits for an operator: {reason}", self.name),
        }
    }

    pub(super) fn ready(&self, key: &KeyLabel) -> Result<(), String> {
        let up = self.worker().ok_or_else(|| self.down_reason())?;
        match up.holds(key) {
            Some(Ok(())) => Ok(()),
            Some(Err(reason)) => Err(format!("key {key} in token {} may not serve: {reason}", self.name)),
            None => Err(format!("token {} does not hold key {key}", self.name)),
        }
    }

    pub(super) fn worker(&self) -> Option<Arc<Up>> {
        match &*self.lock() {
            // The supervisor learns of an end a moment later than those it was asked by.
            TokenState::Up(up) if !up.is_gone() => Some(Arc::clone(up)),
            TokenState::Up(_) | TokenState::Opening | TokenState::Down { .. } | TokenState::Sealed { .. } => None,
        }
    }

    pub(super) fn self_test_key(&self) -> Option<PublicKey> {
        self.worker().map(|up| up.self_test_key.clone())
    }

    pub(super) fn set(&self, state: TokenState) {
        *self.lock() = state;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, TokenState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::ops::Deref for Up {
    type Target = Worker;

    fn deref(&self) -> &Worker {
        &self.line.worker
    }
}
