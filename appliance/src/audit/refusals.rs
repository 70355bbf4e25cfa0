//! How many refusals of one watcher may enter the log: nobody fills an append-only log by being refused.

use std::collections::HashMap;

/// A bucket per watcher: so many at once, so many a second after that.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    buckets: HashMap<String, Bucket>,
}

#[derive(Debug)]
struct Bucket {
    left: u64,
    since: u64,
}

const AT_ONCE: u64 = 1_000;
const EACH_SECOND: u64 = 20;

impl Refusals {
    /// Whether another refusal of this watcher may be recorded at service time `now` (ms).
    pub(super) fn may_record(&mut self, watcher: &str, now: u64) -> bool {
        let bucket = self.buckets.entry(watcher.to_owned()).or_insert(Bucket { left: AT_ONCE, since: now });
        let earned = now.saturating_sub(bucket.since).saturating_mul(EACH_SECOND) / 1_000;
        if earned > 0 {
            bucket.left = bucket.left.saturating_add(earned).min(AT_ONCE);
            bucket.since = now;
        }
        let may = bucket.left > 0;
        bucket.left = bucket.left.saturating_sub(1);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_off_and_the_next_watcher_is_not() {
        let mut refusals = Refusals::default();
        assert!((0..AT_ONCE).all(|_| refusals.may_record("a", 0)));
        assert!(!refusals.may_record("a", 0));
        assert!(refusals.may_record("b", 0));
        assert!((0..EACH_SECOND).all(|_| refusals.may_record("a", 1_000)));
        assert!(!refusals.may_record("a", 1_000));
    }
}
