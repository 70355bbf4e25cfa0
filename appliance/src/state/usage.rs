//! Sliding windows: what has been accepted within each limit's window, on service time.
//!
//! A window is cut into 256 buckets, and everything in a bucket counts until its last moment leaves the window: an
//! acceptance counts for the stated length and at most 1/256 longer, never shorter.

use std::collections::{BTreeMap, HashMap, VecDeque};

use appliance_wire::Amount;

use super::charges::Charge;
use crate::policy::{Limit, Policy};

const BUCKETS: u64 = 256;
const FEW: usize = 1_024;

/// A limit that has too little left.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Spent {
    /// Position of the limit in the policy.
    pub limit: usize,
    /// What it has left.
    pub remaining: Amount,
    /// Service time from which enough is left, if nothing more is used; none where it can never be enough.
    pub frees_at: Option<u64>,
}

/// What the limits of the policy in force have seen.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    limits: Vec<LimitUsage>,
}

#[derive(Clone, Debug)]
struct LimitUsage {
    window_ms: u64,
    max: Amount,
    scopes: HashMap<String, Window>,
    /// What counts in every scope, those never seen too.
    everywhere: Window,
    /// Number of scopes from which on it is worth looking for those that hold nothing any more.
    tidy_at: usize,
}

#[derive(Clone, Debug, Default)]
struct Window {
    /// (number of the bucket, what was accepted in it), oldest first.
    buckets: VecDeque<(u64, Amount)>,
}

impl Usage {
    /// Nothing used yet, under this policy's limits.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        let limits = policy.limits.iter();
        Self {
            limits: limits
                .map(|limit| LimitUsage {
                    window_ms: limit.window_ms,
                    max: limit.most(),
                    scopes: HashMap::new(),
                    everywhere: Window::default(),
                    tidy_at: FEW,
                })
                .collect(),
        }
    }

    /// The limits that have too little left at service time `now`; none where everything fits.
    pub fn spent(&self, charges: &[Charge], now: u64) -> impl Iterator<Item = Spent> {
        charges.iter().filter_map(move |charge| {
            let limit = self.limits.get(charge.limit)?;
            let used = limit.used(&charge.scope, now);
            let fits = used.checked_add(charge.amount).is_some_and(|sum| sum <= limit.max);
            (!fits).then(|| Spent {
                limit: charge.limit,
                remaining: limit.max.checked_sub(used).unwrap_or(Amount::ZERO),
                frees_at: limit.frees_at(&charge.scope, charge.amount, now),
            })
        })
    }

    /// Counts what was accepted at service time `now`.
    pub fn charge(&mut self, charges: &[Charge], now: u64) {
        // What costs nothing can be asked for without end.
        for charge in charges.iter().filter(|charge| charge.amount > Amount::ZERO) {
            let Some(limit) = self.limits.get_mut(charge.limit) else { continue };
            let (width, window_ms) = (limit.bucket_ms(), limit.window_ms);
            let window = limit.scopes.entry(charge.scope.clone()).or_default();
            if window_ms != Limit::LIFETIME_MS {
                window.forget_before(now, width, window_ms);
            }
            window.add(now / width, charge.amount);
            limit.tidy(now);
        }
    }

    /// Counts so many hundredths of each limit in all its scopes.
    pub fn charge_everywhere(&mut self, percent: u8, now: u64) {
        for limit in &mut self.limits {
            let (width, window_ms, amount) = (limit.bucket_ms(), limit.window_ms, limit.max.percent(percent));
            if amount > Amount::ZERO {
                if window_ms != Limit::LIFETIME_MS {
                    limit.everywhere.forget_before(now, width, window_ms);
                }
                limit.everywhere.add(now / width, amount);
            }
        }
    }

    /// (used, service time at which the oldest part is free again) of a limit for one scope.
    #[must_use]
    pub fn used(&self, limit: usize, scope: &str, now: u64) -> (Amount, Option<u64>) {
        let Some(usage) = self.limits.get(limit) else { return (Amount::ZERO, None) };
        let oldest = usage.live(scope, now).map(|(bucket, _)| *bucket).min().and_then(|bucket| usage.leaves_at(bucket));
        (usage.used(scope, now), oldest)
    }

    /// The scopes of a limit with most used, at most so many, and how many others there are. None of them where there are
    /// more than `looked_at`.
    #[must_use]
    pub fn fullest(&self, limit: usize, now: u64, most: usize, looked_at: usize) -> (Vec<String>, usize) {
        let Some(usage) = self.limits.get(limit) else { return (Vec::new(), 0) };
        if usage.scopes.len() > looked_at {
            return (Vec::new(), usage.scopes.len());
        }
        let used = usage.scopes.keys().map(|scope| (usage.used(scope, now), scope));
        let mut used: Vec<_> = used.filter(|(amount, _)| *amount > Amount::ZERO).collect();
        used.sort_unstable_by(|one, other| other.cmp(one));
        let left_out = used.len().saturating_sub(most);
        (used.into_iter().take(most).map(|(_, scope)| scope.clone()).collect(), left_out)
    }

    /// Every bucket: (limit, scope, bucket, amount in base units), for the snapshot.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (usize, &str, u64, Amount)> {
        self.limits.iter().enumerate().flat_map(|(place, limit)| {
            limit.scopes.iter().flat_map(move |(scope, window)| {
                window.buckets.iter().map(move |(bucket, amount)| (place, scope.as_str(), *bucket, *amount))
            })
        })
    }

    /// Every bucket that counts in all scopes: (limit, bucket, amount in base units), for the snapshot.
    pub(super) fn buckets_everywhere(&self) -> impl Iterator<Item = (usize, u64, Amount)> {
        let limits = self.limits.iter().enumerate();
        limits
            .flat_map(|(place, limit)| limit.everywhere.buckets.iter().map(move |(bucket, sum)| (place, *bucket, *sum)))
    }

    /// What still counts at service time `now`: (limit, scope or none for all, bucket) with its amount.
    pub(super) fn counting(&self, now: u64) -> BTreeMap<(usize, Option<&str>, u64), Amount> {
        let counts = |limit: usize, bucket: u64| {
            self.limits.get(limit).is_some_and(|limit| limit.leaves_at(bucket).is_none_or(|leaves_at| now < leaves_at))
        };
        let scoped = self.buckets().map(|(limit, scope, bucket, amount)| ((limit, Some(scope), bucket), amount));
        let everywhere = self.buckets_everywhere().map(|(limit, bucket, amount)| ((limit, None, bucket), amount));
        scoped.chain(everywhere).filter(|((limit, _, bucket), _)| counts(*limit, *bucket)).collect()
    }

    /// Puts a bucket that counts in all scopes back, oldest first.
    pub(super) fn restore_everywhere(&mut self, limit: usize, bucket: u64, amount: Amount) {
        if let Some(limit) = self.limits.get_mut(limit) {
            limit.everywhere.add(bucket, amount);
        }
    }

    /// Puts a bucket of a snapshot back. Buckets of one window come oldest first.
    pub(super) fn restore(&mut self, limit: usize, scope: &str, bucket: u64, amount: Amount) {
        if let Some(limit) = self.limits.get_mut(limit) {
            limit.scopes.entry(scope.to_owned()).or_default().add(bucket, amount);
        }
    }
}

impl LimitUsage {
    fn bucket_ms(&self) -> u64 {
        (self.window_ms / BUCKETS).max(1)
    }

    /// From when on a bucket no longer counts: its last moment and the window have passed. None under a limit for ever.
    fn leaves_at(&self, bucket: u64) -> Option<u64> {
        let passed = leaves_at(bucket, self.bucket_ms(), self.window_ms);
        (self.window_ms != Limit::LIFETIME_MS).then_some(passed)
    }

    /// Forgets scopes of which nothing counts any more: whoever asks names as many destinations as he likes.
    fn tidy(&mut self, now: u64) {
        if self.scopes.len() < self.tidy_at || self.window_ms == Limit::LIFETIME_MS {
            return;
        }
        let (width, window_ms) = (self.bucket_ms(), self.window_ms);
        self.scopes.retain(|_, window| {
            window.forget_before(now, width, window_ms);
            !window.buckets.is_empty()
        });
        self.tidy_at = FEW.max(2 * self.scopes.len());
    }

    fn live(&self, scope: &str, now: u64) -> impl Iterator<Item = &(u64, Amount)> {
        let windows = self.scopes.get(scope).into_iter().chain([&self.everywhere]);
        let buckets = windows.flat_map(|window| &window.buckets);
        buckets.filter(move |(bucket, _)| self.leaves_at(*bucket).is_none_or(|leaves_at| now < leaves_at))
    }

    fn used(&self, scope: &str, now: u64) -> Amount {
        // A sum that does not fit counts as everything: the limit then has nothing left.
        self.live(scope, now).try_fold(Amount::ZERO, |sum, (_, amount)| sum.checked_add(*amount)).unwrap_or(self.max)
    }

    fn frees_at(&self, scope: &str, amount: Amount, now: u64) -> Option<u64> {
        let room = self.max.checked_sub(amount)?;
        let mut used = self.used(scope, now);
        let mut oldest_first: Vec<_> = self.live(scope, now).collect();
        oldest_first.sort_by_key(|(bucket, _)| *bucket);
        let (bucket, _) = oldest_first.into_iter().find(|(_, freed)| {
            used = used.checked_sub(*freed).unwrap_or(Amount::ZERO);
            used <= room
        })?;
        self.leaves_at(*bucket)
    }
}

impl Window {
    fn add(&mut self, bucket: u64, amount: Amount) {
        // Accepted amounts passed `check`, so sums fit; where a changed policy makes them not fit, they stay at the top.
        let top = |sum: Option<Amount>| sum.unwrap_or(Amount::MAX);
        match self.buckets.back_mut() {
            Some((last, sum)) if *last == bucket => *sum = top(sum.checked_add(amount)),
            _ => self.buckets.push_back((bucket, amount)),
        }
    }

    fn forget_before(&mut self, now: u64, width: u64, window_ms: u64) {
        while let Some((bucket, _)) = self.buckets.front()
            && now >= leaves_at(*bucket, width, window_ms)
        {
            self.buckets.pop_front();
        }
    }
}

fn leaves_at(bucket: u64, width: u64, window_ms: u64) -> u64 {
    bucket.saturating_add(1).saturating_mul(width).saturating_add(window_ms)
}

#[cfg(test)]
mod tests;
