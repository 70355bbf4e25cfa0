//! Signatures that are not what was asked for.

/// In which way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Bend {
    /// The bit of this number, from the first byte's lowest, is the other.
    Flip(usize),
    /// The signature made before this one is given.
    Previous,
    /// ECDSA: the same signature with the other s, where that is the high one; Ed25519: S plus the group's order.
    HighS,
    ZeroR,
    ZeroS,
    /// Its last byte is missing.
    Short,
    /// One byte too many.
    Long,
}

/// The order of secp256k1's group (SEC 2), big-endian.
const SECP256K1_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae, 0xdc,
    0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
];
/// The order of P-256's group (SEC 2), big-endian.
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
/// The order of Ed25519's group (RFC 8032, 5.1), big-endian.
const ED25519_ORDER: [u8; 32] = [
    0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0xde, 0xf9, 0xde, 0xa2, 0xf7, 0x9c, 0xd6, 0x58, 0x12,
    0x63, 0x1a, 0x5c, 0xf5, 0xd3, 0xed,
];
/// secp256k1, 1.3.132.0.10, and prime256v1, 1.2.840.10045.3.1.7, as `CKA_EC_PARAMS`.
const SECP256K1_PARAMS: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a];
const P256_PARAMS: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

impl Bend {
    /// The signature in its place; none where it cannot be bent so. `previous` is the one made before, `params` are the
    /// key's `CKA_EC_PARAMS`.
    pub(crate) fn of(self, signature: &[u8], previous: Option<Vec<u8>>, params: &[u8]) -> Option<Vec<u8>> {
        let mut bent = signature.to_vec();
        match self {
            Self::Flip(bit) => *bent.get_mut(bit / 8)? ^= 1 << (bit % 8),
            Self::Previous => bent = previous.filter(|previous| previous.len() == signature.len())?,
            Self::HighS => raise_s(bent.last_chunk_mut()?, params)?,
            Self::ZeroR => bent.first_chunk_mut::<32>()?.fill(0),
            Self::ZeroS => bent.last_chunk_mut::<32>()?.fill(0),
            Self::Short => drop(bent.pop()?),
            Self::Long => bent.push(0),
        }
        (bent != signature).then_some(bent)
    }
}

fn raise_s(s: &mut [u8; 32], params: &[u8]) -> Option<()> {
    match params {
        SECP256K1_PARAMS | P256_PARAMS => {
            let order = if params == P256_PARAMS { P256_ORDER } else { SECP256K1_ORDER };
            let other = subtract(&order, s);
            *s = other.max(*s);
        }
        _ => {
            s.reverse();
            add(s, &ED25519_ORDER);
            s.reverse();
        }
    }
    Some(())
}

/// Big-endian; `from` is the larger.
fn subtract(from: &[u8; 32], what: &[u8; 32]) -> [u8; 32] {
    let mut difference = *from;
    let mut borrow = false;
    for (digit, minus) in difference.iter_mut().zip(what).rev() {
        let (left, under) = digit.overflowing_sub(*minus);
        let (left, under_again) = left.overflowing_sub(u8::from(borrow));
        (*digit, borrow) = (left, under || under_again);
    }
    difference
}

/// Big-endian; the sum fits.
fn add(to: &mut [u8; 32], what: &[u8; 32]) {
    let mut carry = false;
    for (digit, plus) in to.iter_mut().zip(what).rev() {
        let (sum, over) = digit.overflowing_add(*plus);
        let (sum, over_again) = sum.overflowing_add(u8::from(carry));
        (*digit, carry) = (sum, over || over_again);
    }
}
