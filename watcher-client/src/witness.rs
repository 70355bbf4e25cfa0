//! The watcher as a witness (C2SP tlog-witness): follows the signer's log, cosigns what it has seen to be consistent,
//! and compares with what other witnesses were shown.
//!
//! So the signer cannot show two histories to two watchers: where their witnesses meet, one of the two is found out.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::net::TcpListener;

use crate::{Client, Config, ConfigError, Error, fork_files::ForkFiles, state_directory::StateDirectory};

mod key;
mod ledger;
mod other;
mod round;
mod server;
#[cfg(test)]
mod tests;

pub(crate) use key::generate;
pub use round::Round;

use key::Signer;
use ledger::Ledger;
use other::Other;

/// How often a freeze is tried: after a fork it matters more than anything else.
const FREEZE_ATTEMPTS: u32 = 3;
const FREEZE_PAUSE: Duration = Duration::from_secs(1);

/// One witness of one signer's log; the only one of its state directory.
#[derive(Debug)]
pub struct Witness {
    client: Client,
    ledger: Arc<Ledger>,
    others: Vec<Arc<Other>>,
    listen: Option<SocketAddr>,
}

impl Witness {
    /// Reads key and memory; connects nowhere yet.
    ///
    /// # Errors
    /// [`Error::Config`] where there is no `[witness]` or its key cannot be used, [`Error::WitnessRunning`],
    /// [`Error::ForkKnown`], [`Error::State`] and [`Error::StateDamaged`].
    pub fn open(config: &Config, client: Client) -> Result<Self, Error> {
        let Some(section) = &config.witness else {
            let problem = "section [witness] is missing; see the documentation of witnesses for what stands in it";
            return Err(ConfigError::new(&config.state_directory.with_file_name("watcher.toml"), problem).into());
        };
        let signer = Signer::read(&section.name, &section.key)?;
        let state = StateDirectory::open(&config.state_directory)?;
        let forks = ForkFiles::new(&state, config.log_keys.clone());
        let ledger = Ledger::open(&state, config.log_keys.clone(), signer, forks)?;
        let others = section.others.iter().map(|other| Other::new(other).map(Arc::new));
        let others = others.collect::<Result<_, ConfigError>>()?;
        Ok(Self { client, ledger: Arc::new(ledger), others, listen: section.listen })
    }

    /// Its verifier key, for whoever checks its cosignatures.
    #[must_use]
    pub fn key(&self) -> &appliance_wire::WitnessKey {
        self.ledger.key()
    }

    /// Serves other watchers in the background, where the config says so: the address, port 0 resolved.
    ///
    /// # Errors
    /// [`Error::Listen`].
    pub async fn listen(&self) -> Result<Option<SocketAddr>, Error> {
        let Some(address) = self.listen else { return Ok(None) };
        let failed = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        tokio::spawn(server::serve(listener, self.ledger.clone()));
        Ok(Some(bound))
    }

    /// Waits until it is time for the next round: `pause` long, or until somebody submitted what cannot wait.
    pub async fn rest(&self, pause: Duration) {
        // Over or woken: both are a reason to go on.
        let _ = tokio::time::timeout(pause, self.ledger.woken()).await;
    }

    /// Asks the signer and all other witnesses once. After a fork this watcher is frozen at the signer.
    ///
    /// # Errors
    /// [`Error::Inconsistent`] and [`Error::Forked`] are a fork; else the signer could not be asked, or the memory not
    /// be written: see [`Error`].
    pub async fn round(&self) -> Result<Round, Error> {
        let outcome = self.go_round().await;
        if let Err(error @ (Error::Inconsistent { .. } | Error::Forked { .. })) = &outcome {
            self.ledger.stop();
            self.freeze(error).await?;
        }
        outcome
    }

    /// Freezes this watcher because of `alarm`.
    async fn freeze(&self, alarm: &Error) -> Result<(), Error> {
        let reason = format!("found by its witness: {alarm}");
        let mut attempt = 1;
        loop {
            match self.client.freeze(&reason).await {
                Ok(()) => return Ok(()),
                Err(error) if attempt == FREEZE_ATTEMPTS => {
                    return Err(Error::NotFrozen { alarm: alarm.to_string(), source: Box::new(error) });
                }
                Err(_) => tokio::time::sleep(FREEZE_PAUSE).await,
            }
            attempt += 1;
        }
    }
}
