//! Attestation of asymmetric keys.

use super::{Call, Outcome};
use crate::{
    simulator::{
        certificate::{self, Issuer},
        device::Device,
        keys,
    },
    yubihsm2::protocol::{Algorithm, Capabilities, ErrorCode, ObjectType, Reader},
};

/// By the device's own key, 0, or by a P-256 key of the user's with a certificate of the same object id.
pub(super) fn sign(device: &Device, call: &Call<'_>) -> Outcome {
    let mut reader = Reader::new(call.data);
    let (id, attesting) = (reader.u16()?, reader.u16()?);
    reader.end()?;
    call.principal.must_have(Capabilities::SIGN_ATTESTATION_CERTIFICATE)?;
    let objects = &device.state.objects;
    let object = objects.reach(call.principal, ObjectType::ASYMMETRIC_KEY, id)?;
    let public = keys::public(object.info.algorithm, &object.value)?;
    let issuer = if attesting == 0 {
        device.state.attestation.issuer()
    } else {
        let key = objects.reach(call.principal, ObjectType::ASYMMETRIC_KEY, attesting)?;
        call.principal.must_share(Capabilities::SIGN_ATTESTATION_CERTIFICATE, key)?;
        let certificate = objects.reach(call.principal, ObjectType::OPAQUE, attesting)?;
        if key.info.algorithm != Algorithm::EC_P256 {
            return Err(ErrorCode::INVALID_DATA);
        }
        Issuer { key: &key.value, certificate: &certificate.value }
    };
    certificate::attestation(&issuer, device.identity(), object, &public).map_err(|_| ErrorCode::INVALID_DATA)
}
