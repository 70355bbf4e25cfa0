//! An Ethereum node with a chain of its own, which mines when told to.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use super::rpc::{Refused, Rpc};

/// Anvil's own.
pub(crate) const CHAIN_ID: u64 = 31_337;
/// Where `.ci/prerequisites tests` puts it.
const UNPACKED: &str = "../var/anvil/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil";
/// Whose payments anvil signs for.
const STRANGER: &str = "0x00000000000000000000000000000000000057a6";
const STARTS_WITHIN: Duration = Duration::from_secs(30);

/// An ERC-20 of two functions, assembled by hand. An account's balance is in the storage slot of its address.
///
/// ```text
/// 00  PUSH1 00 CALLDATALOAD PUSH1 e0 SHR DUP1     the selector
/// 07  PUSH4 a9059cbb EQ PUSH1 2b JUMPI            transfer(address,uint256)
/// 10  PUSH4 70a08231 EQ PUSH1 1e JUMPI            balanceOf(address)
/// 19  JUMPDEST PUSH1 00 DUP1 REVERT
/// 1e  JUMPDEST PUSH1 04 CALLDATALOAD SLOAD PUSH1 00 MSTORE PUSH1 20 PUSH1 00 RETURN
/// 2b  JUMPDEST CALLER SLOAD PUSH1 24 CALLDATALOAD DUP1 DUP3 LT PUSH1 19 JUMPI
/// 37  DUP1 SWAP2 SUB CALLER SSTORE                what is left
/// 3c  PUSH1 04 CALLDATALOAD DUP1 SLOAD DUP3 ADD SWAP1 SSTORE
/// 45  PUSH1 00 MSTORE PUSH1 04 CALLDATALOAD CALLER PUSH32 ddf252ad... PUSH1 20 PUSH1 00 LOG3
/// 72  PUSH1 01 PUSH1 00 MSTORE PUSH1 20 PUSH1 00 RETURN
/// ```
const ERC20: &str = concat!(
    "0x60003560e01c80",
    "63a9059cbb14602b57",
    "6370a0823114601e57",
    "5b600080fd",
    "5b6004355460005260206000f3",
    "5b3354602435808210601957",
    "8091033355",
    "600435805482019055",
    "600052600435337fddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef60206000a3",
    "600160005260206000f3",
);

/// `anvil --no-mining`; ends with this value.
pub(crate) struct Anvil {
    child: Child,
    address: SocketAddr,
    /// For calls that one test alone makes.
    pub(crate) rpc: Rpc,
}

/// What became of a mined transaction.
#[derive(Debug)]
pub(crate) struct Receipt {
    /// Whether it did what it was to do.
    pub(crate) succeeded: bool,
    /// Who sent it, as the chain recovered it from the signature.
    pub(crate) from: String,
}

impl Anvil {
    pub(crate) fn start() -> Self {
        Self::start_as(CHAIN_ID)
    }

    /// A node that says it is of another chain.
    pub(crate) fn start_as(chain_id: u64) -> Self {
        let program = program();
        let mut command = Command::new(&program);
        command.args(["--port", "0", "--no-mining", "--accounts", "0", "--chain-id", &chain_id.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("starting {}: {error}: run `.ci/prerequisites tests`, which installs anvil", program.display());
        });
        let (sender, receiver) = mpsc::channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Reads on to the end, so that the node never waits for room in the pipe.
        thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        let address = loop {
            let line = receiver.recv_timeout(STARTS_WITHIN).unwrap();
            if let Some(address) = line.strip_prefix("Listening on ") {
                break address.trim().parse::<SocketAddr>().unwrap();
            }
        };
        Self { child, address, rpc: Rpc::new(address) }
    }

    /// Where it answers.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The hash of the block at a height of the best chain.
    pub(crate) fn block_hash(&self, height: u64) -> String {
        let block = self.rpc.call("eth_getBlockByNumber", json!([format!("{height:#x}"), false]));
        block["hash"].as_str().unwrap().to_owned()
    }

    /// Puts code at an address.
    pub(crate) fn set_code(&self, account: &str, code: &str) {
        self.rpc.call("anvil_setCode", json!([account, code]));
    }

    /// What the next block asks for each unit of gas, in wei.
    pub(crate) fn set_base_fee(&self, wei: u64) {
        self.rpc.call("anvil_setNextBlockBaseFeePerGas", json!([format!("{wei:#x}")]));
    }

    /// Gives an account this many wei, in hexadecimal.
    pub(crate) fn set_balance(&self, account: &str, wei: &str) {
        self.rpc.call("anvil_setBalance", json!([account, wei]));
    }

    /// An account's wei.
    pub(crate) fn balance(&self, account: &str) -> u128 {
        number(&self.rpc.call("eth_getBalance", json!([account, "latest"])))
    }

    /// Has a stranger pay this many wei, in hexadecimal; mined with the next block.
    pub(crate) fn pay(&self, account: &str, wei: &str) {
        self.rpc.call("anvil_setBalance", json!([STRANGER, "0x56bc75e2d63100000"]));
        self.rpc.call("anvil_impersonateAccount", json!([STRANGER]));
        self.rpc.call("eth_sendTransaction", json!([{ "from": STRANGER, "to": account, "value": wei }]));
    }

    /// How many transactions of an account were mined: its next nonce.
    pub(crate) fn nonce(&self, account: &str) -> u64 {
        u64::try_from(number(&self.rpc.call("eth_getTransactionCount", json!([account, "latest"])))).unwrap()
    }

    /// Hands a transaction in; its hash.
    pub(crate) fn send_raw(&self, hex: &str) -> Result<String, Refused> {
        let hex = format!("0x{}", hex.trim_start_matches("0x"));
        let hash = self.rpc.try_call("eth_sendRawTransaction", json!([hex]))?;
        Ok(hash.as_str().unwrap().to_owned())
    }

    /// The height of the last block.
    pub(crate) fn height(&self) -> u64 {
        u64::try_from(number(&self.rpc.call("eth_blockNumber", json!([])))).unwrap()
    }

    /// Mines a block of what waits.
    pub(crate) fn mine(&self) {
        self.rpc.call("evm_mine", json!([]));
    }

    /// Of a mined transaction.
    pub(crate) fn receipt(&self, hash: &str) -> Option<Receipt> {
        let receipt = self.rpc.call("eth_getTransactionReceipt", json!([hash]));
        let from = receipt["from"].as_str()?.to_owned();
        Some(Receipt { succeeded: receipt["status"] == "0x1", from })
    }

    /// What a mined transaction cost beside what it paid, in wei.
    pub(crate) fn cost(&self, hash: &str) -> u128 {
        let receipt = self.rpc.call("eth_getTransactionReceipt", json!([hash]));
        number(&receipt["gasUsed"]) * number(&receipt["effectiveGasPrice"])
    }

    /// Puts a token at `contract`, all of which belongs to `owner`.
    pub(crate) fn deploy_token(&self, contract: &str, owner: &str, supply: u64) {
        self.set_code(contract, ERC20);
        let slot = format!("0x{:0>64}", owner.trim_start_matches("0x"));
        self.rpc.call("anvil_setStorageAt", json!([contract, slot, format!("0x{supply:064x}")]));
    }

    /// An account's tokens.
    pub(crate) fn token_balance(&self, contract: &str, account: &str) -> u128 {
        let data = format!("0x70a08231{:0>64}", account.trim_start_matches("0x"));
        number(&self.rpc.call("eth_call", json!([{ "to": contract, "data": data }, "latest"])))
    }

    /// Whether it has heard of a transaction.
    pub(crate) fn knows(&self, hash: &str) -> bool {
        !self.rpc.call("eth_getTransactionByHash", json!([hash])).is_null()
    }

    /// Throws away what waits to be mined, as nodes do that are short of room.
    pub(crate) fn evict(&self) {
        self.rpc.call("anvil_dropAllTransactions", json!([]));
    }

    /// A reorganisation: the last `depth` blocks are replaced by empty ones.
    pub(crate) fn reorganise(&self, depth: u64) {
        self.rpc.call("anvil_reorg", json!([depth, []]));
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn number(value: &Value) -> u128 {
    let digits = value.as_str().unwrap().trim_start_matches("0x").trim_start_matches('0');
    if digits.is_empty() { 0 } else { u128::from_str_radix(digits, 16).unwrap() }
}

/// The one named, the one unpacked, or one on the path.
fn program() -> PathBuf {
    if let Some(named) = std::env::var_os("CHANCERY_ANVIL") {
        return named.into();
    }
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join(UNPACKED);
    if unpacked.exists() { unpacked } else { "anvil".into() }
}
