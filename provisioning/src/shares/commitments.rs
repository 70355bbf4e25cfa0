//! What shares are held against: public, and written into the transcript.

use appliance_wire::ceremony::CeremonyBackup;
use p256::{ProjectivePoint, PublicKey};
use vsss_rs::FeldmanVerifierSet;

use super::{BadShare, Point, Share, SplitId, point_hex};

/// Commitments to the polynomial of one split.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Commitments {
    /// Of which secret.
    pub id: SplitId,
    /// So many shares give the secret.
    pub threshold: u8,
    pub(super) points: Vec<ProjectivePoint>,
}

impl Commitments {
    /// Those of a transcript.
    ///
    /// # Errors
    /// They are none.
    pub fn of(backup: &CeremonyBackup) -> Result<Self, BadShare> {
        let id = hex::decode(&backup.id).ok().and_then(|id| id.try_into().ok()).ok_or(BadShare::Commitments)?;
        let point = |text: &String| {
            let bytes = hex::decode(text).map_err(|_| BadShare::Commitments)?;
            let key = PublicKey::from_sec1_bytes(&bytes).map_err(|_| BadShare::Commitments)?;
            Ok(key.to_projective())
        };
        let points = backup.commitments.iter().map(point).collect::<Result<_, BadShare>>()?;
        Ok(Self { id: SplitId(id), threshold: backup.threshold, points })
    }

    /// The points, compressed, hexadecimal.
    #[must_use]
    pub fn to_hex(&self) -> Vec<String> {
        self.points.iter().map(point_hex).collect()
    }

    /// Whether the share is the one that was handed out.
    ///
    /// # Errors
    /// It is of another secret, or not that one.
    pub fn check(&self, share: &Share) -> Result<(), BadShare> {
        if share.id != self.id || share.threshold != self.threshold {
            return Err(BadShare::OtherSecret);
        }
        let generator = [ProjectivePoint::GENERATOR];
        let set: Vec<Point> = generator.iter().chain(&self.points).copied().map(Into::into).collect();
        set.verify_share(&share.raw()?).map_err(|_| BadShare::Wrong { index: share.index })
    }
}
