//! What signatures cost: one after the other, and of several sessions at once. None is taken on the device's word.

use std::{
    thread,
    time::{Duration, Instant},
};

use hsm_types::{NotValid, PublicKey, RawSignature, ToSign, Verifier};

use super::{Examiner, Question, Rate, Signing};
use crate::{Device, Disposition, Error};

/// One after the other is measured no longer than this: a device that takes 100 ms gives fifty.
const LONGEST: Duration = Duration::from_secs(5);

/// How long sessions sign at once.
const WINDOW: Duration = Duration::from_millis(400);

/// What is signed, and what the signatures must verify under.
pub(crate) struct Signed<'a> {
    question: &'a Question,
    input: &'a ToSign,
    verifier: Verifier,
}

impl<'a> Signed<'a> {
    /// None where the question has no input that such a key signs.
    pub(crate) fn new(question: &'a Question, public_key: PublicKey) -> Option<Self> {
        let signs_digests = public_key.algorithm().signs_digests();
        let fits = |input: &&ToSign| matches!(input, ToSign::Digest(_)) == signs_digests;
        let input = question.inputs.iter().find(fits)?;
        Some(Self { question, input, verifier: Verifier::new(public_key) })
    }

    /// Whether its s was high.
    fn verify(&self, raw: &RawSignature) -> Result<bool, Error> {
        let verified = self.verifier.verify(self.input, raw).map_err(|error: NotValid| Error::Call {
            attempted: format!("signature with key \"{}\"", self.question.key),
            cause: format!("{error}: what this device signs cannot be trusted"),
            disposition: Disposition::OutcomeUnknown,
        })?;
        Ok(verified.to_bytes() != raw.0)
    }
}

/// At most so many signatures, one after the other.
pub(crate) fn measure(
    examiner: &mut Examiner<'_>,
    device: &mut dyn Device,
    signed: &Signed<'_>,
    most: u64,
) -> Result<Signing, Error> {
    let key = &signed.question.key;
    let mut took = Vec::new();
    let mut high_s = 0;
    let begun = Instant::now();
    examiner.step(&format!("a signature with key \"{key}\""));
    while (took.len() as u64) < most && (took.is_empty() || begun.elapsed() < LONGEST) {
        examiner.step_on(|| format!("a signature with key \"{key}\" ({} of {most})", took.len() + 1));
        let asked = Instant::now();
        let raw = device.sign(key, signed.input)?;
        took.push(asked.elapsed());
        high_s += u64::from(signed.verify(&raw)?);
    }
    let whole: Duration = took.iter().sum();
    took.sort_unstable();
    Ok(Signing {
        algorithm: signed.verifier.public_key().algorithm().name().to_owned(),
        signatures: took.len() as u64,
        made: took.len() as u64,
        high_s,
        p50_us: percentile(&took, 50),
        p99_us: percentile(&took, 99),
        rates: vec![Rate { sessions: 1, per_second: per_second(took.len(), whole) }],
    })
}

/// What these sessions make together, each at most so many: added to what was measured before.
pub(crate) fn rate(
    devices: &mut [impl Device],
    signed: &Signed<'_>,
    most_of_each: u64,
    signing: &mut Signing,
) -> Result<(), Error> {
    let begun = Instant::now();
    let made = thread::scope(|scope| {
        let sign = |device| scope.spawn(move || sign_for(device, signed, most_of_each));
        let threads: Vec<_> = devices.iter_mut().map(sign).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(panicked()))).collect::<Vec<_>>()
    });
    let whole = begun.elapsed();
    let mut count = 0;
    for raw in made {
        let raw = raw?;
        count += raw.len();
        for raw in &raw {
            signing.high_s += u64::from(signed.verify(raw)?);
        }
    }
    signing.made += count as u64;
    signing.rates.push(Rate { sessions: devices.len() as u64, per_second: per_second(count, whole) });
    Ok(())
}

fn sign_for(device: &mut impl Device, signed: &Signed<'_>, most: u64) -> Result<Vec<RawSignature>, Error> {
    let mut made = Vec::new();
    let begun = Instant::now();
    while made.is_empty() || ((made.len() as u64) < most && begun.elapsed() < WINDOW) {
        made.push(device.sign(&signed.question.key, signed.input)?);
    }
    Ok(made)
}

fn panicked() -> Error {
    Error::WorkerGone { reason: "a thread that signed ended".to_owned() }
}

/// Of sorted times, in microseconds: the smallest that so many of a hundred do not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> u64 {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

fn per_second(count: usize, whole: Duration) -> u64 {
    let micros = u64::try_from(whole.as_micros()).unwrap_or(u64::MAX).max(1);
    (count as u64).saturating_mul(1_000_000) / micros
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_time_that_was_measured() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_micros).collect();
        assert_eq!((percentile(&times, 50), percentile(&times, 99)), (100, 198));
        assert_eq!((percentile(&times[..1], 50), percentile(&times[..1], 99)), (1, 1));
        assert_eq!(percentile(&[], 99), 0);
        assert_eq!(per_second(10, Duration::from_millis(500)), 20);
    }
}
