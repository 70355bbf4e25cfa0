//! A node, the chain as the watcher sees it, and keys of the test's own in the signer's place.

use alloy_primitives::Address;
use appliance_wire::{Amount, Decimal, ItemSignature};
use base64::{Engine, engine::general_purpose::STANDARD};
use hsm_types::{Algorithm, KeyPath, PublicKey};
use k256::ecdsa::SigningKey;
use watcher_client::{
    ChainAsset, ChainConfig, Network, Owner, Strategy, Unsigned,
    chains::{
        Asset, Block, Chain, Draft, Evm, Held, Order, Own, OwnAddress, Quantity, Scan, Sighting, Signed, Source,
        Whereabouts,
    },
};

use crate::harness::{
    anvil::{Anvil, CHAIN_ID},
    block_on,
};

pub(super) const TOKEN: &str = "0x00000000000000000000000000000000000700c5";
pub(super) const CUSTOMER: &str = "0x00000000000000000000000000000000c0ffee01";
const TEN_ETHER: &str = "0x8ac7230489e80000";
pub(super) const ETHER: u128 = 1_000_000_000_000_000_000;

/// The key, two of its children, and somebody else, who is written as a child, too.
pub(super) const KEY: u8 = 1;
pub(super) const CHILD: u8 = 2;
pub(super) const OTHER_CHILD: u8 = 3;
pub(super) const STRANGER: u8 = 4;

/// Everybody has 10 ETH, but for the children, who have nothing.
pub(super) struct Bench {
    pub(super) node: Anvil,
    pub(super) evm: Evm,
    pub(super) own: Own,
}

impl Bench {
    pub(super) fn start() -> Self {
        Self::with(|_| {})
    }

    /// With another config.
    pub(super) fn with(change: impl FnOnce(&mut ChainConfig)) -> Self {
        let node = Anvil::start();
        for who in [KEY, STRANGER] {
            node.set_balance(&address(who), TEN_ETHER);
        }
        node.deploy_token(TOKEN, &address(STRANGER), 1_000_000);
        let evm = chain(&node, change);
        let own = Own::new(own_address(KEY), [own_address(CHILD), own_address(OTHER_CHILD)]);
        Self { node, evm, own }
    }

    /// The block at the end of the best chain.
    pub(super) fn tip(&self) -> Block {
        block_on(self.evm.tip()).unwrap().block
    }

    pub(super) fn mine(&self) -> Block {
        self.node.mine();
        self.tip()
    }

    /// What was paid to us after a block.
    pub(super) fn found(&self, after: &Block) -> Vec<Sighting> {
        match block_on(self.evm.scan(&self.own, after, &self.tip())).unwrap() {
            Scan::Found(found) => found,
            Scan::Moved => panic!("moved"),
        }
    }

    pub(super) fn draft(&self, order: &Order) -> Draft {
        block_on(self.evm.draft(order, &self.own, &Held::new())).unwrap()
    }

    pub(super) fn look_up(&self, signed: &Signed) -> Whereabouts {
        block_on(self.evm.look_up(&signed.txid)).unwrap()
    }

    pub(super) fn send(&self, signed: &Signed) {
        block_on(self.evm.send(signed)).unwrap();
    }

    /// Drafts, signs and sends.
    pub(super) fn pay(&self, order: &Order) -> Signed {
        let signed = sign(&self.draft(order));
        self.send(&signed);
        signed
    }

    /// Whether it is mined, and did what it should.
    pub(super) fn is_mined(&self, signed: &Signed) -> Option<bool> {
        match self.look_up(signed) {
            Whereabouts::Mined { succeeded, .. } => Some(succeeded),
            Whereabouts::Waiting | Whereabouts::Unknown => None,
        }
    }
}

/// The chain of a node, with a config that is changed.
pub(super) fn chain(node: &Anvil, change: impl FnOnce(&mut ChainConfig)) -> Evm {
    let asset = |asset, above: &str| ChainAsset { asset, sweep_above: Some(amount(above)) };
    let mut config = ChainConfig {
        name: "test-eth".to_owned(),
        network: Network::Evm(CHAIN_ID),
        node: node.url().parse().unwrap(),
        ca: None,
        credentials: None,
        strategy: Strategy::Blocks,
        key: "account".parse().unwrap(),
        assets: vec![asset(eth(), "500000000000000000"), asset(test(), "100")],
        confirmations: 2,
        max_fee: amount("100000000000000000"),
        max_fee_rate: Some(100),
        addresses_ahead: 2,
        poll: std::time::Duration::from_millis(50),
        genesis: None,
        offline: false,
        nonce_account: None,
    };
    change(&mut config);
    Evm::new(&config).unwrap()
}

pub(super) fn amount(units: &str) -> Amount {
    decimal(units).to_amount(0).unwrap()
}

pub(super) fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub(super) fn eth() -> Asset {
    Asset { name: "ETH".to_owned(), decimals: 18, contract: None }
}

/// A token of two decimals.
pub(super) fn test() -> Asset {
    Asset { name: "TEST".to_owned(), decimals: 2, contract: Some(TOKEN.to_owned()) }
}

/// The key pays a customer.
pub(super) fn order(asset: Asset, text: &str) -> Order {
    let quantity = Quantity::Exactly(decimal(text));
    Order { source: Source::Key, destination: CUSTOMER.to_owned(), asset, quantity, memo: None }
}

fn key(who: u8) -> SigningKey {
    SigningKey::from_slice(&[who; 32]).unwrap()
}

pub(super) fn address(who: u8) -> String {
    format!("{:#x}", Address::from_public_key(key(who).verifying_key()))
}

pub(super) fn path(who: u8) -> KeyPath {
    if who == KEY { "account".parse().unwrap() } else { format!("account/{who}").parse().unwrap() }
}

fn own_address(who: u8) -> OwnAddress {
    let sec1 = key(who).verifying_key().to_encoded_point(true);
    let public_key = PublicKey::decode(Algorithm::Secp256k1, sec1.as_bytes()).unwrap();
    OwnAddress { address: address(who), path: path(who), public_key }
}

/// By whom the draft names.
pub(super) fn sign(draft: &Draft) -> Signed {
    let [owner] = draft.owners.as_slice() else { panic!("one account signs: {draft:?}") };
    let who = owner.child.map_or(KEY, |child| u8::try_from(child).unwrap());
    let unsigned = Unsigned::eip2718(&STANDARD.decode(&draft.unsigned).unwrap()).unwrap();
    let digest = unsigned.digests()[0];
    let (signature, recovery_id) = key(who).sign_prehash_recoverable(&digest.0).unwrap();
    let public_key = own_address(who).public_key;
    let item = ItemSignature {
        key: owner.clone(),
        digest: Some(digest),
        message_sha256: None,
        signature: hex::encode(signature.to_bytes()),
        recovery_id: Some(recovery_id.to_byte()),
        der: None,
        public_key: public_key.to_string(),
    };
    let signed = unsigned.finish(&[Owner { path: owner.clone(), public_key }], &[item]).unwrap();
    let watcher_client::SignedTransaction::Evm { hash, .. } = &signed else { panic!("{signed:?}") };
    Signed { transaction: signed.text(), txid: format!("0x{}", hex::encode(hash)) }
}

/// A stranger pays somebody; what the watcher drafts for its own serves here, too.
pub(super) fn deposit(bench: &Bench, to: &str, asset: Asset, text: &str, held: &Held) -> Signed {
    let strangers = Own::new(own_address(STRANGER), []);
    let order = Order { destination: to.to_owned(), ..order(asset, text) };
    let signed = sign(&block_on(bench.evm.draft(&order, &strangers, held)).unwrap());
    bench.send(&signed);
    signed
}
