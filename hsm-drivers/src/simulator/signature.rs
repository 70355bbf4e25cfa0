//! A signature before it leaves: r and s, what the faults do to them, and the DER form.

use super::faults::Fault;

/// r || s.
#[derive(Clone, Copy)]
pub(super) struct Signature(pub(super) [u8; 64]);

impl Signature {
    /// What faults that ask nothing of the key do.
    pub(super) fn spoiled(mut self, faults: &[Fault]) -> Self {
        for fault in faults {
            if let Fault::FlipBit(bit) = fault {
                let (byte, bit) = (usize::from(bit / 8), bit % 8);
                self.0.iter_mut().skip(byte).take(1).for_each(|byte| *byte ^= 0x80 >> bit);
            } else if *fault == Fault::ZeroR {
                self.0[..32].fill(0);
            } else if *fault == Fault::ZeroS {
                self.0[32..].fill(0);
            }
        }
        self
    }

    /// SEQUENCE of two INTEGERs (RFC 3279, 2.2.3).
    pub(super) fn to_der(self) -> Vec<u8> {
        let (r, s) = self.0.split_at(32);
        let contents = [integer(r), integer(s)].concat();
        [&[0x30, short(&contents)], &contents[..]].concat()
    }
}

fn integer(number: &[u8]) -> Vec<u8> {
    let first = number.iter().position(|byte| *byte != 0).unwrap_or(number.len() - 1);
    let mut digits = number.get(first..).unwrap_or_default().to_vec();
    if digits.first().is_some_and(|byte| byte & 0x80 != 0) {
        digits.insert(0, 0);
    }
    [&[0x02, short(&digits)], &digits[..]].concat()
}

/// Two numbers of 32 bytes stay far below the 128 of the long form.
fn short(contents: &[u8]) -> u8 {
    u8::try_from(contents.len()).unwrap_or(u8::MAX)
}
