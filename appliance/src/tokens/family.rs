//! A key of the log and its children, and one item of a request made ready for the token. Knows no token and no policy.

use std::ops::Range;

use appliance_wire::KeyEntry;
use hsm_drivers::Protection;
use hsm_types::{
    BadChainCode, ChainCode, ChildKey, Digest, NoChildren, NotValid, PublicKey, RawSignature, ToSign,
    VerifiedSignature, Verifier,
};

use crate::audit::read_public_key;

/// A key, and what its children are derived with. Cheap to clone: clones share one table.
#[derive(Clone, Debug)]
pub struct Family {
    /// What verifies under the key itself, and derives its children.
    pub verifier: Verifier,
    /// As the log pins it; none where the key was made without children.
    pub chain_code: Option<ChainCode>,
    /// Whether it may leave its token, as the log pins it.
    pub protection: Protection,
}

impl Family {
    /// The key of this entry.
    ///
    /// # Errors
    /// Its public key or chain code cannot be read.
    pub fn of(entry: &KeyEntry) -> Result<Self, String> {
        let public_key = read_public_key(entry.algorithm, &entry.public_key)?;
        let chain_code = entry.chain_code.as_deref().map(str::parse).transpose();
        let chain_code = chain_code.map_err(|error: BadChainCode| format!("entry of key {}: {error}", entry.name))?;
        let protection = if entry.backup { Protection::LeavesWrapped } else { Protection::NeverLeaves };
        Ok(Self { verifier: Verifier::new(public_key), chain_code, protection })
    }

    /// The public key of a child, or of the key itself.
    ///
    /// # Errors
    /// The key has no such child.
    pub fn public_key(&self, child: Option<u32>) -> Result<PublicKey, NoChildren> {
        match child {
            None => Ok(self.verifier.public_key().clone()),
            Some(index) => Ok(self.child(index)?.public_key().clone()),
        }
    }

    /// The children of these indices, in order: some 20 us each.
    ///
    /// # Errors
    /// The key has not all of them.
    pub fn children(&self, indices: Range<u32>) -> Result<Vec<ChildKey>, NoChildren> {
        self.verifier.children(self.chain_code()?, indices)
    }

    /// Verifies a signature as it was released, under a child or the key itself; with the public key it verified under.
    ///
    /// # Errors
    /// It does not verify, or the key has no such child.
    pub fn verify(
        &self,
        child: Option<u32>,
        input: &ToSign,
        released: &RawSignature,
    ) -> Result<(VerifiedSignature, PublicKey), String> {
        let item = Item::new(self, child, input).map_err(|error| error.to_string())?;
        let (verified, public_key) = match &item {
            Item::Own(input) => (self.verifier.verify(input, released), self.verifier.public_key()),
            Item::Child(child, digest) => (self.verifier.verify_released(child, digest, released), child.public_key()),
        };
        Ok((verified.map_err(|error| error.to_string())?, public_key.clone()))
    }

    /// Why the token's copies are not those the log pins, a clause in words. A chain code is compared where the log has
    /// one: without, the key has no children, whatever lies beside it in the token.
    pub(super) fn deviation(
        &self,
        public_key: &PublicKey,
        protection: Protection,
        chain_code: Option<&ChainCode>,
    ) -> Option<String> {
        let pinned = self.verifier.public_key();
        if public_key != pinned {
            return Some(format!(
                "the log pins public key {pinned}, the token now has {public_key}: put back the token that the log means, \
                 or restore it from its backup"
            ));
        }
        match (self.protection, protection) {
            (Protection::NeverLeaves, Protection::LeavesWrapped) => {
                return Some("the log pins it as one that never leaves its token, here it can be wrapped".to_owned());
            }
            (Protection::LeavesWrapped, Protection::NeverLeaves) => {
                return Some("the log pins it as one with a backup, here it cannot be wrapped".to_owned());
            }
            (Protection::NeverLeaves, Protection::NeverLeaves)
            | (Protection::LeavesWrapped, Protection::LeavesWrapped) => {}
        }
        match (&self.chain_code, chain_code) {
            (Some(pinned), Some(found)) if pinned != found => Some(
                "the chain code beside it in the token is not the one the log pins, so that its children are others: \
                 restore the token from its backup"
                    .to_owned(),
            ),
            (Some(_), None) => Some(
                "the log pins a chain code, the token now has none beside the key: restore the token from its backup"
                    .to_owned(),
            ),
            (Some(_), Some(_)) | (None, _) => None,
        }
    }

    fn child(&self, index: u32) -> Result<ChildKey, NoChildren> {
        self.verifier.child(self.chain_code()?, index)
    }

    fn chain_code(&self) -> Result<&ChainCode, NoChildren> {
        self.chain_code.as_ref().ok_or(NoChildren::NoChainCode)
    }
}

/// What one item wants signed, and under which key of the family.
#[derive(Debug)]
pub(super) enum Item<'a> {
    /// Under the key itself.
    Own(&'a ToSign),
    /// Under a child: the token signs something else, from which the child's signature is made.
    Child(Box<ChildKey>, Digest),
}

impl<'a> Item<'a> {
    pub(super) fn new(family: &Family, child: Option<u32>, input: &'a ToSign) -> Result<Self, NoChildren> {
        match (child, input) {
            (None, _) => Ok(Self::Own(input)),
            (Some(index), ToSign::Digest(digest)) => Ok(Self::Child(Box::new(family.child(index)?), *digest)),
            (Some(_), ToSign::Message(_)) => Err(NoChildren::Algorithm(family.verifier.public_key().algorithm())),
        }
    }

    /// What the token is asked.
    pub(super) fn to_sign(&self) -> ToSign {
        match self {
            Self::Own(input) => (*input).clone(),
            Self::Child(child, digest) => child.to_sign(digest),
        }
    }

    /// The item's signature, and the public key it verified under; none where that is the family's own.
    pub(super) fn verify(
        &self,
        family: &Family,
        raw: &RawSignature,
    ) -> Result<(VerifiedSignature, Option<&PublicKey>), NotValid> {
        match self {
            Self::Own(input) => Ok((family.verifier.verify(input, raw)?, None)),
            Self::Child(child, digest) => {
                let verified = family.verifier.verify_child(child, digest, raw)?;
                Ok((verified, Some(child.public_key())))
            }
        }
    }
}

#[cfg(test)]
mod tests;
