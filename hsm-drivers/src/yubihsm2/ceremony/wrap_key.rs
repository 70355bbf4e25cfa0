//! The wrap key of a replication, a backup or a restore: a device may export under it, or import, and has it for one call.

use rand::{RngCore, rngs::OsRng};
use zeroize::Zeroizing;

use super::{BackupKey, failed, generate, original::Original};
use crate::{
    Disposition, Error,
    yubihsm2::{
        command::NewObject,
        protocol::{Algorithm, Capabilities, Label, ListFilter, ObjectType},
        session::Session,
    },
};

const NAME: &str = "chancery-wrap-key";
const BYTES: usize = 32;

/// The value, as long as the ceremony holds it: wiped when dropped.
pub(super) struct WrapKey(Zeroizing<Vec<u8>>);

impl WrapKey {
    /// A new one: random numbers of this machine and of both devices, added bit by bit. One good source is enough.
    pub(super) fn random(devices: [&mut Session; 2]) -> Result<Self, Error> {
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
        Ok(Self(value))
    }

    /// That of a backup.
    pub(super) fn of(backup_key: &BackupKey) -> Self {
        Self(Zeroizing::new(backup_key.expose().to_vec()))
    }

    /// Wraps the key out of the device.
    pub(super) fn export(&self, session: &mut Session, key: &Original) -> Result<Vec<u8>, Error> {
        self.with(session, key, Capabilities::EXPORT_WRAPPED, |session, by| {
            let exported = session.export_wrapped(by, ObjectType::ASYMMETRIC_KEY, key.id);
            exported.map_err(|error| failed(&error, "Export Wrapped", &what(key)))
        })
    }

    /// Unwraps it into a device.
    pub(super) fn import(&self, session: &mut Session, key: &Original, wrapped: &[u8]) -> Result<(), Error> {
        self.with(session, key, Capabilities::IMPORT_WRAPPED, |session, by| {
            let imported = session.import_wrapped(by, wrapped);
            let imported = imported.map_err(|error| failed(&error, "Import Wrapped", &what(key)))?;
            if imported == (ObjectType::ASYMMETRIC_KEY, key.id) {
                return Ok(());
            }
            // It is not the key that was asked for, so nobody asked for it.
            let _ = session.delete_object(imported.1, imported.0);
            Err(Error::Call {
                attempted: format!("Import Wrapped for {}", what(key)),
                cause: format!("the device made {} {:#06x} of it", imported.0, imported.1),
                disposition: Disposition::Broken,
            })
        })
    }

    /// The wrap key is in the device only meanwhile, and may do this with keys like this one.
    fn with<T>(
        &self,
        session: &mut Session,
        key: &Original,
        capabilities: Capabilities,
        act: impl FnOnce(&mut Session, u16) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let id = generate::free_id(session, &key.label)?;
        let (label, algorithm) = (name()?, Algorithm::AES256_CCM_WRAP);
        let wrap_key = NewObject { id, label, domains: key.domains, capabilities, algorithm };
        let put = session.put_wrap_key(wrap_key, key.capabilities, &self.0);
        put.map_err(|error| failed(&error, "Put Wrap Key", &what(key)))?;
        let result = act(session, id);
        let deleted = delete_all(session);
        // Where both went wrong the first says why.
        result.and_then(|value| deleted.map(|()| value))
    }
}

fn what(key: &Original) -> String {
    format!("the replica of key \"{}\"", key.label)
}

/// Deletes every wrap key of ours: this one, and what an interrupted call left.
pub(super) fn delete_all(session: &mut Session) -> Result<(), Error> {
    let what = "the wrap key";
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
