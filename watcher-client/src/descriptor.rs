//! Output descriptors of single keys (BIP 380, 381, 382), for wallets that watch our addresses. Knows no chain.

use appliance_wire::AddressType;

/// The descriptor of what pays `public_key` (compressed, hexadecimal), with its checksum.
pub(crate) fn descriptor(public_key: &str, form: AddressType) -> String {
    let script = match form {
        AddressType::P2wpkh => format!("wpkh({public_key})"),
        AddressType::P2shP2wpkh => format!("sh(wpkh({public_key}))"),
        AddressType::P2pkh => format!("pkh({public_key})"),
    };
    // The names of functions and hexadecimal digits are all in the character set.
    let checksum = checksum(&script).unwrap_or_default();
    format!("{script}#{checksum}")
}

/// Characters of descriptors in the order of BIP 380: 5 bits say the place in a group, the rest which group.
const INPUT: &str = "0123456789()[],'/*abcdefgh@:$%{}IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~ijklmnopqrstuvwxyzABCDEFGH`#\"\\ ";
/// Characters of checksums.
const CHECKSUM: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
/// Symbols of a checksum.
const LENGTH: u32 = 8;
const GENERATOR: [u64; 5] = [0xf5_dee5_1989, 0xa9_fdca_3312, 0x1b_ab10_e32d, 0x37_06b1_677a, 0x64_4d62_6ffd];

/// The checksum of BIP 380; None where a character is not in the set.
fn checksum(script: &str) -> Option<String> {
    let mut state = 1;
    let mut group = (0, 0);
    for character in script.chars() {
        let place = INPUT.find(character)?;
        state = step(state, u64::try_from(place).ok()? & 31);
        group = (group.0 * 3 + (u64::try_from(place).ok()? >> 5), group.1 + 1);
        if group.1 == 3 {
            state = step(state, group.0);
            group = (0, 0);
        }
    }
    if group.1 > 0 {
        state = step(state, group.0);
    }
    for _ in 0..LENGTH {
        state = step(state, 0);
    }
    state ^= 1;
    let symbols = (0..LENGTH).rev().map(|position| CHECKSUM.get(usize::try_from((state >> (5 * position)) & 31).ok()?));
    symbols.map(|symbol| symbol.copied().map(char::from)).collect()
}

/// One symbol of 5 bits further.
fn step(state: u64, symbol: u64) -> u64 {
    let top = state >> 35;
    let shifted = ((state & 0x7_ffff_ffff) << 5) ^ symbol;
    let chosen = GENERATOR.iter().enumerate().filter(|(bit, _)| (top >> bit) & 1 == 1);
    chosen.fold(shifted, |state, (_, generator)| state ^ generator)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "Test Vectors" of BIP 380: the one good checksum, and those that are not.
    #[test]
    fn the_checksum_is_that_of_bip_380() {
        let good = checksum("raw(deadbeef)").unwrap();
        assert_eq!(good, "89f8spxm");
        for bad in ["", "89f8spxmx", "89f8spx", "#9f8spxm"] {
            assert_ne!(good, bad);
        }
        assert_ne!(checksum("raw(deedbeef)").unwrap(), "89f8spxm", "an error in the payload");
        assert_eq!(checksum("raw(Ü)"), None, "a character outside the set");
    }

    #[test]
    fn every_address_form_has_its_descriptor() {
        let key = "02".repeat(33);
        for (form, begins) in [
            (AddressType::P2wpkh, "wpkh(0202"),
            (AddressType::P2shP2wpkh, "sh(wpkh(0202"),
            (AddressType::P2pkh, "pkh(0202"),
        ] {
            let text = descriptor(&key, form);
            let (script, sum) = text.split_once('#').unwrap();
            assert!(script.starts_with(begins) && sum.len() == 8, "{text}");
        }
    }
}
