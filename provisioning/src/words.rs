//! Fingerprints as words, for reading aloud: eleven bits a word, from the English list of BIP 39. They are no backup of
//! anything.

use bip39::Language;
use sha2::{Digest, Sha256};

/// Enough that nobody makes a second thing with the same words: 66 bits.
const WORDS: usize = 6;
const BITS: usize = 11;

/// Six words for these bytes.
#[must_use]
pub fn fingerprint(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let bit = |position: usize| digest.get(position / 8).is_some_and(|byte| byte >> (7 - position % 8) & 1 == 1);
    let list = Language::English.word_list();
    let word = |number: usize| {
        let index = (0..BITS).fold(0, |index, offset| index << 1 | usize::from(bit(number * BITS + offset)));
        list.get(index).copied().unwrap_or_default()
    };
    (0..WORDS).map(word).collect::<Vec<_>>().join(" ")
}

/// Those of a public key in hexadecimal.
#[must_use]
pub fn of_public_key(hexadecimal: &str) -> String {
    fingerprint(&hex::decode(hexadecimal).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_the_digests_first_bits() {
        // SHA-256 of nothing begins e3b0c442 98fc1c14 9a: 11100011101 10000110001 00010000101 ...
        let list = Language::English.word_list();
        let words: Vec<String> = fingerprint(b"").split(' ').map(str::to_owned).collect();
        assert_eq!(words[..3], [list[0b111_0001_1101], list[0b100_0011_0001], list[0b000_1000_0101]]);
        assert_eq!(words.len(), WORDS);
        assert_ne!(fingerprint(b"a"), fingerprint(b"b"));
    }
}
