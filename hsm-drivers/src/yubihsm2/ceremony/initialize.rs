//! A device from the factory, made ready: whose it is, what it may be used for, and what it writes down.

use super::{Ceremony, audit, credentials, failed, open_session};
use crate::{
    Disposition, Error, Pin,
    yubihsm2::{
        FACTORY,
        command::NewObject,
        connector::{Connector, ConnectorError},
        failure,
        protocol::{Algorithm, Capabilities, Domains, Label, ObjectType, channel::StaticKeys},
        session::{Credentials, OpenError, Session},
    },
};

/// An authentication key to be, and its password.
#[derive(Clone, Copy, Debug)]
pub struct Role<'a> {
    /// Its object id.
    pub id: u16,
    /// Its password.
    pub password: &'a Pin,
}

/// What is made lies here, and who makes it and who serves see nothing else.
const DOMAIN: Domains = Domains(1);

/// What the appliance does, and nothing more: it signs, reads its chain codes, its log and its options, attests, and
/// keeps its anchor. The device knows no right to that object alone: who puts and deletes it could delete chain codes.
const SIGNER: Capabilities = union(&[
    Capabilities::SIGN_ECDSA,
    Capabilities::SIGN_EDDSA,
    Capabilities::GET_LOG_ENTRIES,
    Capabilities::GET_OPAQUE,
    Capabilities::PUT_OPAQUE,
    Capabilities::DELETE_OPAQUE,
    Capabilities::GET_OPTION,
    Capabilities::SIGN_ATTESTATION_CERTIFICATE,
]);

/// What a ceremony does: makes keys and proves them, moves those with a backup, replaces who serves.
const ADMINISTRATOR: Capabilities = union(&[
    SIGNER,
    Capabilities::GENERATE_ASYMMETRIC_KEY,
    Capabilities::DELETE_ASYMMETRIC_KEY,
    Capabilities::PUT_WRAP_KEY,
    Capabilities::DELETE_WRAP_KEY,
    Capabilities::EXPORT_WRAPPED,
    Capabilities::IMPORT_WRAPPED,
    Capabilities::PUT_AUTHENTICATION_KEY,
    Capabilities::DELETE_AUTHENTICATION_KEY,
    Capabilities::CHANGE_AUTHENTICATION_KEY,
    Capabilities::SET_OPTION,
    Capabilities::GET_PSEUDO_RANDOM,
]);

/// What it may give to what it makes: to a signer, to keys, and to the wrap key of a replication.
const DELEGATED: Capabilities =
    union(&[SIGNER, Capabilities::EXPORTABLE_UNDER_WRAP, Capabilities::EXPORT_WRAPPED, Capabilities::IMPORT_WRAPPED]);

const fn union(all: &[Capabilities]) -> Capabilities {
    let (mut bits, mut rest) = (0, all);
    while let [first, others @ ..] = rest {
        (bits, rest) = (bits | first.0, others);
    }
    Capabilities(bits)
}

/// Makes a device from the factory ready: an authentication key for the administrator and one for the appliance, each
/// with no right it does not need; forced audit of all that is more than looking, until the device is reset; and, last,
/// once both keys have opened a session, no factory's key any more. The session is the administrator's; beside it stands
/// whether anything was made: a device that is ready stays as it is. After an interruption the same call goes on.
///
/// # Errors
/// The device holds other objects: it is not reset here. [`Error::PinRefused`] where it is set up, with another password.
pub fn initialize(
    connect: impl Fn() -> Result<Box<dyn Connector>, ConnectorError>,
    administrator: Role<'_>,
    signer: Role<'_>,
) -> Result<(Ceremony, bool), Error> {
    let connect = || connect().map_err(|error| failure::not_connected(&error));
    for role in [administrator, signer] {
        crate::yubihsm2::refuse_factory_password(role.id, role.password)?;
    }
    if administrator.id == signer.id || [administrator.id, signer.id].contains(&FACTORY.0) {
        return Err(not_set_up("administrator and appliance each need an object id of their own, not the factory's 1"));
    }
    let (id, password) = FACTORY;
    let factory = Credentials { id, keys: StaticKeys::from_password(password.as_bytes()) };
    match Session::open(connect()?, &factory) {
        Ok(session) => set_up(session, administrator, signer).map(|ceremony| (ceremony, true)),
        Err(OpenError::NoSuchKey | OpenError::WrongKey) => {
            let connector = try_signer(connect()?, signer)?;
            let mut ceremony = Ceremony::open(connector, administrator.id, administrator.password)?;
            audit::check(ceremony.session()?)?;
            Ok((ceremony, false))
        }
        Err(error) => Err(failure::open_failed(&error, id)),
    }
}

fn set_up(mut session: Session, administrator: Role<'_>, signer: Role<'_>) -> Result<Ceremony, Error> {
    // Else an interrupted call, after which the log must be read, could fill it.
    audit::forget_log(&mut session)?;
    clear(&mut session, [administrator.id, signer.id])?;
    put(&mut session, administrator, "administrator", ADMINISTRATOR, DELEGATED)?;
    put(&mut session, signer, "appliance", SIGNER, Capabilities::NONE)?;
    let closed = || not_set_up("the factory's session ended early");
    let connector = try_signer(session.close().ok_or_else(closed)?, signer)?;
    let mut ceremony = Ceremony::open(connector, administrator.id, administrator.password)?;

    let session = ceremony.session()?;
    audit::fix(session)?;
    let deleted = session.delete_object(FACTORY.0, ObjectType::AUTHENTICATION_KEY);
    deleted.map_err(|error| failed(&error, "Delete Object", "the factory's authentication key"))?;
    audit::forget_log(session)?;
    Ok(ceremony)
}

/// Nothing may be there but the factory's key, and what an interrupted call left: that goes.
fn clear(session: &mut Session, roles: [u16; 2]) -> Result<(), Error> {
    let failed = |error, command| failed(&error, command, "what is in the device");
    let found = session.list_objects(&[]).map_err(|error| failed(error, "List Objects"))?;
    let is_key = |id: u16, object_type| object_type == ObjectType::AUTHENTICATION_KEY && roles.contains(&id);
    let others = found.iter().filter(|entry| {
        !is_key(entry.id, entry.object_type)
            && (entry.id, entry.object_type) != (FACTORY.0, ObjectType::AUTHENTICATION_KEY)
    });
    let others = others.count();
    if others > 0 {
        return Err(not_set_up(&format!(
            "it is not as it left the factory, for it holds {others} objects: if they are worth nothing, reset it (hold \
             its touch sensor for ten seconds while you plug it in), which destroys them"
        )));
    }
    for entry in found.iter().filter(|entry| is_key(entry.id, entry.object_type)) {
        session.delete_object(entry.id, entry.object_type).map_err(|error| failed(error, "Delete Object"))?;
    }
    Ok(())
}

fn put(
    session: &mut Session,
    role: Role<'_>,
    name: &str,
    capabilities: Capabilities,
    delegated: Capabilities,
) -> Result<(), Error> {
    let label = Label::new(name).ok_or_else(|| not_set_up("a label is at most 40 bytes"))?;
    let algorithm = Algorithm::AES128_YUBICO_AUTHENTICATION;
    let key = NewObject { id: role.id, label, domains: DOMAIN, capabilities, algorithm };
    let value = credentials(role.id, role.password).keys;
    session
        .put_authentication_key(key, delegated, &value)
        .map_err(|error| failed(&error, "Put Authentication Key", &format!("authentication key {}", role.id)))
}

/// The signer's key opens a session; the connector is given back.
fn try_signer(connector: Box<dyn Connector>, signer: Role<'_>) -> Result<Box<dyn Connector>, Error> {
    let session = open_session(connector, &credentials(signer.id, signer.password))?;
    session.close().ok_or_else(|| not_set_up("the appliance's session ended early"))
}

fn not_set_up(cause: &str) -> Error {
    Error::Call {
        attempted: "setting up the YubiHSM 2".to_owned(),
        cause: cause.to_owned(),
        disposition: Disposition::NotSent,
    }
}
