//! The numbers of `FAMILIES` and `TRANSFERS` were computed by another program, with plain integers, from the text of the
//! derivation at the top of the module. The rest is judged by the library's own verification.

use std::collections::HashSet;

use k256::ecdsa::{RecoveryId, Signature, SigningKey, VerifyingKey, signature::hazmat::PrehashVerifier};
use proptest::prelude::{any, proptest};
use rand::{RngCore, SeedableRng, rngs::StdRng};

use super::*;
use crate::{NotValid, RawSignature, VerifiedSignature, Verifier};

struct Family {
    chain_code: &'static str,
    public_key: &'static str,
    /// Index, tweak, public key of the child.
    children: [(u32, &'static str, &'static str); 4],
}

const FAMILIES: [Family; 2] = [
    Family {
        chain_code: "f919b7c47789d07a1fcd9653a9ee6e78bd57e825136031ce5baf140ad366e128",
        public_key: "0254bad4d4283b2f2b23aa8bedce0310abd9b16136d884b2f0e73d979c286fb966",
        children: [
            (
                0,
                "1987c4f86dcc2f564b90ec8847f652ede4397c6cda69f5e41794261661f37c70",
                "02cb497882ca77dcfeddd9bded222a662924ab1309f03f1deda2ad491b22f7f62b",
            ),
            (
                1,
                "f006c72e4e157fde70816efcd9690952138a9c1c2c12bd9ba29ae56d0e72d24b",
                "02a9819f12ec6356d8b36f638ea4a9c1d16eefeee2fcbb41544524c167e3a50735",
            ),
            (
                17,
                "fc3608d02f1e1a6f3e662d31c0112b61bc5d6a5fd446a1e24cd72fff13d8335c",
                "03468b779ef6dc2ec47d36689cefee225b4bd6a0ea44e09c60cb0b7cbee74614b4",
            ),
            (
                2147483647,
                "f002035518d562ca8e036371c972e2fc542a41f70eb790e22706667c8281ad9c",
                "024984eaa87d17e0d3ac4c2c15e6fdc64cb795efb4a21f3b2c8c4ebdac0cc71aa2",
            ),
        ],
    },
    Family {
        chain_code: "eb8efbbe1cd8ac984ca5bec4639fd7872ba09827de02b5f8576dea5743a39b72",
        public_key: "021728951bae5f152654bca1d1b51581a24d9b1850ad2f11cf983db7846869295b",
        children: [
            (
                0,
                "0727ac317c7be5ab055029baee6669ebc3b0bc73f65c34569dbd843c97528eb8",
                "03bbc966ac674e57def26898c0eff95a35a4140052c4deac3955d3a0d0c212976e",
            ),
            (
                1,
                "41eb0c1dd56ff6ba1868215163e5f42199184c7622b01e43f340de82c108d4f8",
                "02055577c71575cff8a64266b69427d8f7aa0e789db7412f46b26fa6e1b1a8326d",
            ),
            (
                17,
                "c8f0028ad44dc9193db263953de3395ddc5dc46166206743c05d508f07fa7f90",
                "03e3ac9d6ebf8735b6f43ab23b3f8a7a7856985b62c84e746f8f5bb9304f2d0760",
            ),
            (
                2147483647,
                "aba5e6de6990837943cb5f199e0f87c13710d7b998ee9540d205ea124d07caab",
                "037b0a36627ed604804e475aac27a41f1a4a613897b9f451640bbcfbc7632349d2",
            ),
        ],
    },
];

/// For child 17 of each family. The second digest is n + 5, so that it must be reduced first.
struct Transfer {
    digest: &'static str,
    asked: &'static str,
    raw: &'static str,
    signature: &'static str,
    recovery_id: u8,
}

const TRANSFERS: [Transfer; 2] = [
    Transfer {
        digest: "744bc2816aa39d54cc68a47c8a609d2eee18aa1203b6dc2cb6c944e8147139d6",
        asked: "00df15797f440449ffba4353376d438eea1fad8de3b735fa55693ad678c69054",
        raw: "4b22a262d1275a58164f6a6943e9cec5c5b2cfc74931bdc6e2a90cde4628839c\
              842335da8c6f9254e8ecce2d8d7468c1f2363da56ff8ce7bfb73413739d93e67",
        signature: "4b22a262d1275a58164f6a6943e9cec5c5b2cfc74931bdc6e2a90cde4628839c\
                    01a0fe4b9a803d786abbf1aa7955df22c9d775bc69296446ea107f9db5a1b003",
        recovery_id: 0,
    },
    Transfer {
        digest: "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364146",
        asked: "2e52d6a97a061a15ed2a7ee2d657041d7de068cd65aaa65571f4c2196ff8c52d",
        raw: "4ea31af2fc9ec55ef9affc4e5e40a711ea7c660214e77e4b8ea1e8075628b450\
              6eaf93327e8446ae45bc1578258efe868c46b19cfb98ead783a3f2e5f47a1979",
        signature: "4ea31af2fc9ec55ef9affc4e5e40a711ea7c660214e77e4b8ea1e8075628b450\
                    403dd72d073b5d2b3da4f98a1b5884c7b24ea2274bac865ab4ff13943ff0bd28",
        recovery_id: 0,
    },
];

impl Family {
    fn chain_code(&self) -> ChainCode {
        self.chain_code.parse().unwrap()
    }

    fn verifier(&self) -> Verifier {
        let point = hex::decode(self.public_key).unwrap();
        Verifier::new(PublicKey::decode(Algorithm::Secp256k1, &point).unwrap())
    }
}

fn array<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).unwrap().try_into().unwrap()
}

/// A key as a token has it, and what verifies under it.
fn token(rng: &mut StdRng) -> (SigningKey, Verifier, ChainCode) {
    let signing = SigningKey::random(rng);
    let verifier = Verifier::new(PublicKey::Secp256k1(signing.verifying_key().into()));
    let mut chain_code = [0; 32];
    rng.fill_bytes(&mut chain_code);
    (signing, verifier, ChainCode::new(chain_code))
}

fn sign(token: &SigningKey, input: &ToSign) -> RawSignature {
    let ToSign::Digest(digest) = input else { panic!("a child's input is a digest") };
    RawSignature(token.sign_prehash_recoverable(&digest.0).unwrap().0.to_bytes().into())
}

/// By the library alone: low-S, valid under the child's public key, and that key is recovered from it.
fn judge(child: &ChildKey, digest: &Digest, signature: &VerifiedSignature) {
    let public_key = VerifyingKey::from_sec1_bytes(&child.public_key().to_bytes()).unwrap();
    let recovery_id = RecoveryId::from_byte(signature.recovery_id().unwrap()).unwrap();
    let signature = Signature::from_slice(&signature.to_bytes()).unwrap();
    assert_eq!(signature.normalize_s(), None, "s is in the lower half");
    public_key.verify_prehash(&digest.0, &signature).unwrap();
    assert_eq!(VerifyingKey::recover_from_prehash(&digest.0, &signature, recovery_id).unwrap(), public_key);
}

#[test]
fn children_are_those_an_independent_program_computed() {
    for family in &FAMILIES {
        let (verifier, chain_code) = (family.verifier(), family.chain_code());
        for (index, tweak, public_key) in family.children {
            let child = verifier.child(&chain_code, index).unwrap();
            assert_eq!(hex::encode(child.tweak.to_bytes()), tweak);
            assert_eq!(child.public_key().to_string(), public_key);
            assert_eq!(child.index(), index);
            assert_eq!(verifier.public_key().child(&chain_code, index).unwrap(), child, "without the table");
        }
    }
}

#[test]
fn a_signature_is_carried_over_as_an_independent_program_computed_it() {
    for (family, transfer) in FAMILIES.iter().zip(&TRANSFERS) {
        let verifier = family.verifier();
        let child = verifier.child(&family.chain_code(), 17).unwrap();
        let digest = Digest(array(transfer.digest));
        assert_eq!(child.to_sign(&digest), ToSign::Digest(Digest(array(transfer.asked))));
        let signature = verifier.verify_child(&child, &digest, &RawSignature(array(transfer.raw))).unwrap();
        assert_eq!(hex::encode(signature.to_bytes()), transfer.signature);
        assert_eq!(signature.recovery_id(), Some(transfer.recovery_id));
        judge(&child, &digest, &signature);
    }
}

proptest! {
    #[test]
    fn every_childs_signature_verifies_elsewhere(seed: u64, digest: [u8; 32], index in 0..=LAST_CHILD, high: bool) {
        let (token, verifier, chain_code) = token(&mut StdRng::seed_from_u64(seed));
        let child = verifier.public_key().child(&chain_code, index).unwrap();
        let digest = Digest(digest);
        let mut raw = sign(&token, &child.to_sign(&digest));
        if high {
            let signature = Signature::from_slice(&raw.0).unwrap();
            let other = Signature::from_scalars(signature.r().to_bytes(), (-*signature.s()).to_bytes()).unwrap();
            raw = RawSignature(other.to_bytes().into());
        }
        let signature = verifier.verify_child(&child, &digest, &raw).unwrap();
        judge(&child, &digest, &signature);
        let released = RawSignature(signature.to_bytes());
        assert_eq!(verifier.verify_released(&child, &digest, &released), Ok(signature));
        assert_eq!(Verifier::new(child.public_key().clone()).verify(&ToSign::Digest(digest), &released), Ok(signature));
    }

    #[test]
    fn one_flipped_bit_anywhere_is_refused(bit in 0_usize..512, of_digest in 0_usize..256, seed in any::<u64>()) {
        let (token, verifier, chain_code) = token(&mut StdRng::seed_from_u64(seed));
        let child = verifier.public_key().child(&chain_code, 3).unwrap();
        let digest = Digest([0x5a; 32]);
        let raw = sign(&token, &child.to_sign(&digest));
        let (mut flipped, mut other) = (raw, digest);
        flipped.0[bit / 8] ^= 1 << (bit % 8);
        other.0[of_digest / 8] ^= 1 << (of_digest % 8);
        assert_eq!(verifier.verify_child(&child, &digest, &flipped), Err(NotValid));
        assert_eq!(verifier.verify_child(&child, &other, &raw), Err(NotValid));

        let signature = verifier.verify_child(&child, &digest, &raw).unwrap();
        let mut flipped = RawSignature(signature.to_bytes());
        assert_eq!(verifier.verify_released(&child, &other, &flipped), Err(NotValid));
        flipped.0[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(verifier.verify_released(&child, &digest, &flipped), Err(NotValid));
    }
}

#[test]
fn a_signature_for_one_child_is_none_for_another_nor_for_the_parent() {
    let (token, verifier, chain_code) = token(&mut StdRng::seed_from_u64(1));
    let (one, other) = (verifier.child(&chain_code, 1).unwrap(), verifier.child(&chain_code, 2).unwrap());
    let digest = Digest([0x77; 32]);
    let raw = sign(&token, &one.to_sign(&digest));
    let signature = verifier.verify_child(&one, &digest, &raw).unwrap();
    assert_eq!(verifier.verify_child(&other, &digest, &raw), Err(NotValid));
    assert_eq!(verifier.verify(&ToSign::Digest(digest), &raw), Err(NotValid));
    assert_eq!(verifier.verify(&ToSign::Digest(digest), &RawSignature(signature.to_bytes())), Err(NotValid));
}

#[test]
fn a_child_of_another_key_is_refused() {
    let mut rng = StdRng::seed_from_u64(2);
    let (token, verifier, chain_code) = token(&mut rng);
    let (_, stranger, _) = self::token(&mut rng);
    let child = stranger.child(&chain_code, 1).unwrap();
    let digest = Digest([0x77; 32]);
    let raw = sign(&token, &child.to_sign(&digest));
    assert_eq!(verifier.verify_child(&child, &digest, &raw), Err(NotValid));

    let own = verifier.child(&chain_code, 1).unwrap();
    let signature = verifier.verify_child(&own, &digest, &sign(&token, &own.to_sign(&digest))).unwrap();
    let released = RawSignature(signature.to_bytes());
    assert_eq!(stranger.verify_released(&own, &digest, &released), Err(NotValid));
    assert_eq!(verifier.verify_released(&verifier.child(&chain_code, 2).unwrap(), &digest, &released), Err(NotValid));
}

#[test]
fn a_digest_of_zero_mod_n_is_signed_like_any_other() {
    let (token, verifier, chain_code) = token(&mut StdRng::seed_from_u64(3));
    let order = array("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
    for digest in [Digest([0; 32]), Digest(order)] {
        for index in [0, 5] {
            let child = verifier.child(&chain_code, index).unwrap();
            assert_eq!(child.to_sign(&digest), ToSign::Digest(Digest([0; 32])));
            let raw = sign(&token, &child.to_sign(&digest));
            judge(&child, &digest, &verifier.verify_child(&child, &digest, &raw).unwrap());
        }
    }
}

#[test]
fn zero_and_out_of_range_scalars_are_refused() {
    let (token, verifier, chain_code) = token(&mut StdRng::seed_from_u64(4));
    let child = verifier.child(&chain_code, 0).unwrap();
    let digest = Digest([0x77; 32]);
    let raw = sign(&token, &child.to_sign(&digest));
    for half in [0..32, 32..64] {
        for value in [0x00, 0xff] {
            let mut raw = raw;
            raw.0[half.clone()].fill(value);
            assert_eq!(verifier.verify_child(&child, &digest, &raw), Err(NotValid));
        }
    }
}

#[test]
fn a_range_of_children_is_each_of_them_and_none_twice() {
    let (_, verifier, chain_code) = token(&mut StdRng::seed_from_u64(5));
    let children = verifier.children(&chain_code, 7..2007).unwrap();
    assert_eq!(children.len(), 2000);
    assert!(children.iter().map(ChildKey::index).eq(7..2007));
    for child in children.iter().step_by(199) {
        assert_eq!(*child, verifier.child(&chain_code, child.index()).unwrap());
    }
    let mut seen: HashSet<Vec<u8>> = children.iter().map(|child| child.public_key().to_bytes()).collect();
    assert_eq!(seen.len(), 2000);
    assert!(seen.insert(verifier.public_key().to_bytes()), "none is the parent");
    assert_eq!(verifier.children(&chain_code, 9..9).unwrap(), []);
}

#[test]
fn the_last_child_is_there_and_none_beyond_it() {
    let (_, verifier, chain_code) = token(&mut StdRng::seed_from_u64(6));
    verifier.child(&chain_code, 2147483647).unwrap();
    for beyond in [1 << 31, u32::MAX] {
        let refused = NoChildren::Index(beyond);
        assert_eq!(verifier.child(&chain_code, beyond), Err(refused));
        assert_eq!(verifier.public_key().child(&chain_code, beyond), Err(refused));
    }
    assert_eq!(verifier.children(&chain_code, LAST_CHILD..LAST_CHILD + 1).unwrap().len(), 1);
    assert_eq!(verifier.children(&chain_code, LAST_CHILD..LAST_CHILD + 2), Err(NoChildren::Index(LAST_CHILD + 1)));
}

#[test]
fn only_secp256k1_keys_have_children() {
    let mut rng = StdRng::seed_from_u64(7);
    let (_, _, chain_code) = token(&mut rng);
    let key = PublicKey::P256(p256::ecdsa::SigningKey::random(&mut rng).verifying_key().into());
    let refused = NoChildren::Algorithm(Algorithm::P256);
    assert_eq!(key.child(&chain_code, 0), Err(refused));
    assert_eq!(Verifier::new(key.clone()).child(&chain_code, 0), Err(refused));
    assert_eq!(Verifier::new(key).children(&chain_code, 0..1), Err(refused));
}

#[test]
fn another_chain_code_gives_other_children() {
    let (_, verifier, chain_code) = token(&mut StdRng::seed_from_u64(8));
    let mut other = *chain_code.as_bytes();
    other[31] ^= 1;
    let (one, other) = (verifier.child(&chain_code, 0), verifier.child(&ChainCode::new(other), 0));
    assert_ne!(one.unwrap().public_key(), other.unwrap().public_key());
}

#[test]
fn a_hash_of_zero_is_taken_again_with_a_counter() {
    let order: [u8; 32] = array("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
    let mut zero_mod_n = [0; 64];
    zero_mod_n[32..].copy_from_slice(&order);
    let tweak = first_nonzero(|counter| match counter {
        [] => [0; 64],
        [1] => zero_mod_n,
        [counter] => {
            let mut hash = [0; 64];
            hash[63] = *counter;
            hash
        }
        _ => panic!("more than one byte"),
    });
    assert_eq!(tweak, Some(Scalar::from(2_u64)));
}

#[test]
fn a_child_shows_neither_tweak_nor_parent() {
    let family = &FAMILIES[0];
    let (index, _, public_key) = family.children[2];
    let child = family.verifier().child(&family.chain_code(), index).unwrap();
    assert_eq!(format!("{child:?}"), format!("ChildKey(17, {public_key})"));
}

/// The figures of docs/performance.md: `cargo test --release -p hsm-types -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn measure_children() {
    let (token, verifier, chain_code) = token(&mut StdRng::seed_from_u64(9));
    let (child, digest) = (verifier.child(&chain_code, 0).unwrap(), Digest([0x77; 32]));
    let raw = sign(&token, &child.to_sign(&digest));
    let time = |name: &str, count: u32, work: &dyn Fn()| {
        let once = || {
            let start = std::time::Instant::now();
            work();
            start.elapsed() / count
        };
        println!("{name} {:?}", (0..25).map(|_| once()).min().unwrap());
    };
    time("child, many", 1000, &|| assert_eq!(verifier.children(&chain_code, 0..1000).unwrap().len(), 1000));
    time("child, one", 1, &|| assert!(verifier.child(&chain_code, 5).is_ok()));
    time("child, without table", 1, &|| assert!(verifier.public_key().child(&chain_code, 5).is_ok()));
    time("digest for a child", 1, &|| assert_ne!(child.to_sign(&digest), ToSign::Digest(digest)));
    time("verify for a child", 1, &|| assert!(verifier.verify_child(&child, &digest, &raw).is_ok()));
}
