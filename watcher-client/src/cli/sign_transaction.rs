//! `sign --psbt` and `sign --eip2718`: an unsigned transaction in, the signed one out.

use std::{fs, path::Path};

use appliance_wire::{
    Output, RequestId, RequestStatus, SignatureAnswer, SignatureRequest, Transfer,
    transaction::{Call, UnsignedTransaction},
};
use serde_json::json;

use super::{
    Shown,
    arguments::Sign,
    explain,
    failure::Failure,
    sign::{ask, read_bytes, read_text, receipt, show},
};
use crate::{Client, Owner, SignedTransaction, Unsigned, address_form::is_paid};

/// Decimals of coins of Bitcoin's kind, and of ether.
const COIN_DECIMALS: u8 = 8;
const ETHER_DECIMALS: u8 = 18;

/// Whether the arguments name a transaction.
pub(super) fn is_asked(sign: &Sign) -> bool {
    sign.what.psbt.is_some() || sign.what.eip2718.is_some()
}

pub(super) async fn run(sign: &Sign, client: &Client) -> Result<Shown, Failure> {
    let unsigned = read(sign)?;
    let owners = client.owners(&unsigned, &sign.key).await?;
    let mut request = unsigned.request(&owners)?;
    request.transfer = transfer(sign, &unsigned)?;
    request.replaces = sign.replaces.clone();
    request.expires_at = sign.expires_at.clone();
    let id = id(sign, &request)?;
    if sign.dry_run {
        return explain::run(client, &id, &request).await;
    }
    let answer = ask(sign, client, &id, &request).await?;
    let mut shown = show(&answer)?;
    // Standard output is the transaction's.
    shown.told = std::mem::take(&mut shown.text);
    if answer.status != RequestStatus::Signed {
        // Never an empty output that looks like success.
        let unfinished = || Failure::Failed(format!("{id} is not signed yet; the same command again asks for it"));
        shown.failure = shown.failure.or_else(|| Some(unfinished()));
        return Ok(shown);
    }
    let signed = unsigned.finish(&owners, answer.signatures.as_deref().unwrap_or_default())?;
    show_transaction(sign, &answer, &owners, &signed, &mut shown)?;
    if let Some(told) = receipt(sign, client, &id, &answer, &mut shown).await {
        shown.told += &told;
    }
    Ok(shown)
}

fn read(sign: &Sign) -> Result<Unsigned, Failure> {
    if let Some(file) = &sign.what.psbt {
        return Ok(Unsigned::psbt(&read_bytes(file)?)?);
    }
    let given = sign.what.eip2718.as_deref().unwrap_or_default();
    let text = match given.strip_prefix('@') {
        Some(file) => read_text(Path::new(file))?,
        None if given == "-" => read_text(Path::new(given))?,
        None => given.to_owned(),
    };
    let digits = text.trim();
    let bytes = hex::decode(digits.strip_prefix("0x").unwrap_or(digits))
        .map_err(|error| Failure::Failed(format!("the unsigned transaction is not hexadecimal: {error}")))?;
    Ok(Unsigned::eip2718(&bytes)?)
}

/// The one given, or one made of the content: the same transaction is the same request.
fn id(sign: &Sign, request: &SignatureRequest) -> Result<RequestId, Failure> {
    if let Some(id) = sign.id.as_ref().or(sign.named.as_ref()) {
        return Ok(id.clone());
    }
    let content = request.content().map_err(|error| Failure::Failed(error.to_string()))?;
    let id = format!("tx-{}", content.get(..32).unwrap_or(&content));
    id.parse().map_err(|error| Failure::Failed(format!("{id} is {error}")))
}

/// What the caller says it pays, so that the signer can tell where the two differ; references name what it pays for.
fn transfer(sign: &Sign, unsigned: &Unsigned) -> Result<Option<Transfer>, Failure> {
    let Some(asset) = sign.asset.clone() else { return Ok(None) };
    let mut outputs = sign.output.clone();
    for (destination, reference) in &sign.reference {
        outputs.push(paid(unsigned, destination, reference)?);
    }
    Ok(Some(Transfer { asset, fee: sign.fee.clone(), outputs }))
}

/// What the transaction pays to a destination.
fn paid(unsigned: &Unsigned, destination: &str, reference: &RequestId) -> Result<Output, Failure> {
    let output = |amount| Output { destination: destination.to_owned(), amount, reference: Some(reference.clone()) };
    let paid = match unsigned.transaction() {
        UnsignedTransaction::Utxo(transaction) => {
            let mut paid = transaction.outputs.iter().filter(|output| is_paid(&output.script, destination));
            match (paid.next(), paid.next()) {
                (Some(paid), None) => Some(appliance_wire::Amount::from_units(paid.amount).to_decimal(COIN_DECIMALS)),
                _ => None,
            }
        }
        UnsignedTransaction::Evm(transaction) => {
            let to = format!("0x{}", hex::encode(transaction.to));
            let is_paid = transaction.call == Call::None && to.eq_ignore_ascii_case(destination);
            is_paid.then(|| transaction.value.to_decimal(ETHER_DECIMALS))
        }
    };
    paid.map(output).ok_or_else(|| {
        Failure::Failed(format!(
            "the transaction does not pay {destination} in one output of coins; write what it pays as \
             --output DEST=AMOUNT=REFERENCE"
        ))
    })
}

fn show_transaction(
    sign: &Sign,
    answer: &SignatureAnswer,
    owners: &[Owner],
    signed: &SignedTransaction,
    shown: &mut Shown,
) -> Result<(), Failure> {
    let text = signed.text();
    let is_final = signed.is_final();
    let keys: Vec<String> = owners.iter().map(|owner| owner.path.to_string()).collect();
    shown.told += &format!("signed by {}\n", keys.join(", "));
    shown.json["final"] = json!(is_final);
    shown.json[if is_final { "transaction" } else { "psbt" }] = json!(text);
    if let SignedTransaction::Evm { hash, .. } = signed {
        let hash = format!("0x{}", hex::encode(hash));
        shown.told += &format!("transaction {hash}\n");
        shown.json["transaction_id"] = json!(hash);
    }
    if !is_final {
        shown.told += "others have to sign too: this is the PSBT with our signatures in it\n";
    }
    let Some(file) = &sign.out else {
        shown.text = text;
        return Ok(());
    };
    fs::write(file, text + "\n").map_err(|error| {
        let id = &answer.request_id;
        Failure::Failed(format!("writing {}: {error}; {id} is signed: the same command again gives it", file.display()))
    })?;
    shown.told += &format!("written to {}\n", file.display());
    Ok(())
}
