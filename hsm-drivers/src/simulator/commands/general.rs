//! Commands about the device as a whole.

use rand::{RngCore, rngs::OsRng};

use super::{Call, Outcome};
use crate::{
    simulator::{
        device::Device,
        objects::{MOST_OBJECTS, PAGE, PAGES},
    },
    yubihsm2::protocol::{
        Algorithm, Capabilities, DeviceInfoPage, ErrorCode, LOG_CAPACITY, LONGEST_FRAME, OptionTag, Reader,
    },
};

/// What the part is called on the second page.
const PART_NUMBER: &[u8] = b"SIMULATOR";

/// The algorithms of objects this device makes.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::EC_P256,
    Algorithm::EC_K256,
    Algorithm::ED25519,
    Algorithm::AES128_CCM_WRAP,
    Algorithm::AES192_CCM_WRAP,
    Algorithm::AES256_CCM_WRAP,
    Algorithm::OPAQUE_DATA,
    Algorithm::OPAQUE_X509_CERTIFICATE,
    Algorithm::AES128_YUBICO_AUTHENTICATION,
];

pub(in crate::simulator) fn device_info(device: &Device, data: &[u8]) -> Outcome {
    match data {
        [] | [0] => Ok(DeviceInfoPage {
            version: device.firmware,
            serial: device.state.serial,
            log_capacity: count(LOG_CAPACITY),
            log_used: count(device.state.log.entries.len()),
            algorithms: ALGORITHMS.to_vec(),
        }
        .encode()),
        [1] if device.firmware >= [2, 4, 0] => Ok(PART_NUMBER.to_vec()),
        _ => Err(ErrorCode::INVALID_DATA),
    }
}

fn count(entries: usize) -> u8 {
    u8::try_from(entries).unwrap_or(u8::MAX)
}

/// The caller forgets everything once the answer is sealed.
pub(super) fn reset(call: &Call<'_>) -> Outcome {
    call.principal.must_have(Capabilities::RESET_DEVICE)?;
    Ok(Vec::new())
}

/// Records and pages, all and free, and bytes of a page.
pub(super) fn storage_info(device: &Device) -> Vec<u8> {
    let objects = &device.state.objects;
    let records = u16::try_from(MOST_OBJECTS).unwrap_or(u16::MAX);
    let held = u16::try_from(objects.held.len()).unwrap_or(u16::MAX);
    let numbers = [records, records.saturating_sub(held), PAGES, objects.free_pages(), PAGE];
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

pub(super) fn pseudo_random(call: &Call<'_>) -> Outcome {
    call.principal.must_have(Capabilities::GET_PSEUDO_RANDOM)?;
    let mut reader = Reader::new(call.data);
    let length = usize::from(reader.u16()?);
    reader.end()?;
    // Header, session and MAC, padding and inner header take the rest.
    if length > LONGEST_FRAME - 64 {
        return Err(ErrorCode::INVALID_DATA);
    }
    let mut random = vec![0; length];
    OsRng.fill_bytes(&mut random);
    Ok(random)
}

pub(super) fn get_option(device: &Device, call: &Call<'_>) -> Outcome {
    call.principal.must_have(Capabilities::GET_OPTION)?;
    let mut reader = Reader::new(call.data);
    let option = OptionTag(reader.u8()?);
    reader.end()?;
    device.state.audit.get(option)
}

pub(super) fn set_option(device: &mut Device, call: &Call<'_>) -> Outcome {
    call.principal.must_have(Capabilities::SET_OPTION)?;
    let mut reader = Reader::new(call.data);
    let option = OptionTag(reader.u8()?);
    let length = reader.u16()?;
    let value = reader.bytes(length.into())?;
    reader.end()?;
    device.state.audit.set(option, value)?;
    Ok(Vec::new())
}
