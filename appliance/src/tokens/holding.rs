//! Which keys of the log a token holds, and whether as the log says.

use std::collections::BTreeMap;

use hsm_drivers::{Error, Protection};
use hsm_types::{ChainCode, KeyLabel, PublicKey};

use super::Family;

/// Keys a token holds, each fit to serve or with the reason why not. One that is not here is in other tokens only.
pub(super) type Holdings = BTreeMap<KeyLabel, Result<(), String>>;

/// What a token has under a key's name.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) public_key: Result<PublicKey, Error>,
    /// Asked for only where there is a public key.
    pub(super) protection: Result<Protection, Error>,
    /// Asked for only where the log pins one.
    pub(super) chain_code: Option<Result<Option<ChainCode>, Error>>,
}

impl Found {
    /// Whether the token can serve `family`; none where it does not have the key and need not, because the log found it
    /// elsewhere.
    pub(super) fn judge(self, family: &Family, must_have: bool) -> Option<Result<(), String>> {
        let public_key = match self.public_key {
            Ok(public_key) => public_key,
            Err(Error::UnknownKey { .. }) if !must_have => return None,
            Err(error) => return Some(Err(error.to_string())),
        };
        let protection = match self.protection {
            Ok(protection) => protection,
            Err(error) => return Some(Err(error.to_string())),
        };
        let chain_code = match self.chain_code.transpose() {
            Ok(chain_code) => chain_code.flatten(),
            Err(error) => return Some(Err(error.to_string())),
        };
        match family.deviation(&public_key, protection, chain_code.as_ref()) {
            None => Some(Ok(())),
            Some(deviation) => Some(Err(deviation)),
        }
    }
}
