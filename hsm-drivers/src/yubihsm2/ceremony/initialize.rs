//! A device from the factory, made ready: whose it is, what it may be used for, and what it writes down.

use super::{
    Ceremony, audit, credentials, failed, open_session,
    roles::{Role, RoleName, Roles, capabilities_of, delegated_of},
};
use crate::{
    Disposition, Error,
    yubihsm2::{
        FACTORY,
        command::NewObject,
        connector::{Connector, ConnectorError},
        failure,
        protocol::{Algorithm, Domains, Label, ObjectType, channel::StaticKeys},
        session::{Credentials, OpenError, Session},
    },
};

/// What is made lies here, and who makes it and who serves see nothing else.
const DOMAIN: Domains = Domains(1);

/// Makes a device from the factory ready: an authentication key for each role, with no right it does not need; forced
/// audit of all that is more than looking, until the device is reset; and, last, once every key has opened a session, no
/// factory's key any more. The session is the administrator's; beside it stands whether anything was made: a device that
/// is ready stays as it is. After an interruption the same call goes on.
///
/// # Errors
/// The device holds other objects: it is not reset here. [`Error::PinRefused`] where it is set up, with another password.
pub fn initialize(
    connect: impl Fn() -> Result<Box<dyn Connector>, ConnectorError>,
    roles: &Roles<'_>,
) -> Result<(Ceremony, bool), Error> {
    let connect = || connect().map_err(|error| failure::not_connected(&error));
    let mut ids = vec![FACTORY.0];
    for (_, role) in roles.all() {
        crate::yubihsm2::refuse_factory_password(role.id, role.password)?;
        if ids.contains(&role.id) {
            return Err(not_set_up("roles each need an object id of their own, not the factory's 1"));
        }
        ids.push(role.id);
    }
    let (id, password) = FACTORY;
    let factory = Credentials { id, keys: StaticKeys::from_password(password.as_bytes()) };
    match Session::open(connect()?, &factory) {
        Ok(session) => set_up(session, roles).map(|ceremony| (ceremony, true)),
        Err(OpenError::NoSuchKey | OpenError::WrongKey) => {
            let mut ceremony = open_as_each(connect()?, roles)?;
            audit::check(ceremony.session()?)?;
            Ok((ceremony, false))
        }
        Err(error) => Err(failure::open_failed(&error, id)),
    }
}

fn set_up(mut session: Session, roles: &Roles<'_>) -> Result<Ceremony, Error> {
    // Else an interrupted call, after which the log must be read, could fill it.
    audit::forget_log(&mut session)?;
    clear(&mut session, roles)?;
    for (name, role) in roles.all() {
        put(&mut session, name, role)?;
    }
    let closed = || not_set_up("the factory's session ended early");
    let mut ceremony = open_as_each(session.close().ok_or_else(closed)?, roles)?;

    let session = ceremony.session()?;
    audit::fix(session)?;
    let deleted = session.delete_object(FACTORY.0, ObjectType::AUTHENTICATION_KEY);
    deleted.map_err(|error| failed(&error, "Delete Object", "the factory's authentication key"))?;
    audit::forget_log(session)?;
    Ok(ceremony)
}

/// Nothing may be there but the factory's key, and what an interrupted call left: that goes.
fn clear(session: &mut Session, roles: &Roles<'_>) -> Result<(), Error> {
    let failed = |error, command| failed(&error, command, "what is in the device");
    let found = session.list_objects(&[]).map_err(|error| failed(error, "List Objects"))?;
    let roles: Vec<u16> = roles.all().iter().map(|(_, role)| role.id).collect();
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

fn put(session: &mut Session, name: RoleName, role: Role<'_>) -> Result<(), Error> {
    let label = Label::new(name.label()).ok_or_else(|| not_set_up("a label is at most 40 bytes"))?;
    let (capabilities, algorithm) = (capabilities_of(name), Algorithm::AES128_YUBICO_AUTHENTICATION);
    let key = NewObject { id: role.id, label, domains: DOMAIN, capabilities, algorithm };
    let value = credentials(role.id, role.password).keys;
    session
        .put_authentication_key(key, delegated_of(name), &value)
        .map_err(|error| failed(&error, "Put Authentication Key", &format!("authentication key {}", role.id)))
}

/// Every role's key opens a session; the administrator's stays open.
fn open_as_each(mut connector: Box<dyn Connector>, roles: &Roles<'_>) -> Result<Ceremony, Error> {
    for (name, role) in roles.all() {
        if name == RoleName::Administrator {
            continue;
        }
        let session = open_session(connector, &credentials(role.id, role.password))?;
        connector = session.close().ok_or_else(|| not_set_up(&format!("the {name}'s session ended early")))?;
    }
    Ceremony::open(connector, roles.administrator.id, roles.administrator.password)
}

fn not_set_up(cause: &str) -> Error {
    Error::Call {
        attempted: "setting up the YubiHSM 2".to_owned(),
        cause: cause.to_owned(),
        disposition: Disposition::NotSent,
    }
}
