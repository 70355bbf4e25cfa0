//! The release gate: raw signature in, verified low-S signature and recovery id out, in one computation.
//!
//! The same computation serves children, whose signatures are carried over from their parent's.

use std::{
    fmt,
    ops::{AddAssign, Range},
    sync::Arc,
};

use elliptic_curve::{
    CurveArithmetic, Field, FieldBytes, PrimeCurve, PrimeField,
    group::Curve,
    ops::{Invert, Reduce},
    point::AffineCoordinates,
    scalar::IsHigh,
};

use crate::{
    ChainCode, ChildKey, Digest, NoChildren, PublicKey, RawSignature, ToSign, VerifiedSignature, child,
    fixed_base::FixedBase,
};

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
                verify_ecdsa(table, &SECP256K1_GENERATOR, &Carry::none(), &digest.0, &raw.0)
            }
            (Tables::P256(table), _, ToSign::Digest(digest)) => {
                verify_ecdsa(table, &P256_GENERATOR, &Carry::none(), &digest.0, &raw.0)
            }
            (Tables::Ed25519, PublicKey::Ed25519(key), ToSign::Message(message)) => {
                let signature = ed25519_dalek::Signature::from_bytes(&raw.0);
                key.verify_strict(message, &signature).map_err(|_| NotValid)?;
                Ok(VerifiedSignature { bytes: raw.0, recovery_id: None })
            }
            _ => Err(NotValid),
        }
    }

    /// The child of this key with this index.
    ///
    /// # Errors
    /// [`NoChildren`]: the key is not on secp256k1, or the index is beyond [`LAST_CHILD`](crate::LAST_CHILD).
    pub fn child(&self, chain_code: &ChainCode, index: u32) -> Result<ChildKey, NoChildren> {
        let (key, table) = self.parent()?;
        child::derive(key, chain_code, index, |tweak| table.accumulate(None, tweak))
    }

    /// The children of a range of indices, in order: two thirds of the time that one by one would take.
    ///
    /// # Errors
    /// As [`Self::child`], for any index of the range.
    pub fn children(&self, chain_code: &ChainCode, indices: Range<u32>) -> Result<Vec<ChildKey>, NoChildren> {
        let (key, table) = self.parent()?;
        child::derive_all(key, chain_code, indices, |tweak| table.accumulate(None, tweak))
    }

    /// Carries a signature that the device made under this key over to its child, and verifies it there: `raw` is what
    /// came back for [`ChildKey::to_sign`], the result a signature of `digest` under [`ChildKey::public_key`].
    ///
    /// # Errors
    /// It does not verify under the child's public key, or `child` is no child of this key.
    pub fn verify_child(
        &self,
        child: &ChildKey,
        digest: &Digest,
        raw: &RawSignature,
    ) -> Result<VerifiedSignature, NotValid> {
        let carry = Carry { of_key: child.tweak, of_s: child.tweak };
        verify_ecdsa(self.table_of(child)?, &SECP256K1_GENERATOR, &carry, &digest.0, &raw.0)
    }

    /// Verifies a child's signature as it was released: what [`Self::verify_child`] gave once, read back. As
    /// [`Self::verify`] under the child's public key, without a table for it.
    ///
    /// # Errors
    /// It does not verify under the child's public key, or `child` is no child of this key.
    pub fn verify_released(
        &self,
        child: &ChildKey,
        digest: &Digest,
        signature: &RawSignature,
    ) -> Result<VerifiedSignature, NotValid> {
        let carry = Carry { of_key: child.tweak, of_s: k256::Scalar::ONE };
        verify_ecdsa(self.table_of(child)?, &SECP256K1_GENERATOR, &carry, &digest.0, &signature.0)
    }

    /// The table of this key, where it is the child's parent.
    fn table_of(&self, child: &ChildKey) -> Result<&FixedBase<k256::Secp256k1>, NotValid> {
        let (key, table) = self.parent().map_err(|_| NotValid)?;
        if child.parent == *key { Ok(table) } else { Err(NotValid) }
    }

    fn parent(&self) -> Result<(&k256::PublicKey, &FixedBase<k256::Secp256k1>), NoChildren> {
        match (&self.public_key, &self.tables) {
            (PublicKey::Secp256k1(key), Tables::Secp256k1(table)) => Ok((key, table)),
            _ => Err(NoChildren::Algorithm(self.public_key.algorithm())),
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({:?})", self.public_key)
    }
}

/// From a key to its child: what the point of the table and the s of the signature are multiplied by.
struct Carry<C: CurveArithmetic> {
    of_key: C::Scalar,
    of_s: C::Scalar,
}

impl<C: CurveArithmetic> Carry<C> {
    fn none() -> Self {
        Self { of_key: C::Scalar::ONE, of_s: C::Scalar::ONE }
    }
}

/// SEC 1, 4.1.4, keeping R: its x proves the signature, its y's parity is the recovery id.
fn verify_ecdsa<C>(
    key: &FixedBase<C>,
    generator: &FixedBase<C>,
    carry: &Carry<C>,
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
    let s = scalar_in_range::<C>(s_bytes)? * carry.of_s;
    let s = if bool::from(s.is_high()) { -s } else { s };

    let z = <C::Scalar as Reduce<C::Uint>>::reduce_bytes(FieldBytes::<C>::from_slice(digest));
    let w: C::Scalar = Option::from(s.invert_vartime()).ok_or(NotValid)?;
    let point = generator.accumulate(None, &(z * w));
    // The point at infinity comes out with x = 0, which is no r.
    let point = key.accumulate(Some(point), &(r * w * carry.of_key)).to_affine();
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
    scalar.filter(|scalar| !bool::from(scalar.is_zero())).ok_or(NotValid)
}

#[cfg(test)]
mod tests;
