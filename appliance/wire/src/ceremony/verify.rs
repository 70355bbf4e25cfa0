//! Steps read one after the other, each against those before it.

mod reading;
mod shares;

use self::reading::Reading;
use super::{Ceremony, Transcript, is_signed, signed_text, step::first_previous};
use crate::LogKey;

/// Why a transcript proves nothing.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotValid {
    /// The first step that is wrong.
    #[error("step {number}: {reason}")]
    Step {
        /// Its position, from 1.
        number: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// All steps are right, but what stands beside them is not.
    #[error("{0}")]
    Signature(String),
}

impl NotValid {
    /// The first step that is wrong, from 1.
    #[must_use]
    pub fn step(&self) -> Option<u64> {
        match self {
            Self::Step { number, .. } => Some(*number),
            Self::Signature(_) => None,
        }
    }
}

pub(super) fn verify(transcript: &Transcript) -> Result<Ceremony, NotValid> {
    let steps = transcript.steps();
    let mut reading = Reading::default();
    let (mut previous, mut time) = (first_previous(), "");
    let rehearsal = steps.first().is_some_and(|step| step.rehearsal);
    for (position, step) in (1..).zip(steps) {
        let wrong = |reason: String| NotValid::Step { number: position, reason };
        if step.number != position {
            return Err(wrong(format!("it is numbered {}: a step is missing, or was moved", step.number)));
        }
        if step.previous != previous {
            return Err(wrong("it does not follow the step before it: one of the two was altered".to_owned()));
        }
        if step.rehearsal != rehearsal {
            return Err(wrong("rehearsal and ceremony are mixed".to_owned()));
        }
        if !is_time(&step.time) || step.time.as_str() < time {
            return Err(wrong(format!("\"{}\" is no time after the step before", step.time)));
        }
        reading.take(&step.what).map_err(wrong)?;
        previous = step.hash().map_err(|error| wrong(error.to_string()))?;
        time = &step.time;
    }
    let number = u64::try_from(steps.len()).unwrap_or(u64::MAX);
    let ceremony = reading.finish().map_err(|reason| NotValid::Step { number, reason })?;
    signed(transcript, ceremony)
}

/// The signature is by the log key that was made in this ceremony, for the log of its origin.
fn signed(transcript: &Transcript, mut ceremony: Ceremony) -> Result<Ceremony, NotValid> {
    let wrong = |reason: &str| NotValid::Signature(reason.to_owned());
    let log_key = LogKey::parse(&transcript.file.log_key).map_err(|error| NotValid::Signature(error.to_string()))?;
    let own = ceremony.key(super::LOG_KEY_LABEL).and_then(|key| hex::decode(&key.public_key).ok());
    let own = own.and_then(|public| LogKey::new(&ceremony.origin, &public).ok());
    if own.as_ref() != Some(&log_key) {
        return Err(wrong("its log key is not the one that was made in the ceremony, for this origin"));
    }
    let last = transcript.steps().last().ok_or_else(|| wrong("it has no step"))?;
    let text = signed_text(&log_key, last).map_err(|error| NotValid::Signature(error.to_string()))?;
    if !is_signed(&log_key, &text, &transcript.file.signature) {
        return Err(wrong("the signature is not the log key's over the last step"));
    }
    ceremony.rehearsal = last.rehearsal;
    ceremony.log_key = log_key.to_string();
    ceremony.sha256 = transcript.sha256.clone();
    Ok(ceremony)
}

/// `2026-11-21T12:00:00Z`: the one form whose order as text is that of time.
fn is_time(text: &str) -> bool {
    const FORM: &[u8] = b"0000-00-00T00:00:00Z";
    let fits = |(byte, form): (&u8, &u8)| if *form == b'0' { byte.is_ascii_digit() } else { byte == form };
    text.len() == FORM.len() && text.as_bytes().iter().zip(FORM).all(fits)
}
