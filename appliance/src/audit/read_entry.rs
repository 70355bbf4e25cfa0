//! An entry from its bytes; and of one that cannot be read, whether it is damaged or a newer program's.

use appliance_wire::{Entry, Format, NewerFormat, NotCanonical, from_canonical};
use serde::Deserialize;

use crate::state_format;

/// Why bytes are no entry here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnreadEntry {
    /// With it a format begins that this program does not know.
    #[error("its kind is \"{kind}\", and {newer}")]
    Newer {
        /// Its kind.
        kind: String,
        /// Who wrote it, and who reads it.
        newer: NewerFormat,
    },
    /// Anything else.
    #[error("no canonical entry{}: {error}", .kind.as_ref().map(|kind| format!(" of kind \"{kind}\"")).unwrap_or_default())]
    NotCanonical {
        /// Its kind, where it says one.
        kind: Option<String>,
        /// Why.
        error: NotCanonical,
    },
}

/// What every version says in the same way. The rest may be whatever a later one made of it.
#[derive(Deserialize)]
struct Head {
    kind: String,
    #[serde(default)]
    format: Option<Format>,
}

/// Reads an entry.
///
/// # Errors
/// [`UnreadEntry`].
pub(crate) fn read_entry(bytes: &[u8]) -> Result<Entry, UnreadEntry> {
    let error = match from_canonical::<Entry>(bytes) {
        Ok(entry) if entry.format.is_none() => return Ok(entry),
        Ok(entry) => match newer(bytes) {
            None => return Ok(entry),
            Some(newer) => return Err(newer),
        },
        Err(error) => error,
    };
    let is_word = |kind: &String| kind.len() <= 32 && kind.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    let kind = serde_json::from_slice::<Head>(bytes).ok().map(|head| head.kind).filter(is_word);
    Err(newer(bytes).unwrap_or(UnreadEntry::NotCanonical { kind, error }))
}

fn newer(bytes: &[u8]) -> Option<UnreadEntry> {
    let head: Head = serde_json::from_slice(bytes).ok()?;
    let newer = state_format::check(&head.format?).err()?;
    Some(UnreadEntry::Newer { kind: head.kind.escape_default().take(32).collect(), newer })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = r#"{"by":"alice","elapsed":5,"index":7,"kind":"frozen","policy":1,"reason":"drill","salt":"","time":"","what":{"scope":"all"}}"#;

    fn unread(entry: &str) -> String {
        read_entry(entry.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn an_entry_that_begins_a_newer_format_is_told_from_a_damaged_one() {
        let begins = r#""elapsed":5,"format":{"number":7,"version":"0.9.0"}"#;
        let marked = PLAIN.replace(r#""elapsed":5"#, begins);
        let needed = "written by chancery 0.9.0 (format 7), and this is chancery";
        assert!(read_entry(PLAIN.as_bytes()).is_ok());
        // Whatever else of it is known or not.
        for entry in [
            marked.clone(),
            marked.replace("frozen", "sealed"),
            marked.replace(r#""by":"alice""#, r#""by":"alice","duties":[]"#),
            marked.replace(r#"{"scope":"all"}"#, "[1,2,3]"),
        ] {
            let said = unread(&entry);
            assert!(said.starts_with("its kind is \"") && said.contains(needed), "{said}");
        }
        assert!(unread(&PLAIN.replace("frozen", "sealed")).starts_with("no canonical entry of kind \"sealed\": "));
        assert!(unread(&PLAIN.replace(r#""by":"#, r#""bye":"#)).starts_with("no canonical entry of kind \"frozen\": "));
        assert!(unread("{}").starts_with("no canonical entry: "));
    }

    #[test]
    fn a_format_that_is_known_is_read() {
        let begins = r#""elapsed":5,"format":{"number":1,"version":"0.1.0"}"#;
        let entry = read_entry(PLAIN.replace(r#""elapsed":5"#, begins).as_bytes()).unwrap();
        assert_eq!(entry.format.unwrap().number, 1);
    }
}
