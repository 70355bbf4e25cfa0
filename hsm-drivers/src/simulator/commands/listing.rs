//! Commands about objects of any type.

use super::{Call, Outcome};
use crate::{
    simulator::device::Device,
    yubihsm2::protocol::{Capabilities, ErrorCode, ListEntry, ListFilter, ObjectType, Reader},
};

pub(super) fn list(device: &Device, call: &Call<'_>) -> Outcome {
    let filters = ListFilter::decode_all(call.data).map_err(|_| ErrorCode::INVALID_DATA)?;
    let reached = device.state.objects.held.values().map(|object| &object.info);
    let reached = reached.filter(|info| info.domains.overlap(call.principal.domains));
    let listed = reached.filter(|info| filters.iter().all(|filter| filter.matches(info)));
    let entry = |id, object_type, sequence| ListEntry { id, object_type, sequence }.encode();
    Ok(listed.flat_map(|info| entry(info.id, info.object_type, info.sequence)).collect())
}

pub(super) fn info(device: &Device, call: &Call<'_>) -> Outcome {
    let (id, object_type) = named(call)?;
    Ok(device.state.objects.reach(call.principal, object_type, id)?.info.encode())
}

pub(super) fn delete(device: &mut Device, call: &Call<'_>) -> Outcome {
    let (id, object_type) = named(call)?;
    let needed = match object_type {
        ObjectType::OPAQUE => Capabilities::DELETE_OPAQUE,
        ObjectType::AUTHENTICATION_KEY => Capabilities::DELETE_AUTHENTICATION_KEY,
        ObjectType::ASYMMETRIC_KEY => Capabilities::DELETE_ASYMMETRIC_KEY,
        ObjectType::WRAP_KEY => Capabilities::DELETE_WRAP_KEY,
        _ => return Err(ErrorCode::OBJECT_NOT_FOUND),
    };
    call.principal.must_have(needed)?;
    device.state.objects.reach(call.principal, object_type, id)?;
    device.state.objects.remove(object_type, id);
    Ok(Vec::new())
}

fn named(call: &Call<'_>) -> Result<(u16, ObjectType), ErrorCode> {
    let mut reader = Reader::new(call.data);
    let named = (reader.u16()?, ObjectType(reader.u8()?));
    reader.end()?;
    Ok(named)
}
