//! The chains both ends know, with what tells their addresses apart.

mod address;
mod destination;
mod solana;
#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr};

pub(crate) use self::address::hash160;
pub use self::{
    address::{AddressType, UnknownAddressType},
    destination::BadDestination,
};

/// A chain, mainnet or one for tests.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Chain {
    /// Bitcoin.
    Bitcoin,
    /// Bitcoin's testnet, 3 and 4 alike.
    BitcoinTestnet,
    /// Bitcoin's signet.
    BitcoinSignet,
    /// A private Bitcoin chain.
    BitcoinRegtest,
    /// Litecoin.
    Litecoin,
    /// A private Litecoin chain.
    LitecoinRegtest,
    /// Solana, on whichever of its clusters: they have the same addresses.
    Solana,
    /// A chain of Ethereum's kind, by its chain id.
    Evm(u64),
}

/// A text that is no [`Chain`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "\"{0}\" is no chain: write bitcoin, bitcoin-testnet, bitcoin-signet, bitcoin-regtest, litecoin, litecoin-regtest, \
     solana or, in a policy, {{ evm = CHAIN_ID }}"
)]
pub struct UnknownChain(String);

/// What the addresses of a chain of Bitcoin's kind begin with.
struct Prefixes {
    bech32: &'static str,
    p2pkh: u8,
    p2sh: u8,
}

impl Chain {
    const NAMED: [(&'static str, Self); 7] = [
        ("bitcoin", Self::Bitcoin),
        ("bitcoin-testnet", Self::BitcoinTestnet),
        ("bitcoin-signet", Self::BitcoinSignet),
        ("bitcoin-regtest", Self::BitcoinRegtest),
        ("litecoin", Self::Litecoin),
        ("litecoin-regtest", Self::LitecoinRegtest),
        ("solana", Self::Solana),
    ];

    /// Decimals of what fees are paid in.
    #[must_use]
    pub fn native_decimals(&self) -> u8 {
        match self {
            Self::Evm(_) => 18,
            Self::Solana => 9,
            Self::Bitcoin
            | Self::BitcoinTestnet
            | Self::BitcoinSignet
            | Self::BitcoinRegtest
            | Self::Litecoin
            | Self::LitecoinRegtest => 8,
        }
    }

    /// Whether it is of Ethereum's kind, and so has contracts.
    #[must_use]
    pub fn is_evm(&self) -> bool {
        matches!(self, Self::Evm(_))
    }

    /// Whether addresses on it come in types: chains of Bitcoin's kind.
    #[must_use]
    pub fn has_address_types(&self) -> bool {
        self.prefixes().is_some()
    }

    /// The address prefixes, on a chain of Bitcoin's kind.
    fn prefixes(&self) -> Option<Prefixes> {
        let prefixes = |bech32, p2pkh, p2sh| Some(Prefixes { bech32, p2pkh, p2sh });
        match self {
            Self::Bitcoin => prefixes("bc", 0, 5),
            Self::BitcoinTestnet | Self::BitcoinSignet => prefixes("tb", 111, 196),
            Self::BitcoinRegtest => prefixes("bcrt", 111, 196),
            // Litecoin also reads script addresses with Bitcoin's 5 and 196. They are refused: an address has one
            // spelling here, and that one is Bitcoin's.
            Self::Litecoin => prefixes("ltc", 48, 50),
            Self::LitecoinRegtest => prefixes("rltc", 111, 58),
            Self::Solana | Self::Evm(_) => None,
        }
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, Self::NAMED.iter().find(|(_, chain)| chain == self)) {
            (_, Some((name, _))) => f.write_str(name),
            (Self::Evm(id), None) => write!(f, "evm:{id}"),
            (_, None) => Ok(()),
        }
    }
}

/// A named chain, or `evm:CHAIN_ID`.
impl FromStr for Chain {
    type Err = UnknownChain;

    fn from_str(text: &str) -> Result<Self, UnknownChain> {
        let named = Self::NAMED.iter().find(|(name, _)| *name == text).map(|(_, chain)| *chain);
        let evm = || text.strip_prefix("evm:")?.parse().ok().map(Self::Evm).filter(|chain| chain.to_string() == text);
        named.or_else(evm).ok_or_else(|| UnknownChain(text.to_owned()))
    }
}
