//! What a serving key must be, attribute by attribute.

use cryptoki::object::{Attribute, AttributeType};

use crate::Protection;

/// The attribute, the value it must have, and what is wrong where it has the other.
type Rule = (AttributeType, bool, &'static str);

/// PKCS #11 v2.40, 4.9: what holds for a key that never leaves, beside [`RULES`].
const NEVER_LEAVES: &[Rule] = &[
    (AttributeType::AlwaysSensitive, true, "its value could once be read (CKA_ALWAYS_SENSITIVE is false)"),
    (
        AttributeType::Extractable,
        false,
        "it can be wrapped under any key and taken away (CKA_EXTRACTABLE is true, CKA_WRAP_WITH_TRUSTED is not)",
    ),
    (AttributeType::NeverExtractable, true, "it could once be taken away (CKA_NEVER_EXTRACTABLE is false)"),
    (AttributeType::Local, true, "it was not generated in the token (CKA_LOCAL is false)"),
];

/// PKCS #11 v2.40, 4.9: what holds for every key. What came in wrapped has no history: the token cannot know it.
const RULES: &[Rule] = &[
    (AttributeType::Sensitive, true, "its value can be read in plain (CKA_SENSITIVE is false)"),
    (AttributeType::Token, true, "it ends with the session (CKA_TOKEN is false)"),
    (AttributeType::Private, true, "it can be used without login (CKA_PRIVATE is false)"),
    (AttributeType::Sign, true, "it may not sign (CKA_SIGN is false)"),
    (AttributeType::SignRecover, false, "it may sign with recovery (CKA_SIGN_RECOVER is true)"),
    (AttributeType::Decrypt, false, "it may decrypt (CKA_DECRYPT is true)"),
    (AttributeType::Unwrap, false, "it may unwrap (CKA_UNWRAP is true)"),
    (AttributeType::Derive, false, "it may derive (CKA_DERIVE is true)"),
    (
        AttributeType::AlwaysAuthenticate,
        false,
        "it wants the PIN for every signature (CKA_ALWAYS_AUTHENTICATE is true), which is not supported",
    ),
];

/// What a token may leave out: it says false then (PKCS #11 v2.40, table 32), and false is what it must be.
const FALSE_WHEN_ABSENT: &[AttributeType] = &[AttributeType::AlwaysAuthenticate, AttributeType::SignRecover];

/// The attributes [`deviations`] looks at.
pub(super) fn attributes() -> Vec<AttributeType> {
    let mut attributes: Vec<_> = NEVER_LEAVES.iter().chain(RULES).map(|(attribute, ..)| *attribute).collect();
    attributes.push(AttributeType::WrapWithTrusted);
    attributes
}

/// Whether a private key with these attributes may leave, and then under a trusted key only. `CKA_WRAP_WITH_TRUSTED`,
/// once true, stays so (PKCS #11 v2.40, 4.9, footnote 11).
pub(super) fn protection(found: &[Attribute]) -> Protection {
    let is_true = |attribute| value_of(attribute, found) == Some(true);
    if is_true(AttributeType::Extractable) && is_true(AttributeType::WrapWithTrusted) {
        Protection::LeavesWrapped
    } else {
        Protection::NeverLeaves
    }
}

/// Every deviation of a private key with these attributes, each a clause in words.
pub(super) fn deviations(found: &[Attribute]) -> Vec<String> {
    let deviation = |(attribute, required, wrong): &Rule| match value_of(*attribute, found) {
        Some(value) if value == *required => None,
        Some(_) => Some((*wrong).to_owned()),
        None if FALSE_WHEN_ABSENT.contains(attribute) => None,
        None => Some(format!("the token does not tell its {attribute}")),
    };
    let further = match protection(found) {
        Protection::NeverLeaves => NEVER_LEAVES,
        Protection::LeavesWrapped => &[],
    };
    further.iter().chain(RULES).filter_map(deviation).collect()
}

/// The value of an attribute that is yes or no, where it was found.
pub(super) fn value_of(wanted: AttributeType, found: &[Attribute]) -> Option<bool> {
    let attribute = found.iter().find(|attribute| attribute.attribute_type() == wanted)?;
    if let Attribute::Sensitive(value)
    | Attribute::AlwaysSensitive(value)
    | Attribute::Extractable(value)
    | Attribute::NeverExtractable(value)
    | Attribute::Local(value)
    | Attribute::Token(value)
    | Attribute::Private(value)
    | Attribute::Sign(value)
    | Attribute::SignRecover(value)
    | Attribute::Decrypt(value)
    | Attribute::Unwrap(value)
    | Attribute::Derive(value)
    | Attribute::WrapWithTrusted(value)
    | Attribute::AlwaysAuthenticate(value) = attribute
    {
        Some(*value)
    } else {
        None
    }
}

/// What a key is generated with: every rule a template may state. `CKA_LOCAL` and the two histories are the token's.
#[cfg(feature = "ceremony")]
pub(super) fn for_generation(protection: Protection) -> Vec<Attribute> {
    let mut template = vec![
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(protection == Protection::LeavesWrapped),
        Attribute::Sign(true),
        Attribute::SignRecover(false),
        Attribute::Decrypt(false),
        Attribute::Unwrap(false),
        Attribute::Derive(false),
    ];
    if protection == Protection::LeavesWrapped {
        template.push(Attribute::WrapWithTrusted(true));
    }
    template
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit() -> Vec<Attribute> {
        vec![
            Attribute::Sensitive(true),
            Attribute::AlwaysSensitive(true),
            Attribute::Extractable(false),
            Attribute::NeverExtractable(true),
            Attribute::Local(true),
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sign(true),
            Attribute::Decrypt(false),
            Attribute::Unwrap(false),
            Attribute::Derive(false),
        ]
    }

    #[test]
    fn every_deviation_is_listed() {
        assert_eq!(deviations(&fit()), Vec::<String>::new());
        let mut unfit = fit();
        unfit[2] = Attribute::Extractable(true);
        unfit.retain(|attribute| !matches!(attribute, Attribute::Local(_)));
        unfit.push(Attribute::AlwaysAuthenticate(true));
        let findings = deviations(&unfit);
        assert_eq!(findings.len(), 3, "{findings:?}");
        assert!(findings[0].contains("CKA_EXTRACTABLE"));
        assert!(findings[1].starts_with("the token does not tell"));
        assert!(findings[2].contains("CKA_ALWAYS_AUTHENTICATE"));
    }

    #[test]
    fn a_key_that_leaves_wrapped_needs_no_history_and_everything_else() {
        let mut replica = fit();
        replica[1] = Attribute::AlwaysSensitive(false);
        replica[2] = Attribute::Extractable(true);
        replica[3] = Attribute::NeverExtractable(false);
        replica[4] = Attribute::Local(false);
        assert_eq!(deviations(&replica).len(), 4, "{:?}", deviations(&replica));
        replica.push(Attribute::WrapWithTrusted(false));
        assert_eq!((deviations(&replica).len(), protection(&replica)), (4, Protection::NeverLeaves));
        replica.pop();
        replica.push(Attribute::WrapWithTrusted(true));
        assert_eq!((deviations(&replica), protection(&replica)), (Vec::new(), Protection::LeavesWrapped));
        replica[0] = Attribute::Sensitive(false);
        replica[8] = Attribute::Decrypt(true);
        assert_eq!(deviations(&replica).len(), 2, "{:?}", deviations(&replica));

        // One that came in from elsewhere and does not leave again has no backup to be a copy of.
        let mut imported = fit();
        imported[4] = Attribute::Local(false);
        imported.push(Attribute::WrapWithTrusted(true));
        assert_eq!((deviations(&imported).len(), protection(&imported)), (1, Protection::NeverLeaves));
    }
}
