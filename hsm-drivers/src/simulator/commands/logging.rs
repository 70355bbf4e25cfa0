//! Commands about the log.

use super::{Call, Outcome};
use crate::{
    simulator::device::Device,
    yubihsm2::protocol::{Capabilities, ErrorCode, Reader},
};

pub(super) fn entries(device: &Device, call: &Call<'_>) -> Outcome {
    call.principal.must_have(Capabilities::GET_LOG_ENTRIES)?;
    Ok(device.state.log.read().encode())
}

/// A number that is not in the log is refused (with which code is not documented).
pub(super) fn set_index(device: &mut Device, call: &Call<'_>) -> Outcome {
    call.principal.must_have(Capabilities::GET_LOG_ENTRIES)?;
    let mut reader = Reader::new(call.data);
    let number = reader.u16()?;
    reader.end()?;
    if device.state.log.release(number) { Ok(Vec::new()) } else { Err(ErrorCode::INVALID_DATA) }
}
