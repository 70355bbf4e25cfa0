//! Which keys of the log a token holds, and whether as the log says.

use std::collections::BTreeMap;

use hsm_drivers::Error;
use hsm_types::KeyLabel;

use super::{
    Family,
    line::{Held, Line},
};

/// Keys a token holds, each fit to serve or with the reason why not. One that is not here is in other tokens only.
pub(super) type Holdings = BTreeMap<KeyLabel, Result<(), String>>;

/// Looks at a key of the log: whether it may serve; none where the token does not have it and need not, because the log
/// found it elsewhere.
pub(super) async fn look(line: &Line, key: &KeyLabel, family: &Family, must_have: bool) -> Option<Result<(), String>> {
    let fit = match line.inspect(key).await {
        Ok(held) => judge(&held, family),
        Err(Error::UnknownKey { .. }) if !must_have => return None,
        Err(error @ Error::UnknownKey { .. }) => Err(format!(
            "{error}: it was deleted, or another token is in the place of the one that holds it; put that one back"
        )),
        Err(error @ Error::KeyUnfit { .. }) => Err(format!("{error}: find out who changed it")),
        Err(error) => Err(error.to_string()),
    };
    match fit {
        Ok(()) => Some(line.identify(key).await.map_err(|error| error.to_string())),
        Err(reason) => Some(Err(reason)),
    }
}

fn judge(held: &Held, family: &Family) -> Result<(), String> {
    let deviation = family.deviation(&held.public_key, held.protection, held.chain_code.as_ref());
    deviation.map_or(Ok(()), Err)
}

/// Why a key a policy names cannot come in, and what to do.
pub(super) fn unusable(error: &Error) -> String {
    if matches!(error, Error::UnknownKey { .. }) {
        format!("{error}: make it with `chancery-provision key generate`")
    } else if matches!(error, Error::KeyUnfit { .. }) {
        format!("{error}: make another with `chancery-provision key generate`, and name that one")
    } else {
        error.to_string()
    }
}
