//! Wrap keys, and objects that leave and come under them.
//!
//! What is wrapped: algorithm of the wrap key, then of the object capabilities, id, length, domains, type, algorithm,
//! sequence (0), origin and label, its delegated capabilities where its type has any, and its value.

mod cipher;

use rand::{RngCore, rngs::OsRng};
use zeroize::Zeroizing;

use super::{Call, Outcome, new_object::NewObject};
use crate::{
    simulator::{device::Device, keys, objects::Object, principal::allow},
    yubihsm2::protocol::{Algorithm, Capabilities, Domains, ErrorCode, Label, ObjectInfo, ObjectType, Origin, Reader},
};

pub(super) fn put(device: &mut Device, call: &Call<'_>) -> Outcome {
    call.principal.must_have(Capabilities::PUT_WRAP_KEY)?;
    let mut reader = Reader::new(call.data);
    let object = NewObject::read_delegating(&mut reader)?;
    let value = Zeroizing::new(reader.rest().to_vec());
    if value.len() != key_length(object.algorithm)? {
        return Err(ErrorCode::WRONG_LENGTH);
    }
    object.keep(device, call, ObjectType::WRAP_KEY, Origin::IMPORTED, value)
}

pub(super) fn generate(device: &mut Device, call: &Call<'_>) -> Outcome {
    call.principal.must_have(Capabilities::GENERATE_WRAP_KEY)?;
    let mut reader = Reader::new(call.data);
    let object = NewObject::read_delegating(&mut reader)?;
    reader.end()?;
    let mut value = Zeroizing::new(vec![0; key_length(object.algorithm)?]);
    OsRng.fill_bytes(&mut value);
    object.keep(device, call, ObjectType::WRAP_KEY, Origin::GENERATED, value)
}

fn key_length(algorithm: Algorithm) -> Result<usize, ErrorCode> {
    match algorithm {
        Algorithm::AES128_CCM_WRAP => Ok(16),
        Algorithm::AES192_CCM_WRAP => Ok(24),
        Algorithm::AES256_CCM_WRAP => Ok(32),
        _ => Err(ErrorCode::INVALID_DATA),
    }
}

/// The byte behind the object id, new in firmware 2.4, asks for the seed of an Ed25519 key.
pub(super) fn export(device: &Device, call: &Call<'_>) -> Outcome {
    let mut reader = Reader::new(call.data);
    let (wrap_id, object_type, id) = (reader.u16()?, ObjectType(reader.u8()?), reader.u16()?);
    let with_seed = !reader.is_empty() && reader.u8()? == 1;
    reader.end()?;
    let objects = &device.state.objects;
    let wrap_key = objects.reach(call.principal, ObjectType::WRAP_KEY, wrap_id)?;
    let object = objects.reach(call.principal, object_type, id)?;
    call.principal.must_share(Capabilities::EXPORT_WRAPPED, wrap_key)?;
    allow(object.info.capabilities.contains(Capabilities::EXPORTABLE_UNDER_WRAP))?;
    may_pass(wrap_key, &object.info)?;
    cipher::encrypt(wrap_key, &inner(wrap_key.info.algorithm, object, with_seed))
}

pub(super) fn import(device: &mut Device, call: &Call<'_>) -> Outcome {
    let mut reader = Reader::new(call.data);
    let wrap_id = reader.u16()?;
    let wrap_key = device.state.objects.reach(call.principal, ObjectType::WRAP_KEY, wrap_id)?;
    call.principal.must_share(Capabilities::IMPORT_WRAPPED, wrap_key)?;
    let message = cipher::decrypt(wrap_key, reader.rest())?;
    let object = read_inner(wrap_key.info.algorithm, &message)?;
    may_pass(wrap_key, &object.info)?;
    allow(object.info.domains.overlap(call.principal.domains))?;
    let object_type = object.info.object_type;
    let id = device.state.objects.insert(object)?;
    Ok([&[object_type.0], &id.to_be_bytes()[..]].concat())
}

/// A wrap key moves only objects of its domains, with no capability but those delegated to it.
fn may_pass(wrap_key: &Object, info: &ObjectInfo) -> Result<(), ErrorCode> {
    let carried = info.capabilities | info.delegated_capabilities;
    allow(wrap_key.info.delegated_capabilities.contains(carried) && wrap_key.info.domains.overlap(info.domains))
}

fn delegates(object_type: ObjectType) -> bool {
    [ObjectType::AUTHENTICATION_KEY, ObjectType::WRAP_KEY].contains(&object_type)
}

fn inner(wrap_algorithm: Algorithm, object: &Object, with_seed: bool) -> Zeroizing<Vec<u8>> {
    let info = &object.info;
    let delegated = info.delegated_capabilities.0.to_be_bytes();
    let delegated = if delegates(info.object_type) { &delegated[..] } else { &[] };
    let value = keys::exported(info.algorithm, &object.value, with_seed);
    let length = u16::try_from(delegated.len() + value.len()).unwrap_or(u16::MAX);
    let parts = [
        &[wrap_algorithm.0][..],
        &info.capabilities.0.to_be_bytes(),
        &info.id.to_be_bytes(),
        &length.to_be_bytes(),
        &info.domains.0.to_be_bytes(),
        &[info.object_type.0, info.algorithm.0, 0, info.origin.0],
        &info.label.0,
        delegated,
        value,
    ];
    Zeroizing::new(parts.concat())
}

fn read_inner(wrap_algorithm: Algorithm, message: &[u8]) -> Result<Object, ErrorCode> {
    let mut reader = Reader::new(message);
    if Algorithm(reader.u8()?) != wrap_algorithm {
        return Err(ErrorCode::INVALID_DATA);
    }
    let (capabilities, id, length) = (Capabilities(reader.u64()?), reader.u16()?, reader.u16()?);
    let domains = Domains(reader.u16()?);
    let (object_type, algorithm) = (ObjectType(reader.u8()?), Algorithm(reader.u8()?));
    let (sequence, origin, label) = (reader.u8()?, Origin(reader.u8()?).wrapped(), Label(reader.array()?));
    let mut rest = Reader::new(reader.bytes(length.into())?);
    reader.end()?;
    let delegated_capabilities = Capabilities(if delegates(object_type) { rest.u64()? } else { 0 });
    let value = Zeroizing::new(rest.rest().to_vec());
    match object_type {
        ObjectType::ASYMMETRIC_KEY => drop(keys::public(algorithm, &value)?),
        ObjectType::OPAQUE | ObjectType::AUTHENTICATION_KEY | ObjectType::WRAP_KEY => {}
        _ => return Err(ErrorCode::INVALID_DATA),
    }
    let info = ObjectInfo {
        capabilities,
        id,
        length,
        domains,
        object_type,
        algorithm,
        sequence,
        origin,
        label,
        delegated_capabilities,
    };
    Ok(Object { info, value })
}
