//! Asymmetric keys.

use super::{Call, Outcome, new_object::NewObject};
use crate::{
    simulator::{device::Device, faults::Fault, keys, objects::Object, signature::Signature},
    yubihsm2::protocol::{Algorithm, Capabilities, ErrorCode, ObjectType, Origin, Reader},
};

pub(super) fn put(device: &mut Device, call: &Call<'_>) -> Outcome {
    call.principal.must_have(Capabilities::PUT_ASYMMETRIC_KEY)?;
    let mut reader = Reader::new(call.data);
    let object = NewObject::read(&mut reader)?;
    let value = keys::import(object.algorithm, reader.rest())?;
    object.keep(device, call, ObjectType::ASYMMETRIC_KEY, Origin::IMPORTED, value)
}

pub(super) fn generate(device: &mut Device, call: &Call<'_>) -> Outcome {
    call.principal.must_have(Capabilities::GENERATE_ASYMMETRIC_KEY)?;
    let mut reader = Reader::new(call.data);
    let object = NewObject::read(&mut reader)?;
    reader.end()?;
    let value = keys::generate(object.algorithm)?;
    object.keep(device, call, ObjectType::ASYMMETRIC_KEY, Origin::GENERATED, value)
}

/// The object type behind the id is new in firmware 2.4 and may be left out.
pub(super) fn public_key(device: &Device, call: &Call<'_>) -> Outcome {
    let mut reader = Reader::new(call.data);
    let id = reader.u16()?;
    let object_type = if reader.is_empty() { ObjectType::ASYMMETRIC_KEY } else { ObjectType(reader.u8()?) };
    reader.end()?;
    if object_type != ObjectType::ASYMMETRIC_KEY {
        return Err(ErrorCode::INVALID_DATA);
    }
    let object = device.state.objects.reach(call.principal, object_type, id)?;
    let public = keys::public(object.info.algorithm, &object.value)?;
    Ok([&[object.info.algorithm.0], &public[..]].concat())
}

pub(super) fn sign_ecdsa(device: &Device, call: &Call<'_>) -> Outcome {
    let high_s = call.faults.contains(&Fault::HighS);
    let sign = |algorithm, value: &[u8], digest: &[u8]| keys::sign_digest(algorithm, value, digest, high_s);
    sign_with(device, call, Capabilities::SIGN_ECDSA, sign).map(Signature::to_der)
}

pub(super) fn sign_eddsa(device: &Device, call: &Call<'_>) -> Outcome {
    sign_with(device, call, Capabilities::SIGN_EDDSA, keys::sign_message).map(|signature| signature.0.to_vec())
}

fn sign_with(
    device: &Device,
    call: &Call<'_>,
    capability: Capabilities,
    sign: impl Fn(Algorithm, &[u8], &[u8]) -> Result<Signature, ErrorCode>,
) -> Result<Signature, ErrorCode> {
    let mut reader = Reader::new(call.data);
    let id = reader.u16()?;
    let object: &Object = device.state.objects.reach(call.principal, ObjectType::ASYMMETRIC_KEY, id)?;
    call.principal.must_share(capability, object)?;
    let (algorithm, input) = (object.info.algorithm, reader.rest());
    let signature = if call.faults.contains(&Fault::OtherKey) {
        sign(algorithm, &keys::generate(algorithm)?, input)?
    } else {
        sign(algorithm, &object.value, input)?
    };
    device.wait(device.signing_time);
    Ok(signature.spoiled(call.faults))
}
