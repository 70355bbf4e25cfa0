//! Foundry's anvil: an Ethereum node of one process.

use std::{env, path::Path, process::Command};

use serde_json::{Value, json};
use watcher_client::journal::TransactionView;

use super::{
    Result,
    node::{Node, Payment, number},
    program::{Program, free_address},
    rpc::Rpc,
    step::until,
};

/// Anvil's own.
const CHAIN_ID: u64 = 31_337;
/// Wei for each unit of gas, far above what anybody offered before.
const DEAR: u64 = 20_000_000_000;

/// The running node.
pub(crate) struct Anvil {
    program: Program,
    rpc: Rpc,
    /// Whose key anvil holds: a customer.
    customer: String,
}

impl Anvil {
    async fn call(&self, method: &str, params: Value) -> Result<Value> {
        self.rpc.call(method, params).await
    }
}

impl Node for Anvil {
    const PROGRAM: &'static str = "anvil";
    const CHAIN: &'static str = "anvil";
    const KEY: &'static str = "eth-vault";
    const ASSET: &'static str = "ETH";
    const DECIMALS: u8 = 18;

    async fn start(directory: &Path) -> Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(env::var_os("CHANCERY_ANVIL").unwrap_or_else(|| Self::PROGRAM.into()));
        command.args(["--no-mining", "--accounts", "1", "--chain-id", &CHAIN_ID.to_string()]);
        command.args(["--port", &address.port().to_string()]);
        // Each second, so that the chain outlives a kill -9, too: the signer's log knows the nonces that are used up.
        command.arg("--state").arg(directory.join("anvil.json"));
        command.args(["--state-interval", "1", "--preserve-historical-states"]);
        let mut program = Program::start(command, &directory.join("anvil.log"))?;
        let rpc = Rpc::new(address, None)?;
        let accounts: Vec<String> = until("anvil answers", async || {
            program.check()?;
            Ok(rpc.call("eth_accounts", json!([])).await.ok())
        })
        .await?;
        let customer = accounts.into_iter().next().ok_or("anvil has no account")?;
        Ok(Self { program, rpc, customer })
    }

    fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    fn section(&self) -> String {
        format!("chain = {{ evm = {CHAIN_ID} }}\n")
    }

    fn check(&mut self) -> Result<()> {
        self.program.check()
    }

    async fn height(&self) -> Result<u64> {
        Ok(u64::try_from(number(&self.call("eth_blockNumber", json!([])).await?)?)?)
    }

    async fn mine(&self, blocks: u32) -> Result<()> {
        for _ in 0..blocks {
            self.call("evm_mine", json!([])).await?;
        }
        Ok(())
    }

    async fn mine_dearer(&self) -> Result<()> {
        self.call("anvil_setNextBlockBaseFeePerGas", json!([format!("{DEAR:#x}")])).await?;
        self.mine(1).await
    }

    async fn reorganise(&self) -> Result<()> {
        self.call("anvil_reorg", json!([1, []])).await?;
        Ok(())
    }

    async fn repeat(&self, payment: &Payment) -> Result<()> {
        self.call("eth_sendRawTransaction", json!([payment.bytes])).await?;
        Ok(())
    }

    async fn forget(&mut self, txid: &str) -> Result<()> {
        self.call("anvil_dropTransaction", json!([txid])).await?;
        Ok(())
    }

    async fn pay(&self, address: &str, units: u128) -> Result<Payment> {
        let payment = json!({ "from": self.customer, "to": address, "value": format!("{units:#x}") });
        let txid: String = self.rpc.call("eth_sendTransaction", json!([payment])).await?;
        let bytes = self.bytes(&txid).await?.ok_or("anvil has no bytes of a payment")?;
        Ok(Payment { txid, bytes })
    }

    async fn stranger(&self) -> Result<String> {
        Ok(format!("0x{:040x}", rand::random::<u128>()))
    }

    async fn balance(&self, address: &str) -> Result<u128> {
        number(&self.call("eth_getBalance", json!([address, "latest"])).await?)
    }

    async fn fee(&self, transaction: &TransactionView) -> Result<u128> {
        let receipt = self.call("eth_getTransactionReceipt", json!([transaction.txid])).await?;
        Ok(number(&receipt["gasUsed"])? * number(&receipt["effectiveGasPrice"])?)
    }

    async fn bytes(&self, txid: &str) -> Result<Option<String>> {
        self.rpc.call("eth_getRawTransactionByHash", json!([txid])).await
    }

    fn commands(&self, address: &str) -> [String; 2] {
        let ether = format!("{:#x}", 2 * 10_u64.pow(18));
        let payment = json!([{ "from": self.customer, "to": address, "value": ether }]);
        [("evm_mine", json!([])), ("eth_sendTransaction", payment)].map(|(method, params)| {
            let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
            format!("curl -s -H 'content-type: application/json' {} -d '{body}'", self.url())
        })
    }

    async fn stop(self) -> Result<()> {
        self.program.stop().await
    }
}
