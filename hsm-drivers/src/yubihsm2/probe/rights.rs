//! What the authentication key in use may do, and whether the factory's is still there.

use super::has_key_1;
use crate::{
    Error,
    probe::Examiner,
    yubihsm2::{
        Yubihsm2Device, failure,
        protocol::{Capabilities, ObjectType},
    },
};

/// What the appliance asks of a device. Anything else is more than a signer needs.
const OF_A_SIGNER: [Capabilities; 9] = [
    Capabilities::SIGN_ECDSA,
    Capabilities::SIGN_EDDSA,
    Capabilities::GET_LOG_ENTRIES,
    Capabilities::GET_OPAQUE,
    Capabilities::PUT_OPAQUE,
    Capabilities::DELETE_OPAQUE,
    Capabilities::GET_OPTION,
    Capabilities::GET_PSEUDO_RANDOM,
    Capabilities::SIGN_ATTESTATION_CERTIFICATE,
];

pub(super) fn examine(examiner: &mut Examiner<'_>, device: &mut Yubihsm2Device) -> Result<(), Error> {
    let id = device.credentials.id;
    examiner.step(&format!("Get Object Info for authentication key {id}"));
    let failed = |error| failure::command_failed(&error, &format!("Get Object Info for authentication key {id}"));
    let info = device.run(|session| session.object_info(id, ObjectType::AUTHENTICATION_KEY).map_err(failed))?;
    examiner.step("List Objects");
    let has_key_1 = has_key_1(device)?;
    if let Some(facts) = &mut examiner.report.yubihsm {
        facts.domains = info.domains.to_string();
        facts.capabilities = info.capabilities.to_string();
        facts.delegated_capabilities = info.delegated_capabilities.to_string();
        facts.has_key_1 = Some(has_key_1);
    }
    judge(examiner, id, info.capabilities, info.delegated_capabilities);
    if has_key_1 {
        examiner.odd(
            "an authentication key 1 is there, the factory's by its object id",
            "unless it was changed, everybody knows its password (it was not tried): let the appliance use another, and \
             delete this one",
        );
    } else {
        examiner.works("the factory's authentication key 1 is not there, as far as this authentication key sees");
    }
    Ok(())
}

fn judge(examiner: &mut Examiner<'_>, id: u16, capabilities: Capabilities, delegated: Capabilities) {
    let needed = OF_A_SIGNER.into_iter().fold(Capabilities::NONE, |all, one| all | one);
    let surplus = capabilities.without(needed);
    if surplus == Capabilities::NONE && delegated == Capabilities::NONE {
        examiner.works(format!("authentication key {id} can do nothing but what a signer needs"));
    }
    if surplus != Capabilities::NONE {
        examiner.odd(
            format!("authentication key {id} may do more than a signer needs: {surplus}"),
            format!("give the appliance a key with no more than {needed}"),
        );
    }
    if delegated != Capabilities::NONE {
        examiner.odd(
            format!("authentication key {id} may hand on capabilities to what it makes: {delegated}"),
            "give the appliance a key without delegated capabilities: it makes nothing",
        );
    }
    for (capability, what) in [
        (Capabilities::GET_LOG_ENTRIES, "the device's log cannot be read"),
        (Capabilities::GET_OPTION, "the device's options cannot be read"),
        (Capabilities::GET_OPAQUE, "chain codes cannot be read, so keys have no children"),
    ] {
        if !capabilities.contains(capability) {
            examiner.odd(
                format!("{what}: authentication key {id} lacks capability {capability}"),
                format!("make a key for the appliance that has {capability} too"),
            );
        }
    }
}
