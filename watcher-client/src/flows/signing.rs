//! One transaction on its way through the signer, and what its answer means for a withdrawal.

use appliance_wire::{
    Item, ItemSignature, Output, Problem, ProblemCode, RequestId, RequestStatus, SignatureRequest, Transfer,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hsm_types::PublicKey;

use super::{FlowError, addresses::is_silence, error::words};
use crate::{
    Client, Error, Owner, SignedTransaction, Unsigned,
    chains::{Draft, Format, Order, Own, Quantity, Signed, Source, Variation, solana},
    journal::{Transaction, WithdrawalId},
};

/// What the signer's answer means.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Signed. The signatures were verified under our keys.
    Signed {
        /// As the node takes it.
        signed: Signed,
        /// The entry of the audit log.
        entry: Option<u64>,
    },
    /// Bound, or perhaps bound: the same is asked for again.
    Waits {
        /// The signer's code or status.
        code: Option<String>,
        /// What is missing.
        why: String,
    },
    /// No answer, or none that says anything: nobody else's transaction would be signed now either.
    Silence(String),
    /// Refused, and nothing is bound to the id: another transaction may be drafted.
    Refused {
        /// The signer's code.
        code: String,
        /// Why.
        why: String,
        /// Whether the same payment may be asked for again.
        again: bool,
    },
    /// Bound for ever, and never signed.
    Dead(String),
    /// The signer, or what it answered, is not to be trusted.
    Alarm(String),
}

/// What the signer is told a transaction pays, so that it can tell where the two differ, and what it pays for: the
/// withdrawal's id is bound to its first payment at the signer, for ever. Nothing where nobody else is paid.
pub(super) fn transfer(draft: &Draft, id: &WithdrawalId, order: &Order, own: &Own) -> Option<Transfer> {
    if draft.transfer.is_some() {
        return draft.transfer.clone();
    }
    let amount = match &order.quantity {
        Quantity::Exactly(amount) if order.source == Source::Key => amount.clone(),
        Quantity::Exactly(_) | Quantity::All => return None,
    };
    if own.find(&order.destination).is_some() {
        return None;
    }
    let reference = id.as_str().parse().ok();
    let outputs = vec![Output { destination: order.destination.clone(), amount, reference }];
    Some(Transfer { asset: order.asset.name.clone(), fee: None, outputs })
}

/// Asks for the signatures of a recorded transaction; asked again it gives the same bytes.
pub(super) async fn sign(client: &Client, transaction: &Transaction, replaces: Option<&RequestId>) -> Verdict {
    match ask(client, transaction, replaces).await {
        Ok(verdict) => verdict,
        Err(FlowError::Signer(error)) => judge(&error),
        // A transaction of our own that cannot be read: no signer will sign it.
        Err(error) => Verdict::Refused { code: "unreadable".to_owned(), why: words(&error), again: false },
    }
}

async fn ask(client: &Client, transaction: &Transaction, replaces: Option<&RequestId>) -> Result<Verdict, FlowError> {
    let (mut request, owners) = request(client, &transaction.draft).await?;
    request.replaces = replaces.cloned();
    let answer = client.sign(&transaction.request_id, &request).await?;
    let id = &transaction.request_id;
    let waits = |code: &str, why: String| Verdict::Waits { code: Some(code.to_owned()), why };
    Ok(match answer.status {
        RequestStatus::Signed => {
            let signatures = answer.signatures.as_deref().unwrap_or_default();
            match finish(&transaction.draft, &owners, signatures) {
                Ok(signed) => Verdict::Signed { signed, entry: answer.entry },
                // It is bound, and somebody may put it together who can.
                Err(error) => Verdict::Alarm(format!("{id} is signed, and makes no transaction: {}", words(&error))),
            }
        }
        RequestStatus::Pending => waits("pending", format!("officers have to approve {id} at the signer")),
        RequestStatus::Accepted => {
            Verdict::Silence(format!("{id} is accepted at the signer, whose token does not answer yet"))
        }
        RequestStatus::Lapsed => Verdict::Dead(format!("{id} was accepted and lapsed before it was signed")),
        RequestStatus::Rejected => Verdict::Dead(format!("an officer rejected {id}")),
        RequestStatus::Withdrawn => Verdict::Dead(format!("{id} was withdrawn at the signer")),
        RequestStatus::Expired => Verdict::Dead(format!("{id} expired at the signer before officers agreed")),
    })
}

/// The request for a transaction's signatures, and whose they are.
pub(super) async fn request(client: &Client, draft: &Draft) -> Result<(SignatureRequest, Vec<Owner>), FlowError> {
    let (mut request, owners) = match unsigned(draft)? {
        Some(unsigned) => {
            let owners = client.owners(&unsigned, &draft.owners).await?;
            (unsigned.request(&owners)?, owners)
        }
        None => (solana_request(draft)?, Vec::new()),
    };
    request.transfer.clone_from(&draft.transfer);
    Ok((request, owners))
}

fn solana_request(draft: &Draft) -> Result<SignatureRequest, FlowError> {
    let item: Item = solana::item(draft).map_err(|error| FlowError::Portable(error.to_string()))?;
    Ok(SignatureRequest { items: vec![item], transfer: None, evidence: None, replaces: None, expires_at: None })
}

/// None for a Solana message, which is signed as it is.
fn unsigned(draft: &Draft) -> Result<Option<Unsigned>, FlowError> {
    let bytes = STANDARD.decode(&draft.unsigned);
    let bytes = bytes.map_err(|error| FlowError::Portable(format!("the unsigned transaction: {error}")))?;
    Ok(match draft.format {
        Format::Psbt => Some(Unsigned::psbt(&bytes)?),
        Format::Eip2718 => Some(Unsigned::eip2718(&bytes)?),
        Format::Solana => None,
    })
}

/// Puts signatures in. Those of an answer of [`Client::sign`] were verified.
pub(super) fn finish(draft: &Draft, owners: &[Owner], signatures: &[ItemSignature]) -> Result<Signed, FlowError> {
    let Some(unsigned) = unsigned(draft)? else {
        let mut signature = [0; 64];
        let given = signatures.first().map(|one| one.signature.as_str()).unwrap_or_default();
        let read = hex::decode_to_slice(given, &mut signature);
        read.map_err(|error| FlowError::Portable(format!("the signature: {error}")))?;
        return solana::finish(draft, signature).map_err(|error| FlowError::Portable(error.to_string()));
    };
    match unsigned.finish(owners, signatures)? {
        SignedTransaction::Utxo(bytes) => {
            let read: bitcoin::Transaction = bitcoin::consensus::deserialize(&bytes)
                .map_err(|error| FlowError::Portable(format!("the signed transaction: {error}")))?;
            Ok(Signed { transaction: hex::encode(bytes), txid: read.compute_txid().to_string() })
        }
        SignedTransaction::Evm { bytes, hash } => {
            let txid = format!("0x{}", hex::encode(hash));
            Ok(Signed { transaction: format!("0x{}", hex::encode(bytes)), txid })
        }
        SignedTransaction::Partial(_) => {
            Err(FlowError::Portable("others have to sign too: the watcher pays from keys that sign alone".to_owned()))
        }
    }
}

/// The owners as signatures name them, for those who have no signer to ask.
pub(super) fn owners(draft: &Draft, signatures: &[ItemSignature]) -> Result<Vec<Owner>, FlowError> {
    let bad = |why: String| FlowError::Portable(format!("a signature's public key: {why}"));
    if draft.owners.len() != signatures.len() {
        return Err(bad(format!("{} signatures for {} owners", signatures.len(), draft.owners.len())));
    }
    let pairs = draft.owners.iter().zip(signatures);
    let owners = pairs.map(|(path, signature)| {
        let bytes = hex::decode(&signature.public_key).map_err(|error| bad(error.to_string()))?;
        let algorithm = match draft.format {
            Format::Psbt | Format::Eip2718 => hsm_types::Algorithm::Secp256k1,
            Format::Solana => hsm_types::Algorithm::Ed25519,
        };
        let public_key = PublicKey::decode(algorithm, &bytes).map_err(|error| bad(error.to_string()))?;
        Ok(Owner { path: path.clone(), public_key })
    });
    owners.collect()
}

/// What a refusal means: only some of them prove that nothing is bound to the id.
fn judge(error: &Error) -> Verdict {
    let why = words(error);
    if is_silence(error) {
        return Verdict::Silence(why);
    }
    if let Error::Refused(problem) = error {
        return refused(problem, why);
    }
    if matches!(error, Error::Unsigned(_)) {
        return Verdict::Refused { code: "evidence-invalid".to_owned(), why, again: false };
    }
    if error.is_alarm() { Verdict::Alarm(why) } else { Verdict::Waits { code: None, why } }
}

fn refused(problem: &Problem, why: String) -> Verdict {
    let code = problem.code().map_or_else(|| problem.type_uri.clone(), |code| code.name().to_owned());
    let refused = |again| Verdict::Refused { code: code.clone(), why: why.clone(), again };
    match problem.code() {
        Some(ProblemCode::Denied | ProblemCode::LimitExceeded | ProblemCode::InputReserved) => refused(true),
        Some(
            ProblemCode::Malformed
            | ProblemCode::TooLarge
            | ProblemCode::DigestMismatch
            | ProblemCode::EvidenceRequired
            | ProblemCode::EvidenceInvalid,
        ) => refused(false),
        // The id is bound to something this journal does not know of, which may have been paid: a person has to look.
        Some(ProblemCode::RequestConflict) => Verdict::Waits {
            code: Some(code),
            why: format!(
                "{why}: this journal did not ask for that; compare with `chancery audit show` before anything else"
            ),
        },
        // While frozen, stored signatures are refused too: nothing is proved.
        Some(
            ProblemCode::Frozen
            | ProblemCode::Unauthenticated
            | ProblemCode::UnknownKey
            | ProblemCode::UnknownRequest
            | ProblemCode::Expired
            | ProblemCode::RateLimited
            | ProblemCode::AuditLogUnavailable
            | ProblemCode::TokenUnavailable
            | ProblemCode::NotFound
            | ProblemCode::MethodNotAllowed
            | ProblemCode::Internal,
        )
        | None => Verdict::Waits { code: Some(code), why },
    }
}

/// What became of a request whose withdrawal nobody wants any more.
#[derive(Debug)]
pub(super) enum Abandoned {
    /// It will never be signed.
    Dead,
    /// It is signed, or will be: only another transaction can take its place.
    Alive,
    /// It cannot be told now.
    Unknown(String),
}

/// Sees that a request is never signed, where that can still be had.
pub(super) async fn abandon(client: &Client, id: &RequestId) -> Abandoned {
    match client.status(id).await {
        Ok(answer) => match answer.status {
            RequestStatus::Signed | RequestStatus::Accepted => Abandoned::Alive,
            RequestStatus::Pending => match client.withdraw(id).await {
                Ok(_) => Abandoned::Dead,
                Err(error) => Abandoned::Unknown(words(&error)),
            },
            RequestStatus::Lapsed | RequestStatus::Rejected | RequestStatus::Withdrawn | RequestStatus::Expired => {
                Abandoned::Dead
            }
        },
        Err(error) => match error.problem().and_then(Problem::code) {
            Some(ProblemCode::UnknownRequest) => Abandoned::Dead,
            Some(_) | None => Abandoned::Unknown(words(&error)),
        },
    }
}

/// What a transaction in place of another is called.
pub(super) fn name_of(variation: Option<Variation>) -> &'static str {
    match variation {
        None => "payment",
        Some(Variation::Bump) => "higher fee",
        Some(Variation::Cancel) => "cancellation",
    }
}
