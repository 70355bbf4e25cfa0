//! Multiples of a fixed point from a table: what makes verifying every signature affordable.
//!
//! The appliance verifies under few keys, again and again. For each of the 32 bytes of a scalar the table has the 255
//! multiples `d * 256^i * P`, so a product is at most 32 additions and no doubling. 8,160 points, some 700 KB, made
//! when first needed. Public data only: not constant-time.

use std::{ops::AddAssign, sync::OnceLock};

use elliptic_curve::{
    CurveArithmetic, FieldBytes, PrimeField,
    group::{Curve, Group},
};

const BYTES: usize = 32;
const MULTIPLES: usize = 255;

pub(crate) struct FixedBase<C: CurveArithmetic> {
    point: C::ProjectivePoint,
    /// Byte by byte, least significant first: 255 multiples each.
    multiples: OnceLock<Vec<C::AffinePoint>>,
}

impl<C: CurveArithmetic> FixedBase<C> {
    pub(crate) const fn new(point: C::ProjectivePoint) -> Self {
        Self { point, multiples: OnceLock::new() }
    }

    fn tabulate(&self) -> Vec<C::AffinePoint> {
        let mut projective = Vec::with_capacity(BYTES * MULTIPLES);
        let mut base = self.point;
        for _ in 0..BYTES {
            let mut multiple = base;
            for _ in 0..MULTIPLES {
                projective.push(multiple);
                multiple += base;
            }
            base = multiple;
        }
        let mut multiples = vec![C::AffinePoint::default(); projective.len()];
        C::ProjectivePoint::batch_normalize(&projective, &mut multiples);
        multiples
    }
}

impl<C> FixedBase<C>
where
    C: CurveArithmetic,
    C::ProjectivePoint: for<'a> AddAssign<&'a C::AffinePoint>,
    C::Scalar: PrimeField<Repr = FieldBytes<C>>,
{
    /// `scalar * P`, added to `sum`, which begins at infinity where none is given.
    pub(crate) fn accumulate(&self, sum: Option<C::ProjectivePoint>, scalar: &C::Scalar) -> C::ProjectivePoint {
        let multiples = self.multiples.get_or_init(|| self.tabulate());
        let mut sum = sum.unwrap_or_else(C::ProjectivePoint::identity);
        for (byte, multiples) in scalar.to_repr().iter().rev().zip(multiples.chunks_exact(MULTIPLES)) {
            if let Some(multiple) = usize::from(*byte).checked_sub(1).and_then(|place| multiples.get(place)) {
                sum += multiple;
            }
        }
        sum
    }
}
