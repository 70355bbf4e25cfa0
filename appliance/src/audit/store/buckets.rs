//! Bindings in buckets, by the first bits of their hash: many in one value. sled keeps something in memory for each of
//! its nodes, a node of leaves has 16 values at most, and bindings are the most numerous thing in the store by far.

use std::collections::{BTreeMap, btree_map::Entry};

use crate::state::{Binding, BindingKey};

/// Key of a bucket's value.
pub(super) type BucketKey = [u8; 4];

/// 2^18 buckets: at 5,000,000 bindings 19 in each, in 650 bytes that are written anew for each of them; at 40,000,000
/// as many as a value should have bytes for.
const BITS_OF_THIRD_BYTE: u8 = 0b1100_0000;
const BUCKET: u8 = b'b';
const KEY: usize = 17;
const RECORD: usize = 2 * KEY;

/// The bucket of a key.
pub(super) fn bucket_of(key: &BindingKey) -> BucketKey {
    // Behind the letter of its kind a key is a hash.
    let [_, first, second, third, ..] = *key.as_bytes();
    [BUCKET, first, second, third & BITS_OF_THIRD_BYTE]
}

/// The bytes of what `key` is bound to in a bucket's value.
pub(super) fn find<'a>(bucket: &'a [u8], key: &BindingKey) -> Option<&'a [u8]> {
    let mut records = bucket.chunks_exact(RECORD).map(|record| record.split_at(KEY));
    records.find(|(found, _)| found == key.as_bytes()).map(|(_, binding)| binding)
}

/// The buckets as they are with these bindings in them; `read` gives a bucket as it was.
pub(super) fn with<E>(
    bindings: &[(BindingKey, Binding)],
    mut read: impl FnMut(&BucketKey) -> Result<Vec<u8>, E>,
) -> Result<BTreeMap<BucketKey, Vec<u8>>, E> {
    let mut buckets = BTreeMap::new();
    for (key, binding) in bindings {
        let bucket_key = bucket_of(key);
        let bucket = match buckets.entry(bucket_key) {
            Entry::Occupied(bucket) => bucket.into_mut(),
            Entry::Vacant(free) => free.insert(read(&bucket_key)?),
        };
        put(bucket, key, binding);
    }
    Ok(buckets)
}

fn put(bucket: &mut Vec<u8>, key: &BindingKey, binding: &Binding) {
    let mut records = bucket.chunks_exact_mut(RECORD).map(|record| record.split_at_mut(KEY));
    match records.find(|(found, _)| *found == key.as_bytes()) {
        Some((_, bytes)) => bytes.copy_from_slice(&binding.to_bytes()),
        None => bucket.extend([*key.as_bytes(), binding.to_bytes()].concat()),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::state::Outcome;

    #[test]
    fn each_binding_of_a_bucket_is_found_as_it_was_put_last() {
        let keys: Vec<BindingKey> = (0..2_000).map(|index| BindingKey::request("w", &format!("r{index}"))).collect();
        let binding = |place: usize, round: u64| Binding { accepted: place as u64, outcome: Outcome::Signed(round) };
        let mut held: BTreeMap<BucketKey, Vec<u8>> = BTreeMap::new();
        for round in 0..3 {
            let bindings: Vec<_> = keys.iter().enumerate().map(|(place, key)| (*key, binding(place, round))).collect();
            for part in bindings.chunks(300) {
                let read = |key: &BucketKey| Ok::<_, Infallible>(held.get(key).cloned().unwrap_or_default());
                let Ok(changed) = with(part, read);
                held.extend(changed);
            }
            for (place, key) in keys.iter().enumerate() {
                let bytes = held.get(&bucket_of(key)).and_then(|bucket| find(bucket, key)).unwrap();
                assert_eq!(Binding::from_bytes(bytes), Some(binding(place, round)));
            }
        }
        assert_eq!(held.values().map(Vec::len).sum::<usize>(), keys.len() * RECORD);
        assert!(held.len() < keys.len(), "some share one");
        let other = BindingKey::request("w", "other");
        assert!(held.get(&bucket_of(&other)).is_none_or(|bucket| find(bucket, &other).is_none()));
    }
}
