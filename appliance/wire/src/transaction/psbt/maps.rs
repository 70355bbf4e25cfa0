//! The maps of a PSBT, walked before anything in them is read: what this lets through, the parser reads in bounded time
//! and memory. Knows keys and lengths only; values are the parser's.

use std::collections::BTreeSet;

use super::{BadEvidence, MOST_INPUTS, MOST_TRANSACTION_BYTES};

const MAGIC: &[u8] = b"psbt\xff";
/// Above what 256 inputs of a 15-key multisig need, with a derivation and a signature for each key. An entry may hold a
/// public key, which takes tens of microseconds to read and to put in order.
const MOST_PAIRS: usize = 10_000;

const GLOBAL_UNSIGNED_TX: &[u8] = &[0x00];
const OUT_TAP_TREE: u8 = 0x06;

/// Refuses duplicate keys, too many of them, too large a transaction, and what the parser would need gigabytes for.
pub(super) fn check(data: &[u8]) -> Result<(), BadEvidence> {
    let mut reader = Reader { rest: data.strip_prefix(MAGIC).ok_or(BadEvidence::NotPsbt)? };
    let (mut map, mut pairs, mut inputs) = (0, 0, 0);
    while !reader.rest.is_empty() {
        let mut keys = BTreeSet::new();
        while let Some((key_type, key)) = reader.key()? {
            let value = reader.sized()?;
            pairs += 1;
            if pairs > MOST_PAIRS {
                return Err(BadEvidence::PsbtTooManyPairs(MOST_PAIRS));
            }
            if !keys.insert(key) {
                return Err(BadEvidence::PsbtDuplicateKey { map, key_type });
            }
            if map == 0 && key == GLOBAL_UNSIGNED_TX {
                inputs = unsigned_transaction_inputs(value)?;
            }
            // The parser keeps for each leaf of the tree the path to it: a megabyte of tree becomes a gigabyte.
            if map > inputs && key_type == OUT_TAP_TREE {
                return Err(BadEvidence::PsbtTaprootTree(map - inputs - 1));
            }
        }
        map += 1;
    }
    Ok(())
}

/// The number of inputs, which comes after four bytes of version.
fn unsigned_transaction_inputs(transaction: &[u8]) -> Result<usize, BadEvidence> {
    let length = transaction.len();
    if length > MOST_TRANSACTION_BYTES {
        return Err(BadEvidence::TransactionTooLarge { length, most: MOST_TRANSACTION_BYTES });
    }
    let mut reader = Reader { rest: transaction };
    reader.take(4)?;
    let count = reader.compact_size()?;
    let few = usize::try_from(count).ok().filter(|count| *count <= MOST_INPUTS);
    few.ok_or(BadEvidence::InputCount { count, most: MOST_INPUTS })
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// The next key with its first byte; none at the end of a map.
    fn key(&mut self) -> Result<Option<(u8, &'a [u8])>, BadEvidence> {
        let key = self.sized()?;
        Ok(key.first().map(|key_type| (*key_type, key)))
    }

    fn sized(&mut self) -> Result<&'a [u8], BadEvidence> {
        let length = self.compact_size()?;
        self.take(usize::try_from(length).map_err(|_| BadEvidence::PsbtTruncated)?)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], BadEvidence> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(BadEvidence::PsbtTruncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Lengths written longer than they need are the parser's to refuse.
    fn compact_size(&mut self) -> Result<u64, BadEvidence> {
        let first = self.take(1)?.first().copied().unwrap_or_default();
        let width = match first {
            0xfd => 2,
            0xfe => 4,
            0xff => 8,
            small => return Ok(u64::from(small)),
        };
        let bytes = self.take(width)?;
        Ok(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}
