use super::{sample::transfer, *};

fn call(data: Vec<u8>, value: u64) -> Call {
    let mut transaction = eip1559();
    (transaction.input, transaction.value) = (data.into(), U256::from(value));
    read(&unsigned(Kind::Eip1559(transaction))).unwrap().call
}

#[test]
fn no_data_is_a_payment_and_a_clean_transfer_a_transfer() {
    assert_eq!(call(vec![], 0), Call::None);
    assert_eq!(call(vec![], 1), Call::None);
    let expected = Call::Erc20Transfer { recipient: RECIPIENT, amount: Amount::from_units(25) };
    assert_eq!(call(transfer(25), 0), expected);
    let mut most = transfer(0);
    most[36..].fill(0xff);
    assert_eq!(call(most, 0), Call::Erc20Transfer { recipient: RECIPIENT, amount: Amount::MAX });
}

#[test]
fn a_transfer_that_is_not_clean_is_something_else() {
    let good = transfer(25);
    let other = |data: Vec<u8>, value| assert_eq!(call(data.clone(), value), Call::Other { data });
    other(good.clone(), 1);
    for length in 1..good.len() {
        other(good[..length].to_vec(), 0);
    }
    other([good.as_slice(), &[0]].concat(), 0);
    other([good.as_slice(), &[0; 32]].concat(), 0);
    for index in 0..16 {
        let mut data = good.clone();
        data[index] ^= 0x01;
        other(data, 0);
    }
    // transferFrom(address,address,uint256) and approve(address,uint256).
    other([&[0x23, 0xb8, 0x72, 0xdd][..], &[0; 96]].concat(), 0);
    other([&[0x09, 0x5e, 0xa7, 0xb3][..], &good[4..]].concat(), 0);
    other(vec![0], 0);
}
