//! Destinations: the one spelling of an address, and the refusal of a mistyped or another network's.

use bech32::{Fe32, segwit};

use super::{Chain, Prefixes, solana};

/// Why a text is no address of a chain.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadDestination {
    /// Not the form of any address.
    #[error("\"{text}\" is no address of {chain}")]
    Form {
        /// The text as given, or its beginning.
        text: String,
        /// The chain asked about.
        chain: Chain,
    },
    /// The checksum does not fit.
    #[error("\"{text}\" is mistyped: its checksum does not fit")]
    Mistyped {
        /// The text as given.
        text: String,
    },
    /// Upper and lower case in one bech32 address.
    #[error("\"{text}\" mixes upper and lower case")]
    MixedCase {
        /// The text as given.
        text: String,
    },
    /// A good address, elsewhere.
    #[error("\"{text}\" is an address of another network than {chain}")]
    OtherNetwork {
        /// The text as given.
        text: String,
        /// The chain asked about.
        chain: Chain,
    },
    /// A witness program without rules yet: whoever mines could take what is paid to it.
    #[error("\"{text}\" pays a kind of witness program that nobody needs a key to spend")]
    UnknownWitness {
        /// The text as given.
        text: String,
    },
}

impl Chain {
    /// The one spelling of the address `text` of this chain: bech32 in lower case, base58 as it is, EVM in lower case.
    ///
    /// # Errors
    /// Mistyped texts and addresses of other networks. EVM addresses name no network and their capitals are not
    /// checked; Solana's name no network either and have no checksum.
    pub fn normal_destination(&self, text: &str) -> Result<String, BadDestination> {
        // Reading base58 takes time that grows with the square of the length.
        if text.len() > LONGEST_ADDRESS || !text.is_ascii() {
            return Err(BadDestination::Form { text: text.chars().take(LONGEST_ADDRESS).collect(), chain: *self });
        }
        match self.prefixes() {
            None if *self == Self::Solana => self.normal_solana(text),
            None => self.normal_evm(text),
            Some(prefixes) => match segwit_network(text) {
                Some(network) => self.normal_segwit(text, &prefixes, network),
                None => self.normal_base58(text, &prefixes),
            },
        }
    }

    fn normal_evm(&self, text: &str) -> Result<String, BadDestination> {
        let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 40);
        match digits {
            Some(digits) if digits.bytes().all(|digit| digit.is_ascii_hexdigit()) => Ok(text.to_ascii_lowercase()),
            Some(_) | None => Err(BadDestination::Form { text: text.to_owned(), chain: *self }),
        }
    }

    fn normal_solana(&self, text: &str) -> Result<String, BadDestination> {
        if solana::is_address(text) {
            Ok(text.to_owned())
        } else {
            Err(BadDestination::Form { text: text.to_owned(), chain: *self })
        }
    }

    fn normal_segwit(&self, text: &str, prefixes: &Prefixes, network: &str) -> Result<String, BadDestination> {
        let given = || text.to_owned();
        let lower = text.to_ascii_lowercase();
        if text != lower && text != text.to_ascii_uppercase() {
            return Err(BadDestination::MixedCase { text: given() });
        }
        let (_, version, program) = segwit::decode(&lower).map_err(|_| BadDestination::Mistyped { text: given() })?;
        if network != prefixes.bech32 {
            return Err(BadDestination::OtherNetwork { text: given(), chain: *self });
        }
        // Version 0 has 20 or 32 bytes once it decodes; of the later ones only taproot has rules.
        if version == Fe32::Q || (version == Fe32::P && program.len() == 32) {
            Ok(lower)
        } else {
            Err(BadDestination::UnknownWitness { text: given() })
        }
    }

    fn normal_base58(&self, text: &str, prefixes: &Prefixes) -> Result<String, BadDestination> {
        let form = || BadDestination::Form { text: text.to_owned(), chain: *self };
        let payload = bs58::decode(text).with_check(None).into_vec().map_err(|why| {
            let is_mistyped = matches!(why, bs58::decode::Error::InvalidChecksum { .. });
            if is_mistyped { BadDestination::Mistyped { text: text.to_owned() } } else { form() }
        })?;
        let (Some(version), HASH_PAYLOAD) = (payload.first(), payload.len()) else { return Err(form()) };
        if [prefixes.p2pkh, prefixes.p2sh].contains(version) {
            Ok(text.to_owned())
        } else {
            Err(BadDestination::OtherNetwork { text: text.to_owned(), chain: *self })
        }
    }
}

/// The bech32 prefix of the text, where it has one of a network of these families.
fn segwit_network(text: &str) -> Option<&'static str> {
    let (prefix, _) = text.rsplit_once('1')?;
    ["bc", "tb", "bcrt", "ltc", "tltc", "rltc"].into_iter().find(|network| prefix.eq_ignore_ascii_case(network))
}

/// Above the 90 of bech32.
const LONGEST_ADDRESS: usize = 100;
/// A version byte and a HASH160.
const HASH_PAYLOAD: usize = 21;
