//! Shares as they are made, written down, mistyped and put together.

use proptest::prelude::*;

use super::*;

fn split(threshold: u8, custodians: u8) -> (Secret, Vec<Share>, Commitments) {
    let secret = Secret::random(&[9; 32]).unwrap();
    let (shares, commitments) = secret.split(threshold, custodians).unwrap();
    (secret, shares, commitments)
}

fn picked(shares: &[Share], indices: &[usize]) -> Vec<Share> {
    indices.iter().map(|index| shares[index - 1].clone()).collect()
}

#[test]
fn any_shares_that_are_enough_give_the_secret() {
    for (threshold, custodians) in [(2, 2), (2, 3), (3, 5), (5, 5), (2, 15)] {
        let (secret, shares, commitments) = split(threshold, custodians);
        let last: Vec<Share> = shares.iter().rev().take(usize::from(threshold)).cloned().collect();
        for some in [&shares[..usize::from(threshold)], &last, &shares] {
            let recovered = Secret::recover(some, Some(&commitments)).unwrap();
            assert_eq!(recovered.bytes(), secret.bytes(), "{threshold} of {custodians}");
        }
    }
}

#[test]
fn a_text_reads_back_however_it_is_spaced() {
    let (_, shares, _) = split(2, 3);
    for share in &shares {
        let text = share.text();
        assert_eq!(text.len(), 84);
        for typed in
            [text.to_string(), grouped(&text).to_string(), text.to_uppercase(), grouped(&text).replace(' ', " - ")]
        {
            let read = Share::parse(&typed).unwrap();
            assert_eq!((read.id, read.threshold, read.index), (share.id, 2, share.index));
            assert_eq!(read.value, share.value);
        }
    }
}

#[test]
fn every_character_typed_wrongly_is_found() {
    let (_, shares, _) = split(2, 2);
    let text = shares[0].text();
    for position in "chancery1".len()..text.len() {
        let mut typed = text.as_bytes().to_vec();
        typed[position] = if typed[position] == b'q' { b'p' } else { b'q' };
        let typed = String::from_utf8(typed).unwrap();
        assert_eq!(Share::parse(&typed).unwrap_err(), BadShare::Checksum, "character {position}");
    }
}

#[test]
fn what_is_no_share_is_told() {
    for typed in ["", "chancery", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", "chancery1bio", "zwölf"] {
        assert!(matches!(Share::parse(typed), Err(BadShare::Form(_) | BadShare::Checksum)), "{typed}");
    }
    let short = bech32::encode::<bech32::Bech32m>(bech32::Hrp::parse("chancery").unwrap(), &[1; 20]).unwrap();
    assert_eq!(Share::parse(&short).unwrap_err(), BadShare::Form("it is not as long as one"));
    let later = bech32::encode::<bech32::Bech32m>(bech32::Hrp::parse("chancery").unwrap(), &[2; 43]).unwrap();
    assert_eq!(Share::parse(&later).unwrap_err(), BadShare::Form("it is of a version that is not known here"));
}

#[test]
fn shares_that_do_not_go_together_are_refused_with_the_reason() {
    let (_, shares, commitments) = split(3, 5);
    let (_, others, _) = split(3, 5);
    let mut wrong = shares[1].clone();
    wrong.value = others[1].value.clone();
    let of_two = [picked(&shares, &[1, 2]), picked(&others, &[3])].concat();
    let with_wrong = [picked(&shares, &[1]), vec![wrong], picked(&shares, &[3])].concat();
    let table: [(Vec<Share>, BadShare); 6] = [
        (Vec::new(), BadShare::None),
        (picked(&shares, &[1, 2]), BadShare::TooFew { given: 2, threshold: 3 }),
        (picked(&shares, &[1, 2, 2]), BadShare::Twice { index: 2 }),
        (of_two, BadShare::OtherSecret),
        (picked(&others, &[1, 2, 3]), BadShare::OtherSecret),
        (with_wrong, BadShare::Wrong { index: 2 }),
    ];
    for (given, because) in table {
        assert_eq!(Secret::recover(&given, Some(&commitments)).unwrap_err(), because);
    }
}

#[test]
fn a_split_that_cannot_be_is_refused() {
    let secret = Secret::random(&[0; 32]).unwrap();
    for (threshold, custodians) in [(0, 3), (1, 3), (4, 3)] {
        assert_eq!(secret.split(threshold, custodians).unwrap_err(), BadShare::Numbers { threshold, custodians });
    }
}

#[test]
fn commitments_are_read_back_from_a_transcript() {
    let (_, shares, commitments) = split(2, 3);
    let backup = appliance_wire::ceremony::CeremonyBackup {
        id: commitments.id.to_string(),
        threshold: 2,
        custodians: vec![String::new(); 3],
        commitments: commitments.to_hex(),
        backup_key: String::new(),
        renewal_key: String::new(),
    };
    let read = Commitments::of(&backup).unwrap();
    assert_eq!(read, commitments);
    read.check(&shares[2]).unwrap();
}

#[test]
fn the_renewal_key_is_the_secrets_alone() {
    let (secret, shares, _) = split(2, 2);
    let (other, ..) = split(2, 2);
    let public = |secret: &Secret| secret.renewal_key("renewal").unwrap().public_key().to_openssh().unwrap();
    assert_eq!(public(&secret), public(&Secret::recover(&shares, None).unwrap()));
    assert_ne!(public(&secret), public(&other));
    assert!(public(&secret).starts_with("ssh-ed25519 ") && public(&secret).ends_with(" renewal"));
}

#[test]
fn derivation_is_that_of_rfc_5869() {
    // Test case 3: no salt, no info; the first block of its output. Its secret is 22 bytes, so the parts are tried alone.
    let extracted = mac(&[0; 32], &[&[0x0b; 22]]);
    assert_eq!(hex::encode(&extracted[..]), "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04");
    let expanded = mac(&extracted, &[b"", &[1]]);
    assert_eq!(hex::encode(&expanded[..]), "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
}

#[test]
fn nothing_secret_is_printed() {
    let (secret, shares, _) = split(2, 2);
    assert_eq!(format!("{secret:?}"), "Secret(..)");
    assert!(!format!("{:?}", shares[0]).contains(&hex::encode(*shares[0].value)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn nothing_that_is_typed_ends_the_program(typed in ".{0,120}") {
        let _ = Share::parse(&typed);
    }
}
