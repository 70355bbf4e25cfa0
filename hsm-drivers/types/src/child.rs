//! Child keys: endless public keys from one key in a device that knows nothing of them.
//!
//! ECDSA is multiplicative. With a public scalar t, the child of (d, Q) is (t*d, t*Q), and the device, which has only d,
//! signs for it: asked for `z * t^-1 mod n` it gives (r, s'), and (r, t*s') is a signature of z under t*Q, since
//! `t * k^-1 * (z/t + r*d) = k^-1 * (z + r*t*d)`. The private key of a child never exists.
//!
//! t is the same for everyone who has the chain code and Q:
//!
//! ```text
//! t = HMAC-SHA-512(key = chain code,
//!                  message = "chancery child v1" || algorithm name || SEC1 compressed Q || index as 8 bytes big-endian)
//! ```
//!
//! as a 512-bit big-endian number mod n. Should that be zero, the message is taken again with one byte 1 appended, then
//! in its place one byte 2, and so on to 255.
//!
//! A digest of zero mod n needs no case of its own. The device is then asked to sign zero, whatever the child, and what
//! it gives carries over like any other. Nor is anything lost: a signature of zero can be made for any public key by
//! anyone (R = a*Q, s = r/a), so it proves nothing under the parent either.

use std::{fmt, ops::Range};

use elliptic_curve::{
    bigint::{U256, U512},
    group::Curve,
    ops::{Invert, Reduce},
    sec1::ToEncodedPoint,
};
use hmac::{Hmac, Mac};
use k256::{AffinePoint, ProjectivePoint, Scalar};
use sha2::Sha512;

use crate::{Algorithm, ChainCode, Digest, PublicKey, ToSign};

/// The highest index of a child: 2^31 - 1.
pub const LAST_CHILD: u32 = (1 << 31) - 1;

const DOMAIN: &[u8] = b"chancery child v1";

/// One child of a secp256k1 key.
#[derive(Clone, Eq, PartialEq)]
pub struct ChildKey {
    pub(crate) parent: k256::PublicKey,
    pub(crate) tweak: Scalar,
    index: u32,
    public_key: PublicKey,
}

/// Why a key has no such child.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoChildren {
    /// Only ECDSA keys on secp256k1 have children.
    #[error("{0} keys have no children, only secp256k1 keys have")]
    Algorithm(Algorithm),
    /// The key was made without them.
    #[error("the key has no chain code, so it has no children")]
    NoChainCode,
    /// No child has this index.
    #[error("no child has the index {0}: use 0 to {LAST_CHILD}")]
    Index(u32),
}

impl ChildKey {
    /// Its place among its parent's children.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// What its signatures verify under.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// What the device signs under the parent key so that this child's signature of `digest` can be made of it by
    /// [`Verifier::verify_child`](crate::Verifier::verify_child).
    #[must_use]
    pub fn to_sign(&self, digest: &Digest) -> ToSign {
        let z = <Scalar as Reduce<U256>>::reduce_bytes(&digest.0.into());
        // A tweak is never zero, and zero is all that has no inverse.
        let inverse = self.tweak.invert_vartime().unwrap_or(Scalar::ZERO);
        ToSign::Digest(Digest((z * inverse).to_bytes().into()))
    }
}

impl fmt::Debug for ChildKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChildKey({}, {})", self.index, self.public_key)
    }
}

impl PublicKey {
    /// The child of this key with this index, without the table of a [`Verifier`](crate::Verifier): for whoever wants
    /// few of them.
    ///
    /// # Errors
    /// [`NoChildren`]: the key is not on secp256k1, or the index is beyond [`LAST_CHILD`].
    pub fn child(&self, chain_code: &ChainCode, index: u32) -> Result<ChildKey, NoChildren> {
        let Self::Secp256k1(key) = self else { return Err(NoChildren::Algorithm(self.algorithm())) };
        let point = key.to_projective();
        derive(key, chain_code, index, |tweak| point * tweak)
    }
}

/// One child; `multiply` gives a multiple of `parent`.
pub(crate) fn derive(
    parent: &k256::PublicKey,
    chain_code: &ChainCode,
    index: u32,
    multiply: impl Fn(&Scalar) -> ProjectivePoint,
) -> Result<ChildKey, NoChildren> {
    let tweak = Tweaks::new(parent, chain_code)?.tweak(index)?;
    child_at(parent, index, tweak, multiply(&tweak).to_affine())
}

/// Children in order, their points brought into affine form together: one inversion for all.
pub(crate) fn derive_all(
    parent: &k256::PublicKey,
    chain_code: &ChainCode,
    indices: Range<u32>,
    multiply: impl Fn(&Scalar) -> ProjectivePoint,
) -> Result<Vec<ChildKey>, NoChildren> {
    let Some(last) = indices.clone().last() else { return Ok(Vec::new()) };
    check(last)?;
    let tweaks = Tweaks::new(parent, chain_code)?;
    let tweaks = indices.clone().map(|index| tweaks.tweak(index)).collect::<Result<Vec<_>, _>>()?;
    let points: Vec<ProjectivePoint> = tweaks.iter().map(multiply).collect();
    let mut affine = vec![AffinePoint::default(); points.len()];
    ProjectivePoint::batch_normalize(&points, &mut affine);
    let children = indices.zip(tweaks).zip(affine);
    children.map(|((index, tweak), point)| child_at(parent, index, tweak, point)).collect()
}

fn child_at(parent: &k256::PublicKey, index: u32, tweak: Scalar, point: AffinePoint) -> Result<ChildKey, NoChildren> {
    // The curve's order is prime: no multiple but by zero is at infinity.
    let key = k256::PublicKey::from_affine(point).map_err(|_| NoChildren::Index(index))?;
    Ok(ChildKey { parent: *parent, tweak, index, public_key: PublicKey::Secp256k1(key) })
}

fn check(index: u32) -> Result<(), NoChildren> {
    if index <= LAST_CHILD { Ok(()) } else { Err(NoChildren::Index(index)) }
}

/// The part of the derivation that all children share.
struct Tweaks(Hmac<Sha512>);

impl Tweaks {
    fn new(parent: &k256::PublicKey, chain_code: &ChainCode) -> Result<Self, NoChildren> {
        // HMAC takes a key of any length.
        let mac = Hmac::new_from_slice(chain_code.as_bytes()).map_err(|_| NoChildren::NoChainCode)?;
        let name = Algorithm::Secp256k1.name().as_bytes();
        Ok(Self(mac.chain_update(DOMAIN).chain_update(name).chain_update(parent.to_encoded_point(true))))
    }

    fn tweak(&self, index: u32) -> Result<Scalar, NoChildren> {
        check(index)?;
        let mac = self.0.clone().chain_update(u64::from(index).to_be_bytes());
        first_nonzero(|counter| mac.clone().chain_update(counter).finalize().into_bytes().into())
            .ok_or(NoChildren::Index(index))
    }
}

/// The first hash that is not zero mod n: without a counter, with 1, with 2...
fn first_nonzero(hash: impl Fn(&[u8]) -> [u8; 64]) -> Option<Scalar> {
    let counters = std::iter::once(Vec::new()).chain((1..=u8::MAX).map(|counter| vec![counter]));
    let scalars = counters.map(|counter| <Scalar as Reduce<U512>>::reduce_bytes(&hash(&counter).into()));
    scalars.into_iter().find(|scalar| !bool::from(elliptic_curve::Field::is_zero(scalar)))
}

#[cfg(test)]
mod tests;
