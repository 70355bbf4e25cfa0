//! What the shim remembers of sessions: which there are, which are gone, what each is signing with.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

use cryptoki_sys::{
    CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE, CK_SLOT_ID, CKR_KEY_HANDLE_INVALID, CKR_OBJECT_HANDLE_INVALID,
    CKR_SESSION_HANDLE_INVALID, CKR_SLOT_ID_INVALID,
};

use crate::{control, fault::Action};

#[derive(Debug, Default)]
struct Sessions {
    open: HashMap<CK_SESSION_HANDLE, Session>,
    /// Opened before a fault closed all.
    gone: Vec<CK_SESSION_HANDLE>,
    login_lost: bool,
    last_signature: Option<Vec<u8>>,
}

/// One session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    pub(crate) slot: CK_SLOT_ID,
    /// The key of its operation.
    pub(crate) key: Option<CK_OBJECT_HANDLE>,
}

fn lock() -> MutexGuard<'static, Sessions> {
    static SESSIONS: LazyLock<Mutex<Sessions>> = LazyLock::new(Mutex::default);
    SESSIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn opened(session: CK_SESSION_HANDLE, slot: CK_SLOT_ID) {
    let mut sessions = lock();
    sessions.gone.retain(|gone| *gone != session);
    sessions.open.insert(session, Session { slot, key: None });
}

pub(crate) fn closed(session: CK_SESSION_HANDLE) {
    lock().open.remove(&session);
}

/// All sessions are gone and with them the login.
pub(crate) fn close_all() {
    let mut sessions = lock();
    let gone: Vec<CK_SESSION_HANDLE> = sessions.open.drain().map(|(session, _)| session).collect();
    sessions.gone.extend(gone);
    sessions.login_lost = true;
}

pub(crate) fn lose_login() {
    lock().login_lost = true;
}

pub(crate) fn login_is_lost() -> bool {
    lock().login_lost
}

pub(crate) fn logged_in() {
    lock().login_lost = false;
}

pub(crate) fn signs_with(session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) {
    if let Some(session) = lock().open.get_mut(&session) {
        session.key = Some(key);
    }
}

pub(crate) fn get(session: CK_SESSION_HANDLE) -> Option<Session> {
    lock().open.get(&session).copied()
}

/// Remembers a signature; the one before it, of any session.
pub(crate) fn replace_signature(signature: &[u8]) -> Option<Vec<u8>> {
    lock().last_signature.replace(signature.to_vec())
}

/// The session, where no fault closed it.
pub(crate) fn live(session: CK_SESSION_HANDLE) -> Result<CK_SESSION_HANDLE, CK_RV> {
    if lock().gone.contains(&session) { Err(CKR_SESSION_HANDLE_INVALID) } else { Ok(session) }
}

fn slot_offset() -> CK_SLOT_ID {
    let of = |action: &Action| if let Action::Slots(by) = action { Some(*by) } else { None };
    control::faults().iter().find_map(|fault| of(&fault.action)).unwrap_or(0)
}

fn object_offset() -> CK_OBJECT_HANDLE {
    let of = |action: &Action| if let Action::Objects(by) = action { Some(*by) } else { None };
    control::faults().iter().find_map(|fault| of(&fault.action)).unwrap_or(0)
}

/// The slot's number as the caller sees it.
pub(crate) fn shown_slot(slot: CK_SLOT_ID) -> CK_SLOT_ID {
    slot.wrapping_add(slot_offset())
}

/// The slot the caller means.
pub(crate) fn real_slot(slot: CK_SLOT_ID) -> Result<CK_SLOT_ID, CK_RV> {
    slot.checked_sub(slot_offset()).ok_or(CKR_SLOT_ID_INVALID)
}

/// The object's number as the caller sees it.
pub(crate) fn shown_object(object: CK_OBJECT_HANDLE) -> CK_OBJECT_HANDLE {
    object.wrapping_add(object_offset())
}

/// The object the caller means.
pub(crate) fn real_object(object: CK_OBJECT_HANDLE) -> Result<CK_OBJECT_HANDLE, CK_RV> {
    object.checked_sub(object_offset()).ok_or(CKR_OBJECT_HANDLE_INVALID)
}

/// The same, of a key.
pub(crate) fn real_key(key: CK_OBJECT_HANDLE) -> Result<CK_OBJECT_HANDLE, CK_RV> {
    real_object(key).map_err(|_| CKR_KEY_HANDLE_INVALID)
}
