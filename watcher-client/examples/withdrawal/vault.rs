//! The same from `btc-vault`, which signs only what the appliance has read: a deposit to a child's address, a PSBT, a fee
//! bump, and a digest that is not the PSBT's.

use std::path::Path;

use appliance_wire::{AddressesRequest, ItemSignature, ProblemCode, RequestStatus, SignatureRequest};
use bitcoin::{Address, Network, Psbt, Transaction, TxOut, consensus};
use hsm_types::{Digest, KeyLabel};
use watcher_client::{Client, Owner, SignedTransaction, Unsigned};

use super::{DEPOSIT, FEE, Result, Step, WITHDRAWAL, customer_address, ensure, judge, make_deposit, spending};

const KEY: &str = "btc-vault";

/// Has a verified withdrawal signed, and checks everything about it.
pub(super) async fn withdraw(client: &Client, directory: &Path, tag: u64) -> Result<()> {
    if !client.keys().await?.keys.iter().any(|key| key.name == KEY) {
        println!(
            "          no key {KEY}: this quickstart is of an earlier version; `make clean-quickstart` begins anew"
        );
        return Ok(());
    }
    let step = Step::begin();
    let [deposited, change] = two_addresses(client).await?;
    let deposit = make_deposit(&deposited, tag);
    step.done(format!("{KEY} has two new children, {deposited} and {change}; a deposit of {DEPOSIT} to the first"));

    let step = Step::begin();
    let customer = customer_address(tag)?;
    let unsigned = psbt(&deposit, &customer, &change, 1)?;
    let owners = client.owners(&unsigned, &[]).await?;
    let request = unsigned.request(&owners)?;
    step.done(format!("a PSBT that pays {WITHDRAWAL} to {customer}; its input is {}'s", owners[0].path));

    let step = Step::begin();
    let mut lie = request.clone();
    lie.items[0].digest = Some(Digest([7; 32]));
    let refusal = client.sign(&format!("vault-{tag:016x}-lie").parse()?, &lie).await.err();
    let code = refusal.as_ref().and_then(|error| error.problem()).and_then(appliance_wire::Problem::code);
    ensure(code == Some(ProblemCode::DigestMismatch), || "a digest of another transaction was not refused".to_owned())?;
    step.done("the digest of another transaction is refused: the appliance computes it itself".to_owned());

    let step = Step::begin();
    let id = format!("vault-{tag:016x}");
    let signed = sign(client, &id, &unsigned, &owners, request).await?;
    judge(&signed, &deposit)?;
    let file = directory.join("vault.hex");
    std::fs::write(&file, consensus::encode::serialize_hex(&signed) + "\n")?;
    step.done(format!("{id} is signed and Bitcoin Core's script code accepts it; it is in {}", file.display()));

    let step = Step::begin();
    let bump = psbt(&deposit, &customer, &change, 2)?;
    let mut request = bump.request(&owners)?;
    request.replaces = Some(id.parse()?);
    let bumped = sign(client, &format!("{id}-bump"), &bump, &owners, request).await?;
    judge(&bumped, &deposit)?;
    step.done(
        "a variant with twice the fee is signed, too: both spend the deposit, so only one can confirm".to_owned(),
    );
    Ok(())
}

/// Two children nobody was given before.
async fn two_addresses(client: &Client) -> Result<[Address; 2]> {
    let key: KeyLabel = KEY.parse()?;
    let answer = client.addresses(&key, &AddressesRequest { count: 2, after: None }).await?;
    let address = |place: usize| -> Result<Address> {
        let text = answer.addresses.get(place).and_then(|child| child.address.clone());
        Ok(text.ok_or("a child has no address")?.parse::<Address<_>>()?.require_network(Network::Regtest)?)
    };
    Ok([address(0)?, address(1)?])
}

/// Pays the customer out of the deposit, at `times` the usual fee, with the whole previous transaction beside it.
fn psbt(deposit: &Transaction, customer: &Address, change: &Address, times: u64) -> Result<Unsigned> {
    let outputs = [(customer, WITHDRAWAL), (change, DEPOSIT - WITHDRAWAL - FEE * times)];
    let outputs = outputs.map(|(address, value)| TxOut { value, script_pubkey: address.script_pubkey() });
    let mut psbt = Psbt::from_unsigned_tx(spending(deposit, outputs.to_vec()))?;
    psbt.inputs[0].non_witness_utxo = Some(deposit.clone());
    Ok(Unsigned::psbt(&psbt.serialize())?)
}

async fn sign(
    client: &Client,
    id: &str,
    unsigned: &Unsigned,
    owners: &[Owner],
    request: SignatureRequest,
) -> Result<Transaction> {
    let answer = client.sign(&id.parse()?, &request).await?;
    ensure(answer.status == RequestStatus::Signed, || format!("{id} is not signed but {:?}", answer.status))?;
    let signatures: Vec<ItemSignature> = answer.signatures.unwrap_or_default();
    let signed = unsigned.finish(owners, &signatures)?;
    let SignedTransaction::Utxo(bytes) = signed else { return Err(format!("{id} is not ready: {signed:?}").into()) };
    Ok(consensus::deserialize(&bytes)?)
}
