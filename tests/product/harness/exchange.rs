//! An exchange: a node of each kind, an appliance with a key for each, and the watcher's daemon between them. What lies
//! between can be broken.

use std::{cell::RefCell, fs, os::unix::fs::PermissionsExt};

use serde_json::{Value, json};

use super::{
    Installation, Running,
    anvil::{Anvil, CHAIN_ID},
    daemon::Daemon,
    litecoind::Litecoind,
    relay::Relay,
};

/// How deep a block must be for the daemon to believe it.
pub(crate) const CONFIRMATIONS: u32 = 2;

const POLICY: &str = include_str!("exchange.toml");

/// Nodes, appliance, and what is between. The daemon borrows from it.
pub(crate) struct Exchange {
    pub(crate) litecoin: Litecoind,
    pub(crate) ethereum: Anvil,
    pub(crate) installation: Installation,
    running: RefCell<Option<Running>>,
    pub(crate) to_signer: Relay,
    pub(crate) to_litecoin: Relay,
    pub(crate) to_ethereum: Relay,
    /// Addresses of the two keys themselves.
    pub(crate) litecoin_key: String,
    pub(crate) ethereum_key: String,
}

impl Exchange {
    pub(crate) fn open() -> Self {
        let (litecoin, ethereum) = (Litecoind::start(), Anvil::start());
        let installation = Installation::without_log();
        for key in ["ltc-vault", "eth-vault"] {
            let generate = ["key", "generate", key, "--algorithm", "secp256k1", "--children", "--config"];
            installation.run("chancery-provision", &[&generate[..], &["chancery.toml"]].concat());
        }
        installation.begin(POLICY);
        let running = installation.start();
        installation.write_watcher_config(&running);
        let credentials = installation.path("litecoin-credentials");
        fs::write(&credentials, &litecoin.credentials).unwrap();
        fs::set_permissions(&credentials, fs::Permissions::from_mode(0o600)).unwrap();
        let keys = installation.run("chancery-watcher", &["keys", "--json", "--config", "watcher.toml"]);
        let keys: Value = serde_json::from_slice(&keys.stdout).unwrap();
        let address = |name: &str| {
            let key = keys["keys"].as_array().unwrap().iter().find(|key| key["name"] == name).unwrap();
            key["address"].as_str().unwrap().to_owned()
        };
        Self {
            to_signer: Relay::to(running.watcher),
            to_litecoin: Relay::to(litecoin.rpc.address()),
            to_ethereum: Relay::to(ethereum.rpc.address()),
            litecoin_key: address("ltc-vault"),
            ethereum_key: address("eth-vault"),
            litecoin,
            ethereum,
            installation,
            running: RefCell::new(Some(running)),
        }
    }

    /// A daemon that serves both chains; `more` goes into each chain's section. It is not started.
    pub(crate) fn daemon(&self, more: &str) -> Daemon<'_> {
        let (litecoin, ethereum) = (self.to_litecoin.address, self.to_ethereum.address);
        let chains = format!(
            r#"
[[chain]]
name = "ltc"
chain = "litecoin-regtest"
node = "http://{litecoin}"
credentials = "litecoin-credentials"
strategy = "wallet"
wallet = "watch"
key = "ltc-vault"
asset = "LTC"
confirmations = {CONFIRMATIONS}
max_fee = "0.01"
poll_ms = 100
{more}

[[chain]]
name = "eth"
chain = {{ evm = {CHAIN_ID} }}
node = "http://{ethereum}"
key = "eth-vault"
asset = "ETH"
confirmations = {CONFIRMATIONS}
max_fee = "0.01"
poll_ms = 100
{more}
"#
        );
        Daemon::configure(&self.installation, self.to_signer.address, &chains)
    }

    /// kill -9 of the appliance, and a new start.
    pub(crate) fn kill_appliance(&self) {
        self.running.take().unwrap().kill();
        let running = self.installation.start();
        self.to_signer.point_to(running.watcher);
        self.running.replace(Some(running));
    }

    /// A block on each chain.
    pub(crate) fn mine(&self) {
        self.litecoin.generate(1);
        self.ethereum.mine();
    }

    /// A block on each chain whose last one the daemon has seen: on no chain do blocks come faster than anybody reads.
    pub(crate) fn mine_when_seen(&self, daemon: &Daemon<'_>) {
        if daemon.chain("ltc")["height"] == json!(self.litecoin.height()) {
            self.litecoin.generate(1);
        }
        if daemon.chain("eth")["height"] == json!(self.ethereum.height()) {
            self.ethereum.mine();
        }
    }

    /// So many coins of so many LTC on an address, mined.
    pub(crate) fn fund_litecoin(&self, address: &str, coins: u32, amount: &str) {
        for coin in 0..coins {
            self.litecoin.send_to(address, amount);
            // No node relays long chains of what is not mined.
            if coin % 20 == 19 {
                self.litecoin.generate(1);
            }
        }
        self.litecoin.generate(1);
    }

    /// The unspent outputs of an address in blocks: how many, and their sum in base units.
    pub(crate) fn litecoin_unspent(&self, address: &str) -> (usize, u128) {
        let found = self.litecoin.rpc.call("scantxoutset", json!(["start", [format!("addr({address})")]]));
        let unspents = found["unspents"].as_array().unwrap();
        // A decimal of eight places, which a float of this size holds to the last one.
        let units = |amount: &Value| (amount.as_f64().unwrap() * 1e8).round() as u128;
        (unspents.len(), unspents.iter().map(|unspent| units(&unspent["amount"])).sum())
    }

    /// Ends the appliance in order; its log must verify.
    pub(crate) fn close(&self) {
        self.running.take().unwrap().stop();
        self.installation.assert_log_verifies();
    }
}
