//! A node, the watcher's chain on it, and keys in software in place of a signer.

use std::path::Path;

use appliance_wire::{
    AddressType, Amount, Chain as ChainName, Evidence,
    transaction::{Finished, UnsignedTransaction, UtxoTransaction, finish_psbt},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bitcoin::{Transaction, consensus};
use hsm_types::PublicKey;
use k256::ecdsa::{SigningKey, signature::hazmat::PrehashSigner};
use tempfile::NamedTempFile;
use tokio::runtime::Runtime;
use watcher_client::{
    ChainAsset, ChainConfig, Network, Strategy,
    chains::{
        Asset, Block, Chain, Draft, DraftError, Held, NodeError, Order, Own, OwnAddress, Quantity, Scan, Sighting,
        Signed, Source, Variation, utxo::Utxo,
    },
};

use crate::harness::litecoind::Litecoind;

pub(super) const CONFIRMATIONS: u64 = 3;
pub(super) const COIN: u64 = 100_000_000;

pub(super) struct Bench {
    pub(super) node: Litecoind,
    pub(super) chain: Utxo,
    pub(super) own: Own,
    runtime: Runtime,
    pub(super) credentials: NamedTempFile,
}

pub(super) fn by_wallet() -> Strategy {
    Strategy::Wallet("watched".to_owned())
}

impl Bench {
    /// The key and three children, whose addresses the node has been told.
    pub(super) fn start(strategy: Strategy) -> Self {
        Self::with(strategy, AddressType::P2wpkh, |_| ())
    }

    pub(super) fn with(strategy: Strategy, form: AddressType, change: impl FnOnce(&mut ChainConfig)) -> Self {
        let node = Litecoind::start();
        let credentials = credentials(&node);
        let mut config = config(&node, credentials.path(), strategy);
        change(&mut config);
        let chain = Utxo::new(&config).unwrap();
        let own = Own::new(own_address("vault", 1, form), (0..3).map(|child| child_address(child, form)));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let bench = Self { node, chain, own, runtime, credentials };
        bench.run(bench.chain.check()).unwrap();
        let all: Vec<_> = bench.own.all().cloned().collect();
        bench.run(bench.chain.watch(&all, true)).unwrap();
        bench
    }

    pub(super) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// The address of a child.
    pub(super) fn child(&self, child: u8) -> String {
        let path = format!("vault/{child}");
        self.own.children().find(|own| own.path.to_string() == path).unwrap().address.clone()
    }

    pub(super) fn tip(&self) -> Block {
        self.run(self.chain.tip()).unwrap().block
    }

    pub(super) fn scan(&self, after: &Block, to: &Block) -> Scan {
        self.run(self.chain.scan(&self.own, after, to)).unwrap()
    }

    /// What a scan up to the tip finds, in one order; nothing may disturb it.
    pub(super) fn found(&self, after: &Block) -> Vec<Sighting> {
        self.found_up_to(after, &self.tip())
    }

    pub(super) fn found_up_to(&self, after: &Block, to: &Block) -> Vec<Sighting> {
        let Scan::Found(found) = self.scan(after, to) else { panic!("nothing moved") };
        sorted(found)
    }

    pub(super) fn pending(&self) -> Vec<Sighting> {
        sorted(self.run(self.chain.pending(&self.own)).unwrap())
    }

    /// One coin of so many base units on each of these addresses, as deep as a deposit must be.
    pub(super) fn fund(&self, coins: &[(&str, u64)]) {
        for (address, sats) in coins {
            self.node.send_to(address, Amount::from_units(*sats).to_decimal(8).as_str());
        }
        self.node.generate(u32::try_from(CONFIRMATIONS).unwrap());
    }

    pub(super) fn draft(&self, order: &Order, held: &Held) -> Result<Draft, DraftError> {
        self.run(self.chain.draft(order, &self.own, held))
    }

    pub(super) fn redraft(
        &self,
        order: &Order,
        before: &[Draft],
        variation: Variation,
        held: &Held,
    ) -> Result<Draft, DraftError> {
        self.run(self.chain.redraft(order, before, variation, &self.own, held))
    }

    pub(super) fn send(&self, signed: &Signed) -> Result<(), NodeError> {
        self.run(self.chain.send(signed))
    }

    /// A payment of so many base units to the node's own wallet.
    pub(super) fn order(&self, sats: u64) -> Order {
        Order {
            source: Source::Key,
            destination: self.node.new_address(),
            asset: native(),
            quantity: Quantity::Exactly(Amount::from_units(sats).to_decimal(8)),
            memo: None,
        }
    }
}

pub(super) fn native() -> Asset {
    Asset { name: "LTC".to_owned(), decimals: 8, contract: None }
}

/// A file with the node's user and password.
pub(super) fn credentials(node: &Litecoind) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &node.credentials).unwrap();
    file
}

pub(super) fn config(node: &Litecoind, credentials: &Path, strategy: Strategy) -> ChainConfig {
    ChainConfig {
        name: "ltc".to_owned(),
        network: Network::Utxo(ChainName::LitecoinRegtest),
        node: format!("http://{}", node.rpc.address()).parse().unwrap(),
        ca: None,
        credentials: Some(credentials.to_owned()),
        strategy,
        key: "vault".parse().unwrap(),
        assets: vec![ChainAsset { asset: native(), sweep_above: Some(Amount::from_units(COIN)) }],
        confirmations: CONFIRMATIONS,
        max_fee: Amount::from_units(COIN / 100),
        max_fee_rate: Some(100),
        addresses_ahead: 0,
        poll: std::time::Duration::from_millis(50),
        genesis: None,
        offline: false,
        nonce_account: None,
    }
}

fn secret(seed: u8) -> SigningKey {
    SigningKey::from_slice(&[seed; 32]).unwrap()
}

fn own_address(path: &str, seed: u8, form: AddressType) -> OwnAddress {
    let public_key = PublicKey::Secp256k1(secret(seed).verifying_key().into());
    let address = ChainName::LitecoinRegtest.address_of(&public_key, Some(form)).unwrap();
    OwnAddress { address, path: path.parse().unwrap(), public_key }
}

fn child_address(child: u8, form: AddressType) -> OwnAddress {
    own_address(&format!("vault/{child}"), child + 2, form)
}

/// Reads a draft as the signer does.
pub(super) fn read(draft: &Draft) -> UtxoTransaction {
    let evidence = Evidence { format: "psbt".to_owned(), data: draft.unsigned.clone() };
    let UnsignedTransaction::Utxo(transaction) = UnsignedTransaction::read(&evidence).unwrap() else { panic!() };
    transaction
}

/// Signs a draft as the signer does, by the owners it names.
pub(super) fn sign(draft: &Draft) -> Signed {
    let transaction = read(draft);
    assert_eq!(transaction.inputs.len(), draft.owners.len());
    let signatures = transaction.inputs.iter().zip(&draft.owners).map(|(input, owner)| {
        let key = secret(owner.child.map_or(1, |child| u8::try_from(child).unwrap() + 2));
        let raw: k256::ecdsa::Signature = key.sign_prehash(&input.digest.0).unwrap();
        let raw = raw.normalize_s().unwrap_or(raw);
        (PublicKey::Secp256k1(key.verifying_key().into()), raw.to_bytes().into())
    });
    let signatures: Vec<(PublicKey, [u8; 64])> = signatures.collect();
    let psbt = STANDARD.decode(&draft.unsigned).unwrap();
    let Finished::Transaction(bytes) = finish_psbt(&psbt, &signatures).unwrap() else { panic!("not all signed") };
    let txid = consensus::deserialize::<Transaction>(&bytes).unwrap().compute_txid();
    Signed { transaction: hex::encode(bytes), txid: txid.to_string() }
}

fn sorted(mut sightings: Vec<Sighting>) -> Vec<Sighting> {
    sightings.sort_by(|one, other| one.id.cmp(&other.id));
    sightings
}
