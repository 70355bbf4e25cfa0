//! Whether an answer is one to this request: nothing of it is given to the caller before.

use appliance_wire::{Entry, Item, ItemSignature, RequestId, RequestStatus, SignatureAnswer, SignatureRequest};

use crate::{Error, known_keys::KnownKeys, signature_check};

/// Verifies an answer: id, status, and each signature under the public key remembered for its key. Where `request` is
/// at hand, also count, order, keys and digests or messages of the items.
pub(crate) fn check_answer(
    answer: &SignatureAnswer,
    id: &RequestId,
    request: Option<&SignatureRequest>,
    known: &KnownKeys,
) -> Result<(), Error> {
    let wrong = |what: String| Err(Error::NotVerified { what });
    if answer.request_id != id.as_str() {
        return wrong(format!("request {id} was asked about, the answer is about \"{}\"", answer.request_id));
    }
    let signed = answer.status == RequestStatus::Signed;
    let signatures = match &answer.signatures {
        None if !signed => return Ok(()),
        Some(signatures) if signed && !signatures.is_empty() && answer.entry.is_some() => signatures,
        Some(_) | None => return wrong(format!("status and signatures of {id} do not fit together")),
    };
    if let Some(request) = request
        && request.items.len() != signatures.len()
    {
        return wrong(format!("{} signatures for {} items", signatures.len(), request.items.len()));
    }
    for (position, signature) in signatures.iter().enumerate() {
        let item = request.and_then(|request| request.items.get(position));
        if let Err(error) = check_signature(signature, item, known) {
            let Error::NotVerified { what } = error else { return Err(error) };
            return wrong(format!("signature {position} of {id}: {what}"));
        }
    }
    Ok(())
}

fn check_signature(signature: &ItemSignature, item: Option<&Item>, known: &KnownKeys) -> Result<(), Error> {
    let wrong = |what: String| Error::NotVerified { what };
    if let Some(item) = item
        && (item.key != signature.key || item.digest != signature.digest)
    {
        return Err(wrong("it is not of the item at this place".to_owned()));
    }
    let verifier = known.verifier(&signature.key)?;
    let found = verifier.public_key().to_string();
    if found != signature.public_key {
        let (key, file) = (signature.key.to_string(), known.file());
        return Err(Error::KeyChanged { key, known: found, found: signature.public_key.clone(), file });
    }
    let ecdsa = verifier.public_key().algorithm().signs_digests();
    if ecdsa && signature.der.is_none() {
        return Err(wrong("der is missing".to_owned()));
    }
    let message = item.and_then(|item| item.message.as_ref()).map(|message| message.0.as_slice());
    if item.is_some() && !ecdsa && message.is_none() {
        return Err(wrong("the item has no message".to_owned()));
    }
    signature_check::check(signature, &verifier, message).map_err(wrong)?;
    Ok(())
}

/// Verifies that `entry`, proven to be in the log, is the one an answer with signatures is about.
pub(crate) fn check_entry(entry: &Entry, answer: &SignatureAnswer) -> Result<(), Error> {
    let Some(signed) = entry.body.signed() else {
        return Err(Error::NotVerified { what: format!("entry {} of the receipt holds no signatures", entry.index) });
    };
    let without_der = |signature: &ItemSignature| ItemSignature { der: None, ..signature.clone() };
    let answered = answer.signatures.iter().flatten().map(without_der);
    let same = signed.request_id.as_str() == answer.request_id
        && answer.entry == Some(entry.index)
        && answered.eq(signed.signatures.iter().map(without_der));
    let what = || format!("the receipt's entry {} is not that of {}", entry.index, answer.request_id);
    if same { Ok(()) } else { Err(Error::NotVerified { what: what() }) }
}
