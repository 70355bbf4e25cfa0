//! An unsigned transaction on its way through the signer: read as the signer reads it, made a request, and finished with
//! the signatures. Does not know whose keys they are: see [`Client::owners`](crate::Client::owners).

use appliance_wire::{
    Evidence, Item, ItemSignature, SignatureRequest,
    transaction::{Finished, UnsignedTransaction, finish_eip2718, finish_psbt, transaction_hash},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hsm_types::{Digest, KeyPath, PublicKey};

use crate::Error;

/// An unsigned transaction that the signer would sign for, if its policy lets it.
#[derive(Clone, Debug)]
pub struct Unsigned {
    bytes: Vec<u8>,
    format: &'static str,
    transaction: UnsignedTransaction,
}

/// The key that signs an input, or the account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Owner {
    /// Its name.
    pub path: KeyPath,
    /// What its signature verifies under; of a child, as derived here.
    pub public_key: PublicKey,
}

/// What came of the signatures.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SignedTransaction {
    /// Of Bitcoin's kind, ready to be sent.
    Utxo(Vec<u8>),
    /// A PSBT that others have to sign too (BIP 174).
    Partial(Vec<u8>),
    /// Of Ethereum's kind, ready to be sent.
    Evm {
        /// As `eth_sendRawTransaction` takes it.
        bytes: Vec<u8>,
        /// The transaction's hash.
        hash: [u8; 32],
    },
}

impl Unsigned {
    /// Reads a PSBT (BIP 174), binary or base64.
    ///
    /// # Errors
    /// [`Error::Unsigned`] with the first thing the signer would not sign.
    pub fn psbt(data: &[u8]) -> Result<Self, Error> {
        // The fifth byte of a binary one is 0xff, which base64 never has.
        Self::read(STANDARD.decode(data.trim_ascii()).unwrap_or_else(|_| data.to_vec()), "psbt")
    }

    /// Reads an unsigned EIP-2718 transaction, or a legacy one with chain id (EIP-155).
    ///
    /// # Errors
    /// As [`Unsigned::psbt`].
    pub fn eip2718(data: &[u8]) -> Result<Self, Error> {
        Self::read(data.to_vec(), "eip2718")
    }

    fn read(bytes: Vec<u8>, format: &'static str) -> Result<Self, Error> {
        let evidence = Evidence { format: format.to_owned(), data: STANDARD.encode(&bytes) };
        let transaction = UnsignedTransaction::read(&evidence)?;
        Ok(Self { bytes, format, transaction })
    }

    /// What it says.
    #[must_use]
    pub fn transaction(&self) -> &UnsignedTransaction {
        &self.transaction
    }

    /// What has to be signed, in order.
    #[must_use]
    pub fn digests(&self) -> Vec<Digest> {
        match &self.transaction {
            UnsignedTransaction::Utxo(transaction) => transaction.inputs.iter().map(|input| input.digest).collect(),
            UnsignedTransaction::Evm(transaction) => vec![transaction.digest],
        }
    }

    /// The request for its signatures, each by the owner at its place.
    ///
    /// # Errors
    /// [`Error::NotOurs`]: another number of owners than of signatures.
    pub fn request(&self, owners: &[Owner]) -> Result<SignatureRequest, Error> {
        let digests = self.digests();
        if owners.len() != digests.len() {
            return Err(Error::NotOurs { why: format!("{} owners for {} signatures", owners.len(), digests.len()) });
        }
        let item =
            |(owner, digest): (&Owner, Digest)| Item { key: owner.path.clone(), digest: Some(digest), message: None };
        Ok(SignatureRequest {
            items: owners.iter().zip(digests).map(item).collect(),
            transfer: None,
            evidence: Some(Evidence { format: self.format.to_owned(), data: STANDARD.encode(&self.bytes) }),
            replaces: None,
            expires_at: None,
        })
    }

    /// Puts the signatures in. They are of an answer that [`Client::sign`](crate::Client::sign) verified; those of a
    /// PSBT are verified once more, under the owners' keys.
    ///
    /// # Errors
    /// [`Error::Unfinished`], never about what `sign` answered to [`Unsigned::request`] of these owners.
    pub fn finish(&self, owners: &[Owner], signatures: &[ItemSignature]) -> Result<SignedTransaction, Error> {
        let unfinished = |why: String| Error::Unfinished { why };
        let mut signed = Vec::with_capacity(signatures.len());
        for (position, signature) in signatures.iter().enumerate() {
            let owner = owners.get(position).filter(|owner| owner.public_key.to_string() == signature.public_key);
            let owner = owner.ok_or_else(|| unfinished(format!("signature {position} is of another key")))?;
            let mut raw = [0; 64];
            hex::decode_to_slice(&signature.signature, &mut raw).map_err(|error| unfinished(error.to_string()))?;
            signed.push((owner.public_key.clone(), raw));
        }
        if matches!(self.transaction, UnsignedTransaction::Utxo(_)) {
            return match finish_psbt(&self.bytes, &signed).map_err(|error| unfinished(chain(&error)))? {
                Finished::Transaction(bytes) => Ok(SignedTransaction::Utxo(bytes)),
                Finished::Psbt(bytes) => Ok(SignedTransaction::Partial(bytes)),
            };
        }
        let ([(_, raw)], [signature]) = (signed.as_slice(), signatures) else {
            return Err(unfinished(format!("{} signatures for one account", signatures.len())));
        };
        let recovery_id = signature.recovery_id.ok_or_else(|| unfinished("it has no recovery id".to_owned()))?;
        let bytes = finish_eip2718(&self.bytes, raw, recovery_id).map_err(|error| unfinished(chain(&error)))?;
        let hash = transaction_hash(&bytes);
        Ok(SignedTransaction::Evm { bytes, hash })
    }
}

impl SignedTransaction {
    /// As it is sent or handed on: hexadecimal, with `0x` for Ethereum's kind; a PSBT in base64.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Utxo(bytes) => hex::encode(bytes),
            Self::Partial(psbt) => STANDARD.encode(psbt),
            Self::Evm { bytes, .. } => format!("0x{}", hex::encode(bytes)),
        }
    }

    /// Whether nobody else has to sign.
    #[must_use]
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Partial(_))
    }
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
