//! What every command that makes an object begins with: id, label, domains, capabilities, algorithm.

use zeroize::Zeroizing;

use super::{Call, Outcome};
use crate::{
    simulator::{device::Device, objects::Object},
    yubihsm2::protocol::{Algorithm, Capabilities, Domains, ErrorCode, Label, ObjectInfo, ObjectType, Origin, Reader},
};

/// The parts of an object to be.
pub(super) struct NewObject {
    id: u16,
    label: Label,
    domains: Domains,
    capabilities: Capabilities,
    pub(super) algorithm: Algorithm,
    delegated: Capabilities,
}

impl NewObject {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ErrorCode> {
        Ok(Self {
            id: reader.u16()?,
            label: Label(reader.array()?),
            domains: Domains(reader.u16()?),
            capabilities: Capabilities(reader.u64()?),
            algorithm: Algorithm(reader.u8()?),
            delegated: Capabilities::NONE,
        })
    }

    /// As [`Self::read`], with delegated capabilities behind.
    pub(super) fn read_delegating(reader: &mut Reader<'_>) -> Result<Self, ErrorCode> {
        let object = Self::read(reader)?;
        Ok(Self { delegated: Capabilities(reader.u64()?), ..object })
    }

    /// Keeps it where the session may make it; the answer is its id.
    pub(super) fn keep(
        self,
        device: &mut Device,
        call: &Call<'_>,
        object_type: ObjectType,
        origin: Origin,
        value: Zeroizing<Vec<u8>>,
    ) -> Outcome {
        call.principal.may_create(self.domains, self.capabilities | self.delegated)?;
        let info = ObjectInfo {
            capabilities: self.capabilities,
            id: self.id,
            length: 0,
            domains: self.domains,
            object_type,
            algorithm: self.algorithm,
            sequence: 0,
            origin,
            label: self.label,
            delegated_capabilities: self.delegated,
        };
        Ok(device.state.objects.insert(Object { info, value })?.to_be_bytes().to_vec())
    }
}
