//! Addresses, pulled from the signer ahead of need: the node watches each before anybody can be given it.

use appliance_wire::AddressesRequest;
use hsm_types::{KeyPath, PublicKey};

use super::{
    error::words,
    line::{Line, Stop},
};
use crate::{
    Error,
    chains::{Chain, Own, OwnAddress},
    journal::KeyAddress,
};

/// The signer gives no more at once.
const MOST_AT_ONCE: u32 = 1000;

impl<C: Chain> Line<C> {
    /// Learns the key's own address once, and keeps the pool full while the signer answers. What is in the journal is
    /// enough to go on without it.
    pub(super) async fn addresses(&mut self) -> Result<(), Stop> {
        if self.own.is_none() {
            self.begin().await?;
        }
        self.fill().await
    }

    async fn begin(&mut self) -> Result<(), Stop> {
        let name = self.name().to_owned();
        let books = self.parts.journal.off(move |journal| journal.chain(&name)).await?;
        let key = match self.key_address().await {
            Ok(key) => key,
            Err(error) => match books.key {
                Some(known) if is_silence(&error) => known,
                Some(_) | None => return Err(Stop::Trouble(words(&error))),
            },
        };
        let (name, kept) = (self.name().to_owned(), key.clone());
        self.parts.journal.off(move |journal| journal.keep_key(&name, &kept)).await?;
        let name = self.name().to_owned();
        let children = self.parts.journal.off(move |journal| journal.addresses(&name)).await?;
        let own = Own::new(self.own_key(&key)?, children);
        let all: Vec<OwnAddress> = own.all().cloned().collect();
        self.chain.watch(&all, false).await?;
        self.own = Some(own);
        Ok(())
    }

    /// As the signer tells it. That it is the key's was compared with what is remembered.
    async fn key_address(&self) -> Result<KeyAddress, Error> {
        let label = self.parts.config.key.as_str();
        let keys = self.parts.client.keys().await?.keys;
        let key = keys.into_iter().find(|key| key.name == label);
        let key = key.ok_or_else(|| Error::NotOurs {
            why: format!("the signer grants this watcher no key \"{label}\": correct `key`, or the policy"),
        })?;
        let address = key.address.clone().ok_or_else(|| Error::NotOurs {
            why: format!("key \"{label}\" has no address: its policy names no asset of this chain"),
        })?;
        Ok(KeyAddress { address, public_key: key.public_key, algorithm: key.algorithm })
    }

    fn own_key(&self, key: &KeyAddress) -> Result<OwnAddress, Stop> {
        let bytes = hex::decode(&key.public_key).unwrap_or_default();
        let public_key = PublicKey::decode(key.algorithm, &bytes)
            .map_err(|error| Stop::Trouble(format!("the public key of {}: {error}", self.parts.config.key)))?;
        let path = KeyPath { label: self.parts.config.key.clone(), child: None };
        Ok(OwnAddress { address: key.address.clone(), path, public_key })
    }

    async fn fill(&mut self) -> Result<(), Stop> {
        let (ahead, name) = (self.parts.config.addresses_ahead, self.name().to_owned());
        let standing = self.parts.journal.off(move |journal| journal.pool(&name)).await?;
        let missing = u64::from(ahead).saturating_sub(standing.free);
        let count = u32::try_from(missing).unwrap_or(MOST_AT_ONCE).min(MOST_AT_ONCE);
        if count == 0 {
            return Ok(());
        }
        let request = AddressesRequest { count, after: standing.last_child };
        let answer = match self.parts.client.addresses(&self.parts.config.key, &request).await {
            Ok(answer) => answer,
            // Deposits and what is signed already go on without the signer.
            Err(error) if is_silence(&error) => return Ok(()),
            Err(error) => return Err(Stop::Trouble(format!("pulling addresses: {}", words(&error)))),
        };
        let mut pulled = Vec::with_capacity(answer.addresses.len());
        for address in answer.addresses {
            let path = KeyPath { label: self.parts.config.key.clone(), child: Some(address.child) };
            let bytes = hex::decode(&address.public_key).unwrap_or_default();
            let public_key = PublicKey::decode(hsm_types::Algorithm::Secp256k1, &bytes);
            let (Some(address), Ok(public_key)) = (address.address, public_key) else {
                return Err(Stop::Trouble(format!("{path} has no address on this chain")));
            };
            pulled.push(OwnAddress { address, path, public_key });
        }
        self.chain.watch(&pulled, true).await?;
        let (name, kept) = (self.name().to_owned(), pulled.clone());
        self.parts.journal.off(move |journal| journal.add_addresses(&name, &kept)).await?;
        if let Some(own) = &mut self.own {
            own.add(pulled);
        }
        Ok(())
    }
}

/// Whether the signer said nothing: no answer, or that it cannot answer now.
pub(super) fn is_silence(error: &Error) -> bool {
    let cannot_now = |problem: &appliance_wire::Problem| problem.status >= 500 || problem.status == 429;
    matches!(error, Error::Transport(_)) || error.problem().is_some_and(cannot_now)
}
