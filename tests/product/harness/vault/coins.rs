//! PSBTs as a good watcher makes them, with the crate `bitcoin` alone: the digests are computed here once more.

use std::str::FromStr;

use base64::{Engine, engine::general_purpose::STANDARD};
use bitcoin::{
    Address, Amount, EcdsaSighashType, Network, OutPoint, Psbt, PublicKey as BitcoinKey, ScriptBuf, Sequence,
    Transaction, TxIn, TxOut, Txid, Witness,
    absolute::LockTime,
    hashes::Hash,
    opcodes::all::{OP_CHECKMULTISIG, OP_PUSHNUM_1},
    secp256k1::{Secp256k1, SecretKey},
    sighash::SighashCache,
    transaction::Version,
};
use hsm_types::PublicKey;
use serde_json::{Value, json};

use super::Vault;

/// Base units of one bitcoin.
pub(crate) const COIN: u64 = 100_000_000;

/// Who can spend a coin.
#[derive(Clone, Debug)]
pub(crate) enum Lock {
    P2wpkh,
    P2shP2wpkh,
    P2pkh,
    /// The key of the item and these others, of which so many sign.
    Multisig(u8, Vec<BitcoinKey>),
}

impl Lock {
    /// 2 of 3, with the keys of secrets 2 and 3.
    pub(crate) fn two_of_three() -> Self {
        Self::Multisig(2, vec![outsider(2), outsider(3)])
    }

    fn witness_script(&self, key: &BitcoinKey) -> Option<ScriptBuf> {
        let Self::Multisig(required, others) = self else { return None };
        let number = |n: usize| (usize::from(OP_PUSHNUM_1.to_u8()) - 1 + n).try_into().unwrap();
        let keys = std::iter::once(key).chain(others);
        let script =
            keys.fold(vec![number(usize::from(*required))], |script, key| [script, vec![33], key.to_bytes()].concat());
        Some([script, vec![number(others.len() + 1), OP_CHECKMULTISIG.to_u8()]].concat().into())
    }

    /// The `scriptPubKey`.
    pub(crate) fn script(&self, key: &PublicKey) -> ScriptBuf {
        let key = BitcoinKey::from_slice(&key.to_bytes()).unwrap();
        match self {
            Self::P2wpkh => ScriptBuf::new_p2wpkh(&key.wpubkey_hash().unwrap()),
            Self::P2shP2wpkh => ScriptBuf::new_p2wpkh(&key.wpubkey_hash().unwrap()).to_p2sh(),
            Self::P2pkh => ScriptBuf::new_p2pkh(&key.pubkey_hash()),
            Self::Multisig(..) => self.witness_script(&key).unwrap().to_p2wsh(),
        }
    }
}

/// The secret key `[seed; 32]`, which no token has.
pub(crate) fn secret(seed: u8) -> SecretKey {
    SecretKey::from_slice(&[seed; 32]).unwrap()
}

/// Its public key.
pub(crate) fn outsider(seed: u8) -> BitcoinKey {
    BitcoinKey::new(secret(seed).public_key(&Secp256k1::new()))
}

/// An output that can be spent.
#[derive(Clone, Debug)]
pub(crate) struct Coin {
    /// `key` or `key/child`: the item that signs.
    pub(crate) path: String,
    key: BitcoinKey,
    lock: Lock,
    pub(crate) previous: Transaction,
}

impl Coin {
    /// The output that is spent.
    pub(crate) fn output(&self) -> &TxOut {
        &self.previous.output[1]
    }

    pub(crate) fn outpoint(&self) -> OutPoint {
        OutPoint::new(self.previous.compute_txid(), 1)
    }
}

impl Vault {
    /// Coin `number` of a key or child, worth so many base units.
    pub(crate) fn coin(&self, path: &str, lock: &Lock, number: u16, sats: u64) -> Coin {
        let public_key = self.public_key(path);
        let key = BitcoinKey::from_slice(&public_key.to_bytes()).unwrap();
        let mut id = [7; 32];
        id[..2].copy_from_slice(&number.to_be_bytes());
        let beside = pay(5_000, ScriptBuf::new_p2pkh(&outsider(9).pubkey_hash()));
        let outputs = vec![beside, pay(sats, lock.script(&public_key))];
        let previous = transaction(&[OutPoint::new(Txid::from_byte_array(id), 0)], outputs);
        Coin { path: path.to_owned(), key, lock: lock.clone(), previous }
    }

    /// Coin `number` of `vault` itself: one bitcoin.
    pub(crate) fn plain(&self, number: u16) -> Coin {
        self.coin("vault", &Lock::P2wpkh, number, COIN)
    }

    /// An output to one of our addresses.
    pub(crate) fn back(&self, sats: u64, path: &str) -> TxOut {
        to(sats, &self.address(path))
    }
}

/// An output to an address.
pub(crate) fn to(sats: u64, address: &str) -> TxOut {
    let address = Address::from_str(address).unwrap().require_network(Network::Regtest).unwrap();
    pay(sats, address.script_pubkey())
}

pub(crate) fn pay(sats: u64, script_pubkey: ScriptBuf) -> TxOut {
    TxOut { value: Amount::from_sat(sats), script_pubkey }
}

fn transaction(outpoints: &[OutPoint], output: Vec<TxOut>) -> Transaction {
    let input = |previous_output: &OutPoint| TxIn {
        previous_output: *previous_output,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: Witness::new(),
    };
    let input = outpoints.iter().map(input).collect();
    Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input, output }
}

/// An unsigned transaction, with all an appliance asks for.
#[derive(Clone, Debug)]
pub(crate) struct Spend {
    pub(crate) coins: Vec<Coin>,
    pub(crate) outputs: Vec<TxOut>,
}

/// Spends coins on outputs; the rest is the fee.
pub(crate) fn spend(coins: &[Coin], outputs: &[TxOut]) -> Spend {
    Spend { coins: coins.to_vec(), outputs: outputs.to_vec() }
}

impl Spend {
    pub(crate) fn psbt(&self) -> Psbt {
        let outpoints: Vec<OutPoint> = self.coins.iter().map(Coin::outpoint).collect();
        let mut psbt = Psbt::from_unsigned_tx(transaction(&outpoints, self.outputs.clone())).unwrap();
        for (input, coin) in psbt.inputs.iter_mut().zip(&self.coins) {
            input.non_witness_utxo = Some(coin.previous.clone());
            input.witness_script = coin.lock.witness_script(&coin.key);
            let native = || ScriptBuf::new_p2wpkh(&coin.key.wpubkey_hash().unwrap());
            input.redeem_script = matches!(coin.lock, Lock::P2shP2wpkh).then(native);
            input.witness_utxo = (!matches!(coin.lock, Lock::P2pkh)).then(|| coin.output().clone());
        }
        psbt
    }

    /// What is to be signed for each coin, by BIP 143 or, for P2PKH, as before it.
    pub(crate) fn digests(&self) -> Vec<String> {
        let unsigned = self.psbt().unsigned_tx;
        let mut cache = SighashCache::new(&unsigned);
        let all = EcdsaSighashType::All;
        let mut digest = |(index, coin): (usize, &Coin)| -> [u8; 32] {
            let value = coin.output().value;
            match &coin.lock {
                Lock::P2wpkh | Lock::P2shP2wpkh => {
                    let script = ScriptBuf::new_p2wpkh(&coin.key.wpubkey_hash().unwrap());
                    cache.p2wpkh_signature_hash(index, &script, value, all).unwrap().to_byte_array()
                }
                Lock::P2pkh => {
                    let script = &coin.output().script_pubkey;
                    cache.legacy_signature_hash(index, script, all.to_u32()).unwrap().to_byte_array()
                }
                Lock::Multisig(..) => {
                    let script = coin.lock.witness_script(&coin.key).unwrap();
                    cache.p2wsh_signature_hash(index, &script, value, all).unwrap().to_byte_array()
                }
            }
        };
        self.coins.iter().enumerate().map(|coin| hex::encode(digest(coin))).collect()
    }

    /// The items, in order.
    pub(crate) fn items(&self) -> Value {
        let items = self.coins.iter().zip(self.digests());
        items.map(|(coin, digest)| json!({ "key": coin.path, "digest": digest })).collect()
    }

    /// The request.
    pub(crate) fn body(&self) -> Value {
        json!({ "items": self.items(), "evidence": psbt(&self.psbt().serialize()) })
    }

    /// The request, as a variant of another.
    pub(crate) fn replacing(&self, id: &str) -> Value {
        let mut body = self.body();
        body["replaces"] = id.into();
        body
    }
}

/// Evidence of these bytes.
pub(crate) fn psbt(data: &[u8]) -> Value {
    json!({ "format": "psbt", "data": STANDARD.encode(data) })
}
