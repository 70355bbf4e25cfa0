//! A node, an appliance with one Ed25519 key, and the watcher's view of both.

use appliance_wire::SignatureRequest;
use hsm_types::{Algorithm, PublicKey};
use watcher_client::{
    ChainConfig, Client, Config, Error,
    chains::{Asset, Chain, Draft, DraftError, Held, Order, Own, OwnAddress, Quantity, Signed, Source, solana},
};

use crate::harness::{Installation, Running, block_on, litesvm::LiteSvm, relay::Relay};

/// Lamports.
pub(super) const SOL: u64 = 1_000_000_000;
/// The least an account without data must hold, in the runtime.
pub(super) const LEAST: u64 = 890_880;

const POLICY: &str = r#"
version = 1

[[watcher]]
name = "sol-watcher"
public_keys_sha256 = ["WATCHER"]

[[asset]]
name = "SOL"
chain = "solana"
decimals = 9

[[key]]
name = "sol-hot"
algorithm = "ed25519"
evidence = "declared"
assets = ["SOL"]

[[rule]]
name = "withdrawals"
watchers = ["sol-watcher"]
keys = ["sol-hot"]
asset = "SOL"
max_amount = "10"
max_fee = "0.000005"
action = "sign"

[[limit]]
name = "a day"
keys = ["sol-hot"]
asset = "SOL"
max_amount = "100"
window = "24h"
"#;

pub(super) struct Bench {
    pub(super) node: LiteSvm,
    pub(super) own: Own,
    pub(super) config: ChainConfig,
    pub(super) chain: solana::Solana,
    /// Between the watcher and its node.
    pub(super) to_node: Relay,
    pub(super) installation: Installation,
    pub(super) running: Running,
    client: Client,
}

impl Bench {
    /// The key has 10 SOL, all blocks are final.
    pub(super) fn start() -> Self {
        let node = LiteSvm::start();
        let installation = Installation::without_log();
        let generate = ["key", "generate", "sol-hot", "--algorithm", "ed25519", "--config", "chancery.toml"];
        installation.run("chancery-provision", &generate);
        installation.begin(POLICY);
        let running = installation.start();
        let client = installation.client(&running);
        let keys = block_on(client.keys()).unwrap().keys;
        let public_key = hex::decode(&keys[0].public_key).unwrap();
        let own = OwnAddress {
            address: keys[0].address.clone().unwrap(),
            path: "sol-hot".parse().unwrap(),
            public_key: PublicKey::decode(Algorithm::Ed25519, &public_key).unwrap(),
        };
        node.pay(&[(&own.address, 10 * SOL)], &[]);
        let to_node = Relay::to(node.address);
        let config = config(&installation, &node, &to_node, &node.create_nonce_account(&own.address));
        node.finalize();
        let chain = solana::Solana::new(&config).unwrap();
        Self { node, own: Own::new(own, []), config, chain, to_node, installation, running, client }
    }

    /// The key's address.
    pub(super) fn address(&self) -> &str {
        &self.own.key().address
    }

    /// An account nobody has used.
    pub(super) fn customer() -> String {
        solana::Address(rand::random()).to_string()
    }

    pub(super) fn draft(&self, order: &Order) -> Result<Draft, DraftError> {
        block_on(self.chain.draft(order, &self.own, &Held::new()))
    }

    /// Has a draft signed by the appliance.
    pub(super) fn sign(&self, id: &str, draft: &Draft) -> Result<Signed, Error> {
        let request = SignatureRequest {
            items: vec![solana::item(draft).unwrap()],
            transfer: draft.transfer.clone(),
            evidence: None,
            replaces: None,
            expires_at: None,
        };
        let answer = block_on(self.client.sign(&id.parse().unwrap(), &request))?;
        let mut signature = [0; 64];
        hex::decode_to_slice(&answer.signatures.unwrap()[0].signature, &mut signature).unwrap();
        Ok(solana::finish(draft, signature).unwrap())
    }

    pub(super) fn drafted_and_signed(&self, id: &str, order: &Order) -> Signed {
        self.sign(id, &self.draft(order).unwrap()).unwrap()
    }

    /// The log must verify.
    pub(super) fn end(self) {
        self.running.stop();
        self.installation.assert_log_verifies();
    }
}

/// As a person writes it.
fn config(installation: &Installation, node: &LiteSvm, to_node: &Relay, nonce_account: &str) -> ChainConfig {
    let path = installation.path("watcher.toml");
    let (address, genesis) = (to_node.address, node.genesis());
    let chain = format!(
        "\n[[chain]]\nname = \"solana\"\nchain = \"solana\"\nnode = \"http://{address}\"\nkey = \"sol-hot\"\n\
         asset = \"SOL\"\nconfirmations = 1\nmax_fee = \"0.00001\"\ngenesis = \"{genesis}\"\n\
         nonce_account = \"{nonce_account}\"\npoll_ms = 50\n"
    );
    std::fs::write(&path, std::fs::read_to_string(&path).unwrap() + &chain).unwrap();
    Config::load(&path).unwrap().chains.remove(0)
}

pub(super) fn order(destination: &str, amount: &str) -> Order {
    Order {
        source: Source::Key,
        destination: destination.to_owned(),
        asset: Asset { name: "SOL".to_owned(), decimals: 9, contract: None },
        quantity: Quantity::Exactly(amount.parse().unwrap()),
        memo: None,
    }
}
