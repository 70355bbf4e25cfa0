use super::{sample::*, *};

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// The maps of a PSBT none of whose values is longer than 65,535 bytes.
fn maps(data: &[u8]) -> Vec<Pairs> {
    let mut rest = &data[5..];
    let mut maps = Vec::new();
    while !rest.is_empty() {
        let mut pairs = Vec::new();
        while rest[0] != 0 {
            pairs.push((sized(&mut rest), sized(&mut rest)));
        }
        rest = &rest[1..];
        maps.push(pairs);
    }
    maps
}

fn sized(rest: &mut &[u8]) -> Vec<u8> {
    let (length, start) = match rest[0] {
        0xfd => (u16::from_le_bytes([rest[1], rest[2]]).into(), 3),
        small => (usize::from(small), 1),
    };
    let bytes = rest[start..start + length].to_vec();
    *rest = &rest[start + length..];
    bytes
}

fn write(maps: &[Pairs]) -> Vec<u8> {
    let mut data = b"psbt\xff".to_vec();
    for pairs in maps {
        for bytes in pairs.iter().flat_map(|(key, value)| [key, value]) {
            data.extend(bitcoin::consensus::serialize(bytes));
        }
        data.push(0);
    }
    data
}

/// With something in every map: known, unknown and proprietary.
fn full() -> Vec<u8> {
    let mut psbt = psbt(&Form::ALL);
    for output in &mut psbt.outputs {
        output.redeem_script = Some(multisig_script());
    }
    let mut maps = maps(&psbt.serialize());
    for pairs in &mut maps {
        pairs.push((vec![0xf0, 1], vec![1]));
        pairs.push((vec![0xfc, 2, 0x61, 0x62, 0, 9], vec![1]));
    }
    write(&maps)
}

#[test]
fn a_key_twice_in_any_map_is_refused_whatever_its_value() {
    let full = maps(&full());
    assert!(read(&write(&full)).is_ok());
    assert_eq!(full.len(), 1 + 4 + 2);
    for (map, pairs) in full.iter().enumerate() {
        assert!(pairs.len() >= 3);
        for (key, value) in pairs {
            for value in [value.clone(), vec![]] {
                let mut twice = full.clone();
                twice[map].push((key.clone(), value));
                let refused = Err(BadEvidence::PsbtDuplicateKey { map, key_type: key[0] });
                assert_eq!(read(&write(&twice)), refused);
            }
        }
    }
}

#[test]
fn a_psbt_cut_anywhere_is_refused() {
    let data = full();
    for length in 0..data.len() {
        assert!(read(&data[..length]).is_err(), "the first {length} bytes");
    }
}

#[test]
fn bytes_after_the_last_map_are_refused() {
    let data = psbt(&[Form::P2wpkh]).serialize();
    let with = |more: &[u8]| read(&[data.as_slice(), more].concat());
    assert_eq!(with(&[0]), Err(BadEvidence::PsbtTrailing(1)));
    assert_eq!(with(&[2, 0xf0, 1, 0, 0]), Err(BadEvidence::PsbtTrailing(5)));
    assert!(with(&data).is_err(), "the same PSBT again");
    assert_eq!(with(&[1]), Err(BadEvidence::PsbtTruncated));
}

#[test]
fn only_the_magic_of_version_0_is_read() {
    let data = psbt(&[Form::P2wpkh]).serialize();
    for index in 0..5 {
        let mut other = data.clone();
        other[index] ^= 1;
        assert_eq!(read(&other), Err(BadEvidence::NotPsbt));
    }
    for version in [1_u32, 2, u32::MAX] {
        let mut maps = maps(&data);
        maps[0].push((vec![0xfb], version.to_le_bytes().to_vec()));
        assert!(matches!(read(&write(&maps)), Err(BadEvidence::Psbt(_))), "version {version}");
    }
    let mut maps = maps(&data);
    maps[0].push((vec![0xfb], vec![0; 4]));
    assert!(read(&write(&maps)).is_ok(), "version 0, said");
}

#[test]
fn a_length_longer_than_it_needs_to_be_is_refused() {
    let data = psbt(&[Form::P2wpkh]).serialize();
    assert_eq!(data[5], 1);
    let longer = [&data[..5], &[0xfd, 1, 0], &data[6..]].concat();
    assert!(matches!(read(&longer), Err(BadEvidence::Psbt(_))));
}

#[test]
fn a_taproot_tree_is_refused_before_it_is_read() {
    let mut maps = maps(&psbt(&[Form::P2wpkh]).serialize());
    maps[3].push((vec![0x06], vec![0, 0xc0, 1, 0x51]));
    assert_eq!(read(&write(&maps)), Err(BadEvidence::PsbtTaprootTree(1)));
}

#[test]
fn a_transaction_that_is_signed_or_missing_is_refused() {
    let psbt = psbt(&[Form::P2wpkh]);
    let mut signed = maps(&psbt.serialize());
    let mut transaction = psbt.unsigned_tx.clone();
    transaction.input[0].script_sig = multisig_script();
    signed[0][0].1 = bitcoin::consensus::serialize(&transaction);
    assert!(matches!(read(&write(&signed)), Err(BadEvidence::Psbt(_))));
    transaction.input[0].script_sig = ScriptBuf::new();
    transaction.input[0].witness.push([1]);
    signed[0][0].1 = bitcoin::consensus::serialize(&transaction);
    assert!(read(&write(&signed)).is_err());
    signed[0].clear();
    assert!(read(&write(&signed)).is_err());
}
