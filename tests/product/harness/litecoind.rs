//! A Litecoin node with a chain of its own: Bitcoin Core's code, so its rules and its RPC.

use std::{
    fs::File,
    net::TcpListener,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::rpc::{Refused, Rpc};

const STARTS_WITHIN: Duration = Duration::from_secs(30);
/// One more than a coinbase has to wait before it can be spent.
const FIRST_BLOCKS: u32 = 101;
const USER: &str = "tests";

/// `litecoind -regtest` with a wallet that has mined something; ends with this value.
pub(crate) struct Litecoind {
    child: Child,
    /// For calls that one test alone makes.
    pub(crate) rpc: Rpc,
    /// `user:password`.
    pub(crate) credentials: String,
    _directory: TempDir,
}

impl Litecoind {
    /// Starts it with 101 blocks and 50 LTC to spend.
    pub(crate) fn start() -> Self {
        // Between our letting go of a free port and the node's taking it, somebody else may have it.
        let mut started = (0..5).map(|_| Self::try_start());
        let mut failures = String::new();
        loop {
            match started.next() {
                Some(Ok(node)) => return node,
                Some(Err(failure)) => failures += &failure,
                None => panic!("litecoind did not start:\n{failures}"),
            }
        }
    }

    fn try_start() -> Result<Self, String> {
        let directory = tempfile::Builder::new().prefix("litecoind").tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let password = format!("{:032x}", rand::random::<u128>());
        let log = directory.path().join("node.log");
        let mut command = Command::new("litecoind");
        command.arg(format!("-datadir={}", directory.path().display()));
        command.args([format!("-rpcuser={USER}"), format!("-rpcpassword={password}")]);
        command.arg(format!("-rpcport={}", port.port()));
        command.args(["-regtest", "-server", "-rpcbind=127.0.0.1", "-rpcallowip=127.0.0.1", "-listen=0"]);
        command.args(["-listenonion=0", "-dnsseed=0", "-txindex=1", "-fallbackfee=0.0001", "-addresstype=bech32"]);
        // Unlike Bitcoin Core, Litecoin replaces nothing unless told to.
        // From the activation of MWEB on it mines no block of its own.
        command.arg("-vbparams=mweb:9999999999:99999999999");
        command.args(["-mempoolreplacement=1", "-printtoconsole=0", "-disablewallet=0"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("starting litecoind: {error}: run `.ci/prerequisites tests`, which installs it");
        });
        let rpc = Rpc::with_password(port, USER, &password);
        let credentials = format!("{USER}:{password}");
        let mut node = Self { child, rpc, credentials, _directory: directory };
        node.wait_until_it_answers().map_err(|why| format!("{why}\n{}", std::fs::read_to_string(&log).unwrap()))?;
        // Debian's build has no SQLite, so no descriptor wallets.
        node.rpc.call("createwallet", json!({ "wallet_name": "miner", "descriptors": false }));
        node.generate(FIRST_BLOCKS);
        Ok(node)
    }

    /// While it warms up it refuses with -28.
    fn wait_until_it_answers(&mut self) -> Result<(), String> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Err(status.to_string());
            }
            if let Ok(Ok(_)) = self.rpc.ask("getblockchaininfo", json!([])) {
                return Ok(());
            }
            assert!(begun.elapsed() < STARTS_WITHIN, "litecoind neither answers nor ends");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Mines blocks of what is in the mempool, to its own wallet. To a fresh address: within the same second it would
    /// else make the block again that a reorganisation has just declared invalid.
    pub(crate) fn generate(&self, blocks: u32) -> Vec<String> {
        let hashes = self.rpc.call("generatetoaddress", json!([blocks, self.new_address()]));
        serde_json::from_value(hashes).unwrap()
    }

    /// Its own wallet: the node may be given others.
    fn miner(&self) -> Rpc {
        self.rpc.at("/wallet/miner")
    }

    /// An address of its own wallet.
    pub(crate) fn new_address(&self) -> String {
        self.miner().call("getnewaddress", json!([])).as_str().unwrap().to_owned()
    }

    /// The script that an address stands for.
    pub(crate) fn script_of(&self, address: &str) -> Vec<u8> {
        let found = self.rpc.call("validateaddress", json!([address]));
        hex::decode(found["scriptPubKey"].as_str().unwrap_or_else(|| panic!("{address}: {found}"))).unwrap()
    }

    /// Pays from its own wallet; `amount` is in LTC. The transaction's id.
    pub(crate) fn send_to(&self, address: &str, amount: &str) -> String {
        self.miner().call("sendtoaddress", json!([address, amount])).as_str().unwrap().to_owned()
    }

    /// A transaction's bytes.
    pub(crate) fn raw_transaction(&self, txid: &str) -> Vec<u8> {
        hex::decode(self.rpc.call("getrawtransaction", json!([txid])).as_str().unwrap()).unwrap()
    }

    /// How many blocks hold a transaction or follow it; 0 while none does.
    pub(crate) fn confirmations(&self, txid: &str) -> u64 {
        self.rpc.call("getrawtransaction", json!([txid, true]))["confirmations"].as_u64().unwrap_or(0)
    }

    /// Hands a transaction in; its id.
    pub(crate) fn send_raw(&self, hex: &str) -> Result<String, Refused> {
        let txid = self.rpc.try_call("sendrawtransaction", json!([hex]))?;
        Ok(txid.as_str().unwrap().to_owned())
    }

    /// Ids of what waits to be mined.
    pub(crate) fn mempool(&self) -> Vec<String> {
        serde_json::from_value(self.rpc.call("getrawmempool", json!([]))).unwrap()
    }

    /// The checksum it computes for a descriptor (BIP 380).
    pub(crate) fn descriptor_checksum(&self, descriptor: &str) -> String {
        let info: Value = self.rpc.call("getdescriptorinfo", json!([descriptor]));
        info["checksum"].as_str().unwrap().to_owned()
    }

    /// A reorganisation: the block and all that follow it are not of the chain any more.
    pub(crate) fn invalidate_block(&self, hash: &str) {
        self.rpc.call("invalidateblock", json!([hash]));
    }

    /// Takes that back.
    pub(crate) fn reconsider(&self, hash: &str) {
        self.rpc.call("reconsiderblock", json!([hash]));
    }

    /// The height of the last block.
    pub(crate) fn height(&self) -> u64 {
        self.rpc.call("getblockcount", json!([])).as_u64().unwrap()
    }

    /// Mines blocks that hold nothing, whatever waits.
    pub(crate) fn generate_empty(&self, blocks: u32) {
        for _ in 0..blocks {
            self.rpc.call("generateblock", json!([self.new_address(), []]));
        }
    }

    /// The hash of the last block.
    pub(crate) fn best_block(&self) -> String {
        self.rpc.call("getbestblockhash", json!([])).as_str().unwrap().to_owned()
    }
}

impl Drop for Litecoind {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
