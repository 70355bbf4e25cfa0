//! A decoded request: everything that can be refused without knowing the policy has been.

use appliance_wire::{Item, ProblemCode, RequestId, SignatureRequest};
use hsm_types::{KeyLabel, ToSign};
use jiff::Timestamp;

use crate::refusal::Refusal;

/// One request for signatures, read.
#[derive(Clone, Debug)]
pub struct SignCommand {
    /// Its id.
    pub request_id: RequestId,
    /// SHA-256 of its content: equal for repeats.
    pub content: String,
    /// The key family of all items.
    pub key: KeyLabel,
    /// What to sign, item by item.
    pub inputs: Vec<ToSign>,
    /// When the token is no longer to be asked.
    pub expires_at: Option<Timestamp>,
    /// The request as given.
    pub request: SignatureRequest,
}

const MOST_ITEMS: usize = 256;
const MOST_OUTPUTS: usize = 1_000;
const LONGEST_NAME: usize = 128;
const LARGEST_BODY: usize = 1 << 20;
const LARGEST_BODY_WITH_EVIDENCE: usize = 8 << 20;

impl SignCommand {
    /// Decodes path and body.
    ///
    /// # Errors
    /// `malformed` or `too-large`, with the place and what to write instead.
    pub fn decode(request_id: &str, body: &[u8]) -> Result<Self, Refusal> {
        let request_id: RequestId =
            request_id.parse().map_err(|error| malformed(format!("the request id is {error}")))?;
        decode(&request_id, body).map_err(|refusal| refusal.of_request(request_id.as_str()))
    }
}

fn decode(request_id: &RequestId, body: &[u8]) -> Result<SignCommand, Refusal> {
    if body.len() > LARGEST_BODY_WITH_EVIDENCE {
        return Err(too_large("the body is over 8 MiB"));
    }
    let request: SignatureRequest =
        serde_json::from_slice(body).map_err(|error| malformed(format!("the body cannot be read: {error}")))?;
    if request.evidence.is_none() && body.len() > LARGEST_BODY {
        return Err(too_large("a body without evidence is at most 1 MiB"));
    }
    let key = family(&request.items)?;
    let inputs = request.items.iter().enumerate().map(|(place, item)| input(place, item)).collect::<Result<_, _>>()?;
    check_transfer(&request)?;
    let expires_at = request.expires_at.as_deref().map(parse_time).transpose()?;
    let content = request.content().map_err(|error| malformed(error.to_string()))?;
    Ok(SignCommand { request_id: request_id.clone(), content, key, inputs, expires_at, request })
}

/// The key all items share.
fn family(items: &[Item]) -> Result<KeyLabel, Refusal> {
    let first = items.first().ok_or_else(|| malformed("items is empty: name 1 to 256 signatures"))?;
    if items.len() > MOST_ITEMS {
        return Err(too_large(format!("{} items: a request has at most {MOST_ITEMS}", items.len())));
    }
    match items.iter().position(|item| item.key.label != first.key.label) {
        None => Ok(first.key.label.clone()),
        Some(place) => Err(malformed(format!(
            "items[{place}] is of key {}, items[0] of {}: one request signs with one key family",
            items[place].key.label, first.key.label
        ))),
    }
}

fn input(place: usize, item: &Item) -> Result<ToSign, Refusal> {
    match (&item.digest, &item.message) {
        (Some(digest), None) => Ok(ToSign::Digest(*digest)),
        (None, Some(message)) => Ok(ToSign::Message(message.0.clone())),
        _ => Err(malformed(format!("items[{place}] needs either digest (ECDSA keys) or message (Ed25519 keys)"))),
    }
}

fn check_transfer(request: &SignatureRequest) -> Result<(), Refusal> {
    let Some(transfer) = &request.transfer else { return Ok(()) };
    if transfer.outputs.len() > MOST_OUTPUTS {
        return Err(too_large(format!("transfer.outputs has over {MOST_OUTPUTS} entries")));
    }
    let plain =
        |text: &str| (1..=LONGEST_NAME).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !plain(&transfer.asset) {
        return Err(malformed("transfer.asset is no name of an asset"));
    }
    for (place, output) in transfer.outputs.iter().enumerate() {
        if !plain(&output.destination) {
            return Err(malformed(format!("transfer.outputs[{place}].destination is no address")));
        }
        let twice = output.reference.as_ref().is_some_and(|reference| {
            transfer.outputs.iter().take(place).any(|earlier| earlier.reference.as_ref() == Some(reference))
        });
        if twice {
            return Err(malformed(format!("transfer.outputs[{place}].reference is used twice in this request")));
        }
    }
    Ok(())
}

fn parse_time(text: &str) -> Result<Timestamp, Refusal> {
    text.parse().map_err(|_| malformed(format!("expires_at \"{}\" is no RFC 3339 time", text.escape_default())))
}

fn malformed(detail: impl Into<String>) -> Refusal {
    Refusal::new(ProblemCode::Malformed, detail)
}

fn too_large(detail: impl Into<String>) -> Refusal {
    Refusal::new(ProblemCode::TooLarge, detail)
}
