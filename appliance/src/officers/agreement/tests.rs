//! Signatures of security keys, made as their firmware makes them (OpenSSH, PROTOCOL.u2f), and what is wrong with others.

use ed25519_dalek::{Signer, SigningKey};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use ssh_key::{
    HashAlg, LineEnding, Signature,
    public::{Ed25519PublicKey, KeyData, SkEd25519},
};

use super::*;
use crate::officers::{Content, Needs};

const APPLICATION: &str = "ssh:";
const NAMESPACE: &str = "chancery-test";

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn public() -> KeyData {
    KeyData::SkEd25519(SkEd25519::new(Ed25519PublicKey(key().verifying_key().to_bytes()), APPLICATION))
}

fn policy() -> Policy {
    let line = PublicKey::new(public(), "").to_openssh().unwrap();
    let text = format!(
        "version = 1\n[quorum]\npolicy = 1\nloosen = 1\nloosen_delay = \"1d\"\nunfreeze = 1\n\
         [[officer]]\nname = \"alice\"\nssh_keys = [\"{line}\"]\n"
    );
    Policy::parse(&text).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn act() -> Act {
    let facts = vec![("entry", "7".to_owned())];
    Act { namespace: NAMESPACE, title: "try this".to_owned(), facts, needs: Needs::One, content: Content::Days(1) }
}

fn signed(origin: &str, act: &Act, signatures: &[String], moment: Moment) -> Result<Agreement, Refusal> {
    agreement(&policy(), act, &act.texts_in_time(origin, moment.time), signatures, moment)
}

fn moment() -> Moment {
    Moment { time: "2026-11-21T16:00:00Z".parse::<Timestamp>().unwrap(), elapsed: 0, wall_trusted: true }
}

/// What a security key with these flags makes of the text.
fn touched(flags: u8, text: &str) -> String {
    let message = SshSig::signed_data(NAMESPACE, HashAlg::Sha512, text.as_bytes()).unwrap();
    let counter = [0, 0, 0, 9];
    let mut signed = Sha256::digest(APPLICATION).to_vec();
    signed.push(flags);
    signed.extend(counter);
    signed.extend(Sha256::digest(message));
    let mut bytes = key().sign(&signed).to_bytes().to_vec();
    bytes.push(flags);
    bytes.extend(counter);
    let signature = Signature::new(Algorithm::SkEd25519, bytes).unwrap();
    SshSig::new(public(), NAMESPACE, HashAlg::Sha512, signature).unwrap().to_pem(LineEnding::LF).unwrap()
}

#[test]
fn a_security_key_that_was_touched_counts_and_one_that_was_not_does_not() {
    let text = act().text("o", moment().time);
    let alice = signed("o", &act(), &[touched(1, &text)], moment()).unwrap();
    assert_eq!(alice.officers().collect::<Vec<_>>(), ["alice"]);
    // The user verified (0x04) but not present, attested data (0x40), nothing at all.
    for flags in [0, 4, 0x40] {
        let refusal = signed("o", &act(), &[touched(flags, &text)], moment()).unwrap_err();
        assert!(refusal.problem.detail.contains("nobody touched"), "{flags}: {}", refusal.problem.detail);
    }
    // A flag set after the signature was made does not verify.
    let pem = touched(0, &text);
    let mut forged = SshSig::from_pem(&pem).unwrap().signature_bytes().to_vec();
    forged[64] = 1;
    let forged = Signature::new(Algorithm::SkEd25519, forged).unwrap();
    let forged = SshSig::new(public(), NAMESPACE, HashAlg::Sha512, forged).unwrap().to_pem(LineEnding::LF).unwrap();
    let refusal = signed("o", &act(), &[forged], moment()).unwrap_err();
    assert!(refusal.problem.detail.contains("not for this text"), "{}", refusal.problem.detail);
}

#[test]
fn a_text_serves_one_origin_one_act_and_its_time() {
    let text = act().text("o", moment().time);
    let pem = [touched(1, &text)];
    let other = Act { facts: vec![("entry", "8".to_owned())], ..act() };
    let late = Moment { time: "2026-11-23T00:00:00Z".parse().unwrap(), ..moment() };
    for (origin, act, moment) in [("p", act(), moment()), ("o", other, moment()), ("o", act(), late)] {
        assert!(signed(origin, &act, &pem, moment).is_err());
    }
    let elsewhere = Act { namespace: "chancery-other", ..act() };
    assert!(signed("o", &elsewhere, &pem, moment()).is_err());
}

#[test]
fn while_the_clock_is_not_trusted_only_the_clock_is_acted_on() {
    let untrusted = Moment { wall_trusted: false, ..moment() };
    let text = act().text("o", moment().time);
    let refusal = signed("o", &act(), &[touched(1, &text)], untrusted).unwrap_err();
    assert!(refusal.problem.detail.contains("chancery clock"), "{}", refusal.problem.detail);
    let clock = Act { namespace: CLOCK, ..act() };
    assert!(signed("o", &clock, &[], untrusted).is_ok());
}

#[test]
fn an_auditor_of_a_later_version_finds_the_text_whatever_it_said_of_loosening() {
    let loosens = |what: &str| {
        let facts = vec![("sha256", "00".to_owned()), ("loosens", what.to_owned())];
        Act { facts, ..act() }
    };
    let signed = loosens("rule 1 signs more").text("o", moment().time);
    let later = loosens("more is signed by rule 1");
    assert_eq!(later.among("o", moment().time, std::iter::once(signed.clone())).len(), 1);
    let other = Act { facts: vec![("sha256", "01".to_owned())], ..act() };
    assert!(other.among("o", moment().time, std::iter::once(signed)).is_empty());
}
