//! Our coins: what they are worth, who signs for them, and how much room their inputs take.

use appliance_wire::AddressType;
use bitcoin::{OutPoint, PubkeyHash, Script, ScriptBuf, WPubkeyHash, hashes::Hash, transaction::InputWeightPrediction};

use crate::chains::OwnAddress;

/// An output of ours that can be spent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Coin {
    pub(super) outpoint: OutPoint,
    pub(super) sats: u64,
    pub(super) owner: OwnAddress,
    pub(super) form: AddressType,
}

impl Coin {
    /// None where the script is in no form that a single key signs for, or not the owner's.
    pub(super) fn new(outpoint: OutPoint, sats: u64, script: &[u8], owner: &OwnAddress) -> Option<Self> {
        Some(Self { outpoint, sats, owner: owner.clone(), form: form(script, owner)? })
    }

    /// The room its input takes, at most: a signature has 72 bytes or fewer.
    pub(super) fn input(&self) -> InputWeightPrediction {
        match self.form {
            AddressType::P2wpkh => InputWeightPrediction::P2WPKH_MAX,
            // A push of the script of 22 bytes.
            AddressType::P2shP2wpkh => InputWeightPrediction::from_slice(23, &[72, 33]),
            AddressType::P2pkh => InputWeightPrediction::P2PKH_COMPRESSED_MAX,
        }
    }

    /// What a nested output hides: the script that has to be shown.
    pub(super) fn redeem_script(&self) -> Option<ScriptBuf> {
        (self.form == AddressType::P2shP2wpkh).then(|| witness_script(&self.owner))
    }
}

/// The form of the script, which must be the owner's.
pub(super) fn form(script: &[u8], owner: &OwnAddress) -> Option<AddressType> {
    let script = Script::from_bytes(script);
    let native = witness_script(owner);
    let legacy = ScriptBuf::new_p2pkh(&PubkeyHash::hash(&owner.public_key.to_bytes()));
    let forms =
        [(AddressType::P2shP2wpkh, native.to_p2sh()), (AddressType::P2wpkh, native), (AddressType::P2pkh, legacy)];
    forms.into_iter().find(|(_, own)| own == script).map(|(form, _)| form)
}

fn witness_script(owner: &OwnAddress) -> ScriptBuf {
    ScriptBuf::new_p2wpkh(&WPubkeyHash::hash(&owner.public_key.to_bytes()))
}
