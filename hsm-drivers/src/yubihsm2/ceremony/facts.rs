//! What a device says of a key: its description, for whoever writes it down, and its certificates.

use hsm_types::KeyLabel;

use super::failed;
use crate::{
    Disposition, Error,
    yubihsm2::{
        FACTORY_ATTESTATION, attestation, key,
        protocol::{ObjectInfo, ObjectType},
        session::Session,
    },
};

/// What Get Object Info tells of the key with this label; fit to serve or not.
pub(super) fn read(session: &mut Session, label: &KeyLabel) -> Result<Vec<(String, String)>, Error> {
    let id = key::find_id(session, label)?.ok_or_else(|| Error::UnknownKey { key: label.clone() })?;
    let info = session.object_info(id, ObjectType::ASYMMETRIC_KEY);
    let info = info.map_err(|error| failed(&error, "Get Object Info", &format!("key \"{label}\"")))?;
    Ok(facts(&info, []))
}

/// What it tells of an authentication key.
pub(super) fn of_role(session: &mut Session, id: u16) -> Result<Vec<(String, String)>, Error> {
    let info = session.object_info(id, ObjectType::AUTHENTICATION_KEY);
    let info = info.map_err(|error| failed(&error, "Get Object Info", &format!("authentication key {id}")))?;
    Ok(facts(&info, [("delegated-capabilities", info.delegated_capabilities.to_string())]))
}

fn facts<const N: usize>(info: &ObjectInfo, further: [(&str, String); N]) -> Vec<(String, String)> {
    let label = info.label.text().map_or_else(|| format!("{:?}", info.label), str::to_owned);
    let facts = [
        ("label", label),
        ("id", format!("{:#06x}", info.id)),
        ("type", info.object_type.to_string()),
        ("algorithm", info.algorithm.to_string()),
        ("sequence", info.sequence.to_string()),
        ("origin", info.origin.to_string()),
        ("domains", info.domains.to_string()),
        ("capabilities", info.capabilities.to_string()),
    ];
    facts.into_iter().chain(further).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The device's certificate about the key, then that of the device, which signed it; both in DER. What the first says is
/// what the device answers when it is asked.
pub(super) fn attest(session: &mut Session, label: &KeyLabel, serial: u32) -> Result<Vec<Vec<u8>>, Error> {
    let key = key::find(session, label)?;
    let what = format!("key \"{label}\"");
    let info = session.object_info(key.id, ObjectType::ASYMMETRIC_KEY);
    let info = info.map_err(|error| failed(&error, "Get Object Info", &what))?;
    let certificate = session.sign_attestation_certificate(key.id, FACTORY_ATTESTATION);
    let certificate = certificate.map_err(|error| failed(&error, "Sign Attestation Certificate", &what))?;
    let device = session.opaque(FACTORY_ATTESTATION);
    let device = device.map_err(|error| failed(&error, "Get Opaque", "the certificate of the device"))?;

    let bad = |cause: String| Error::Call {
        attempted: format!("Sign Attestation Certificate for {what}"),
        cause,
        disposition: Disposition::Broken,
    };
    let attested = attestation::verify_link(&certificate, &device).map_err(|error| bad(error.to_string()))?;
    let differing = [
        ("public key", attested.public_key != key.public_key),
        ("serial number", attested.serial != serial),
        ("origin", attested.origin != info.origin),
        ("domains", attested.domains != info.domains),
        ("capabilities", attested.capabilities != info.capabilities),
        ("object id", attested.id != info.id),
    ];
    let differing: Vec<_> = differing.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect();
    if !differing.is_empty() {
        return Err(bad(format!("the certificate says of {} something else than the device", differing.join(", "))));
    }
    Ok(vec![certificate, device])
}
