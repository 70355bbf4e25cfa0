//! The number of a format, and what an older program says of a newer one. What a number stands for is not known here.

use serde::{Deserialize, Serialize};

use crate::{NotCanonical, canonical, sha256_hex};

/// The format something was written in, and the version of the program that first wrote it so.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "Read")]
pub struct Format {
    /// From 1 on; what says none is format 1.
    pub number: u64,
    /// The version, such as `0.3.0`.
    pub version: String,
}

/// As found: members of a later version are no obstacle to knowing that it is one.
#[derive(Deserialize)]
struct Read {
    number: u64,
    version: String,
}

const LONGEST_VERSION: usize = 32;

impl TryFrom<Read> for Format {
    type Error = &'static str;

    fn try_from(Read { number, version }: Read) -> Result<Self, Self::Error> {
        // It is shown to people who read logs of others.
        let is_version = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
        if number == 0 || version.is_empty() || version.len() > LONGEST_VERSION || !version.chars().all(is_version) {
            return Err("it names no format and version");
        }
        Ok(Self { number, version })
    }
}

impl Format {
    /// As a file that holds nothing else has it: SHA-256 in hexadecimal, then JSON. A bit that flipped must not ask for a
    /// version that never was.
    ///
    /// # Errors
    /// A version JSON cannot express; there is none.
    pub fn to_line(&self) -> Result<String, NotCanonical> {
        let json = String::from_utf8_lossy(&canonical(self)?).into_owned();
        Ok(format!("{} {json}\n", sha256_hex(json.as_bytes())))
    }

    /// Reads that line; none where it is damaged.
    #[must_use]
    pub fn from_line(line: &[u8]) -> Option<Self> {
        let (digest, json) = std::str::from_utf8(line).ok()?.strip_suffix('\n')?.split_once(' ')?;
        if sha256_hex(json.as_bytes()) == digest { serde_json::from_str(json).ok() } else { None }
    }

    /// What a JSON file says in its member `format`; none where it says nothing, which is format 1.
    #[must_use]
    pub fn of_json(text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Head {
            format: Format,
        }
        serde_json::from_str::<Head>(text).ok().map(|head| head.format)
    }

    /// Whether `program`, which reads up to the format `own`, can read this.
    ///
    /// # Errors
    /// [`NewerFormat`]: it says which version can.
    pub fn check(&self, program: &'static str, own: &Self) -> Result<(), NewerFormat> {
        if self.number <= own.number {
            return Ok(());
        }
        Err(NewerFormat { program, written: self.clone(), own: own.clone() })
    }
}

/// Something a newer program wrote.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "it was written by {program} {} (format {}), and this is {program} {}, which reads up to format {}: install {program} \
     {} or later", .written.version, .written.number, .own.version, .own.number, .written.version
)]
pub struct NewerFormat {
    /// Name of the program.
    pub program: &'static str,
    /// By whom.
    pub written: Format,
    /// Who reads.
    pub own: Format,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Format, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn an_older_program_says_in_one_sentence_which_version_is_needed() {
        let own = Format { number: 1, version: "0.1.0".to_owned() };
        assert_eq!(own.check("chancery", &own), Ok(()));
        let newer = read(r#"{"number":2,"version":"0.3.0","of later":[]}"#).unwrap();
        assert_eq!(own.check("chancery", &newer), Ok(()));
        assert_eq!(
            newer.check("chancery", &own).unwrap_err().to_string(),
            "it was written by chancery 0.3.0 (format 2), and this is chancery 0.1.0, which reads up to format 1: \
             install chancery 0.3.0 or later"
        );
    }

    #[test]
    fn any_changed_bit_of_its_line_is_damage_and_no_other_version() {
        let format = Format { number: 2, version: "0.3.0".to_owned() };
        let line = format.to_line().unwrap().into_bytes();
        assert_eq!(Format::from_line(&line), Some(format));
        for position in 0..8 * line.len() {
            let mut changed = line.clone();
            changed[position / 8] ^= 1 << (position % 8);
            assert_eq!(Format::from_line(&changed), None, "bit {position}");
        }
        for length in 0..line.len() {
            assert_eq!(Format::from_line(&line[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn what_names_no_format_and_version_is_none() {
        for bad in [
            r#"{"number":0,"version":"0.3.0"}"#,
            r#"{"number":-1,"version":"0.3.0"}"#,
            r#"{"number":2,"version":""}"#,
            r#"{"number":2,"version":"\u001b[2J"}"#,
            r#"{"number":2,"version":"0000000000.0000000000.0000000000.0"}"#,
            r#"{"number":2}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
