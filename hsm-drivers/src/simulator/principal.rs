//! Whose session it is: what its authentication key allows. Taken when the session is opened, kept while it lasts.

use super::objects::Object;
use crate::yubihsm2::protocol::{Capabilities, Domains, ErrorCode};

/// The rights of a session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Principal {
    /// Object id of its authentication key.
    pub(super) key: u16,
    pub(super) domains: Domains,
    pub(super) capabilities: Capabilities,
    pub(super) delegated: Capabilities,
}

impl Principal {
    pub(super) fn of(authentication_key: &Object) -> Self {
        let info = &authentication_key.info;
        Self {
            key: info.id,
            domains: info.domains,
            capabilities: info.capabilities,
            delegated: info.delegated_capabilities,
        }
    }

    /// Whether the session may do this at all.
    pub(super) fn must_have(&self, capability: Capabilities) -> Result<(), ErrorCode> {
        allow(self.capabilities.contains(capability))
    }

    /// Whether session and object may both.
    pub(super) fn must_share(&self, capability: Capabilities, object: &Object) -> Result<(), ErrorCode> {
        allow(self.capabilities.contains(capability) && object.info.capabilities.contains(capability))
    }

    /// What a session makes lies in its domains, and has no capability that was not delegated to it.
    pub(super) fn may_create(&self, domains: Domains, capabilities: Capabilities) -> Result<(), ErrorCode> {
        if domains.0 == 0 {
            return Err(ErrorCode::INVALID_DATA);
        }
        allow(self.domains.contain(domains) && self.delegated.contains(capabilities))
    }
}

/// The device's way to say no.
pub(super) const fn allow(allowed: bool) -> Result<(), ErrorCode> {
    if allowed { Ok(()) } else { Err(ErrorCode::INSUFFICIENT_PERMISSIONS) }
}
