//! The release gate: raw signature in, verified low-S signature and recovery id out, in one computation.

use std::{fmt, ops::AddAssign, sync::Arc};

use elliptic_curve::{
    CurveArithmetic, FieldBytes, PrimeCurve, PrimeField,
    group::Curve,
    ops::{Invert, Reduce},
    point::AffineCoordinates,
    scalar::IsHigh,
};

use crate::{PublicKey, RawSignature, ToSign, VerifiedSignature, fixed_base::FixedBase};

/// One public key, made ready to verify many signatures. Cheap to make and to clone; the first ECDSA
/// verification under a key fills its table.
#[derive(Clone)]
pub struct Verifier {
    public_key: PublicKey,
    tables: Tables,
}

#[derive(Clone)]
enum Tables {
    Secp256k1(Arc<FixedBase<k256::Secp256k1>>),
    P256(Arc<FixedBase<p256::NistP256>>),
    Ed25519,
}

/// The signature is not one of this input under this key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the signature does not verify under the key's public key")]
pub struct NotValid;

static SECP256K1_GENERATOR: FixedBase<k256::Secp256k1> = FixedBase::new(k256::ProjectivePoint::GENERATOR);
static P256_GENERATOR: FixedBase<p256::NistP256> = FixedBase::new(p256::ProjectivePoint::GENERATOR);

impl Verifier {
    /// Prepares the tables of `public_key`.
    #[must_use]
    pub fn new(public_key: PublicKey) -> Self {
        let tables = match &public_key {
            PublicKey::Secp256k1(key) => Tables::Secp256k1(Arc::new(FixedBase::new(key.to_projective()))),
            PublicKey::P256(key) => Tables::P256(Arc::new(FixedBase::new(key.to_projective()))),
            PublicKey::Ed25519(_) => Tables::Ed25519,
        };
        Self { public_key, tables }
    }

    /// The key verified under.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Verifies, brings ECDSA into low-S form and finds its recovery id.
    ///
    /// # Errors
    /// The signature is not of `input` under this key, r or s is 0 or not below n, or `input` is not of the kind the
    /// algorithm signs. Ed25519 is verified strictly (no small-order points, canonical S: RFC 8032, 5.1.7).
    pub fn verify(&self, input: &ToSign, raw: &RawSignature) -> Result<VerifiedSignature, NotValid> {
        match (&self.tables, &self.public_key, input) {
            (Tables::Secp256k1(table), _, ToSign::Digest(digest)) => {
                verify_ecdsa(table, &SECP256K1_GENERATOR, &digest.0, &raw.0)
            }
            (Tables::P256(table), _, ToSign::Digest(digest)) => verify_ecdsa(table, &P256_GENERATOR, &digest.0, &raw.0),
            (Tables::Ed25519, PublicKey::Ed25519(key), ToSign::Message(message)) => {
                let signature = ed25519_dalek::Signature::from_bytes(&raw.0);
                key.verify_strict(message, &signature).map_err(|_| NotValid)?;
                Ok(VerifiedSignature { bytes: raw.0, recovery_id: None })
            }
            _ => Err(NotValid),
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({:?})", self.public_key)
    }
}

/// SEC 1, 4.1.4, keeping R: its x proves the signature, its y's parity is the recovery id.
fn verify_ecdsa<C>(
    key: &FixedBase<C>,
    generator: &FixedBase<C>,
    digest: &[u8; 32],
    raw: &[u8; 64],
) -> Result<VerifiedSignature, NotValid>
where
    C: CurveArithmetic + PrimeCurve,
    C::ProjectivePoint: for<'a> AddAssign<&'a C::AffinePoint>,
    C::AffinePoint: AffineCoordinates<FieldRepr = FieldBytes<C>>,
    C::Scalar: PrimeField<Repr = FieldBytes<C>>
        + Reduce<C::Uint, Bytes = FieldBytes<C>>
        + Invert<Output = elliptic_curve::subtle::CtOption<C::Scalar>>
        + IsHigh,
{
    let (r_bytes, s_bytes) = raw.split_at(32);
    let r = scalar_in_range::<C>(r_bytes)?;
    let s = scalar_in_range::<C>(s_bytes)?;
    let s = if bool::from(s.is_high()) { -s } else { s };

    let z = <C::Scalar as Reduce<C::Uint>>::reduce_bytes(FieldBytes::<C>::from_slice(digest));
    let w: C::Scalar = Option::from(s.invert_vartime()).ok_or(NotValid)?;
    let point = generator.accumulate(None, &(z * w));
    // The point at infinity comes out with x = 0, which is no r.
    let point = key.accumulate(Some(point), &(r * w)).to_affine();
    let x = point.x();
    if <C::Scalar as Reduce<C::Uint>>::reduce_bytes(&x) != r {
        return Err(NotValid);
    }

    let reduced = x.as_slice() != r_bytes;
    let odd = bool::from(point.y_is_odd());
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(r_bytes);
    bytes[32..].copy_from_slice(&s.to_repr());
    Ok(VerifiedSignature { bytes, recovery_id: Some(u8::from(reduced) << 1 | u8::from(odd)) })
}

/// 0 < scalar < n.
fn scalar_in_range<C>(bytes: &[u8]) -> Result<C::Scalar, NotValid>
where
    C: CurveArithmetic,
    C::Scalar: PrimeField<Repr = FieldBytes<C>>,
{
    let scalar: Option<C::Scalar> = C::Scalar::from_repr(FieldBytes::<C>::clone_from_slice(bytes)).into();
    scalar.filter(|scalar| !bool::from(elliptic_curve::Field::is_zero(scalar))).ok_or(NotValid)
}

#[cfg(test)]
mod tests;
