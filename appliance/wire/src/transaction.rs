//! Unsigned transactions, read from their bytes alone: what they spend, pay and cost, and the digests to be signed.
//!
//! The appliance decides on what is read here, and the watcher computes its items with the same code. Nothing of it
//! knows a key's owner, a policy or a chain's addresses.

use base64::{Engine, engine::general_purpose::STANDARD};
use hsm_types::Digest;

use crate::{Amount, Evidence};

mod bad_evidence;
mod eip2718;
mod psbt;
mod spend;

pub use bad_evidence::{BadEvidence, BadInput};
pub use eip2718::{BadEthereumSignature, finish_eip2718, transaction_hash};
pub use psbt::{Finished, NotFinished, finish_psbt};
pub use spend::Spend;

/// What an unsigned transaction says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum UnsignedTransaction {
    /// Of Bitcoin's kind: spends outputs of earlier transactions.
    Utxo(UtxoTransaction),
    /// Of Ethereum's kind: moves an account on by one nonce.
    Evm(EvmTransaction),
}

/// A transaction of Bitcoin's kind. A PSBT does not say of which chain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UtxoTransaction {
    /// 1 to 256, no outpoint twice.
    pub inputs: Vec<UtxoInput>,
    /// At least one.
    pub outputs: Vec<UtxoOutput>,
    /// Sum of the inputs less sum of the outputs, in base units.
    pub fee: u64,
}

/// An input, with what its previous transaction, which the PSBT has in full, says of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UtxoInput {
    /// `txid:vout`.
    pub outpoint: String,
    /// In base units.
    pub amount: u64,
    /// The `scriptPubKey` it spends.
    pub script: Vec<u8>,
    /// Who can spend it.
    pub spend: Spend,
    /// What is to be signed for it, SIGHASH_ALL (BIP 143; for P2PKH the legacy digest).
    pub digest: Digest,
}

/// An output.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UtxoOutput {
    /// In base units.
    pub amount: u64,
    /// Its `scriptPubKey`.
    pub script: Vec<u8>,
}

/// A transaction of Ethereum's kind: legacy with chain id (EIP-155), EIP-2930 or EIP-1559.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EvmTransaction {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The account's nonce.
    pub nonce: u64,
    /// The account or contract it is sent to.
    pub to: [u8; 20],
    /// Wei sent along.
    pub value: Amount,
    /// The most it can cost: gas limit times (highest) price of gas, in wei.
    pub fee: Amount,
    /// What `to` is told.
    pub call: Call,
    /// What is to be signed.
    pub digest: Digest,
}

/// The data of an EVM transaction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Call {
    /// None: a payment.
    None,
    /// ERC-20 `transfer`: 68 bytes, clean padding, no wei sent along.
    Erc20Transfer {
        /// Who gets the tokens.
        recipient: [u8; 20],
        /// In the token's base units.
        amount: Amount,
    },
    /// Anything else.
    Other {
        /// The data whole.
        data: Vec<u8>,
    },
}

impl UnsignedTransaction {
    /// Reads evidence.
    ///
    /// # Errors
    /// The first thing in it that the appliance would not sign.
    pub fn read(evidence: &Evidence) -> Result<Self, BadEvidence> {
        Self::read_bytes(&evidence.format, &evidence.bytes()?)
    }

    /// Reads evidence of this format, decoded.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_bytes(format: &str, bytes: &[u8]) -> Result<Self, BadEvidence> {
        match format {
            "psbt" => psbt::read(bytes).map(Self::Utxo),
            "eip2718" => eip2718::read(bytes).map(Self::Evm),
            other => Err(BadEvidence::Format(other.chars().take(40).collect())),
        }
    }
}

impl Evidence {
    /// The transaction itself.
    ///
    /// # Errors
    /// [`BadEvidence::Base64`].
    pub fn bytes(&self) -> Result<Vec<u8>, BadEvidence> {
        STANDARD.decode(&self.data).map_err(|_| BadEvidence::Base64)
    }
}
