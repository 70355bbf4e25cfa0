//! What is asked of a node of Ethereum's kind, and its answers in numbers and hashes. Knows none of our addresses.

use alloy_primitives::{Address, B256, Bytes, U64, U128, U256};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::token;
use crate::chains::{Block, NodeError, rpc::Rpc};

/// Codes of a call that the contract itself refused: EIP-1474 has none, nodes use geth's or OpenEthereum's.
const REVERTED: [i64; 2] = [3, -32015];

/// A node's RPC.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) rpc: Rpc,
}

/// Which state is asked about.
#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    /// That after the last block.
    Latest,
    /// That after the block of this height.
    Height(u64),
}

/// A block without its transactions.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Header {
    pub(super) hash: B256,
    number: U64,
    timestamp: U64,
    base_fee_per_gas: Option<U128>,
}

/// A block with its transactions. What waits to be mined has no hash with some nodes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FullBlock {
    pub(super) hash: Option<B256>,
    number: U64,
    pub(super) parent_hash: B256,
    pub(super) transactions: Vec<Transaction>,
}

/// A transaction of a block.
#[derive(Debug, Deserialize)]
pub(super) struct Transaction {
    pub(super) hash: B256,
    pub(super) to: Option<Address>,
    pub(super) value: U256,
}

/// What became of a mined transaction.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Receipt {
    pub(super) block_hash: B256,
    block_number: U64,
    status: Option<U64>,
}

/// Something a contract told.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Log {
    pub(super) address: Address,
    pub(super) topics: Vec<B256>,
    pub(super) data: Bytes,
    pub(super) transaction_hash: B256,
    log_index: U64,
    #[serde(default)]
    pub(super) removed: bool,
}

/// A call or a payment that is tried without being made.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    pub(super) from: Address,
    pub(super) to: Address,
    pub(super) value: U256,
    pub(super) data: Bytes,
}

impl At {
    fn tag(self) -> String {
        match self {
            Self::Latest => "latest".to_owned(),
            Self::Height(height) => format!("{height:#x}"),
        }
    }
}

impl Header {
    pub(super) fn block(&self) -> Block {
        Block { height: self.number.to(), hash: format!("{:#x}", self.hash) }
    }

    pub(super) fn time_s(&self) -> u64 {
        self.timestamp.to()
    }

    /// Wei for each unit of gas that every transaction pays; none on chains without EIP-1559.
    pub(super) fn base_fee(&self) -> Option<u128> {
        self.base_fee_per_gas.map(|fee| fee.to())
    }
}

impl FullBlock {
    pub(super) fn height(&self) -> u64 {
        self.number.to()
    }
}

impl Receipt {
    pub(super) fn height(&self) -> u64 {
        self.block_number.to()
    }

    /// None in blocks of before Byzantium (2017), whose receipts do not tell.
    pub(super) fn succeeded(&self) -> Option<bool> {
        self.status.map(|status| status == U64::from(1))
    }
}

impl Log {
    pub(super) fn index(&self) -> u64 {
        self.log_index.to()
    }
}

impl Node {
    pub(super) async fn chain_id(&self) -> Result<u64, NodeError> {
        Ok(self.rpc.call::<U64>("eth_chainId", json!([])).await?.to())
    }

    /// The height it is reading towards, where it knows that it is behind.
    pub(super) async fn reading_towards(&self) -> Result<Option<u64>, NodeError> {
        let answer: Value = self.rpc.call("eth_syncing", json!([])).await?;
        let height = answer.get("highestBlock").and_then(|height| U64::deserialize(height).ok());
        Ok((answer != Value::Bool(false)).then(|| height.map_or(0, |height| height.to())))
    }

    /// The last block.
    pub(super) async fn latest(&self) -> Result<Header, NodeError> {
        let found: Option<Header> = self.rpc.call("eth_getBlockByNumber", json!(["latest", false])).await?;
        found.ok_or_else(|| self.rpc.unexpected("eth_getBlockByNumber", "it has no last block"))
    }

    /// The block of the best chain at a height.
    pub(super) async fn header_at(&self, height: u64) -> Result<Option<Header>, NodeError> {
        self.rpc.call("eth_getBlockByNumber", json!([At::Height(height).tag(), false])).await
    }

    pub(super) async fn block_at(&self, height: u64) -> Result<Option<FullBlock>, NodeError> {
        self.rpc.call("eth_getBlockByNumber", json!([At::Height(height).tag(), true])).await
    }

    pub(super) async fn block(&self, hash: B256) -> Result<Option<FullBlock>, NodeError> {
        self.rpc.call("eth_getBlockByHash", json!([hash, true])).await
    }

    /// What the next block would be; none where the node has no such thing.
    pub(super) async fn pending(&self) -> Result<Option<FullBlock>, NodeError> {
        match self.rpc.call("eth_getBlockByNumber", json!(["pending", true])).await {
            Err(NodeError::Refused { .. } | NodeError::Unexpected { .. }) => Ok(None),
            answer => answer,
        }
    }

    /// The transfers that these contracts told of in a block.
    pub(super) async fn transfers(&self, block: B256, contracts: &[Address]) -> Result<Vec<Log>, NodeError> {
        let filter = json!({ "blockHash": block, "address": contracts, "topics": [token::TRANSFERRED] });
        self.rpc.call("eth_getLogs", json!([filter])).await
    }

    pub(super) async fn receipt(&self, txid: &str) -> Result<Option<Receipt>, NodeError> {
        self.rpc.call("eth_getTransactionReceipt", json!([txid])).await
    }

    pub(super) async fn knows(&self, txid: &str) -> Result<bool, NodeError> {
        Ok(self.rpc.call::<Option<Value>>("eth_getTransactionByHash", json!([txid])).await?.is_some())
    }

    /// How many of the account's transactions are mined: its next nonce.
    pub(super) async fn mined_nonce(&self, account: Address) -> Result<u64, NodeError> {
        Ok(self.of_state::<U64>("eth_getTransactionCount", account, At::Latest).await?.to())
    }

    pub(super) async fn wei(&self, account: Address, at: At) -> Result<U256, NodeError> {
        self.of_state("eth_getBalance", account, at).await
    }

    pub(super) async fn code(&self, account: Address) -> Result<Bytes, NodeError> {
        self.of_state("eth_getCode", account, At::Latest).await
    }

    pub(super) async fn tokens(&self, contract: Address, account: Address, at: At) -> Result<U256, NodeError> {
        let call = json!({ "to": contract, "data": token::balance_of(account) });
        self.number("eth_call", json!([call, at.tag()]), "balanceOf").await
    }

    /// The decimals a contract tells of itself; none where it tells nothing, which ERC-20 allows.
    pub(super) async fn decimals(&self, contract: Address) -> Result<Option<U256>, NodeError> {
        let call = json!({ "to": contract, "data": token::decimals() });
        match self.number("eth_call", json!([call, "latest"]), "decimals").await {
            Ok(decimals) => Ok(Some(decimals)),
            Err(NodeError::Refused { .. } | NodeError::Unexpected { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The tip the node advises, in wei for each unit of gas.
    pub(super) async fn tip(&self) -> Result<u128, NodeError> {
        Ok(self.rpc.call::<U128>("eth_maxPriorityFeePerGas", json!([])).await?.to())
    }

    /// What a trial needs; none where the contract refused it.
    pub(super) async fn gas(&self, trial: &Trial) -> Result<Option<u64>, NodeError> {
        let Trial { from, to, value, data } = trial;
        let call = json!({ "from": from, "to": to, "value": value, "data": data });
        match self.rpc.call::<U64>("eth_estimateGas", json!([call])).await {
            Ok(gas) => Ok(Some(gas.to())),
            Err(error) if error.code().is_some_and(|code| REVERTED.contains(&code)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn send(&self, transaction: &str) -> Result<B256, NodeError> {
        self.rpc.call("eth_sendRawTransaction", json!([transaction])).await
    }

    async fn of_state<T: DeserializeOwned>(&self, method: &str, account: Address, at: At) -> Result<T, NodeError> {
        self.rpc.call(method, json!([account, at.tag()])).await
    }

    /// A contract's answer of one number.
    async fn number(&self, method: &str, params: Value, function: &str) -> Result<U256, NodeError> {
        let bytes: Bytes = self.rpc.call(method, params).await?;
        let word = <[u8; 32]>::try_from(bytes.as_ref());
        let word = word.map_err(|_| self.rpc.unexpected(method, format!("{function} gave {} bytes", bytes.len())))?;
        Ok(U256::from_be_bytes(word))
    }
}
