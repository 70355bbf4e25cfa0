use k256::ecdsa::{RecoveryId, Signature, SigningKey, VerifyingKey};

use super::*;

const PRIVATE_KEY: [u8; 32] = [0x46; 32];

/// r || s and the parity of R's y.
fn sign(digest: Digest) -> ([u8; 64], u8) {
    let key = SigningKey::from_slice(&PRIVATE_KEY).unwrap();
    let (signature, recovery_id) = key.sign_prehash_recoverable(&digest.0).unwrap();
    (signature.to_bytes().into(), recovery_id.to_byte())
}

/// The items of an RLP list of strings and empty lists.
fn items(list: &[u8]) -> Vec<Vec<u8>> {
    let start = if list[0] < 0xf8 { 1 } else { 1 + usize::from(list[0] - 0xf7) };
    let mut rest = &list[start..];
    let mut items = Vec::new();
    while let Some(first) = rest.first() {
        let (start, end) = match *first {
            0..0x80 => (0, 1),
            0x80..0xb8 => (1, 1 + usize::from(first - 0x80)),
            0xb8 => (2, 2 + usize::from(rest[1])),
            _ => (1, 1),
        };
        items.push(rest[start..end].to_vec());
        rest = &rest[end..];
    }
    items
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[test]
fn a_finished_transaction_recovers_to_its_signer() {
    let signer = *SigningKey::from_slice(&PRIVATE_KEY).unwrap().verifying_key();
    for (index, data) in sample::all().into_iter().enumerate() {
        let digest = read(&data).unwrap().digest;
        let (signature, recovery_id) = sign(digest);
        let signed = finish_eip2718(&data, &signature, recovery_id).unwrap();
        let typed = usize::from(index > 0);
        assert_eq!(signed[..typed], data[..typed]);
        let (unsigned, signed) = (items(&data[typed..]), items(&signed[typed..]));
        let [fields @ .., v, r, s] = signed.as_slice() else { panic!("no signature") };
        let parity = if typed == 1 {
            assert_eq!(fields, unsigned);
            number(v)
        } else {
            assert_eq!(fields, &unsigned[..6]);
            number(v) - 35 - 2 * 31_337
        };
        let wide = |bytes: &[u8]| [vec![0; 32 - bytes.len()], bytes.to_vec()].concat();
        let signature = Signature::from_slice(&[wide(r), wide(s)].concat()).unwrap();
        let recovery_id = RecoveryId::from_byte(parity.try_into().unwrap()).unwrap();
        let recovered = VerifyingKey::recover_from_prehash(&digest.0, &signature, recovery_id);
        assert_eq!(recovered.unwrap(), signer);
    }
}

#[test]
fn signatures_no_node_would_take_are_refused() {
    let data = unsigned(Kind::Eip1559(eip1559()));
    let (signature, recovery_id) = sign(read(&data).unwrap().digest);
    let (r, s) = signature.split_first_chunk::<32>().unwrap();
    let finish = |r: [u8; 32], s: [u8; 32]| finish_eip2718(&data, &[r, s].concat().try_into().unwrap(), recovery_id);
    let s: [u8; 32] = s.try_into().unwrap();
    assert!(finish(*r, s).is_ok());
    let order = U256::from_be_bytes(hex_32("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"));
    let half = order >> 1_usize;
    let bad = Err(BadEthereumSignature::OutOfRange);
    assert_eq!(finish([0; 32], s), bad);
    assert_eq!(finish(*r, [0; 32]), bad);
    assert_eq!(finish(order.to_be_bytes(), s), bad);
    assert!(finish((order - U256::from(1)).to_be_bytes(), s).is_ok());
    assert_eq!(finish(*r, (order - U256::from_be_bytes(s)).to_be_bytes()), bad, "a high s");
    assert!(finish(*r, half.to_be_bytes()).is_ok());
    assert_eq!(finish(*r, (half + U256::from(1)).to_be_bytes()), bad);
    for recovery_id in [2, 3, 27, 255] {
        let refused = finish_eip2718(&data, &signature, recovery_id);
        assert_eq!(refused, Err(BadEthereumSignature::RecoveryId(recovery_id)));
    }
    let refused = finish_eip2718(&data[1..], &signature, recovery_id);
    assert!(matches!(refused, Err(BadEthereumSignature::Evidence(_))));
}

fn hex_32(text: &str) -> [u8; 32] {
    hex::decode(text).unwrap().try_into().unwrap()
}
