//! What a device must say of a key, held beside what it says.

use appliance_wire::ceremony::Fact;
use hsm_types::Algorithm;

use crate::plan::{KeyInToken, PlannedToken};

/// Attributes of every key in a PKCS#11 token (PKCS #11 v2.40, 4.9).
const ALWAYS: [(&str, &str); 6] = [
    ("CKA_SENSITIVE", "true"),
    ("CKA_PRIVATE", "true"),
    ("CKA_SIGN", "true"),
    ("CKA_DECRYPT", "false"),
    ("CKA_UNWRAP", "false"),
    ("CKA_DERIVE", "false"),
];
/// Of one that never leaves.
const NEVER_LEAVES: [(&str, &str); 4] = [
    ("CKA_EXTRACTABLE", "false"),
    ("CKA_NEVER_EXTRACTABLE", "true"),
    ("CKA_ALWAYS_SENSITIVE", "true"),
    ("CKA_LOCAL", "true"),
];
/// Of one that leaves wrapped, under a key the security officer trusts.
const LEAVES_WRAPPED: [(&str, &str); 2] = [("CKA_EXTRACTABLE", "true"), ("CKA_WRAP_WITH_TRUSTED", "true")];

/// Each part that a key of this kind must have, with what was read back.
pub(super) fn compared(key: &KeyInToken, token: &PlannedToken, read: &[(String, String)]) -> Vec<Fact> {
    let fact = |(name, required): (&str, String)| {
        let found = read.iter().find(|(read, _)| read == name).map_or("not told", |(_, value)| value.as_str());
        Fact { name: name.to_owned(), required, found: found.to_owned() }
    };
    required(key, token).into_iter().map(fact).collect()
}

fn required(key: &KeyInToken, token: &PlannedToken) -> Vec<(&'static str, String)> {
    if token.driver() == "yubihsm" {
        let mut capabilities = vec![match key.key.algorithm {
            Algorithm::Secp256k1 | Algorithm::P256 => "sign-ecdsa",
            Algorithm::Ed25519 => "sign-eddsa",
        }];
        capabilities.extend(key.backup.then_some("exportable-under-wrap"));
        return vec![
            ("label", key.key.label.to_string()),
            ("origin", "generated".to_owned()),
            ("domains", "1".to_owned()),
            ("capabilities", capabilities.join(",")),
        ];
    }
    let further: &[(&str, &str)] = if key.backup { &LEAVES_WRAPPED } else { &NEVER_LEAVES };
    let rules = ALWAYS.iter().chain(further).map(|(name, value)| (*name, (*value).to_owned()));
    std::iter::once(("CKA_LABEL", key.key.label.to_string())).chain(rules).collect()
}
