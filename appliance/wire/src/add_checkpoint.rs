//! What a witness is asked: the body of `POST <prefix>/add-checkpoint` (C2SP tlog-witness). Verifies nothing.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::tree::Hash;

/// Most lines a proof may have: as many as a tree of 2^64 leaves needs.
const MOST_HASHES: usize = 63;

/// A body that is no such request.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not an add-checkpoint request: {0}")]
pub struct BadAddCheckpoint(&'static str);

/// A checkpoint for a witness to cosign, and the proof from the size it cosigned last.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AddCheckpoint {
    /// The size the proof starts from; 0 where the witness knows none.
    pub old: u64,
    /// Consistency proof of RFC 6962 section 2.1.2.
    pub proof: Vec<Hash>,
    /// The signed note.
    pub note: String,
}

impl AddCheckpoint {
    /// Reads the body.
    ///
    /// # Errors
    /// Not of the specified form.
    pub fn parse(body: &str) -> Result<Self, BadAddCheckpoint> {
        let bad = |what| Err(BadAddCheckpoint(what));
        let Some((head, note)) = body.split_once("\n\n") else { return bad("no empty line before the checkpoint") };
        let mut lines = head.split('\n');
        let size = lines.next().and_then(|line| line.strip_prefix("old "));
        let Some(old) = size.and_then(decimal) else { return bad("the first line is not `old` and a size") };
        let proof: Option<Vec<Hash>> = lines.map(|line| STANDARD.decode(line).ok()?.try_into().ok()).collect();
        match proof {
            None => bad("a proof line is not 32 bytes of base64"),
            Some(proof) if proof.len() > MOST_HASHES => bad("the proof has more than 63 lines"),
            Some(_) if !note.ends_with('\n') => bad("the checkpoint does not end in a newline"),
            Some(proof) => Ok(Self { old, proof, note: note.to_owned() }),
        }
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{}", STANDARD.encode(hash)))?;
        write!(f, "\n{}", self.note)
    }
}

/// A number in ASCII digits without sign or leading zeros.
fn decimal(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_back() {
        for proof in [vec![], vec![[1; 32]], vec![[2; 32]; 63]] {
            let request = AddCheckpoint { old: 7, proof, note: "log\n9\nroot\n\n\u{2014} log sig\n".to_owned() };
            assert_eq!(AddCheckpoint::parse(&request.to_string()).unwrap(), request);
        }
    }

    #[test]
    fn what_is_not_of_the_form_is_refused() {
        let hash = STANDARD.encode([1; 32]);
        let long = format!("old 1\n{}\nnote\n", format!("{hash}\n").repeat(64));
        for body in [
            "",
            "old 1\nnote\n",
            "old\n\nnote\n",
            "old 01\n\nnote\n",
            "old +1\n\nnote\n",
            "old -1\n\nnote\n",
            "old 18446744073709551616\n\nnote\n",
            "old  1\n\nnote\n",
            "new 1\n\nnote\n",
            "old 1\r\n\r\nnote\n",
            "old 1\nAAAA\n\nnote\n",
            "old 1\nno base64\n\nnote\n",
            "old 1\n\nnote",
            &long,
        ] {
            assert!(AddCheckpoint::parse(body).is_err(), "{body:?}");
        }
    }
}
