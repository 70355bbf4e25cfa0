//! Setting up devices and making keys. Only the ceremony and the tests build this; the appliance cannot create a key.

mod audit;
mod backup;
mod chain_code;
mod command;
mod destroy;
mod facts;
mod generate;
mod initialize;
mod original;
mod replicate;
mod roles;
mod wrap_key;

use hsm_types::{Algorithm, ChainCode, KeyLabel, PublicKey, ToSign, VerifiedSignature};
use zeroize::Zeroizing;

pub use self::{
    initialize::initialize,
    roles::{Role, RoleName, Roles, capabilities_of, delegated_of, excess},
};
use super::{
    connector::Connector,
    failure, key,
    protocol::{Domains, ListFilter, ObjectType, channel::StaticKeys},
    session::{CommandError, Credentials, Session},
};
pub use crate::ceremony::{BackupKey, KeyListing, Replica, WrappedKey, Wrapping};
use crate::{DeviceInfo, Disposition, Error, Pin, Protection};

/// A session of an administrator's authentication key, or, for backups, of that of [`RoleName::Backup`].
#[derive(Debug)]
pub struct Ceremony {
    /// None after an error while it was opened anew.
    session: Option<Session>,
    credentials: Credentials,
    /// Those of the authentication key: what is made lies in them.
    domains: Domains,
    serial: u32,
}

impl Ceremony {
    /// Opens a session with such an authentication key, by its password, which is tried once.
    ///
    /// # Errors
    /// As [`Yubihsm2Device::open`](super::Yubihsm2Device::open), but that wrap rights are such a key's to have.
    pub fn open(connector: Box<dyn Connector>, authentication_key: u16, password: &Pin) -> Result<Self, Error> {
        super::refuse_factory_password(authentication_key, password)?;
        let credentials = credentials(authentication_key, password);
        let mut session = open_session(connector, &credentials)?;
        let info = session.object_info(authentication_key, ObjectType::AUTHENTICATION_KEY);
        let info = info.map_err(|error| failed(&error, "Get Object Info", "the authentication key of the ceremony"))?;
        let device = session.device_info().map_err(|error| failed(&error, "Get Device Info", "the ceremony"))?;
        Ok(Self { session: Some(session), credentials, domains: info.domains, serial: device.serial })
    }

    /// The device's serial number, as [`DeviceInfo`] has it.
    #[must_use]
    pub fn serial(&self) -> String {
        format!("{:010}", self.serial)
    }

    /// Generates a key that can only sign, and never leave or leave wrapped only, and returns its public key once the
    /// device has proved, by what is read back and by one signature, that this is what it made.
    ///
    /// # Errors
    /// [`Error::KeyExists`] where an asymmetric key has this label. After any later error the key stays in the device,
    /// under its label, so that nobody takes it for one that was never made.
    pub fn generate_key(
        &mut self,
        label: &KeyLabel,
        algorithm: Algorithm,
        protection: Protection,
    ) -> Result<PublicKey, Error> {
        let domains = self.domains;
        let session = self.session()?;
        generate::refuse_existing(session, label)?;
        let id = generate::free_id(session, label)?;
        generate::generate_key(session, id, label, algorithm, protection, domains)
    }

    /// As [`Self::generate_key`], a secp256k1 key that may have children: first its chain code, from the device's random
    /// generator, then the key, so that an interruption leaves no key without one. A chain code that waits for its key
    /// is taken up.
    ///
    /// # Errors
    /// As [`Self::generate_key`], also where a key of this label was made without children: nothing is added to it.
    /// [`Error::KeyUnfit`] where two chain codes wait, or one that may not be used.
    pub fn generate_parent(
        &mut self,
        label: &KeyLabel,
        protection: Protection,
    ) -> Result<(PublicKey, ChainCode), Error> {
        let domains = self.domains;
        let session = self.session()?;
        generate::refuse_existing(session, label)?;
        let (id, chain_code) = chain_code::ensure(session, label, domains)?;
        let public_key = generate::generate_key(session, id, label, Algorithm::Secp256k1, protection, domains)?;
        Ok((public_key, chain_code))
    }

    /// Copies the key of this label, made to leave wrapped, with its chain code, into another device, and returns once
    /// the replica has proved, by what is read back and by a signature under the original's public key, that it is one.
    /// A replica that is there already is proved again. After an interruption at any point the same call goes on.
    ///
    /// The wrap key is random; it may export in this device and import in the other, this kind of key and no other. It
    /// is deleted in both, whatever comes of it; what an interrupted call left of it, the next one deletes first.
    ///
    /// # Errors
    /// Any deviation, on either side; [`Error::KeyExists`] where the other device has another key of this label. A key
    /// that did not prove a replica is deleted again; nothing that was there before is.
    pub fn replicate(&mut self, label: &KeyLabel, to: &mut Self) -> Result<Replica, Error> {
        replicate::replicate(self, label, to)
    }

    /// Wraps the key of this label, made to leave wrapped, out of the device under the ceremony's backup key. Public key and
    /// chain code go with it, sealed.
    ///
    /// The backup key is in the device as the wrap key of [`Self::replicate`] is.
    ///
    /// # Errors
    /// [`Error::UnknownKey`], or any deviation of the key; it was made without a backup.
    pub fn back_up(&mut self, label: &KeyLabel, backup_key: &BackupKey) -> Result<WrappedKey, Error> {
        backup::back_up(self, label, backup_key)
    }

    /// Brings a key from its backup into this device, with its chain code, and returns once it has proved, by what is read
    /// back and by a signature under the backup's public key, that it is that key. It gets the object id and the domains
    /// it had. A key that is there already is proved again. After an interruption at any point the same call goes on.
    ///
    /// # Errors
    /// As [`WrappedKey::check`], and of a backup that another kind of device made, or of a key like none of ours: the device
    /// is not asked then. [`Error::KeyExists`] where the device has another key of this label. Whatever fails later, what
    /// this call made is deleted again; nothing that was there before is.
    pub fn restore(&mut self, backup: &WrappedKey, backup_key: &BackupKey) -> Result<Replica, Error> {
        backup::restore(self, backup, backup_key)
    }

    /// Deletes the key of this label and public key, and its chain code: for ever, where there is no backup. After an
    /// interruption the same call goes on.
    ///
    /// # Errors
    /// The key of this label is another, and stays. [`Error::UnknownKey`] where it is not there.
    pub fn destroy_key(&mut self, label: &KeyLabel, public_key: &PublicKey) -> Result<(), Error> {
        destroy::destroy_key(self.session()?, label, public_key)
    }

    /// One signature, verified under the public key read back.
    ///
    /// # Errors
    /// Any deviation of the key, or of the signature; an input that the key does not sign.
    pub fn sign(&mut self, label: &KeyLabel, input: &ToSign) -> Result<VerifiedSignature, Error> {
        let session = self.session()?;
        let key = key::find(session, label)?;
        generate::sign(session, label, &key, input, "signature")
    }

    /// What the device says about itself.
    ///
    /// # Errors
    /// The command fails.
    pub fn info(&mut self) -> Result<DeviceInfo, Error> {
        super::device_info(self.session()?)
    }

    /// The description of the key with this label, read back, each part with its value in words: `capabilities`,
    /// `sign-ecdsa`. It is told of a key that may not serve, too.
    ///
    /// # Errors
    /// There is no such key, or more than one.
    pub fn key_facts(&mut self, label: &KeyLabel) -> Result<Vec<(String, String)>, Error> {
        facts::read(self.session()?, label)
    }

    /// As [`Self::key_facts`], of the authentication key of this object id, with what it may give to what it makes.
    ///
    /// # Errors
    /// There is no such key.
    pub fn role_facts(&mut self, id: u16) -> Result<Vec<(String, String)>, Error> {
        facts::of_role(self.session()?, id)
    }

    /// The device's certificate about the key with this label, and the device's own, which signed it; both in DER. They hold
    /// together and say what the device itself says of the key. Whose device it is shows
    /// [`verify`](super::attestation::verify), with the maker's certificates.
    ///
    /// # Errors
    /// Any deviation of the key, or of the certificates.
    pub fn attest(&mut self, label: &KeyLabel) -> Result<Vec<Vec<u8>>, Error> {
        let serial = self.serial;
        facts::attest(self.session()?, label, serial)
    }

    /// So many bytes of the device's random generator, at most 1,900.
    ///
    /// # Errors
    /// The command fails.
    pub fn random(&mut self, length: u16) -> Result<Zeroizing<Vec<u8>>, Error> {
        let random = self.session()?.pseudo_random(length);
        random.map(Zeroizing::new).map_err(|error| failed(&error, "Get Pseudo Random", "the ceremony"))
    }

    /// Every asymmetric key of the device, in no order.
    ///
    /// # Errors
    /// Any command that fails.
    pub fn list_keys(&mut self) -> Result<Vec<KeyListing>, Error> {
        let session = self.session()?;
        let of_list = |error, command: &str| failed(&error, command, "the list of keys");
        let filter = [ListFilter::Type(ObjectType::ASYMMETRIC_KEY)];
        let entries = session.list_objects(&filter).map_err(|error| of_list(error, "List Objects"))?;
        entries
            .into_iter()
            .map(|entry| {
                let reading = key::read(session, entry.id).map_err(|(error, command)| of_list(error, command))?;
                listing(session, reading)
            })
            .collect()
    }

    /// Entries that the device's log has room for. A device told to audit refuses to work without.
    ///
    /// # Errors
    /// The command fails.
    pub fn log_room(&mut self) -> Result<u8, Error> {
        let info = self.session()?.device_info();
        let info = info.map_err(|error| failed(&error, "Get Device Info", "the room of the log"))?;
        Ok(info.log_capacity.saturating_sub(info.log_used))
    }

    /// Lets the device forget its log, and says how many entries that were. An appliance that serves this device and has
    /// not recorded them will find a gap there, and hold its keys for suspect.
    ///
    /// # Errors
    /// Any command that fails.
    pub fn forget_log(&mut self) -> Result<usize, Error> {
        audit::forget_log(self.session()?)
    }

    /// The session, opened anew where it was idle: people type passwords meanwhile.
    fn session(&mut self) -> Result<&mut Session, Error> {
        if let Some(idle) = self.session.take_if(|session| session.is_idle())
            && let Some(connector) = idle.close()
        {
            self.session = Some(open_session(connector, &self.credentials)?);
        }
        self.session.as_mut().ok_or_else(|| Error::Call {
            attempted: "YubiHSM command".to_owned(),
            cause: "the session was given up after an earlier error".to_owned(),
            disposition: Disposition::Broken,
        })
    }
}

fn listing(session: &mut Session, reading: key::Reading) -> Result<KeyListing, Error> {
    let key::Reading { info, public_key, protection, mut findings } = reading;
    let algorithm = public_key.as_ref().map(PublicKey::algorithm);
    let name = info.label.text().map_or_else(|| format!("{:?}", info.label), str::to_owned);
    let chain_code = match (algorithm, name.parse::<KeyLabel>()) {
        (Some(Algorithm::Secp256k1), Ok(label)) => super::chain_code::read(session, &label, info.id),
        _ => Ok(None),
    };
    let children = match chain_code {
        Ok(chain_code) => chain_code.is_some(),
        Err(Error::KeyUnfit { findings: further, .. }) => {
            findings.extend(further);
            false
        }
        Err(error) => return Err(error),
    };
    let backup = protection == Protection::LeavesWrapped;
    Ok(KeyListing { label: name, algorithm, public_key, children, backup, findings })
}

fn credentials(id: u16, password: &Pin) -> Credentials {
    Credentials { id, keys: StaticKeys::from_password(password.expose().as_bytes()) }
}

fn open_session(connector: Box<dyn Connector>, credentials: &Credentials) -> Result<Session, Error> {
    Session::open(connector, credentials).map_err(|error| failure::open_failed(&error, credentials.id))
}

/// The error of a command, by its name in Yubico's documentation, and what it was for.
fn failed(error: &CommandError, command: &str, what: &str) -> Error {
    failure::command_failed(error, &format!("{command} for {what}"))
}
