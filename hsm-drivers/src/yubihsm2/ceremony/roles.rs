//! Who may do what in a device: each role is an authentication key with the least capabilities. Knows no device.

use std::fmt;

use crate::{Pin, yubihsm2::protocol::Capabilities};

/// What somebody is to a device.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum RoleName {
    /// Who holds ceremonies: makes keys, moves those with a backup, destroys them, replaces who serves.
    Administrator,
    /// The appliance.
    Signer,
    /// Who reads the device's log and its options. The device has no right to read its log alone: who reads it can also
    /// let the device forget it.
    Auditor,
    /// Who makes backups, and restores them.
    Backup,
}

impl RoleName {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Administrator, Self::Signer, Self::Auditor, Self::Backup];

    /// In one word: `administrator`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Signer => "signer",
            Self::Auditor => "auditor",
            Self::Backup => "backup",
        }
    }

    /// Label of its authentication key.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Signer => "appliance",
            Self::Administrator | Self::Auditor | Self::Backup => self.name(),
        }
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An authentication key to be, and its password.
#[derive(Clone, Copy, Debug)]
pub struct Role<'a> {
    /// Its object id.
    pub id: u16,
    /// Its password.
    pub password: &'a Pin,
}

/// The authentication keys of a device; no two have the same object id.
#[derive(Clone, Copy, Debug)]
pub struct Roles<'a> {
    /// See [`RoleName::Administrator`].
    pub administrator: Role<'a>,
    /// See [`RoleName::Signer`].
    pub signer: Role<'a>,
    /// See [`RoleName::Auditor`].
    pub auditor: Option<Role<'a>>,
    /// See [`RoleName::Backup`].
    pub backup: Option<Role<'a>>,
}

impl<'a> Roles<'a> {
    /// The two that every device has.
    #[must_use]
    pub const fn new(administrator: Role<'a>, signer: Role<'a>) -> Self {
        Self { administrator, signer, auditor: None, backup: None }
    }

    /// Those there are, the administrator last.
    pub(super) fn all(&self) -> Vec<(RoleName, Role<'a>)> {
        let others = [(RoleName::Auditor, self.auditor), (RoleName::Backup, self.backup)];
        let others = others.into_iter().filter_map(|(name, role)| Some((name, role?)));
        let mut all = vec![(RoleName::Signer, self.signer)];
        all.extend(others);
        all.push((RoleName::Administrator, self.administrator));
        all
    }
}

/// What a role may do, and nothing more: [`initialize`](super::initialize) gives it exactly these.
#[must_use]
pub const fn capabilities_of(role: RoleName) -> Capabilities {
    match role {
        RoleName::Administrator => ADMINISTRATOR,
        RoleName::Signer => SIGNER,
        RoleName::Auditor => AUDITOR,
        RoleName::Backup => BACKUP,
    }
}

/// What a role may give to what it makes.
#[must_use]
pub const fn delegated_of(role: RoleName) -> Capabilities {
    match role {
        RoleName::Administrator => union(&[SIGNER, WRAPPING]),
        RoleName::Signer | RoleName::Auditor => Capabilities::NONE,
        RoleName::Backup => union(&[Capabilities::SIGN_ECDSA, Capabilities::SIGN_EDDSA, WRAPPING]),
    }
}

/// Of the capabilities that somebody wants a role to have, those that are more than it needs.
#[must_use]
pub const fn excess(role: RoleName, wanted: Capabilities) -> Capabilities {
    wanted.without(capabilities_of(role))
}

/// What the appliance does: it signs, reads its chain codes, its log and its options, attests, and keeps its anchor. The
/// device knows no right to that object alone: who puts and deletes it could delete chain codes.
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

const AUDITOR: Capabilities = union(&[Capabilities::GET_LOG_ENTRIES, Capabilities::GET_OPTION]);

/// What a backup and a restore do: keys go out and in under a wrap key, each with its chain code. A restored key signs once
/// to prove itself, and one that does not is deleted: hence the rights to sign and to delete.
const BACKUP: Capabilities = union(&[
    Capabilities::PUT_WRAP_KEY,
    Capabilities::DELETE_WRAP_KEY,
    Capabilities::EXPORT_WRAPPED,
    Capabilities::IMPORT_WRAPPED,
    Capabilities::GET_OPAQUE,
    Capabilities::PUT_OPAQUE,
    Capabilities::SIGN_ECDSA,
    Capabilities::SIGN_EDDSA,
    Capabilities::DELETE_OPAQUE,
    Capabilities::DELETE_ASYMMETRIC_KEY,
]);

/// To a wrap key: its own rights, and beside those to sign the one that what it carries has.
const WRAPPING: Capabilities =
    union(&[Capabilities::EXPORT_WRAPPED, Capabilities::IMPORT_WRAPPED, Capabilities::EXPORTABLE_UNDER_WRAP]);

const fn union(all: &[Capabilities]) -> Capabilities {
    let (mut bits, mut rest) = (0, all);
    while let [first, others @ ..] = rest {
        (bits, rest) = (bits | first.0, others);
    }
    Capabilities(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_more_than_a_role_needs_is_named() {
        let wanted = "sign-ecdsa,export-wrapped,reset-device".parse().unwrap();
        assert_eq!(excess(RoleName::Signer, wanted).names(), ["export-wrapped", "reset-device"]);
        assert_eq!(excess(RoleName::Backup, wanted).names(), ["reset-device"]);
        for role in RoleName::ALL {
            assert_eq!(excess(role, capabilities_of(role)), Capabilities::NONE, "{role}");
            assert_ne!(excess(role, Capabilities::ALL), Capabilities::NONE, "{role}");
        }
    }

    #[test]
    fn nobody_can_reset_the_device_or_bring_keys_in_clear() {
        let nobodys = Capabilities::RESET_DEVICE
            | Capabilities::PUT_ASYMMETRIC_KEY
            | Capabilities::WRAP_DATA
            | Capabilities::UNWRAP_DATA;
        for role in RoleName::ALL {
            assert!(!capabilities_of(role).intersects(nobodys), "{role}");
            assert!(!delegated_of(role).intersects(nobodys | Capabilities::PUT_AUTHENTICATION_KEY), "{role}");
        }
    }
}
