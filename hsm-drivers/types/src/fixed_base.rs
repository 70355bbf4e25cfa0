//! Multiples of a fixed point from a table: what makes verifying every signature affordable.
//!
//! The appliance verifies under few keys, again and again, so each key's multiples `d * 2^(w*i) * P` are computed once
//! (w bits a window); a product is then one addition a window and no doubling. Public data only: not constant-time.

use std::ops::AddAssign;

use elliptic_curve::{
    CurveArithmetic, FieldBytes, PrimeField,
    group::{Curve, Group},
};

pub(crate) struct FixedBase<C: CurveArithmetic> {
    window_bits: usize,
    /// Window by window, the multiples 1 to 2^w - 1.
    multiples: Vec<C::AffinePoint>,
}

impl<C> FixedBase<C>
where
    C: CurveArithmetic,
    C::ProjectivePoint: for<'a> AddAssign<&'a C::AffinePoint>,
    C::Scalar: PrimeField<Repr = FieldBytes<C>>,
{
    /// `window_bits` divides 8: 4 costs 960 points and 64 additions a product, 8 costs 8160 points and 32.
    pub(crate) fn new(point: C::ProjectivePoint, window_bits: usize) -> Self {
        let windows = 256 / window_bits;
        let mut projective = Vec::with_capacity(windows * ((1 << window_bits) - 1));
        let mut base = point;
        for _ in 0..windows {
            let mut multiple = base;
            for _ in 1..1 << window_bits {
                projective.push(multiple);
                multiple = base + multiple;
            }
            base = multiple;
        }
        let mut multiples = vec![C::AffinePoint::default(); projective.len()];
        C::ProjectivePoint::batch_normalize(&projective, &mut multiples);
        Self { window_bits, multiples }
    }

    /// `sum + scalar * P`.
    pub(crate) fn accumulate(&self, mut sum: C::ProjectivePoint, scalar: &C::Scalar) -> C::ProjectivePoint {
        let per_byte = 8 / self.window_bits;
        let digits = 1 << self.window_bits;
        let little_endian = scalar.to_repr();
        for (position, byte) in little_endian.iter().rev().enumerate() {
            for part in 0..per_byte {
                let digit = (*byte as usize >> (part * self.window_bits)) & (digits - 1);
                if digit != 0 {
                    let window = position * per_byte + part;
                    sum += &self.multiples[window * (digits - 1) + digit - 1];
                }
            }
        }
        sum
    }

    pub(crate) fn identity() -> C::ProjectivePoint {
        C::ProjectivePoint::identity()
    }
}
