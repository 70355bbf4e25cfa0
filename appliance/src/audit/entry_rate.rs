//! How many entries that cost a watcher nothing may enter the log: nobody fills an append-only log by being refused, or
//! by taking addresses.

use std::collections::HashMap;

/// A bucket per watcher: so many at once, so many a second after that.
#[derive(Debug)]
pub(super) struct EntryRate {
    at_once: u64,
    each_second: u64,
    buckets: HashMap<String, Bucket>,
}

#[derive(Debug)]
struct Bucket {
    left: u64,
    since: u64,
}

impl EntryRate {
    /// `at_once` entries of each watcher, then `each_second`.
    pub(super) fn new(at_once: u64, each_second: u64) -> Self {
        Self { at_once, each_second, buckets: HashMap::new() }
    }

    /// Whether another entry of this watcher may be recorded at service time `now` (ms).
    pub(super) fn may_record(&mut self, watcher: &str, now: u64) -> bool {
        let bucket = self.buckets.entry(watcher.to_owned()).or_insert(Bucket { left: self.at_once, since: now });
        let earned = now.saturating_sub(bucket.since).saturating_mul(self.each_second) / 1_000;
        if earned > 0 {
            bucket.left = bucket.left.saturating_add(earned).min(self.at_once);
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
        let mut rate = EntryRate::new(100, 20);
        assert!((0..100).all(|_| rate.may_record("a", 0)));
        assert!(!rate.may_record("a", 0));
        assert!(rate.may_record("b", 0));
        assert!((0..20).all(|_| rate.may_record("a", 1_000)));
        assert!(!rate.may_record("a", 1_000));
    }
}
