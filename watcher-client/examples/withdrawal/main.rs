//! Two withdrawals, from the key to the receipt, against a running quickstart:
//!
//! ```sh
//! cargo run --example withdrawal -- var/quickstart
//! ```
//!
//! Each pays 0.1 BTC of a made-up deposit, so nothing is broadcast; but the transaction is real, and Bitcoin Core's own
//! script code is the judge of it.

use std::{
    error::Error,
    fs,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use appliance_wire::{Item, Output, ProblemCode, RequestId, RequestStatus, SignatureRequest, Transfer};
use bitcoin::{
    Address, Amount, CompressedPublicKey, KnownHrp, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut,
    WPubkeyHash, Witness, absolute, consensus, hashes::Hash, sighash, transaction,
};
use clap::Parser;
use hsm_types::{Algorithm, Digest};
use watcher_client::{Client, Config, verify_receipt};

mod vault;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const KEY: &str = "btc-hot";
const DEPOSIT: Amount = Amount::from_sat(50_000_000);
const WITHDRAWAL: Amount = Amount::from_sat(10_000_000);
const FEE: Amount = Amount::from_sat(1_410);

/// Has a real withdrawal signed and checks everything about it.
#[derive(Parser)]
struct Arguments {
    /// The quickstart's directory, which holds watcher.toml.
    directory: PathBuf,
    /// The request's name; a random one is taken without.
    #[arg(long)]
    id: Option<RequestId>,
    /// Where the signed transaction goes [default: DIRECTORY/withdrawal.hex].
    #[arg(long, value_name = "FILE")]
    transaction: Option<PathBuf>,
    /// Where the receipt goes [default: DIRECTORY/receipt.json].
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match withdraw(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the withdrawal failed: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn withdraw(arguments: &Arguments) -> Result<()> {
    let config = Config::load(&arguments.directory.join("watcher.toml"))?;
    let client = Client::new(&config)?;
    let tag: u64 = rand::random();
    let id = arguments.id.clone().map_or_else(|| format!("wd-{tag:016x}").parse(), Ok)?;

    let step = Step::begin();
    let public_key = ask_for_key(&client).await?;
    let ours = Address::p2wpkh(&public_key, KnownHrp::Regtest);
    step.done(format!("the signer has {KEY}, which owns {ours}"));

    let step = Step::begin();
    let deposit = make_deposit(&ours, tag);
    step.done(format!("a deposit of {DEPOSIT} to it: transaction {}", deposit.compute_txid()));

    let step = Step::begin();
    let customer = customer_address(tag)?;
    let unsigned = spend(&deposit, &customer, &ours);
    step.done(format!("a withdrawal that spends it: {WITHDRAWAL} to {customer}, fee {FEE}, the rest comes back"));

    let step = Step::begin();
    let digest = digest_to_sign(&unsigned, &deposit)?;
    step.done(format!("its digest by BIP 143 is {digest}"));

    let step = Step::begin();
    let request = signature_request(digest, &customer)?;
    let answer = client.sign(&id, &request).await?;
    ensure(answer.status == RequestStatus::Signed, || format!("{id} is not signed but {:?}", answer.status))?;
    let signature = answer.signatures.iter().flatten().next().ok_or("no signature came")?;
    step.done(format!("{id} is signed; the signature verifies under {}", signature.public_key));

    let step = Step::begin();
    let der = hex::decode(signature.der.as_ref().ok_or("no DER form came")?)?;
    let signed = with_witness(unsigned, der, &public_key);
    let file = arguments.transaction.clone().unwrap_or_else(|| arguments.directory.join("withdrawal.hex"));
    fs::write(&file, consensus::encode::serialize_hex(&signed) + "\n")?;
    step.done(format!("the signed transaction {} is in {}", signed.compute_txid(), file.display()));

    let step = Step::begin();
    judge(&signed, &deposit)?;
    step.done("Bitcoin Core's script code accepts the spend, and refuses it for one satoshi more".to_owned());

    let step = Step::begin();
    let again = client.sign(&id, &request).await?;
    let same = serde_json::to_vec(&again.signatures)? == serde_json::to_vec(&answer.signatures)?;
    ensure(same, || format!("{id} was put again and got other signatures"))?;
    step.done(format!("{id} put again gives the same bytes: a lost reply costs nothing"));

    let step = Step::begin();
    let refusal = ask_for_too_much(&client, &id, &customer).await?;
    step.done(format!("21 million BTC are refused, and nothing was signed: {refusal}"));

    let step = Step::begin();
    let receipt = client.wait_for_receipt(&id, Duration::from_secs(10)).await?;
    let proven = config.log_keys.iter().find_map(|key| verify_receipt(&receipt, key).ok());
    let proven = proven.ok_or("the receipt does not verify under any log key")?;
    let file = arguments.receipt.clone().unwrap_or_else(|| arguments.directory.join("receipt.json"));
    fs::write(&file, serde_json::to_string_pretty(&receipt)? + "\n")?;
    let (index, size) = (proven.entry.index, proven.checkpoint.size());
    step.done(format!("the receipt in {} proves entry {index} in a log of {size}", file.display()));
    vault::withdraw(&client, &arguments.directory, tag).await
}

/// The public key of `btc-hot`, which must be one for digests that come with the watcher's word.
async fn ask_for_key(client: &Client) -> Result<CompressedPublicKey> {
    let keys = client.keys().await?.keys;
    let key = keys.iter().find(|key| key.name == KEY).ok_or("the policy grants no key btc-hot")?;
    ensure(key.algorithm == Algorithm::Secp256k1, || format!("{KEY} is a {} key", key.algorithm))?;
    ensure(key.evidence == "declared", || format!("{KEY} asks for more than a declaration: {}", key.evidence))?;
    Ok(CompressedPublicKey::from_slice(&hex::decode(&key.public_key)?)?)
}

/// A coinbase-like transaction that pays us; `tag` makes it another one in each run.
fn make_deposit(ours: &Address, tag: u64) -> Transaction {
    let input = TxIn {
        previous_output: OutPoint::null(),
        script_sig: ScriptBuf::builder().push_slice(tag.to_be_bytes()).into_script(),
        sequence: Sequence::MAX,
        witness: Witness::new(),
    };
    let output = TxOut { value: DEPOSIT, script_pubkey: ours.script_pubkey() };
    transaction_of(input, vec![output])
}

/// An address nobody has the key of.
fn customer_address(tag: u64) -> Result<Address> {
    let hash = bitcoin::hashes::hash160::Hash::hash(&tag.to_be_bytes());
    let script = ScriptBuf::new_p2wpkh(&WPubkeyHash::from_raw_hash(hash));
    Ok(Address::from_script(&script, Network::Regtest)?)
}

/// Pays the customer out of the deposit, and the rest back to us.
fn spend(deposit: &Transaction, customer: &Address, ours: &Address) -> Transaction {
    let payment = TxOut { value: WITHDRAWAL, script_pubkey: customer.script_pubkey() };
    let change = TxOut { value: DEPOSIT - WITHDRAWAL - FEE, script_pubkey: ours.script_pubkey() };
    spending(deposit, vec![payment, change])
}

/// Spends the deposit for these outputs.
fn spending(deposit: &Transaction, outputs: Vec<TxOut>) -> Transaction {
    let input = TxIn {
        previous_output: OutPoint::new(deposit.compute_txid(), 0),
        script_sig: ScriptBuf::new(),
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: Witness::new(),
    };
    transaction_of(input, outputs)
}

fn transaction_of(input: TxIn, output: Vec<TxOut>) -> Transaction {
    let lock_time = absolute::LockTime::ZERO;
    Transaction { version: transaction::Version::TWO, lock_time, input: vec![input], output }
}

/// What has to be signed for the only input (BIP 143).
fn digest_to_sign(unsigned: &Transaction, deposit: &Transaction) -> Result<Digest> {
    let spent = &deposit.output[0];
    let mut cache = sighash::SighashCache::new(unsigned);
    let hash = cache.p2wpkh_signature_hash(0, &spent.script_pubkey, spent.value, sighash::EcdsaSighashType::All)?;
    Ok(Digest(hash.to_byte_array()))
}

/// The digest, and what it pays: change is left out.
fn signature_request(digest: Digest, customer: &Address) -> Result<SignatureRequest> {
    let item = Item { key: KEY.parse()?, digest: Some(digest), message: None };
    let output = Output { destination: customer.to_string(), amount: decimal(WITHDRAWAL)?, reference: None };
    let transfer = Transfer { asset: "BTC".to_owned(), fee: Some(decimal(FEE)?), outputs: vec![output] };
    Ok(SignatureRequest {
        items: vec![item],
        transfer: Some(transfer),
        evidence: None,
        replaces: None,
        expires_at: None,
    })
}

fn decimal(amount: Amount) -> Result<appliance_wire::Decimal> {
    Ok(appliance_wire::Amount::from_units(amount.to_sat()).to_decimal(8))
}

/// The witness of a P2WPKH input: signature with its sighash type, then public key.
fn with_witness(mut transaction: Transaction, mut der: Vec<u8>, public_key: &CompressedPublicKey) -> Transaction {
    der.push(sighash::EcdsaSighashType::All as u8);
    transaction.input[0].witness = Witness::from_slice(&[der, public_key.to_bytes().to_vec()]);
    transaction
}

/// Bitcoin Core's verdict on the spend, and on the same spend of an amount that is not the deposit's.
fn judge(signed: &Transaction, deposit: &Transaction) -> Result<()> {
    let (script, amount) = (deposit.output[0].script_pubkey.as_bytes(), DEPOSIT.to_sat());
    let transaction = consensus::serialize(signed);
    let verify = |amount| bitcoinconsensus::verify(script, amount, &transaction, None, 0);
    verify(amount).map_err(|error| format!("Bitcoin Core refuses the spend: {error:?}"))?;
    ensure(verify(amount + 1).is_err(), || "the signature does not commit to the amount".to_owned())
}

/// Asks for more than any limit allows, and returns the refusal.
async fn ask_for_too_much(client: &Client, id: &RequestId, customer: &Address) -> Result<String> {
    let id: RequestId = format!("{id}-too-much").parse()?;
    let mut request = signature_request(Digest([7; 32]), customer)?;
    for output in request.transfer.iter_mut().flat_map(|transfer| &mut transfer.outputs) {
        output.amount = "21000000".parse()?;
    }
    let Err(refusal) = client.sign(&id, &request).await else { return Err("21 million BTC were signed away".into()) };
    let code = refusal.problem().and_then(appliance_wire::Problem::code);
    ensure(matches!(code, Some(ProblemCode::LimitExceeded | ProblemCode::Denied)), || {
        format!("21 million BTC were refused for another reason: {refusal}")
    })?;
    let left = client.status(&id).await.err();
    let left = left.as_ref().and_then(|error| error.problem()).and_then(appliance_wire::Problem::code);
    ensure(left == Some(ProblemCode::UnknownRequest), || format!("the refused {id} left something behind"))?;
    Ok(refusal.to_string())
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(what().into()) }
}

/// One line: what happened, and how long it took.
struct Step(Instant);

impl Step {
    fn begin() -> Self {
        Self(Instant::now())
    }

    fn done(self, what: String) {
        println!("{:>5} ms  {what}", self.0.elapsed().as_millis());
    }
}
