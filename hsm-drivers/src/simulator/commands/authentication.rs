//! Authentication keys.

use zeroize::Zeroizing;

use super::{Call, Outcome, new_object::NewObject};
use crate::{
    simulator::{device::Device, principal::allow},
    yubihsm2::protocol::{Algorithm, Capabilities, ErrorCode, ObjectType, Origin, Reader, channel::StaticKeys},
};

pub(super) fn put(device: &mut Device, call: &Call<'_>) -> Outcome {
    call.principal.must_have(Capabilities::PUT_AUTHENTICATION_KEY)?;
    let mut reader = Reader::new(call.data);
    let object = NewObject::read_delegating(&mut reader)?;
    let value = value(object.algorithm, &mut reader)?;
    object.keep(device, call, ObjectType::AUTHENTICATION_KEY, Origin::IMPORTED, value)
}

/// Only the key of the session itself. Sessions that are open stay so.
pub(super) fn change(device: &mut Device, call: &Call<'_>) -> Outcome {
    call.principal.must_have(Capabilities::CHANGE_AUTHENTICATION_KEY)?;
    let mut reader = Reader::new(call.data);
    let (id, algorithm) = (reader.u16()?, Algorithm(reader.u8()?));
    let value = value(algorithm, &mut reader)?;
    allow(id == call.principal.key)?;
    let held = device.state.objects.held.get_mut(&(ObjectType::AUTHENTICATION_KEY, id));
    held.ok_or(ErrorCode::OBJECT_NOT_FOUND)?.value = value;
    Ok(id.to_be_bytes().to_vec())
}

fn value(algorithm: Algorithm, reader: &mut Reader<'_>) -> Result<Zeroizing<Vec<u8>>, ErrorCode> {
    if algorithm != Algorithm::AES128_YUBICO_AUTHENTICATION {
        return Err(ErrorCode::INVALID_DATA);
    }
    let value = reader.bytes(StaticKeys::LENGTH)?;
    reader.end()?;
    Ok(Zeroizing::new(value.to_vec()))
}
