//! A token's answer for child 17, computed once by another program from the text of the derivation (see
//! `hsm_types::ChildKey`); no token is needed to judge it.

use hsm_types::Algorithm;

use super::*;

const PUBLIC_KEY: &str = "0254bad4d4283b2f2b23aa8bedce0310abd9b16136d884b2f0e73d979c286fb966";
const CHAIN_CODE: &str = "f919b7c47789d07a1fcd9653a9ee6e78bd57e825136031ce5baf140ad366e128";
const CHILD_17: &str = "03468b779ef6dc2ec47d36689cefee225b4bd6a0ea44e09c60cb0b7cbee74614b4";
const DIGEST: &str = "744bc2816aa39d54cc68a47c8a609d2eee18aa1203b6dc2cb6c944e8147139d6";
/// DIGEST times the inverse of child 17's tweak.
const ASKED: &str = "00df15797f440449ffba4353376d438eea1fad8de3b735fa55693ad678c69054";
const RAW: &str = "4b22a262d1275a58164f6a6943e9cec5c5b2cfc74931bdc6e2a90cde4628839c\
                   842335da8c6f9254e8ecce2d8d7468c1f2363da56ff8ce7bfb73413739d93e67";
const RELEASED: &str = "4b22a262d1275a58164f6a6943e9cec5c5b2cfc74931bdc6e2a90cde4628839c\
                        01a0fe4b9a803d786abbf1aa7955df22c9d775bc69296446ea107f9db5a1b003";
const STAYS: Protection = Protection::NeverLeaves;

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).unwrap().try_into().unwrap()
}

fn public_key(text: &str) -> PublicKey {
    PublicKey::decode(Algorithm::Secp256k1, &hex::decode(text).unwrap()).unwrap()
}

fn family(chain_code: Option<&str>) -> Family {
    let chain_code = chain_code.map(|text| text.parse().unwrap());
    Family { verifier: Verifier::new(public_key(PUBLIC_KEY)), chain_code, protection: STAYS }
}

fn digest(text: &str) -> ToSign {
    ToSign::Digest(Digest(bytes(text)))
}

#[test]
fn a_childs_item_asks_the_token_for_another_digest_and_verifies_under_the_child() {
    let family = family(Some(CHAIN_CODE));
    let (input, raw) = (digest(DIGEST), RawSignature(bytes(RAW)));
    let item = Item::new(&family, Some(17), &input).unwrap();
    assert_eq!(item.to_sign(), digest(ASKED));
    let (verified, key) = item.verify(&family, &raw).unwrap();
    assert_eq!(verified.to_bytes(), bytes(RELEASED));
    assert_eq!(key, Some(&public_key(CHILD_17)));
    assert_eq!(family.public_key(Some(17)), Ok(public_key(CHILD_17)));
    assert_eq!(family.children(17..18).unwrap()[0].public_key(), &public_key(CHILD_17));
    let other = Item::new(&family, Some(18), &input).unwrap();
    assert_eq!(other.verify(&family, &raw), Err(NotValid));
}

#[test]
fn the_keys_own_item_goes_to_the_token_as_it_is() {
    let family = family(Some(CHAIN_CODE));
    let (input, raw) = (digest(ASKED), RawSignature(bytes(RAW)));
    let item = Item::new(&family, None, &input).unwrap();
    assert_eq!(item.to_sign(), input);
    assert_eq!(item.verify(&family, &raw).unwrap().1, None);
    assert_eq!(family.public_key(None), Ok(public_key(PUBLIC_KEY)));
    let wanted = digest(DIGEST);
    let wrong = Item::new(&family, None, &wanted).unwrap();
    assert_eq!(wrong.verify(&family, &raw), Err(NotValid), "a child's signature is none of the parent");
}

#[test]
fn a_released_signature_verifies_under_the_key_its_item_names_and_no_other() {
    let family = family(Some(CHAIN_CODE));
    let (input, released) = (digest(DIGEST), RawSignature(bytes(RELEASED)));
    let (verified, key) = family.verify(Some(17), &input, &released).unwrap();
    assert_eq!((verified.to_bytes(), key), (released.0, public_key(CHILD_17)));
    for other in [None, Some(18), Some(1 << 31)] {
        assert!(family.verify(other, &input, &released).is_err(), "{other:?}");
    }
    assert!(family.verify(Some(17), &input, &RawSignature(bytes(RAW))).is_err(), "the token's own is not released");
    let (_, key) = family.verify(None, &digest(ASKED), &RawSignature(bytes(RAW))).unwrap();
    assert_eq!(key, public_key(PUBLIC_KEY));
}

#[test]
fn an_entry_is_read_whole_or_refused() {
    let entry = |public_key: &str, chain_code: Option<&str>| KeyEntry {
        name: "btc-hot".parse().unwrap(),
        algorithm: Algorithm::Secp256k1,
        public_key: public_key.to_owned(),
        evidence: "verified".to_owned(),
        token: "main".to_owned(),
        chain_code: chain_code.map(str::to_owned),
        backup: false,
        attestation: Vec::new(),
        change: None,
    };
    let family = Family::of(&entry(PUBLIC_KEY, Some(CHAIN_CODE))).unwrap();
    assert_eq!(family.public_key(Some(17)), Ok(public_key(CHILD_17)));
    assert_eq!(Family::of(&entry(PUBLIC_KEY, None)).unwrap().chain_code, None);
    assert!(Family::of(&entry(&PUBLIC_KEY[2..], None)).is_err());
    let error = Family::of(&entry(PUBLIC_KEY, Some(&CHAIN_CODE[2..]))).unwrap_err();
    assert!(error.starts_with("entry of key btc-hot: ") && !error.contains(&CHAIN_CODE[2..]), "{error}");
}

#[test]
fn without_a_chain_code_or_with_a_message_there_is_no_child() {
    let input = digest(DIGEST);
    assert_eq!(Item::new(&family(None), Some(0), &input).unwrap_err(), NoChildren::NoChainCode);
    assert_eq!(family(None).public_key(Some(0)), Err(NoChildren::NoChainCode));
    assert!(Item::new(&family(Some(CHAIN_CODE)), Some(0), &ToSign::Message(vec![1])).is_err());
    assert_eq!(family(Some(CHAIN_CODE)).public_key(Some(1 << 31)), Err(NoChildren::Index(1 << 31)));
}

#[test]
fn a_token_with_another_key_or_chain_code_or_none_deviates() {
    let (key, code) = (public_key(PUBLIC_KEY), CHAIN_CODE.parse::<ChainCode>().unwrap());
    let pinned = family(Some(CHAIN_CODE));
    assert_eq!(pinned.deviation(&key, STAYS, Some(&code)), None);
    let deviation = |key: &PublicKey, code: Option<&ChainCode>| pinned.deviation(key, STAYS, code).unwrap();
    assert!(deviation(&public_key(CHILD_17), Some(&code)).starts_with("the log pins public key 0254"));
    let other = ChainCode::new([0xa5; 32]);
    let reason = deviation(&key, Some(&other));
    assert!(reason.contains("is not the one the log pins"), "{reason}");
    assert!(!reason.contains(CHAIN_CODE) && !reason.contains(&other.to_hex()), "no chain code in a reason: {reason}");
    assert!(deviation(&key, None).contains("the token now has none"));
    assert_eq!(family(None).deviation(&key, STAYS, Some(&code)), None, "made without children, it has none to lose");
}

#[test]
fn a_token_that_protects_the_key_in_another_way_deviates() {
    let (key, leaves) = (public_key(PUBLIC_KEY), Protection::LeavesWrapped);
    let without = family(None);
    let with = Family { protection: leaves, ..without.clone() };
    assert_eq!((without.deviation(&key, STAYS, None), with.deviation(&key, leaves, None)), (None, None));
    assert!(without.deviation(&key, leaves, None).unwrap().contains("never leaves its token, here it can be wrapped"));
    assert!(with.deviation(&key, STAYS, None).unwrap().contains("with a backup, here it cannot be wrapped"));
}

#[test]
fn an_entry_without_the_word_backup_is_of_a_key_that_never_leaves() {
    let text = format!(
        r#"{{"algorithm":"secp256k1","evidence":"verified","name":"btc-hot","public_key":"{PUBLIC_KEY}","token":"main"}}"#
    );
    let mut entry: KeyEntry = serde_json::from_str(&text).unwrap();
    assert_eq!((entry.backup, Family::of(&entry).unwrap().protection), (false, STAYS));
    assert!(!serde_json::to_string(&entry).unwrap().contains("backup"), "as it was written before there was one");
    entry.backup = true;
    let written = serde_json::to_string(&entry).unwrap();
    assert!(written.contains(r#""backup":true"#), "{written}");
    assert_eq!(Family::of(&serde_json::from_str(&written).unwrap()).unwrap().protection, Protection::LeavesWrapped);
}
