//! The checks of the fuzz targets on mutations of valid transactions and requests, the same in every run.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a check fails by panicking")]

#[path = "../fuzz/checks/eip2718.rs"]
mod eip2718;
#[path = "../fuzz/checks/psbt.rs"]
mod psbt;
#[path = "../fuzz/checks/request.rs"]
mod request;
#[path = "../fuzz/checks/seeds.rs"]
mod seeds;

const MUTATIONS: usize = 50_000;

#[test]
fn what_is_read_of_50_000_mutated_psbts_holds() {
    assert!(accepted(&seeds::psbt(), psbt::check) > 500);
}

#[test]
fn what_is_read_of_50_000_mutated_ethereum_transactions_holds() {
    assert!(accepted(&seeds::eip2718(), eip2718::check) > 500);
}

#[test]
fn what_is_read_of_50_000_mutated_requests_holds() {
    assert!(accepted(&seeds::request(), request::check) > 500);
}

/// How many mutations are read: with none, the checks would have checked nothing.
fn accepted(seeds: &[Vec<u8>], check: fn(&[u8]) -> bool) -> usize {
    for seed in seeds {
        assert!(check(seed), "a seed is not read: {}", hex::encode(seed));
    }
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mutations = (0..MUTATIONS).map(|number| mutation(&mut random, &seeds[number % seeds.len()], seeds));
    mutations.filter(|mutated| check(mutated)).count()
}

/// A seed with one to three changes.
fn mutation(random: &mut Random, seed: &[u8], seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut data = seed.to_vec();
    for _ in 0..=random.below(3) {
        let other = &seeds[random.below(seeds.len())];
        change(random, &mut data, other);
    }
    data
}

fn change(random: &mut Random, data: &mut Vec<u8>, other: &[u8]) {
    let at = random.below(data.len() + 1);
    let end = at + random.below(usize::min(data.len() - at, 64) + 1);
    match random.below(10) {
        0..=3 if at < data.len() => data[at] ^= 1 << random.below(8),
        4 | 5 if at < data.len() => data[at] = [0x00, 0x01, 0x7f, 0x80, 0xfd, 0xff, b'"', b'0'][random.below(8)],
        6 => data.truncate(at),
        7 => drop(data.drain(at..end)),
        8 => {
            let inserted: Vec<u8> = (0..=random.below(8)).map(|_| random.below(256) as u8).collect();
            data.splice(at..at, inserted);
        }
        _ => {
            let from = random.below(other.len());
            let until = from + random.below(other.len() - from + 1);
            data.splice(at..end, other[from..until].iter().copied());
        }
    }
}

/// xorshift64*: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        number as usize % end
    }
}
