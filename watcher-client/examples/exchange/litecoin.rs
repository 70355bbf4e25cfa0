//! Litecoin's node on a chain of its own (regtest): Bitcoin Core's code, so its rules and its RPC.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use watcher_client::journal::TransactionView;

use super::{
    Result,
    books::{shown, units},
    node::{Node, Payment},
    program::{Program, free_address},
    rpc::Rpc,
    step::until,
};

/// One more than a coinbase has to wait before it can be spent.
const FIRST_BLOCKS: u64 = 101;
const COOKIE: &str = "litecoin/regtest/.cookie";
/// The wallet of customers, which also mines.
const WALLET: &str = "customers";
const WALLET_PATH: &str = "wallet/customers";

/// The running node.
pub(crate) struct Litecoin {
    /// None only while it is started again.
    program: Option<Program>,
    rpc: Rpc,
    address: SocketAddr,
    directory: PathBuf,
}

impl Litecoin {
    async fn call(&self, method: &str, params: Value) -> Result<Value> {
        self.rpc.call(method, params).await
    }

    async fn call_wallet(&self, method: &str, params: Value) -> Result<String> {
        self.rpc.call_at(WALLET_PATH, method, params).await
    }

    async fn new_address(&self) -> Result<String> {
        self.call_wallet("getnewaddress", json!([])).await
    }

    async fn run(&mut self) -> Result<()> {
        let data = self.directory.join("litecoin");
        fs::create_dir_all(&data)?;
        let mut command = Command::new(Self::PROGRAM);
        command.arg(format!("-datadir={}", data.display())).arg(format!("-rpcport={}", self.address.port()));
        command.args(["-regtest", "-server", "-rpcbind=127.0.0.1", "-rpcallowip=127.0.0.1", "-listen=0"]);
        command.args(["-listenonion=0", "-dnsseed=0", "-txindex=1", "-fallbackfee=0.0001", "-addresstype=bech32"]);
        // Unlike Bitcoin Core, Litecoin replaces nothing unless told to. Who is silent is not waited for when it ends.
        command.args(["-mempoolreplacement=1", "-persistmempool=0", "-rpcservertimeout=5", "-printtoconsole=0"]);
        // Never: from then on (block 432) no block is made without a payment into MWEB before.
        command.arg("-vbparams=mweb:9999999999:9999999999");
        let program = self.program.insert(Program::start(command, &self.directory.join("litecoin.log"))?);
        until("litecoind answers", async || {
            program.check()?;
            Ok(self.rpc.call::<Value>("getblockchaininfo", json!([])).await.ok().map(drop))
        })
        .await
    }

    /// Makes the customers' wallet once; from then on the node opens it by itself.
    async fn open_wallet(&self) -> Result<()> {
        let open: Vec<String> = self.rpc.call("listwallets", json!([])).await?;
        if !open.iter().any(|name| name == WALLET) {
            // Debian's build has no SQLite, so no descriptor wallets.
            let wallet = json!({ "wallet_name": WALLET, "descriptors": false, "load_on_startup": true });
            self.call("createwallet", wallet).await?;
        }
        let missing = FIRST_BLOCKS.saturating_sub(self.height().await?);
        self.mine(u32::try_from(missing)?).await
    }
}

impl Node for Litecoin {
    const PROGRAM: &'static str = "litecoind";
    const CHAIN: &'static str = "litecoin";
    const KEY: &'static str = "ltc-vault";
    const ASSET: &'static str = "LTC";
    const DECIMALS: u8 = 8;

    async fn start(directory: &Path) -> Result<Self> {
        let address = free_address()?;
        let rpc = Rpc::new(address, Some(directory.join(COOKIE)))?;
        let mut node = Self { program: None, rpc, address, directory: directory.to_owned() };
        node.run().await?;
        node.open_wallet().await?;
        Ok(node)
    }

    fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    fn section(&self) -> String {
        format!("chain = \"litecoin-regtest\"\ncredentials = \"{COOKIE}\"\nstrategy = \"blocks\"\n")
    }

    fn check(&mut self) -> Result<()> {
        self.program.as_mut().map_or(Ok(()), Program::check)
    }

    async fn height(&self) -> Result<u64> {
        self.rpc.call("getblockcount", json!([])).await
    }

    /// To a fresh address: within the same second it would else make the block again that a reorganisation has just
    /// declared invalid.
    async fn mine(&self, blocks: u32) -> Result<()> {
        if blocks > 0 {
            self.call("generatetoaddress", json!([blocks, self.new_address().await?])).await?;
        }
        Ok(())
    }

    async fn mine_dearer(&self) -> Result<()> {
        self.call("generateblock", json!([self.new_address().await?, []])).await?;
        Ok(())
    }

    async fn reorganise(&self) -> Result<()> {
        let last = self.call("getbestblockhash", json!([])).await?;
        self.call("invalidateblock", json!([last])).await?;
        Ok(())
    }

    /// Nothing: what was in the block waits to be mined again.
    async fn repeat(&self, _payment: &Payment) -> Result<()> {
        Ok(())
    }

    /// It is started again, and what waited is gone.
    async fn forget(&mut self, _txid: &str) -> Result<()> {
        // It does not end as long as somebody is connected.
        self.rpc = Rpc::new(self.address, Some(self.directory.join(COOKIE)))?;
        if let Some(program) = self.program.take() {
            program.stop().await?;
        }
        self.run().await
    }

    async fn pay(&self, address: &str, units: u128) -> Result<Payment> {
        let amount = shown::<Self>(units);
        let amount = amount.split(' ').next().unwrap_or_default();
        let txid = self.call_wallet("sendtoaddress", json!([address, amount])).await?;
        let bytes = self.bytes(&txid).await?.ok_or("litecoind has no bytes of a payment")?;
        Ok(Payment { txid, bytes })
    }

    async fn stranger(&self) -> Result<String> {
        let script = format!("0014{}", hex::encode(rand::random::<[u8; 20]>()));
        let decoded = self.call("decodescript", json!([script])).await?;
        let address = decoded["addresses"][0].as_str().or_else(|| decoded["address"].as_str());
        Ok(address.ok_or_else(|| format!("{script} has no address"))?.to_owned())
    }

    async fn balance(&self, address: &str) -> Result<u128> {
        let found = self.call("scantxoutset", json!(["start", [format!("addr({address})")]])).await?;
        // A decimal of eight places, which a float of this size holds to the last one.
        let total = found["total_amount"].as_f64().ok_or("scantxoutset gave no sum")?;
        units::<Self>(&format!("{total:.8}").parse()?)
    }

    /// Known before it is mined: its inputs less its outputs.
    async fn fee(&self, transaction: &TransactionView) -> Result<u128> {
        units::<Self>(&transaction.fee)
    }

    async fn bytes(&self, txid: &str) -> Result<Option<String>> {
        let answer = self.rpc.ask("", "getrawtransaction", json!([txid])).await?;
        Ok(answer["result"].as_str().map(str::to_owned))
    }

    fn commands(&self, address: &str) -> [String; 2] {
        let data = self.directory.join("litecoin");
        let cli = format!("litecoin-cli -regtest -datadir={} -rpcport={}", data.display(), self.address.port());
        let cli = format!("{cli} -rpcwallet={WALLET}");
        [format!("{cli} -generate 1"), format!("{cli} sendtoaddress {address} 2")]
    }

    async fn stop(mut self) -> Result<()> {
        self.rpc = Rpc::new(self.address, Some(self.directory.join(COOKIE)))?;
        match self.program {
            Some(program) => program.stop().await,
            None => Ok(()),
        }
    }
}
