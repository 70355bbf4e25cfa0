//! Addresses of Solana's accounts. Knows neither keys nor what an account is for.

use std::{fmt, str::FromStr};

use appliance_wire::{BadDestination, Chain};
use hsm_types::PublicKey;

/// An account: the 32 bytes that messages have, in base58 outside (Solana documentation, "Accounts").
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Address(pub [u8; 32]);

impl Address {
    /// The account an Ed25519 key signs for; none for keys of other curves.
    #[must_use]
    pub fn of(key: &PublicKey) -> Option<Self> {
        if let PublicKey::Ed25519(key) = key { Some(Self(key.to_bytes())) } else { None }
    }
}

impl FromStr for Address {
    type Err = BadDestination;

    fn from_str(text: &str) -> Result<Self, BadDestination> {
        let normal = Chain::Solana.normal_destination(text)?;
        let mut bytes = [0; 32];
        let bad = |_| BadDestination::Form { text: text.to_owned(), chain: Chain::Solana };
        bs58::decode(normal).onto(&mut bytes).map_err(bad)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bs58::encode(self.0).into_string())
    }
}
