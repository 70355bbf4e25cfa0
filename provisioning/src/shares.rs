//! The backup secret and its shares: split verifiably (Feldman) over P-256, shown as text, typed back, put together.
//!
//! Knows no token and no screen. A secret lives for one split or one recovery, and is wiped when dropped.

mod bad;
mod commitments;
mod text;

use std::fmt;

use hmac::{Hmac, Mac};
use p256::{
    NonZeroScalar, ProjectivePoint, Scalar,
    elliptic_curve::{PrimeField, sec1::ToEncodedPoint},
};
use rand::{RngCore, rngs::OsRng};
use sha2::Sha256;
use ssh_key::{PrivateKey, private::Ed25519Keypair};
use vsss_rs::{DefaultShare, IdentifierPrimeField, ReadableShareSet, ShareVerifierGroup, feldman};
use zeroize::{Zeroize, Zeroizing};

pub use self::{bad::BadShare, commitments::Commitments, text::grouped};

type Field = IdentifierPrimeField<Scalar>;
type RawShare = DefaultShare<Field, Field>;
type Point = ShareVerifierGroup<ProjectivePoint>;

const RENEWAL_KEY: &[u8] = b"chancery renewal key v1";

/// A scalar of P-256 that is not zero: what a backup key and the renewal key are derived from.
pub struct Secret(Zeroizing<[u8; 32]>);

/// What every share of one secret carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SplitId(pub [u8; 8]);

/// One custodian's share.
#[derive(Clone)]
pub struct Share {
    /// Of which secret.
    pub id: SplitId,
    /// So many give the secret.
    pub threshold: u8,
    /// Which, from 1.
    pub index: u8,
    value: Zeroizing<[u8; 32]>,
}

impl Secret {
    /// A new one: random numbers of this machine and of a token, added bit by bit. One good source is enough.
    ///
    /// # Errors
    /// This machine gives no random numbers.
    pub fn random(token: &[u8; 32]) -> Result<Self, BadShare> {
        loop {
            let mut bytes = Zeroizing::new([0; 32]);
            OsRng.try_fill_bytes(&mut bytes[..]).map_err(|_| BadShare::NoRandom)?;
            bytes.iter_mut().zip(token).for_each(|(byte, other)| *byte ^= other);
            // Once in 2^32 it is no scalar.
            if scalar(&bytes).is_some() {
                return Ok(Self(bytes));
            }
        }
    }

    /// The bytes that keys are derived from.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// As many shares as custodians, of which `threshold` give the secret, and what they are held against.
    ///
    /// # Errors
    /// [`BadShare::Numbers`]: fewer than two are to be enough, or more than there are.
    pub fn split(&self, threshold: u8, custodians: u8) -> Result<(Vec<Share>, Commitments), BadShare> {
        let mut id = [0; 8];
        OsRng.try_fill_bytes(&mut id).map_err(|_| BadShare::NoRandom)?;
        let id = SplitId(id);
        let value = scalar(&self.0).ok_or(BadShare::Numbers { threshold, custodians })?;
        let (raw, mut points) = feldman::split_secret::<RawShare, Point>(
            usize::from(threshold),
            usize::from(custodians),
            &IdentifierPrimeField(*value),
            None,
            OsRng,
        )
        .map_err(|_| BadShare::Numbers { threshold, custodians })?;
        let share = |(index, mut raw): (u8, RawShare)| {
            let value = Zeroizing::new(raw.value.0.to_repr().into());
            raw.zeroize();
            Share { id, threshold, index, value }
        };
        let shares = (1..=custodians).zip(raw).map(share).collect();
        points.remove(0); // The generator, which everybody knows.
        Ok((shares, Commitments { id, threshold, points: points.into_iter().map(|point| point.0).collect() }))
    }

    /// The secret that these shares give, each held against the commitments where they are known.
    ///
    /// # Errors
    /// Too few, one of them twice, of two secrets, or one that the commitments do not know.
    pub fn recover(shares: &[Share], commitments: Option<&Commitments>) -> Result<Self, BadShare> {
        let first = shares.first().ok_or(BadShare::None)?;
        for (position, share) in shares.iter().enumerate() {
            share.fits(&shares[..position], commitments)?;
        }
        if shares.len() < usize::from(first.threshold) {
            return Err(BadShare::TooFew { given: shares.len(), threshold: first.threshold });
        }
        let raw: Result<Zeroizing<Vec<RawShare>>, BadShare> =
            shares.iter().map(Share::raw).collect::<Result<Vec<_>, _>>().map(Zeroizing::new);
        let mut value = raw?.combine().map_err(|_| BadShare::None)?;
        let bytes = Zeroizing::new(value.0.to_repr().into());
        value.zeroize();
        scalar(&bytes).map(|_| Self(bytes)).ok_or(BadShare::None)
    }

    /// The key that renews officers who fell below their quorum.
    ///
    /// # Errors
    /// The comment cannot stand in a key; never.
    pub fn renewal_key(&self, comment: &str) -> Result<PrivateKey, ssh_key::Error> {
        let seed = derive(&self.0, RENEWAL_KEY);
        PrivateKey::new(Ed25519Keypair::from_seed(&seed).into(), comment)
    }
}

impl Share {
    /// Whether it goes with those typed before, and is true.
    ///
    /// # Errors
    /// As [`Secret::recover`].
    pub fn fits(&self, before: &[Self], commitments: Option<&Commitments>) -> Result<(), BadShare> {
        if let Some(other) = before.first()
            && (other.id != self.id || other.threshold != self.threshold)
        {
            return Err(BadShare::OtherSecret);
        }
        if before.iter().any(|other| other.index == self.index) {
            return Err(BadShare::Twice { index: self.index });
        }
        commitments.map_or(Ok(()), |commitments| commitments.check(self))
    }

    fn raw(&self) -> Result<RawShare, BadShare> {
        let value = Option::from(Scalar::from_repr((*self.value).into())).ok_or(BadShare::Form("it is no scalar"))?;
        let identifier = IdentifierPrimeField(Scalar::from(u64::from(self.index)));
        Ok(DefaultShare { identifier, value: IdentifierPrimeField(value) })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Share({} of {}, ..)", self.index, self.id)
    }
}

impl fmt::Display for SplitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

fn scalar(bytes: &[u8; 32]) -> Option<NonZeroScalar> {
    Option::from(NonZeroScalar::from_repr((*bytes).into()))
}

/// HKDF-SHA-256 (RFC 5869) without salt, of one block.
fn derive(secret: &[u8; 32], info: &[u8]) -> Zeroizing<[u8; 32]> {
    let extracted = mac(&[0; 32], &[secret]);
    mac(&extracted, &[info, &[1]])
}

fn mac(key: &[u8; 32], parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    // The block that HMAC pads its key to (RFC 2104).
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key);
    let mut mac = <Hmac<Sha256> as hmac::digest::KeyInit>::new((&*block).into());
    parts.iter().for_each(|part| mac.update(part));
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// Compressed SEC1, hexadecimal.
fn point_hex(point: &ProjectivePoint) -> String {
    hex::encode(point.to_affine().to_encoded_point(true))
}

#[cfg(test)]
mod tests;
