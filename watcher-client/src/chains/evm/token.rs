//! ERC-20: what a contract is told, and what it tells. Knows no node.

use alloy_primitives::{Address, B256, Bytes, U256, b256};

use super::node::Log;

/// `Transfer(address,address,uint256)`.
pub(super) const TRANSFERRED: B256 = b256!("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");
/// `transfer(address,uint256)`.
const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];
/// `balanceOf(address)`.
const BALANCE_OF: [u8; 4] = [0x70, 0xa0, 0x82, 0x31];
/// `decimals()`.
const DECIMALS: [u8; 4] = [0x31, 0x3c, 0xe5, 0x67];

/// Tokens that changed hands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Transferred {
    pub(super) contract: Address,
    pub(super) to: Address,
    pub(super) amount: U256,
}

/// Exactly 68 bytes with clean padding: the signer takes nothing else for a transfer.
pub(super) fn transfer(to: Address, amount: U256) -> Bytes {
    Bytes::from([&TRANSFER, to.into_word().as_slice(), &amount.to_be_bytes::<32>()].concat())
}

pub(super) fn balance_of(account: Address) -> Bytes {
    Bytes::from([&BALANCE_OF, account.into_word().as_slice()].concat())
}

pub(super) fn decimals() -> Bytes {
    Bytes::from_static(&DECIMALS)
}

/// What a log says; none where it is no transfer of ERC-20 (ERC-721 has the same name with another form), is taken back,
/// or moves nothing.
pub(super) fn read(log: &Log) -> Option<Transferred> {
    let [TRANSFERRED, _, to] = log.topics.as_slice() else { return None };
    let amount = U256::from_be_bytes(<[u8; 32]>::try_from(log.data.as_ref()).ok()?);
    let to = Address::from_word(*to);
    let moves = !log.removed && !amount.is_zero();
    moves.then_some(Transferred { contract: log.address, to, amount })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const RECIPIENT: Address = Address::repeat_byte(0x11);

    fn log() -> serde_json::Value {
        json!({
            "address": Address::repeat_byte(0xcc),
            "topics": [TRANSFERRED, Address::repeat_byte(0x22).into_word(), RECIPIENT.into_word()],
            "data": B256::from(U256::from(7)),
            "transactionHash": B256::repeat_byte(1),
            "logIndex": "0x5",
            "removed": false,
        })
    }

    fn read_json(log: serde_json::Value) -> Option<Transferred> {
        read(&serde_json::from_value(log).unwrap())
    }

    #[test]
    fn a_transfer_is_read() {
        let expected = Transferred { contract: Address::repeat_byte(0xcc), to: RECIPIENT, amount: U256::from(7) };
        assert_eq!(read_json(log()), Some(expected));
    }

    #[test]
    fn what_is_taken_back_or_empty_or_of_another_form_is_no_transfer() {
        let with = |key: &str, value: serde_json::Value| {
            let mut log = log();
            log[key] = value;
            read_json(log)
        };
        let topics = log()["topics"].as_array().unwrap().clone();
        let other = [&[json!(B256::repeat_byte(9))], &topics[1..]].concat();
        assert_eq!(with("removed", json!(true)), None);
        assert_eq!(with("data", json!(B256::ZERO)), None);
        assert_eq!(with("data", json!("0x07")), None);
        assert_eq!(with("topics", json!([&topics[..], &[json!(B256::ZERO)]].concat())), None, "ERC-721");
        assert_eq!(with("topics", json!(&topics[..2])), None);
        assert_eq!(with("topics", json!(other)), None);
    }

    #[test]
    fn a_transfer_is_written_as_the_signer_reads_it() {
        let data = transfer(RECIPIENT, U256::from(258));
        let text = format!("a9059cbb{}{}{}0102", "0".repeat(24), "11".repeat(20), "0".repeat(60));
        assert_eq!(hex::encode(&data), text);
        assert_eq!(data.len(), 68);
    }
}
