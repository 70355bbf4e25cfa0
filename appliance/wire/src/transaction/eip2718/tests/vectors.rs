use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};

use super::*;
use crate::Chain;

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

fn signature(r: &str, s: &str) -> [u8; 64] {
    [bytes(r), bytes(s)].concat().try_into().unwrap()
}

// EIP-155, "Example".
#[test]
fn the_example_of_eip_155_is_read_and_finished() {
    let data = bytes("ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080");
    let read = read(&data).unwrap();
    assert_eq!(read.digest.to_string(), "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53");
    assert_eq!((read.chain_id, read.nonce, read.to), (1, 9, [0x35; 20]));
    assert_eq!(read.value, Amount::from_units(10_u64.pow(18)));
    assert_eq!(read.fee, Amount::from_units(21_000 * 20 * 10_u64.pow(9)));
    assert_eq!(read.call, Call::None);
    let signature = signature(
        "28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276",
        "67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83",
    );
    let signed = finish_eip2718(&data, &signature, 0).unwrap();
    assert_eq!(
        hex::encode(signed),
        "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc2195\
         fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
    );
}

// Ethereum mainnet, transaction 0xce4dc6d7a7549a98ee3b071b67e970879ff51b5b95d1c340bacd80fa1e1aab31, also in the tests
// of alloy-consensus (transaction/envelope.rs, test_decode_live_1559_tx). EIP-1559 has no vectors of its own. The
// unsigned bytes are the signed ones without y parity, r and s.
#[test]
fn an_eip_1559_transaction_of_mainnet_is_read_and_finished() {
    let fields = "0102843b9aca0085029e7822d68298f094d9e1459a7a482635700cbc20bbaf52d495ab9c9680841b55ba3ac0";
    let data = bytes(&format!("02ec{fields}"));
    let read = read(&data).unwrap();
    assert_eq!((read.chain_id, read.nonce, read.value), (1, 2, Amount::ZERO));
    assert_eq!(hex::encode(read.to), "d9e1459a7a482635700cbc20bbaf52d495ab9c96");
    assert_eq!(read.call, Call::Other { data: bytes("1b55ba3a") });
    assert_eq!(read.fee, Amount::from_units(0x98f0 * 0x02_9e78_22d6));
    let (r, s) = (
        "c199674fcb29f353693dd779c017823b954b3c69dffa3cd6b2a6ff7888798039",
        "28ca912de909e7e6cdef9cdcaf24c54dd8c1032946dfa1d85c206b32a9064fe8",
    );
    let signature = signature(r, s);
    let signed = finish_eip2718(&data, &signature, 0).unwrap();
    assert_eq!(hex::encode(&signed), format!("02f86f{fields}80a0{r}a0{s}"));
    assert_eq!(
        hex::encode(transaction_hash(&signed)),
        "ce4dc6d7a7549a98ee3b071b67e970879ff51b5b95d1c340bacd80fa1e1aab31"
    );
    let signature = Signature::from_slice(&signature).unwrap();
    let signer = VerifyingKey::recover_from_prehash(&read.digest.0, &signature, RecoveryId::from_byte(0).unwrap());
    let signer = hsm_types::PublicKey::Secp256k1(signer.unwrap().into());
    let address = Chain::Evm(1).address_of(&signer, None).unwrap();
    assert_eq!(address, "0x001e2b7de757ba469a57bf6b23d982458a07efce");
}

// go-ethereum, core/types/transaction_test.go: TestEIP2718TransactionSigHash and TestEIP2718TransactionEncode. EIP-2930
// has no vectors of its own.
#[test]
fn the_eip_2930_transaction_of_go_ethereum_is_read_and_finished() {
    let fields = "0103018261a894b94f5374fce5edbc8e2a8697c15331677e6ebf0b0a825544c0";
    let data = bytes(&format!("01e0{fields}"));
    let read = read(&data).unwrap();
    assert_eq!(read.digest.to_string(), "49b486f0ec0a60dfbbca2d30cb07c9e8ffb2a2ff41f29a1ab6737475f6ff69f3");
    assert_eq!((read.chain_id, read.nonce, read.value), (1, 3, Amount::from_units(10)));
    assert_eq!(read.fee, Amount::from_units(25_000));
    assert_eq!(read.call, Call::Other { data: bytes("5544") });
    let (r, s) = (
        "c9519f4f2b30335884581971573fadf60c6204f59a911df35ee8a540456b2660",
        "32f1e8e2c5dd761f9e4f88f41c8310aeaba26a8bfcdacfedfa12ec3862d37521",
    );
    let signed = finish_eip2718(&data, &signature(r, s), 1).unwrap();
    assert_eq!(hex::encode(signed), format!("01f863{fields}01a0{r}a0{s}"));
}
