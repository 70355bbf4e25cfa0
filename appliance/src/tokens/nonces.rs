//! Nonces that signatures used lately, of whichever token. Two signatures by one nonce over different things give the
//! private key to whoever sees both, of ECDSA (r) as of Ed25519 (R). The second is not let out, and its key is frozen.

use std::{
    collections::{HashMap, VecDeque},
    sync::PoisonError,
};

use appliance_wire::Scope;
use hsm_types::{KeyLabel, ToSign, VerifiedSignature};
use sha2::{Digest, Sha256};

use super::{RETRY_AFTER_S, Tokens};
use crate::audit::Failure;

/// As many are looked back at, since the start: some MiB.
const REMEMBERED: usize = 1 << 16;

/// Half of r or R: 128 bits.
type Nonce = [u8; 16];
/// Half of a hash of what was signed with which key.
type Used = [u8; 16];

/// The newest nonces, and what for.
#[derive(Debug, Default)]
pub(super) struct Nonces {
    used: HashMap<Nonce, Used>,
    oldest_first: VecDeque<Nonce>,
}

impl Nonces {
    /// Takes note of one; whether it was used for something else before. For the same thing it may be used again: a
    /// nonce may be made of what is signed (RFC 6979; RFC 8032, 5.1.6).
    fn repeats(&mut self, nonce: Nonce, used: Used) -> bool {
        if let Some(before) = self.used.get(&nonce) {
            return *before != used;
        }
        if self.oldest_first.len() >= REMEMBERED
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.used.remove(&oldest);
        }
        self.oldest_first.push_back(nonce);
        self.used.insert(nonce, used);
        false
    }
}

fn used_for(key: &KeyLabel, asked: &ToSign) -> Used {
    let asked: &[u8] = match asked {
        ToSign::Digest(digest) => &digest.0,
        ToSign::Message(message) => message,
    };
    let hash: [u8; 32] =
        Sha256::new().chain_update(key.as_str()).chain_update([0]).chain_update(asked).finalize().into();
    half(&hash)
}

fn half(bytes: &[u8]) -> [u8; 16] {
    bytes.first_chunk().copied().unwrap_or_default()
}

impl Tokens {
    /// Lets verified signatures of what a token was asked through, none of which repeats a nonce. Of a child it is what
    /// the token itself signed that counts.
    pub(super) fn check_nonces(
        &self,
        key: &KeyLabel,
        asked: &[ToSign],
        verified: Vec<(VerifiedSignature, Vec<u8>)>,
    ) -> Result<Vec<(VerifiedSignature, Vec<u8>)>, Failure> {
        let uses = asked.iter().zip(&verified);
        let uses: Vec<_> =
            uses.map(|(asked, (signature, _))| (half(&signature.to_bytes()), used_for(key, asked))).collect();
        let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        let repeated = uses.into_iter().filter(|(nonce, used)| nonces.repeats(*nonce, *used)).count();
        if repeated == 0 {
            return Ok(verified);
        }
        let reason = format!(
            "the token used a nonce again for something else: with both signatures anybody computes the private key of \
             {key}. The second was discarded. Move what the key holds, and take the token out of service"
        );
        let what = Scope::Key(key.as_str().to_owned());
        self.freezes.begin(what.clone());
        self.freezes.owe(what, "check of nonces".to_owned(), reason.clone());
        Err(Failure { reason, outcome_unknown: true, retry_after_s: RETRY_AFTER_S })
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        sync::{Arc, Mutex},
    };

    use hsm_types::{Algorithm, PublicKey, RawSignature, Verifier};

    use super::*;
    use crate::freezes::Freezes;

    // Two signatures by one nonce, and one of the first digest by another, made by another program from one private key.
    const PUBLIC_KEY: &str = "021301a4b7ae57da209a66ec9ee42019ab76efbe350a2b074b92a21fefa1f2ecba";
    const FIRST: (&str, &str) = (
        "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e",
        "f20fb813392bcc6ebe601dc58a84902f1a8a95b72bd9e367cb5825ef20bea8b0\
         08665290089bed8aec925f4790566313ca34b7575fec8c13ed85d48179f9b43b",
    );
    const SECOND: (&str, &str) = (
        "16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4",
        "f20fb813392bcc6ebe601dc58a84902f1a8a95b72bd9e367cb5825ef20bea8b0\
         1fb1329d00ba6a2b932e27130c009de8c4ecedd939e2454f14bf687a5a7225e8",
    );

    fn bytes<const N: usize>(text: &str) -> [u8; N] {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    fn signed((digest, signature): (&str, &str)) -> (ToSign, VerifiedSignature) {
        let public_key = PublicKey::decode(Algorithm::Secp256k1, &hex::decode(PUBLIC_KEY).unwrap()).unwrap();
        let input = ToSign::Digest(hsm_types::Digest(bytes(digest)));
        let verified = Verifier::new(public_key).verify(&input, &RawSignature(bytes(signature))).unwrap();
        (input, verified)
    }

    #[test]
    fn a_nonce_used_for_two_digests_freezes_its_key_and_releases_nothing() {
        let freezes = Arc::new(Freezes::default());
        let tokens = Tokens {
            tokens: BTreeMap::new(),
            ring: Arc::default(),
            accountant: Arc::default(),
            nonces: Mutex::default(),
            freezes: Arc::clone(&freezes),
            metrics: Arc::default(),
        };
        let key: KeyLabel = "btc-hot".parse().unwrap();
        let let_through = |(digest, signature)| {
            let (input, verified) = signed((digest, signature));
            tokens.check_nonces(&key, &[input], vec![(verified, Vec::new())]).map(|released| released.len())
        };
        assert_eq!(let_through(FIRST), Ok(1));
        assert_eq!(let_through(FIRST), Ok(1), "the same digest again, by a nonce made of it");
        assert!(freezes.check("any", &key).is_ok());
        let failure = let_through(SECOND).unwrap_err();
        assert!(failure.outcome_unknown && failure.reason.contains("private key of btc-hot"), "{}", failure.reason);
        assert!(freezes.check("any", &key).is_err());
        let owed = freezes.unrecorded();
        assert_eq!(owed[&Scope::Key("btc-hot".to_owned())].1, failure.reason);
    }

    #[test]
    fn the_newest_nonces_are_remembered_and_no_more() {
        let mut nonces = Nonces::default();
        let (one, other) = ([1; 16], [2; 16]);
        let number = |number: usize| (number as u128).to_be_bytes();
        assert!((0..REMEMBERED).all(|nonce| !nonces.repeats(number(nonce), one)));
        assert!(nonces.repeats(number(0), other));
        assert!(!nonces.repeats(number(REMEMBERED), one));
        assert!(!nonces.repeats(number(0), other), "it made room");
        assert_eq!((nonces.used.len(), nonces.oldest_first.len()), (REMEMBERED, REMEMBERED));
    }

    #[test]
    fn another_key_is_another_use() {
        let (input, _) = signed(FIRST);
        assert_ne!(used_for(&"btc-hot".parse().unwrap(), &input), used_for(&"eth-hot".parse().unwrap(), &input));
    }
}
