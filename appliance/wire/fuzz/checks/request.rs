//! What holds for any bytes called a request's body.

use appliance_wire::{SignatureRequest, transaction::UnsignedTransaction};

/// Panics where something does not hold; whether the bytes are read.
pub(crate) fn check(data: &[u8]) -> bool {
    let Ok(request) = serde_json::from_slice::<SignatureRequest>(data) else { return false };
    let content = request.content().ok();
    assert!(content.is_some(), "what is read has content");
    let written = serde_json::to_vec(&request).expect("what is read can be written");
    let again: SignatureRequest = serde_json::from_slice(&written).expect("what is written can be read");
    assert_eq!(again, request);
    assert_eq!(again.content().ok(), content, "written again, it is the same request");
    let timeless = SignatureRequest { expires_at: None, ..request };
    assert_eq!(timeless.content().ok(), content, "when it expires is no content");
    if let Some(evidence) = &timeless.evidence {
        let _ = UnsignedTransaction::read(evidence);
    }
    true
}
