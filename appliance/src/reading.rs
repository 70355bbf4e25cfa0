//! Entries of the log as people read them: which ones, and what they say.
//!
//! Reads what it is given. Knows neither where entries are kept nor where the words are shown.

mod device_keys;
mod filter;
mod words;

pub(crate) use device_keys::DeviceKeys;
pub(crate) use filter::{Filter, Selection};
pub(crate) use words::words;

/// Text of others: a reader must not obey what a log quotes, nor be made to see it in another order.
pub(crate) fn escape(text: &str) -> String {
    let reorders = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || reorders(c) { escaped.extend(c.escape_unicode()) } else { escaped.push(c) }
    }
    escaped
}
