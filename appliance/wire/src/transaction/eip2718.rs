//! To be written.

use super::{BadEvidence, EvmTransaction};

pub(super) fn read(data: &[u8]) -> Result<EvmTransaction, BadEvidence> {
    let _ = data;
    Err(BadEvidence::Base64)
}
