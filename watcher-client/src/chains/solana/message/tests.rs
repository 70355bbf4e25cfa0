//! Messages against those of `solders` 0.29.0 (PyPI), which is Solana's own Rust code. The vectors were made by
//!
//! ```python
//! def message(payer, account, nonce, to, lamports, memo=None):
//!     payer, account, to = (Pubkey(bytes([b] * 32)) for b in (payer, account, to))
//!     steps = [advance_nonce_account(AdvanceNonceAccountParams(nonce_pubkey=account, authorized_pubkey=payer)),
//!              transfer(TransferParams(from_pubkey=payer, to_pubkey=to, lamports=lamports))]
//!     if memo: steps.append(Instruction(MEMO, memo.encode(), []))
//!     return bytes(Message.new_with_blockhash(steps, payer, Hash(bytes([nonce] * 32)))).hex()
//! ```

use super::*;

/// `message(1, 3, 4, 2, 1_500_000_000)`
const PLAIN: &str = concat!(
    "010002050101010101010101010101010101010101010101010101010101010101010101020202020202020202020202",
    "020202020202020202020202020202020202020203030303030303030303030303030303030303030303030303030303",
    "03030303000000000000000000000000000000000000000000000000000000000000000006a7d517192c568ee08a845f",
    "73d29788cf035c3145b21ab344d8062ea940000004040404040404040404040404040404040404040404040404040404",
    "040404040203030204000404000000030200010c02000000002f685900000000",
);

/// `message(1, 3, 4, 2, 1_500_000_000, "order 17")`
const WITH_MEMO: &str = concat!(
    "010003060101010101010101010101010101010101010101010101010101010101010101020202020202020202020202",
    "020202020202020202020202020202020202020203030303030303030303030303030303030303030303030303030303",
    "030303030000000000000000000000000000000000000000000000000000000000000000054a535a992921064d24e871",
    "60da387c7c35b5ddbc92bb81e41fa8404105448d06a7d517192c568ee08a845f73d29788cf035c3145b21ab344d8062e",
    "a94000000404040404040404040404040404040404040404040404040404040404040404030303020500040400000003",
    "0200010c02000000002f6859000000000400086f72646572203137",
);

/// `message(1, 3, 4, 9, 2**64 - 1, "\u{fc}" * 100)`: a length of two bytes, and the destination after the nonce account.
const LONG_MEMO: &str = concat!(
    "010003060101010101010101010101010101010101010101010101010101010101010101030303030303030303030303",
    "030303030303030303030303030303030303030309090909090909090909090909090909090909090909090909090909",
    "090909090000000000000000000000000000000000000000000000000000000000000000054a535a992921064d24e871",
    "60da387c7c35b5ddbc92bb81e41fa8404105448d06a7d517192c568ee08a845f73d29788cf035c3145b21ab344d8062e",
    "a94000000404040404040404040404040404040404040404040404040404040404040404030303010500040400000003",
    "0200020c02000000ffffffffffffffff0400c801c3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bc",
    "c3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bc",
    "c3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bc",
    "c3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bc",
    "c3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bcc3bc",
);

/// `message(1, 3, 4, 1, 1)`: to oneself.
const TO_ONESELF: &str = concat!(
    "010002040101010101010101010101010101010101010101010101010101010101010101030303030303030303030303",
    "030303030303030303030303030303030303030300000000000000000000000000000000000000000000000000000000",
    "0000000006a7d517192c568ee08a845f73d29788cf035c3145b21ab344d8062ea9400000040404040404040404040404",
    "04040404040404040404040404040404040404040202030103000404000000020200000c020000000100000000000000",
);

fn payment(destination: u8, lamports: u64, memo: Option<&str>) -> Payment {
    Payment {
        payer: Address([1; 32]),
        nonce_account: Address([3; 32]),
        nonce: [4; 32],
        destination: Address([destination; 32]),
        lamports,
        memo: memo.map(str::to_owned),
    }
}

fn vectors() -> [(Payment, Vec<u8>); 4] {
    let long = "\u{fc}".repeat(100);
    [
        (payment(2, 1_500_000_000, None), PLAIN),
        (payment(2, 1_500_000_000, Some("order 17")), WITH_MEMO),
        (payment(9, u64::MAX, Some(&long)), LONG_MEMO),
        (payment(1, 1, None), TO_ONESELF),
    ]
    .map(|(payment, hex)| (payment, hex::decode(hex).unwrap()))
}

#[test]
fn a_payment_is_the_message_solanas_own_code_makes_of_it() {
    for (payment, message) in vectors() {
        assert_eq!(hex::encode(payment.message().unwrap()), hex::encode(message));
    }
}

#[test]
fn a_message_is_read_back_as_what_it_pays() {
    for (payment, message) in vectors() {
        assert_eq!(Payment::read(&message).unwrap(), payment);
    }
}

#[test]
fn no_changed_byte_and_no_other_length_is_read_as_the_same_payment() {
    for (payment, message) in vectors() {
        for place in 0..message.len() {
            assert!(Payment::read(&message[..place]).is_err(), "cut at {place}");
            for flip in [1, 0x80] {
                let mut changed = message.clone();
                changed[place] ^= flip;
                assert_ne!(Payment::read(&changed).ok(), Some(payment.clone()), "{place}");
            }
        }
        assert!(Payment::read(&[&message[..], &[0]].concat()).is_err());
    }
}

#[test]
fn a_third_instruction_that_is_no_memo_is_refused() {
    let mut message = hex::decode(WITH_MEMO).unwrap();
    let memo = message.windows(32).position(|bytes| bytes == MEMO_PROGRAM.0).unwrap();
    message[memo] ^= 1;
    assert!(matches!(Payment::read(&message), Err(BadMessage::Form(_))));
}

#[test]
fn memos_have_bounds_and_the_longest_fits_a_packet() {
    let with = |length: usize| payment(2, 1, Some(&"a".repeat(length))).message();
    assert!(with(LONGEST_MEMO).unwrap().len() <= LONGEST_MESSAGE);
    for length in [0, LONGEST_MEMO + 1] {
        assert!(matches!(with(length), Err(BadMessage::Memo { length: told }) if told == length));
    }
}

#[test]
fn nobody_is_paid_who_could_not_spend_it() {
    for destination in [SYSTEM_PROGRAM, MEMO_PROGRAM, OLD_MEMO_PROGRAM, RECENT_BLOCKHASHES, Address([3; 32])] {
        let payment = Payment { destination, ..payment(2, 1, None) };
        assert!(matches!(payment.message(), Err(BadMessage::Destination { .. })), "{destination}");
    }
    assert_eq!(SYSTEM_PROGRAM.to_string(), "1".repeat(32));
}

#[test]
fn an_account_has_one_part_only() {
    let same = Address([3; 32]);
    for bad in
        [Payment { payer: same, ..payment(2, 1, None) }, Payment { nonce_account: MEMO_PROGRAM, ..payment(2, 1, None) }]
    {
        assert!(matches!(bad.message(), Err(BadMessage::Form(_))), "{bad:?}");
    }
}
