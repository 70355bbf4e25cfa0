//! The last day, minute by minute: what was signed, what was refused, and how long tokens took. In memory, from the start
//! of the process on.
//!
//! Names refusals and tokens, never a request, a watcher or a key.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use appliance_wire::ProblemCode;

/// How far back it goes, in minutes.
pub const MINUTES: u64 = 24 * 60;

/// Counts of the last [`MINUTES`].
#[derive(Debug)]
pub struct History {
    began: Instant,
    /// (minute since the start, what happened in it), oldest first; a minute in which nothing happened is not there.
    minutes: Mutex<VecDeque<(u64, Minute)>>,
}

/// What happened in a minute, or in several.
#[derive(Clone, Debug, Default)]
pub struct Minute {
    /// Requests answered with signatures, repeats included.
    pub signed: u64,
    /// Refusals by code.
    pub refused: BTreeMap<&'static str, u64>,
    /// Sign calls by token.
    pub tokens: BTreeMap<String, Times>,
}

/// How long calls took: counts in buckets, each a quarter of an octave wide.
#[derive(Clone, Debug)]
pub struct Times([u32; BUCKETS]);

/// The last is for everything longer: 13 minutes.
const BUCKETS: usize = 96;
const SHORTEST_S: f64 = 0.000_05;
const BUCKETS_AN_OCTAVE: f64 = 4.0;

impl Default for History {
    fn default() -> Self {
        Self { began: Instant::now(), minutes: Mutex::default() }
    }
}

impl History {
    /// A request for signatures was answered: `signed`, or by the code of its refusal. What waits is counted when it no
    /// longer does.
    pub(super) fn answered(&self, outcome: &str) {
        if outcome == "signed" {
            self.note(|minute| minute.signed += 1);
        } else if let Some(code) = ProblemCode::from_name(outcome) {
            self.note(|minute| *minute.refused.entry(code.name()).or_default() += 1);
        }
    }

    pub(super) fn token_signed(&self, token: &str, took: Duration) {
        self.note(|minute| match minute.tokens.get_mut(token) {
            Some(times) => times.add(took),
            None => minute.tokens.entry(token.to_owned()).or_default().add(took),
        });
    }

    /// What happened, with how many minutes ago it was: 0 is the minute that is not over. Oldest first.
    #[must_use]
    pub fn last(&self, minutes: u64) -> Vec<(u64, Minute)> {
        let now = self.minute();
        let all = self.lock();
        let ago = all.iter().map(|(minute, what)| (now.saturating_sub(*minute), what));
        ago.filter(|(ago, _)| *ago < minutes).map(|(ago, what)| (ago, what.clone())).collect()
    }

    /// The last so many minutes as one.
    #[must_use]
    pub fn sum(&self, minutes: u64) -> Minute {
        let now = self.minute();
        let mut sum = Minute::default();
        for (_, minute) in self.lock().iter().filter(|(minute, _)| now.saturating_sub(*minute) < minutes) {
            sum.add(minute);
        }
        sum
    }

    fn note(&self, note: impl FnOnce(&mut Minute)) {
        let now = self.minute();
        let mut minutes = self.lock();
        if minutes.back().is_none_or(|(last, _)| *last < now) {
            minutes.push_back((now, Minute::default()));
            while minutes.front().is_some_and(|(first, _)| now.saturating_sub(*first) >= MINUTES) {
                minutes.pop_front();
            }
        }
        if let Some((_, minute)) = minutes.back_mut() {
            note(minute);
        }
    }

    fn minute(&self) -> u64 {
        self.began.elapsed().as_secs() / 60
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(u64, Minute)>> {
        self.minutes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Minute {
    /// All refusals.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.refused.values().sum()
    }

    /// Adds another.
    pub fn add(&mut self, other: &Self) {
        self.signed += other.signed;
        for (code, count) in &other.refused {
            *self.refused.entry(code).or_default() += count;
        }
        for (token, times) in &other.tokens {
            let sum = self.tokens.entry(token.clone()).or_default();
            sum.0.iter_mut().zip(times.0).for_each(|(sum, count)| *sum = sum.saturating_add(count));
        }
    }

    /// The times of all tokens.
    #[must_use]
    pub fn times(&self) -> Times {
        let mut all = Times::default();
        for times in self.tokens.values() {
            all.0.iter_mut().zip(times.0).for_each(|(sum, count)| *sum = sum.saturating_add(count));
        }
        all
    }
}

impl Default for Times {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl Times {
    fn add(&mut self, took: Duration) {
        let octaves = (took.as_secs_f64() / SHORTEST_S).max(1.0).log2();
        // Not negative, and small: what is longer than the last bucket is in it.
        let bucket = ((octaves * BUCKETS_AN_OCTAVE) as usize).min(BUCKETS - 1);
        if let Some(count) = self.0.get_mut(bucket) {
            *count = count.saturating_add(1);
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().map(|count| u64::from(*count)).sum()
    }

    /// What `percent` of a hundred calls took at most, within a tenth of the truth; none where there were none.
    #[must_use]
    pub fn percentile(&self, percent: u64) -> Option<Duration> {
        let wanted = (self.count() * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let bucket = self.0.iter().position(|count| {
            seen += u64::from(*count);
            seen >= wanted
        })?;
        let octaves = (bucket as f64 + 0.5) / BUCKETS_AN_OCTAVE;
        Some(Duration::from_secs_f64(SHORTEST_S * octaves.exp2()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_counts_what_happened_in_it_and_leaves_after_a_day() {
        let mut history = History::default();
        ["signed", "denied", "denied", "pending", "abandoned"].iter().for_each(|outcome| history.answered(outcome));
        history.began = history.began.checked_sub(Duration::from_secs(90)).unwrap();
        history.answered("signed");
        history.token_signed("main", Duration::from_millis(3));
        let told: Vec<_> = history.last(MINUTES).iter().map(|(ago, m)| (*ago, m.signed, m.refusals())).collect();
        assert_eq!(told, [(1, 1, 2), (0, 1, 0)]);
        assert_eq!(history.sum(1).signed, 1);
        assert_eq!(history.sum(2).refused, BTreeMap::from([("denied", 2)]));
        history.began = history.began.checked_sub(Duration::from_secs(MINUTES * 60 - 60)).unwrap();
        history.answered("signed");
        let told: Vec<_> = history.last(MINUTES).iter().map(|(ago, minute)| (*ago, minute.signed)).collect();
        assert_eq!(told, [(MINUTES - 1, 1), (0, 1)], "the first minute is forgotten");
    }

    #[test]
    fn percentiles_are_within_a_tenth() {
        let mut times = Times::default();
        assert_eq!(times.percentile(50), None);
        for millisecond in 1..=100 {
            times.add(Duration::from_millis(millisecond));
        }
        for (percent, ms) in [(1, 1.0), (50, 50.0), (99, 99.0), (100, 100.0)] {
            let found = times.percentile(percent).unwrap().as_secs_f64() * 1_000.0;
            assert!((found / ms - 1.0).abs() < 0.1, "{percent}: {found} for {ms}");
        }
        times.add(Duration::ZERO);
        times.add(Duration::from_secs(100_000));
        assert_eq!(times.count(), 102);
    }
}
