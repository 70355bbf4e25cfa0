//! Single values of the tree, by type.

use std::collections::BTreeMap;

use toml::de::{DeInteger, DeValue};

/// A text in an array, with the line it stands on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Element {
    pub(crate) line: usize,
    pub(crate) text: String,
}

pub(super) fn text(value: &DeValue<'_>) -> Option<String> {
    value.as_str().map(str::to_owned)
}

pub(super) fn integer(value: &DeValue<'_>) -> Option<u64> {
    let plain = |integer: &DeInteger<'_>| u64::from_str_radix(integer.as_str(), integer.radix()).ok();
    value.as_integer().and_then(plain)
}

pub(super) fn text_map(value: &DeValue<'_>) -> Option<BTreeMap<String, String>> {
    let pair = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
        let key: &std::borrow::Cow<'_, str> = key.get_ref();
        Some((key.clone().into_owned(), text(value.get_ref())?))
    };
    value.as_table()?.iter().map(pair).collect()
}

/// The value's type, in a sentence.
pub(super) fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
