//! From a draft to the request for its signature, and from the signature to what is sent. Asks nobody anything.

use appliance_wire::{Amount, Item, MessageHex};
use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, VerifyingKey};

use super::{BadMessage, FEE, Payment, SOL_DECIMALS};
use crate::chains::{Draft, Format, Signed};

/// The item to be signed: the message itself (PureEdDSA, RFC 8032), under the one owner.
///
/// # Errors
/// [`BadMessage`] where the message is not one of ours, or pays anything else than the draft says.
pub fn item(draft: &Draft) -> Result<Item, BadMessage> {
    let (message, payment) = read(draft)?;
    let transfer = draft.transfer.as_ref().ok_or(BadMessage::Draft("it does not say what it pays"))?;
    let [output] = transfer.outputs.as_slice() else {
        return Err(BadMessage::Draft("it does not say one payment"));
    };
    let amount = Amount::from_units(payment.lamports).to_decimal(SOL_DECIMALS);
    let fee = Amount::from_units(FEE).to_decimal(SOL_DECIMALS);
    let is_destination = output.destination == payment.destination.to_string();
    if !is_destination || output.amount != amount || draft.amount != amount {
        return Err(BadMessage::Draft("its message pays another amount or destination than it says"));
    }
    if transfer.fee.as_ref() != Some(&fee) || draft.fee != fee {
        return Err(BadMessage::Draft("it says another fee than it costs"));
    }
    let [owner] = draft.owners.as_slice() else {
        return Err(BadMessage::Draft("it has not one owner"));
    };
    Ok(Item { key: owner.clone(), digest: None, message: Some(MessageHex(message)) })
}

/// Puts the signature in. The transaction's id is its first signature in base58 (Solana documentation, "Transactions").
///
/// # Errors
/// [`BadMessage`] where the message is not one of ours, or the signature not its payer's.
pub fn finish(draft: &Draft, signature: [u8; 64]) -> Result<Signed, BadMessage> {
    let (message, payment) = read(draft)?;
    let key = VerifyingKey::from_bytes(&payment.payer.0).map_err(|_| BadMessage::Form("its payer is no key"))?;
    let is_good = key.verify_strict(&message, &Signature::from_bytes(&signature));
    is_good.map_err(|_| BadMessage::Draft("the signature is not its payer's"))?;
    let transaction = [&[1], &signature[..], &message].concat();
    Ok(Signed { transaction: STANDARD.encode(transaction), txid: bs58::encode(signature).into_string() })
}

fn read(draft: &Draft) -> Result<(Vec<u8>, Payment), BadMessage> {
    if draft.format != Format::Solana {
        return Err(BadMessage::Draft("it is of another chain"));
    }
    let message = STANDARD.decode(&draft.unsigned).map_err(|_| BadMessage::Form("it is no base64"))?;
    let payment = Payment::read(&message)?;
    Ok((message, payment))
}

#[cfg(test)]
mod tests {
    use appliance_wire::{Output, Transfer};
    use ed25519_dalek::Signer;

    use super::*;
    use crate::{chains::solana::Address, testing::ed25519_key};

    fn draft() -> Draft {
        let payment = Payment {
            payer: Address(ed25519_key(1).verifying_key().to_bytes()),
            nonce_account: Address([3; 32]),
            nonce: [4; 32],
            destination: Address([2; 32]),
            lamports: 1_500_000_000,
            memo: None,
        };
        let output = Output {
            destination: payment.destination.to_string(),
            amount: "1.5".parse().unwrap(),
            reference: Some("wd-1".parse().unwrap()),
        };
        let fee: appliance_wire::Decimal = "0.000005".parse().unwrap();
        Draft {
            format: Format::Solana,
            unsigned: STANDARD.encode(payment.message().unwrap()),
            owners: vec!["sol-hot".parse().unwrap()],
            holds: Vec::new(),
            amount: "1.5".parse().unwrap(),
            fee: fee.clone(),
            transfer: Some(Transfer { asset: "SOL".to_owned(), fee: Some(fee), outputs: vec![output] }),
        }
    }

    #[test]
    fn what_is_sent_is_the_signature_and_the_message_that_was_signed() {
        let draft = draft();
        let item = item(&draft).unwrap();
        let message = item.message.unwrap().0;
        assert_eq!((item.key.to_string().as_str(), item.digest), ("sol-hot", None));
        let signature = ed25519_key(1).sign(&message).to_bytes();
        let signed = finish(&draft, signature).unwrap();
        assert_eq!(STANDARD.decode(signed.transaction).unwrap(), [&[1], &signature[..], &message].concat());
        assert_eq!(bs58::decode(signed.txid).into_vec().unwrap(), signature);
    }

    #[test]
    fn a_signature_of_another_key_or_with_a_flipped_bit_is_refused() {
        let draft = draft();
        let message = STANDARD.decode(&draft.unsigned).unwrap();
        assert!(finish(&draft, ed25519_key(2).sign(&message).to_bytes()).is_err());
        let mut signature = ed25519_key(1).sign(&message).to_bytes();
        signature[40] ^= 1;
        assert!(finish(&draft, signature).is_err());
    }

    #[test]
    fn a_draft_that_says_anything_else_than_its_message_is_not_signed() {
        let changes: [fn(&mut Draft); 9] = [
            |draft| draft.format = Format::Psbt,
            |draft| draft.unsigned.clear(),
            |draft| draft.owners.clear(),
            |draft| draft.amount = "1".parse().unwrap(),
            |draft| draft.fee = "0".parse().unwrap(),
            |draft| draft.transfer = None,
            |draft| draft.transfer.as_mut().unwrap().fee = None,
            |draft| draft.transfer.as_mut().unwrap().outputs[0].amount = "1".parse().unwrap(),
            |draft| draft.transfer.as_mut().unwrap().outputs[0].destination = Address([5; 32]).to_string(),
        ];
        assert!(item(&draft()).is_ok());
        for (place, change) in changes.into_iter().enumerate() {
            let mut changed = draft();
            change(&mut changed);
            assert!(item(&changed).is_err(), "change {place}");
        }
    }
}
