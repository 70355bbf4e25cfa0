//! The functions whose arguments or results faults change.

use std::{ffi::c_void, slice};

use cryptoki_sys::*;

use crate::{
    control,
    fault::Action,
    functions::{Firing, answer},
    module::real,
    point::Form,
    sessions,
    signature::Bend,
};

/// The standard's state of a session in which the user is no longer logged in.
fn public(state: CK_STATE) -> CK_STATE {
    if state == CKS_RW_USER_FUNCTIONS { CKS_RW_PUBLIC_SESSION } else { CKS_RO_PUBLIC_SESSION }
}

fn logged_in() -> Result<(), CK_RV> {
    if sessions::login_is_lost() { Err(CKR_USER_NOT_LOGGED_IN) } else { Ok(()) }
}

pub(crate) unsafe extern "C" fn get_slot_list(
    with_token: CK_BBOOL,
    list: *mut CK_SLOT_ID,
    count: *mut CK_ULONG,
) -> CK_RV {
    answer("C_GetSlotList", list.is_null(), |_| {
        let function = real().C_GetSlotList.ok_or(CKR_FUNCTION_NOT_SUPPORTED)?;
        // SAFETY: the caller's own arguments.
        let value = unsafe { function(with_token, list, count) };
        if value == CKR_OK && !list.is_null() {
            // SAFETY: the real module has written so many slots there.
            let slots = unsafe { slice::from_raw_parts_mut(list, *count as usize) };
            slots.iter_mut().for_each(|slot| *slot = sessions::shown_slot(*slot));
        }
        Ok(value)
    })
}

pub(crate) unsafe extern "C" fn get_token_info(slot: CK_SLOT_ID, info: *mut CK_TOKEN_INFO) -> CK_RV {
    answer("C_GetTokenInfo", false, |firing| {
        let function = real().C_GetTokenInfo.ok_or(CKR_FUNCTION_NOT_SUPPORTED)?;
        // SAFETY: the caller's own arguments.
        let value = unsafe { function(sessions::real_slot(slot)?, info) };
        // SAFETY: the real module has filled it in.
        if let Some(info) = unsafe { info.as_mut() }.filter(|_| value == CKR_OK) {
            for fault in &firing.faults {
                if let Action::Flags(flags) = fault.action {
                    info.flags |= flags;
                } else if let Action::Serial(serial) = &fault.action {
                    let padded = serial.bytes().chain(std::iter::repeat(b' '));
                    info.serialNumber.iter_mut().zip(padded).for_each(|(place, byte)| *place = byte);
                } else {
                    continue;
                }
                firing.fired.push(fault.identity);
            }
        }
        Ok(value)
    })
}

pub(crate) unsafe extern "C" fn open_session(
    slot: CK_SLOT_ID,
    flags: CK_FLAGS,
    application: *mut c_void,
    notify: CK_NOTIFY,
    session: *mut CK_SESSION_HANDLE,
) -> CK_RV {
    answer("C_OpenSession", false, |_| {
        let function = real().C_OpenSession.ok_or(CKR_FUNCTION_NOT_SUPPORTED)?;
        let slot = sessions::real_slot(slot)?;
        // SAFETY: the caller's own arguments.
        let value = unsafe { function(slot, flags, application, notify, session) };
        if value == CKR_OK {
            // SAFETY: the real module has written it.
            sessions::opened(unsafe { *session }, slot);
        }
        Ok(value)
    })
}

pub(crate) unsafe extern "C" fn close_session(session: CK_SESSION_HANDLE) -> CK_RV {
    answer("C_CloseSession", false, |_| {
        let function = real().C_CloseSession.ok_or(CKR_FUNCTION_NOT_SUPPORTED)?;
        let session = sessions::live(session)?;
        sessions::closed(session);
        // SAFETY: a number.
        Ok(unsafe { function(session) })
    })
}

pub(crate) unsafe extern "C" fn get_session_info(session: CK_SESSION_HANDLE, info: *mut CK_SESSION_INFO) -> CK_RV {
    answer("C_GetSessionInfo", false, |_| {
        let function = real().C_GetSessionInfo.ok_or(CKR_FUNCTION_NOT_SUPPORTED)?;
        // SAFETY: the caller's own arguments.
        let value = unsafe { function(sessions::live(session)?, info) };
        // SAFETY: the real module has filled it in.
        if let Some(info) = unsafe { info.as_mut() }.filter(|_| value == CKR_OK) {
            info.slotID = sessions::shown_slot(info.slotID);
            if sessions::login_is_lost() {
                info.state = public(info.state);
            }
        }
        Ok(value)
    })
}

pub(crate) unsafe extern "C" fn login(
    session: CK_SESSION_HANDLE,
    user: CK_USER_TYPE,
    pin: *mut CK_UTF8CHAR,
    length: CK_ULONG,
) -> CK_RV {
    answer("C_Login", false, |_| {
        let function = real().C_Login.ok_or(CKR_FUNCTION_NOT_SUPPORTED)?;
        // SAFETY: the caller's own arguments.
        let value = unsafe { function(sessions::live(session)?, user, pin, length) };
        // The real module has not noticed that its login was lost.
        let again = sessions::login_is_lost() && value == CKR_USER_ALREADY_LOGGED_IN;
        if value == CKR_OK || again {
            sessions::logged_in();
        }
        Ok(if again { CKR_OK } else { value })
    })
}

pub(crate) unsafe extern "C" fn find_objects(
    session: CK_SESSION_HANDLE,
    objects: *mut CK_OBJECT_HANDLE,
    most: CK_ULONG,
    count: *mut CK_ULONG,
) -> CK_RV {
    answer("C_FindObjects", false, |_| {
        let function = real().C_FindObjects.ok_or(CKR_FUNCTION_NOT_SUPPORTED)?;
        // SAFETY: the caller's own arguments.
        let value = unsafe { function(sessions::live(session)?, objects, most, count) };
        if value == CKR_OK && !objects.is_null() && !count.is_null() {
            if sessions::login_is_lost() {
                // SAFETY: not null, and so a place for a number. Private objects are not seen without login.
                unsafe { *count = 0 };
            }
            // SAFETY: the real module has written so many handles there, or more.
            let found = unsafe { slice::from_raw_parts_mut(objects, *count as usize) };
            found.iter_mut().for_each(|object| *object = sessions::shown_object(*object));
        }
        Ok(value)
    })
}

pub(crate) unsafe extern "C" fn get_attribute_value(
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    template: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
) -> CK_RV {
    answer("C_GetAttributeValue", false, |firing| {
        let (session, object) = (sessions::live(session)?, sessions::real_object(object)?);
        if template.is_null() {
            return Err(CKR_ARGUMENTS_BAD);
        }
        // SAFETY: not null, and so of this length.
        let wanted = unsafe { slice::from_raw_parts_mut(template, count as usize) };
        let mut true_ones = Vec::new();
        let mut lies = Vec::new();
        for (place, attribute) in wanted.iter().enumerate() {
            match lie(session, object, attribute.type_, firing) {
                Some(value) => lies.push((place, value)),
                None => true_ones.push((place, *attribute)),
            }
        }
        let mut asked: Vec<CK_ATTRIBUTE> = true_ones.iter().map(|(_, attribute)| *attribute).collect();
        let mut value = CKR_OK;
        if !asked.is_empty() {
            let function = real().C_GetAttributeValue.ok_or(CKR_FUNCTION_NOT_SUPPORTED)?;
            // SAFETY: the caller's own places for values.
            value = unsafe { function(session, object, asked.as_mut_ptr(), asked.len() as CK_ULONG) };
        }
        for ((place, _), told) in true_ones.iter().zip(asked) {
            if let Some(attribute) = wanted.get_mut(*place) {
                attribute.ulValueLen = told.ulValueLen;
            }
        }
        for (place, lie) in lies {
            let Some(attribute) = wanted.get_mut(place) else { continue };
            let told = tell(attribute, &lie);
            value = if value == CKR_OK { told } else { value };
        }
        Ok(value)
    })
}

/// What a fault says of this attribute.
fn lie(
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    attribute: CK_ATTRIBUTE_TYPE,
    firing: &mut Firing,
) -> Option<Vec<u8>> {
    let said = |action: &Action| {
        if let Action::Attribute(of, value) = action {
            (*of == attribute).then(|| value.clone())
        } else if let Action::Point(form) = action {
            if attribute == CKA_EC_POINT { written_as(*form, session, object) } else { None }
        } else {
            None
        }
    };
    let (identity, value) = firing.faults.iter().find_map(|fault| Some((fault.identity, said(&fault.action)?)))?;
    firing.fired.push(identity);
    Some(value)
}

fn written_as(form: Form, session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE) -> Option<Vec<u8>> {
    Some(form.of(&read(session, object, CKA_EC_POINT)?))
}

/// Puts a value where the caller wants it, or says how long it is (PKCS #11 v2.40, 5.7).
fn tell(attribute: &mut CK_ATTRIBUTE, value: &[u8]) -> CK_RV {
    if attribute.pValue.is_null() {
        attribute.ulValueLen = value.len() as CK_ULONG;
        return CKR_OK;
    }
    if (attribute.ulValueLen as usize) < value.len() {
        attribute.ulValueLen = CK_UNAVAILABLE_INFORMATION;
        return CKR_BUFFER_TOO_SMALL;
    }
    // SAFETY: not null, and so of the length that was just compared.
    let place = unsafe { slice::from_raw_parts_mut(attribute.pValue.cast::<u8>(), value.len()) };
    place.copy_from_slice(value);
    attribute.ulValueLen = value.len() as CK_ULONG;
    CKR_OK
}

/// An attribute as the real module has it.
fn read(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, attribute: CK_ATTRIBUTE_TYPE) -> Option<Vec<u8>> {
    let mut bytes = [0_u8; 256];
    let room = bytes.len() as CK_ULONG;
    let mut asked = CK_ATTRIBUTE { type_: attribute, pValue: bytes.as_mut_ptr().cast(), ulValueLen: room };
    // SAFETY: one attribute with its own place.
    let value = unsafe { real().C_GetAttributeValue?(session, object, &raw mut asked, 1) };
    bytes.get(..asked.ulValueLen as usize).filter(|_| value == CKR_OK).map(<[u8]>::to_vec)
}

pub(crate) unsafe extern "C" fn sign_init(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
) -> CK_RV {
    answer("C_SignInit", false, |firing| {
        let (session, mut key) = (sessions::live(session)?, sessions::real_key(key)?);
        logged_in()?;
        if let Some(fault) = firing.faults.iter().find(|fault| fault.action == Action::AnotherKey) {
            key = another_key(session, key)
                .unwrap_or_else(|| control::give_up("there is no other key of this type to sign with"));
            firing.fired.push(fault.identity);
        }
        let function = real().C_SignInit.ok_or(CKR_FUNCTION_NOT_SUPPORTED)?;
        // SAFETY: the caller's own arguments, and a handle of the module's.
        let value = unsafe { function(session, mechanism, key) };
        sessions::signs_with(session, key);
        Ok(value)
    })
}

/// Another private key on the same curve, found in a session of its own.
fn another_key(session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) -> Option<CK_OBJECT_HANDLE> {
    let slot = sessions::get(session)?.slot;
    let mut own = 0;
    // SAFETY: a place for the handle; no notification is asked for.
    let opened = unsafe { real().C_OpenSession?(slot, CKF_SERIAL_SESSION, std::ptr::null_mut(), None, &raw mut own) };
    if opened != CKR_OK {
        return None;
    }
    let mut class = CKO_PRIVATE_KEY;
    let length = size_of_val(&class) as CK_ULONG;
    let mut wanted = CK_ATTRIBUTE { type_: CKA_CLASS, pValue: (&raw mut class).cast(), ulValueLen: length };
    let (mut found, mut count) = ([0; 64], 0);
    // SAFETY: a template of one attribute; places for handles and their number, as many as is said.
    unsafe {
        real().C_FindObjectsInit?(own, &raw mut wanted, 1);
        real().C_FindObjects?(own, found.as_mut_ptr(), found.len() as CK_ULONG, &raw mut count);
        real().C_FindObjectsFinal?(own);
    }
    let curve = read(own, key, CKA_EC_PARAMS);
    let fits = |other: &&CK_OBJECT_HANDLE| **other != key && read(own, **other, CKA_EC_PARAMS) == curve;
    let other = found.get(..count as usize)?.iter().find(fits).copied();
    // SAFETY: the session opened above.
    unsafe { real().C_CloseSession?(own) };
    other
}

pub(crate) unsafe extern "C" fn sign(
    session: CK_SESSION_HANDLE,
    data: *mut CK_BYTE,
    data_length: CK_ULONG,
    signature: *mut CK_BYTE,
    length: *mut CK_ULONG,
) -> CK_RV {
    answer("C_Sign", signature.is_null(), |firing| {
        let session = sessions::live(session)?;
        logged_in()?;
        if length.is_null() {
            return Err(CKR_ARGUMENTS_BAD);
        }
        let function = real().C_Sign.ok_or(CKR_FUNCTION_NOT_SUPPORTED)?;
        // SAFETY: not null, and so a place for a number.
        let room = unsafe { *length } as usize;
        // SAFETY: the caller's own arguments.
        let value = unsafe { function(session, data, data_length, signature, length) };
        // SAFETY: as above.
        let length = unsafe { &mut *length };
        if value == CKR_OK && signature.is_null() && is_longer() {
            *length += 1;
        } else if value == CKR_OK && !signature.is_null() {
            // SAFETY: the real module was content with so much room.
            let place = unsafe { slice::from_raw_parts_mut(signature, room) };
            if let Some(bent) = bend(session, place.get(..*length as usize).unwrap_or_default(), firing)
                && let Some(place) = place.get_mut(..bent.len())
            {
                place.copy_from_slice(&bent);
                *length = bent.len() as CK_ULONG;
            }
        }
        Ok(value)
    })
}

/// Whether there is to be room for a signature that is too long.
fn is_longer() -> bool {
    control::faults().iter().any(|fault| fault.action == Action::Bend(Bend::Long))
}

fn bend(session: CK_SESSION_HANDLE, signature: &[u8], firing: &mut Firing) -> Option<Vec<u8>> {
    let previous = sessions::replace_signature(signature);
    let meant = |action: &Action| if let Action::Bend(bend) = action { Some(*bend) } else { None };
    let (identity, bend) = firing.faults.iter().find_map(|fault| Some((fault.identity, meant(&fault.action)?)))?;
    let key = sessions::get(session).and_then(|session| session.key);
    let params = key.and_then(|key| read(session, key, CKA_EC_PARAMS)).unwrap_or_default();
    let bent = bend.of(signature, previous, &params)?;
    firing.fired.push(identity);
    Some(bent)
}
