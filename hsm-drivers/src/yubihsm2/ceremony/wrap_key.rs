//! The wrap key of one replication: in the one device it may export, in the other import, and it lives for one call.

use hsm_types::KeyLabel;
use rand::{RngCore, rngs::OsRng};
use zeroize::Zeroizing;

use super::{failed, generate};
use crate::{
    Disposition, Error,
    yubihsm2::{
        command::NewObject,
        protocol::{Algorithm, Capabilities, Label, ListFilter, ObjectInfo, ObjectType},
        session::Session,
    },
};

const NAME: &str = "chancery-replication";
const BYTES: usize = 32;

/// The value, as long as the ceremony holds it: wiped when dropped.
pub(super) struct WrapKey<'a> {
    value: Zeroizing<Vec<u8>>,
    label: &'a KeyLabel,
    /// Of the key that travels.
    info: &'a ObjectInfo,
}

impl<'a> WrapKey<'a> {
    /// A new one: random numbers of this machine and of both devices, added bit by bit. One good source is enough.
    pub(super) fn random(devices: [&mut Session; 2], label: &'a KeyLabel, info: &'a ObjectInfo) -> Result<Self, Error> {
        let mut value = Zeroizing::new(vec![0; BYTES]);
        OsRng.try_fill_bytes(&mut value).map_err(|error| Error::Call {
            attempted: "random numbers for the wrap key".to_owned(),
            cause: error.to_string(),
            disposition: Disposition::NotSent,
        })?;
        for device in devices {
            let length = u16::try_from(BYTES).unwrap_or(u16::MAX);
            let random = device.pseudo_random(length).map(Zeroizing::new);
            let random = random.map_err(|error| failed(&error, "Get Pseudo Random", "the wrap key"))?;
            value.iter_mut().zip(random.iter()).for_each(|(byte, random)| *byte ^= random);
        }
        Ok(Self { value, label, info })
    }

    /// Wraps the key out of the device.
    pub(super) fn export(&self, session: &mut Session) -> Result<Vec<u8>, Error> {
        self.with(session, Capabilities::EXPORT_WRAPPED, |session, id| {
            let exported = session.export_wrapped(id, ObjectType::ASYMMETRIC_KEY, self.info.id);
            exported.map_err(|error| failed(&error, "Export Wrapped", &self.what()))
        })
    }

    /// Unwraps it into the other.
    pub(super) fn import(&self, session: &mut Session, wrapped: &[u8]) -> Result<(), Error> {
        self.with(session, Capabilities::IMPORT_WRAPPED, |session, id| {
            let imported = session.import_wrapped(id, wrapped);
            let imported = imported.map_err(|error| failed(&error, "Import Wrapped", &self.what()))?;
            if imported == (ObjectType::ASYMMETRIC_KEY, self.info.id) {
                return Ok(());
            }
            Err(Error::Call {
                attempted: format!("Import Wrapped for {}", self.what()),
                cause: format!("the device made {} {:#06x} of it", imported.0, imported.1),
                disposition: Disposition::Broken,
            })
        })
    }

    /// The wrap key is in the device only meanwhile, and may do this with keys like this one.
    fn with<T>(
        &self,
        session: &mut Session,
        capabilities: Capabilities,
        act: impl FnOnce(&mut Session, u16) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let id = generate::free_id(session, self.label)?;
        let (label, algorithm) = (name()?, Algorithm::AES256_CCM_WRAP);
        let key = NewObject { id, label, domains: self.info.domains, capabilities, algorithm };
        let put = session.put_wrap_key(key, self.info.capabilities, &self.value);
        put.map_err(|error| failed(&error, "Put Wrap Key", &self.what()))?;
        let result = act(session, id);
        let deleted = delete_all(session);
        // Where both went wrong the first says why.
        result.and_then(|value| deleted.map(|()| value))
    }

    fn what(&self) -> String {
        format!("the replica of key \"{}\"", self.label)
    }
}

/// Deletes every wrap key of a replication: this one, and what an interrupted call left.
pub(super) fn delete_all(session: &mut Session) -> Result<(), Error> {
    let what = "the wrap key of a replication";
    let filters = [ListFilter::Type(ObjectType::WRAP_KEY), ListFilter::Label(name()?)];
    let found = session.list_objects(&filters).map_err(|error| failed(&error, "List Objects", what))?;
    for entry in found {
        let deleted = session.delete_object(entry.id, ObjectType::WRAP_KEY);
        deleted.map_err(|error| failed(&error, "Delete Object", what))?;
    }
    Ok(())
}

fn name() -> Result<Label, Error> {
    Label::new(NAME).ok_or_else(|| Error::Call {
        attempted: "naming the wrap key".to_owned(),
        cause: "a label is at most 40 bytes".to_owned(),
        disposition: Disposition::NotSent,
    })
}
