//! The thread that keeps one token open, and starts over when its worker ends.

use std::{sync::Arc, thread, time::Duration};

use tokio::runtime::Handle;

use super::{
    device_log::Accountant,
    opening::{self, Refused},
    ring::Ring,
    token::{Token, TokenState, Up},
};
use crate::config::{Config, TokenConfig};

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Runs for the life of the process.
pub(super) fn spawn(
    config: Arc<Config>,
    place: usize,
    token: Arc<Token>,
    ring: Arc<Ring>,
    accountant: Arc<Accountant>,
) {
    let (supervised, runtime) = (Arc::clone(&token), Handle::current());
    let thread = thread::Builder::new().name(format!("token-{}", token.name()));
    let spawned = thread.spawn(move || {
        if let Some(settings) = config.tokens.get(place) {
            supervise(&runtime, &config, settings, &supervised, &ring, &accountant);
        }
    });
    if let Err(error) = spawned {
        token.set(TokenState::Sealed { reason: format!("no thread for it: {error}") });
    }
}

fn supervise(
    runtime: &Handle,
    config: &Config,
    settings: &TokenConfig,
    token: &Token,
    ring: &Ring,
    accountant: &Arc<Accountant>,
) {
    let mut pause = FIRST_PAUSE;
    let mut caveats = Vec::new();
    loop {
        match runtime.block_on(opening::open(config, settings, ring, accountant)) {
            Ok((up, signature_took)) => {
                let up = Arc::new(up);
                token.load.begin_at(signature_took);
                tracing::info!(token = token.name(), serial = up.info.serial, "the token is open");
                tell_caveats(&mut caveats, &up, token);
                token.set(TokenState::Up(Arc::clone(&up)));
                pause = FIRST_PAUSE;
                let reading = runtime.spawn(Arc::clone(&up).keep_device_log());
                let reason = up.line.worker.wait();
                reading.abort();
                tracing::warn!(token = token.name(), reason, "the token's worker ended");
                token.set(TokenState::Down { reason });
            }
            Err(Refused { reason, needs_operator: true, .. }) => {
                tracing::error!(token = token.name(), reason, "the token is left alone until an operator acts");
                return token.set(TokenState::Sealed { reason });
            }
            Err(Refused { reason, needs_operator: false, retry_after }) => {
                tracing::warn!(token = token.name(), reason, "the token does not open");
                token.set(TokenState::Down { reason });
                pause = (pause * 2).min(LONGEST_PAUSE);
                thread::sleep(retry_after.unwrap_or_default().saturating_sub(pause));
            }
        }
        thread::sleep(pause + jitter(pause));
    }
}

/// Once, and again where they change: a worker is started many times a year.
fn tell_caveats(told: &mut Vec<String>, up: &Up, token: &Token) {
    if up.caveats() != told.as_slice() {
        *told = up.caveats().to_vec();
        for caveat in told {
            tracing::warn!(token = token.name(), caveat, "the token's worker has more rights than it should");
        }
    }
}

/// Up to a quarter more, so that tokens that fell together do not come back together.
fn jitter(pause: Duration) -> Duration {
    let mut random = [0];
    let _ = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty());
    pause.mul_f64(f64::from(random[0]) / 1024.0)
}
