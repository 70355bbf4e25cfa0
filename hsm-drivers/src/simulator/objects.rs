//! The objects a device holds.

use std::collections::BTreeMap;

use rand::{Rng, rngs::OsRng};
use zeroize::Zeroizing;

use super::principal::Principal;
use crate::yubihsm2::protocol::{ErrorCode, ObjectInfo, ObjectType};

/// Objects a device has room for.
pub(super) const MOST_OBJECTS: usize = 256;
/// Storage is given out in pages.
pub(super) const PAGES: u16 = 1024;
/// Bytes of a page.
pub(super) const PAGE: u16 = 126;

/// One object and its value.
#[derive(Clone)]
pub(super) struct Object {
    pub(super) info: ObjectInfo,
    pub(super) value: Zeroizing<Vec<u8>>,
}

impl Object {
    /// Pages it takes: its value, and one for the rest.
    fn pages(&self) -> u16 {
        let pages = self.value.len().div_ceil(PAGE.into()).saturating_add(1);
        u16::try_from(pages).unwrap_or(u16::MAX)
    }
}

/// All of them, and how often each id and type was used.
#[derive(Clone, Default)]
pub(super) struct Objects {
    pub(super) held: BTreeMap<(ObjectType, u16), Object>,
    /// Sequence the next object of that type and id gets; none is 0.
    pub(super) sequences: BTreeMap<(ObjectType, u16), u8>,
}

impl Objects {
    /// One a session reaches. That of other domains is as if it were not there.
    pub(super) fn reach(&self, principal: &Principal, object_type: ObjectType, id: u16) -> Result<&Object, ErrorCode> {
        self.held
            .get(&(object_type, id))
            .filter(|object| object.info.domains.overlap(principal.domains))
            .ok_or(ErrorCode::OBJECT_NOT_FOUND)
    }

    /// Keeps a new object; one without an id gets a free one at random. Gives the id.
    pub(super) fn insert(&mut self, mut object: Object) -> Result<u16, ErrorCode> {
        let object_type = object.info.object_type;
        if object.info.id == 0 {
            object.info.id = self.free_id(object_type).ok_or(ErrorCode::STORAGE_FAILED)?;
        }
        let id = object.info.id;
        if id == u16::MAX {
            return Err(ErrorCode::INVALID_ID);
        }
        if self.held.contains_key(&(object_type, id)) {
            return Err(ErrorCode::OBJECT_EXISTS);
        }
        if self.held.len() >= MOST_OBJECTS || self.free_pages() < object.pages() {
            return Err(ErrorCode::STORAGE_FAILED);
        }
        object.info.sequence = self.sequences.get(&(object_type, id)).copied().unwrap_or(0);
        object.info.length = u16::try_from(object.value.len()).map_err(|_| ErrorCode::WRONG_LENGTH)?;
        self.held.insert((object_type, id), object);
        Ok(id)
    }

    /// Forgets an object; the next of its id and type has the next sequence.
    pub(super) fn remove(&mut self, object_type: ObjectType, id: u16) {
        if let Some(object) = self.held.remove(&(object_type, id)) {
            self.sequences.insert((object_type, id), object.info.sequence.wrapping_add(1));
        }
    }

    pub(super) fn free_pages(&self) -> u16 {
        let used = self.held.values().fold(0_u16, |sum, object| sum.saturating_add(object.pages()));
        PAGES.saturating_sub(used)
    }

    fn free_id(&self, object_type: ObjectType) -> Option<u16> {
        (0..10_000).map(|_| OsRng.gen_range(1..u16::MAX)).find(|id| !self.held.contains_key(&(object_type, *id)))
    }
}
