mod calls;
mod finish;
mod sample;
mod vectors;

use alloy_consensus::TxLegacy;
use alloy_primitives::TxKind;

use self::sample::{Kind, RECIPIENT, eip1559, eip2930, legacy, unsigned};
use super::*;

fn refused(kind: Kind) -> BadEvidence {
    read(&unsigned(kind)).unwrap_err()
}

#[test]
fn every_kind_is_read_with_its_cost_and_digest() {
    let gas_limit = Amount::from_units(50_000);
    for (kind, price) in [(Kind::Legacy(legacy()), 20), (Kind::Eip2930(eip2930()), 20), (Kind::Eip1559(eip1559()), 30)]
    {
        let data = unsigned(kind);
        let expected = EvmTransaction {
            chain_id: 31_337,
            nonce: 7,
            to: RECIPIENT,
            value: Amount::from_units(1_000_000_000),
            fee: gas_limit.checked_mul(Amount::from_units(price)).unwrap(),
            call: Call::None,
            digest: Digest(keccak256(&data).0),
        };
        assert_eq!(read(&data), Ok(expected));
    }
}

#[test]
fn a_transaction_cut_anywhere_or_with_more_after_it_is_refused() {
    for data in sample::all() {
        for length in 0..data.len() {
            assert!(read(&data[..length]).is_err(), "the first {length} bytes of {}", hex::encode(&data));
        }
        for more in [&[0x00][..], &[0x80], &[0xc0], &[0x80, 0x80, 0x80], &data] {
            assert_eq!(read(&[&data, more].concat()), Err(BadEvidence::NotSigningForm), "{}", hex::encode(&data));
        }
    }
}

#[test]
fn a_flipped_bit_is_another_transaction_or_none() {
    for data in sample::all() {
        let original = read(&data).unwrap();
        for bit in 0..data.len() * 8 {
            let mut other = data.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            if let Ok(read) = read(&other) {
                assert_ne!(read.digest, original.digest);
            }
        }
    }
}

#[test]
fn other_types_are_refused_by_their_number() {
    let typed = unsigned(Kind::Eip1559(eip1559()));
    for first in (0x00..0xc0).filter(|first| ![0x01, 0x02].contains(first)) {
        let mut data = typed.clone();
        data[0] = first;
        assert_eq!(read(&data), Err(BadEvidence::TransactionType(first)));
        assert_eq!(read(&data[..1]), Err(BadEvidence::TransactionType(first)));
    }
    assert_eq!(read(&[]), Err(BadEvidence::Empty));
}

#[test]
fn the_fields_of_one_type_under_the_number_of_the_other_are_refused() {
    for (kind, other) in [(Kind::Eip2930(eip2930()), 0x02), (Kind::Eip1559(eip1559()), 0x01)] {
        let mut data = unsigned(kind);
        data[0] = other;
        assert!(read(&data).is_err());
    }
}

#[test]
fn a_legacy_transaction_without_chain_id_is_refused() {
    assert_eq!(refused(Kind::Legacy(TxLegacy { chain_id: None, ..legacy() })), BadEvidence::NoChainId);
}

#[test]
fn chain_ids_from_1_to_2_to_the_53_less_1_are_read() {
    for chain_id in [0, 1 << 53, u64::MAX] {
        let legacy = TxLegacy { chain_id: Some(chain_id), ..legacy() };
        let (mut eip2930, mut eip1559) = (eip2930(), eip1559());
        (eip2930.chain_id, eip1559.chain_id) = (chain_id, chain_id);
        for kind in [Kind::Legacy(legacy), Kind::Eip2930(eip2930), Kind::Eip1559(eip1559)] {
            assert_eq!(refused(kind), BadEvidence::ChainId(chain_id));
        }
    }
    for chain_id in [1, (1 << 53) - 1] {
        let legacy = TxLegacy { chain_id: Some(chain_id), ..legacy() };
        assert_eq!(read(&unsigned(Kind::Legacy(legacy))).unwrap().chain_id, chain_id);
    }
}

#[test]
fn every_nonce_but_the_last_is_read() {
    let with = |nonce| {
        let mut transaction = eip1559();
        transaction.nonce = nonce;
        read(&unsigned(Kind::Eip1559(transaction))).map(|read| read.nonce)
    };
    assert_eq!(with(0), Ok(0));
    assert_eq!(with(u64::MAX - 1), Ok(u64::MAX - 1));
    assert_eq!(with(u64::MAX), Err(BadEvidence::Nonce));
}

#[test]
fn contract_creation_is_refused() {
    let (mut legacy, mut eip2930, mut eip1559) = (legacy(), eip2930(), eip1559());
    (legacy.to, eip2930.to, eip1559.to) = (TxKind::Create, TxKind::Create, TxKind::Create);
    for kind in [Kind::Legacy(legacy), Kind::Eip2930(eip2930), Kind::Eip1559(eip1559)] {
        assert_eq!(refused(kind), BadEvidence::ContractCreation);
    }
}

#[test]
fn a_priority_fee_above_the_whole_fee_is_refused() {
    let mut transaction = eip1559();
    transaction.max_priority_fee_per_gas = transaction.max_fee_per_gas;
    assert!(read(&unsigned(Kind::Eip1559(transaction.clone()))).is_ok());
    transaction.max_priority_fee_per_gas += 1;
    assert_eq!(refused(Kind::Eip1559(transaction)), BadEvidence::PriorityFee);
}

#[test]
fn the_largest_fee_is_computed_and_a_cost_over_256_bits_refused() {
    let mut transaction = eip1559();
    (transaction.gas_limit, transaction.max_fee_per_gas) = (u64::MAX, u128::MAX);
    let fee = read(&unsigned(Kind::Eip1559(transaction.clone()))).unwrap().fee;
    assert_eq!(Some(fee), Amount::from_units(u64::MAX).checked_mul(amount(U256::from(u128::MAX))));
    transaction.value = U256::MAX - U256::from(u64::MAX) * U256::from(u128::MAX);
    assert!(read(&unsigned(Kind::Eip1559(transaction.clone()))).is_ok());
    transaction.value += U256::from(1);
    assert_eq!(refused(Kind::Eip1559(transaction)), BadEvidence::CostTooLarge);
}

/// An RLP list of these encoded items.
fn list(items: &[&[u8]]) -> Vec<u8> {
    let payload = items.concat();
    match payload.len() {
        short @ 0..56 => [&[0xc0 + short as u8], payload.as_slice()].concat(),
        long => [&[0xf8, u8::try_from(long).unwrap()], payload.as_slice()].concat(),
    }
}

/// The items of a legacy transaction of chain 1: nonce, gas price, gas limit, to, value, data, chain id, 0, 0.
fn items() -> [Vec<u8>; 9] {
    let to = [&[0x94][..], &RECIPIENT].concat();
    [vec![9], vec![0x14], vec![0x82, 0x52, 0x08], to, vec![5], vec![0x80], vec![1], vec![0x80], vec![0x80]]
}

fn with_item(index: usize, bytes: &[u8]) -> Result<EvmTransaction, BadEvidence> {
    let mut items = items();
    items[index] = bytes.to_vec();
    read(&list(&items.each_ref().map(Vec::as_slice)))
}

#[test]
fn numbers_with_leading_zeros_or_of_too_many_bytes_are_refused() {
    assert!(with_item(0, &[9]).is_ok(), "as it should be written");
    for index in [0, 1, 2, 4, 6] {
        assert!(with_item(index, &[0x00]).is_err(), "item {index}: zero is the empty string");
        assert!(with_item(index, &[0x81, 0x09]).is_err(), "item {index}: a small number in two bytes");
        assert!(with_item(index, &[0x82, 0x00, 0x90]).is_err(), "item {index}: a leading zero");
        let wide = [&[0xa1][..], &[1; 33]].concat();
        assert!(with_item(index, &wide).is_err(), "item {index}: 264 bits");
    }
    for (index, bytes) in [(0, 9), (1, 17), (2, 9), (6, 9)] {
        let wide = [&[0x80 + bytes as u8][..], &vec![1; bytes]].concat();
        assert!(with_item(index, &wide).is_err(), "item {index}: {bytes} bytes");
    }
    assert!(with_item(3, &[&[0x93][..], &[1; 19]].concat()).is_err(), "a recipient of 19 bytes");
    assert!(with_item(3, &[&[0x95][..], &[1; 21]].concat()).is_err(), "a recipient of 21 bytes");
}

#[test]
fn a_signed_legacy_transaction_is_not_taken_for_an_unsigned_one() {
    let number = [&[0xa0][..], &[0x11; 32]].concat();
    for v in [&[27][..], &[28], &[37], &[38], &[1]] {
        let mut items = items();
        (items[6], items[7], items[8]) = (v.to_vec(), number.clone(), number.clone());
        let signed = list(&items.each_ref().map(Vec::as_slice));
        assert_eq!(read(&signed), Err(BadEvidence::NotSigningForm), "v {v:?}");
    }
    for index in [7, 8] {
        assert_eq!(with_item(index, &[1]), Err(BadEvidence::NotSigningForm));
    }
}

#[test]
fn a_signed_typed_transaction_is_refused() {
    for data in [unsigned(Kind::Eip2930(eip2930())), unsigned(Kind::Eip1559(eip1559()))] {
        let mut signature = [0x11; 64];
        signature[63] = 1;
        let signed = finish_eip2718(&data, &signature, 1).unwrap();
        assert!(read(&signed).is_err());
    }
}

#[test]
fn more_or_fewer_items_than_nine_are_refused() {
    let items = items();
    let items = items.each_ref().map(Vec::as_slice);
    assert!(read(&list(&items)).is_ok());
    assert_eq!(read(&list(&items[..6])), Err(BadEvidence::NoChainId));
    for count in [0, 1, 5, 7, 8] {
        assert!(read(&list(&items[..count])).is_err(), "{count} items");
    }
    assert!(read(&list(&[items.as_slice(), &[&[0x80]]].concat())).is_err(), "10 items");
}

#[test]
fn a_header_that_is_no_list_or_not_as_short_as_it_can_be_is_refused() {
    let items = items();
    let payload = items.concat();
    let length = payload.len() as u8;
    for header in [vec![0xf8, length], vec![0xf9, 0, length], vec![0xc0 + length - 1], vec![0xc0 + length + 1]] {
        assert!(read(&[header.as_slice(), &payload].concat()).is_err(), "{header:?}");
    }
    assert!(read(&[&[0xc0 + length], payload.as_slice()].concat()).is_ok());
}

#[test]
fn a_transaction_longer_than_nodes_relay_is_refused() {
    let of = |length| {
        let mut call = eip1559();
        call.input = vec![1; length].into();
        read(&unsigned(Kind::Eip1559(call)))
    };
    assert!(of(130_000).is_ok());
    assert!(matches!(of(132_000), Err(BadEvidence::TransactionTooLarge { most: 131_072, .. })));
}

#[test]
fn eight_mebibytes_are_read_or_refused_soon() {
    let mut call = eip1559();
    call.input = vec![1; 8 << 20].into();
    let mut addresses = eip2930();
    addresses.access_list.0 = vec![Default::default(); 350_000];
    let lists = [&[0xfa, 0x80, 0, 0][..], &vec![0xc1; 8 << 20]].concat();
    let start = std::time::Instant::now();
    assert!(read(&unsigned(Kind::Eip1559(call))).is_err());
    assert!(read(&unsigned(Kind::Eip2930(addresses))).is_err());
    assert!(read(&lists).is_err(), "lists in lists");
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
}
