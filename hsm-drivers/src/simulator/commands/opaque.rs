//! Opaque objects.

use zeroize::Zeroizing;

use super::{Call, Outcome, new_object::NewObject};
use crate::{
    simulator::device::Device,
    yubihsm2::protocol::{Algorithm, Capabilities, ErrorCode, ObjectType, Origin, Reader},
};

pub(super) fn put(device: &mut Device, call: &Call<'_>) -> Outcome {
    call.principal.must_have(Capabilities::PUT_OPAQUE)?;
    let mut reader = Reader::new(call.data);
    let object = NewObject::read(&mut reader)?;
    if ![Algorithm::OPAQUE_DATA, Algorithm::OPAQUE_X509_CERTIFICATE].contains(&object.algorithm) {
        return Err(ErrorCode::INVALID_DATA);
    }
    let value = Zeroizing::new(reader.rest().to_vec());
    if value.is_empty() {
        return Err(ErrorCode::WRONG_LENGTH);
    }
    object.keep(device, call, ObjectType::OPAQUE, Origin::IMPORTED, value)
}

/// Object 0 is the certificate of the attestation key, put there by the maker.
pub(super) fn get(device: &Device, call: &Call<'_>) -> Outcome {
    call.principal.must_have(Capabilities::GET_OPAQUE)?;
    let mut reader = Reader::new(call.data);
    let id = reader.u16()?;
    reader.end()?;
    if id == 0 {
        return Ok(device.state.attestation.certificate.clone());
    }
    Ok(device.state.objects.reach(call.principal, ObjectType::OPAQUE, id)?.value.to_vec())
}
