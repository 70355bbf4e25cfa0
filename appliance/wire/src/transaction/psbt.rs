//! To be written.

use super::{BadEvidence, UtxoTransaction};

pub(super) fn read(data: &[u8]) -> Result<UtxoTransaction, BadEvidence> {
    let _ = data;
    Err(BadEvidence::Base64)
}
