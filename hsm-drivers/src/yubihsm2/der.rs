//! The DER form in which a YubiHSM 2 returns ECDSA signatures: SEQUENCE of two INTEGERs (RFC 3279, 2.2.3).

/// r || s, each 32 bytes; none where `der` is anything but the one DER encoding of two numbers from 1 to 2^256 - 1.
pub(super) fn read_signature(der: &[u8]) -> Option<[u8; 64]> {
    let (contents, after) = read_element(0x30, der)?;
    let (r, rest) = read_element(0x02, contents)?;
    let (s, end) = read_element(0x02, rest)?;
    if !after.is_empty() || !end.is_empty() {
        return None;
    }
    let mut raw = [0; 64];
    raw[..32].copy_from_slice(&read_number(r)?);
    raw[32..].copy_from_slice(&read_number(s)?);
    Some(raw)
}

/// The contents of the element that `der` begins with, and what comes behind it. A signature is at most 72 bytes, so
/// that its lengths are single bytes.
fn read_element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    match der {
        [found, length, rest @ ..] if *found == tag && *length < 0x80 => rest.split_at_checked(usize::from(*length)),
        _ => None,
    }
}

/// A positive INTEGER in its shortest form, right-aligned.
fn read_number(integer: &[u8]) -> Option<[u8; 32]> {
    let digits = match integer {
        [0, rest @ ..] if rest.first().is_some_and(|first| first & 0x80 != 0) => rest,
        [first, ..] if (1..0x80).contains(first) => integer,
        _ => return None,
    };
    let mut number = [0; 32];
    number.get_mut(32_usize.checked_sub(digits.len())?..)?.copy_from_slice(digits);
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
        let mut der = vec![0x30, (4 + r.len() + s.len()) as u8, 0x02, r.len() as u8];
        der.extend(r);
        der.extend([0x02, s.len() as u8]);
        der.extend(s);
        der
    }

    #[test]
    fn numbers_of_every_length_are_aligned() {
        let high = [&[0x00], &[0xff; 32][..]].concat();
        let raw = read_signature(&der(&high, &[0x01])).unwrap();
        assert_eq!(raw[..32], [0xff; 32]);
        assert_eq!(raw[32..], [&[0; 31][..], &[1]].concat());
        assert!(read_signature(&der(&[0x7f; 32], &[0x00, 0x80])).is_some());
    }

    #[test]
    fn anything_but_the_one_encoding_is_refused() {
        let long = [&[0x01], &[0xff; 32][..]].concat();
        for (r, s) in [
            (&[0x00][..], &[0x01][..]),
            (&[], &[0x01]),
            (&[0x80], &[0x01]),
            (&[0x00, 0x01], &[0x01]),
            (&[0x01], &[0x00, 0x00, 0x80]),
            (&long, &[0x01]),
        ] {
            assert_eq!(read_signature(&der(r, s)), None, "{r:02x?} {s:02x?}");
        }
        let good = der(&[0x01], &[0x02]);
        assert!(read_signature(&good).is_some());
        for cut in 0..good.len() {
            assert_eq!(read_signature(&good[..cut]), None);
        }
        let mut more = good.clone();
        more.push(0);
        assert_eq!(read_signature(&more), None, "bytes behind it");
        let mut other = good.clone();
        other[0] = 0x31;
        assert_eq!(read_signature(&other), None, "not a SEQUENCE");
        assert_eq!(read_signature(&[0x30, 0x81, 0x06, 2, 1, 1, 2, 1, 2]), None, "a length in the long form");
        assert_eq!(read_signature(&[0x30, 0x07, 2, 1, 1, 2, 1, 2, 0]), None, "bytes behind the numbers");
    }
}
