//! A set of small numbers.

/// Which of the numbers below some size are in it. Two that meet are of one size.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Set {
    words: Vec<u64>,
}

impl Set {
    /// The numbers below `size` of which `has` says so.
    pub(super) fn of(size: usize, has: impl Fn(usize) -> bool) -> Self {
        let word = |place: usize| {
            let numbers = (0..64).filter(|bit| place * 64 + bit < size && has(place * 64 + bit));
            numbers.fold(0, |word, bit| word | 1 << bit)
        };
        Self { words: (0..size.div_ceil(64)).map(word).collect() }
    }

    /// All numbers below `size`.
    pub(super) fn all(size: usize) -> Self {
        Self::of(size, |_| true)
    }

    pub(super) fn and(&self, other: &Self) -> Self {
        self.merged(other, |one, other| one & other)
    }

    pub(super) fn without(&self, other: &Self) -> Self {
        self.merged(other, |one, other| one & !other)
    }

    pub(super) fn or(&self, other: &Self) -> Self {
        self.merged(other, |one, other| one | other)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    pub(super) fn contains(&self, number: usize) -> bool {
        self.words.get(number / 64).is_some_and(|word| word & (1 << (number % 64)) != 0)
    }

    fn merged(&self, other: &Self, merge: impl Fn(u64, u64) -> u64) -> Self {
        Self { words: self.words.iter().zip(&other.words).map(|(one, other)| merge(*one, *other)).collect() }
    }
}
