//! The calls to a node that are needed (Solana documentation, "RPC methods"), always at commitment `finalized` unless
//! said. Decides nothing.

mod shape;

use serde_json::{Value, json};

use self::shape::{Account, BlockInfo, InContext, SignatureStatus};
pub(super) use self::shape::{SignatureInfo, TransactionInfo};
use super::{Address, Nonce};
use crate::chains::{Block, NodeError, rpc::Rpc};

/// How far back the last block before an empty slot is looked for. Some slots in a hundred are empty.
const LOOK_BACK: u64 = 1_000;
/// JSON-RPC code `NODE_UNHEALTHY`: behind the cluster.
const UNHEALTHY: i64 = -32_005;
const SYSTEM_PROGRAM: &str = "11111111111111111111111111111111";

/// A node.
#[derive(Clone, Debug)]
pub(super) struct Node {
    rpc: Rpc,
}

/// What became of a transaction.
pub(super) struct Status {
    pub(super) slot: u64,
    pub(super) is_final: bool,
    pub(super) succeeded: bool,
}

impl Node {
    pub(super) fn new(rpc: Rpc) -> Self {
        Self { rpc }
    }

    pub(super) fn url(&self) -> &str {
        self.rpc.url()
    }

    pub(super) fn unfit(&self, why: impl Into<String>) -> NodeError {
        self.rpc.unfit(why)
    }

    pub(super) fn unexpected(&self, method: &str, what: impl Into<String>) -> NodeError {
        self.rpc.unexpected(method, what)
    }

    /// The hash of the cluster's first block.
    pub(super) async fn genesis(&self) -> Result<String, NodeError> {
        self.rpc.call("getGenesisHash", json!([])).await
    }

    pub(super) async fn finalized_slot(&self) -> Result<u64, NodeError> {
        self.rpc.call("getSlot", json!([finalized()])).await
    }

    /// The slot the node is reading towards, where it says that it is behind the cluster.
    pub(super) async fn behind(&self) -> Result<Option<u64>, NodeError> {
        match self.rpc.call::<Value>("getHealth", json!([])).await {
            Ok(_) => Ok(None),
            Err(error) if error.code() == Some(UNHEALTHY) => {
                self.rpc.call("getMaxShredInsertSlot", json!([])).await.map(Some)
            }
            Err(error) => Err(error),
        }
    }

    /// The last block at a finalized slot or before it, and its time.
    pub(super) async fn last_block(&self, slot: u64) -> Result<(Block, u64), NodeError> {
        let first = slot.saturating_sub(LOOK_BACK);
        let slots: Vec<u64> = self.rpc.call("getBlocks", json!([first, slot, finalized()])).await?;
        let Some(height) = slots.last().copied() else {
            return Err(self.unfit(format!(
                "it has no block of slots {first} to {slot}; let it keep more of the ledger (--limit-ledger-size)"
            )));
        };
        let options = json!({
            "commitment": "finalized", "transactionDetails": "none", "rewards": false,
            "maxSupportedTransactionVersion": 0,
        });
        let block: Option<BlockInfo> = self.rpc.call("getBlock", json!([height, options])).await?;
        let block =
            block.ok_or_else(|| self.unexpected("getBlock", format!("it listed slot {height}, and has no block")))?;
        Ok((Block { height, hash: block.blockhash }, block.block_time.unwrap_or_default()))
    }

    /// An account's data, where there is such an account.
    async fn account(&self, address: &Address) -> Result<Option<Account>, NodeError> {
        let options = json!({ "commitment": "finalized", "encoding": "base64" });
        let answer: InContext<Option<Account>> =
            self.rpc.call("getAccountInfo", json!([address.to_string(), options])).await?;
        Ok(answer.value)
    }

    /// Whether there is such an account: one that holds anything.
    pub(super) async fn exists(&self, address: &Address) -> Result<bool, NodeError> {
        Ok(self.account(address).await?.is_some())
    }

    /// The nonce of a nonce account.
    pub(super) async fn nonce(&self, address: &Address) -> Result<Nonce, NodeError> {
        let unfit = |why: &str| self.unfit(format!("nonce account {address}: {why}"));
        let account = self.account(address).await?;
        let account = account.ok_or_else(|| {
            unfit("there is none; make one with `solana create-nonce-account`, with our address as its authority")
        })?;
        if account.owner != SYSTEM_PROGRAM {
            return Err(unfit("it is no nonce account"));
        }
        let data = account.bytes().map_err(|what| self.unexpected("getAccountInfo", what))?;
        Nonce::read(&data).map_err(unfit)
    }

    /// In lamports.
    pub(super) async fn balance(&self, address: &Address) -> Result<u64, NodeError> {
        let answer: InContext<u64> = self.rpc.call("getBalance", json!([address.to_string(), finalized()])).await?;
        Ok(answer.value)
    }

    /// What the smallest account must hold to stay (Solana documentation, "Accounts": rent), in lamports.
    pub(super) async fn least_balance(&self) -> Result<u64, NodeError> {
        self.rpc.call("getMinimumBalanceForRentExemption", json!([0])).await
    }

    /// Transactions that name an account, the last first, as many as the node likes to give at once; those before `before`
    /// where it is given. Refused by a node that
    /// has not read up to slot `seen`.
    pub(super) async fn signatures(
        &self,
        address: &str,
        before: Option<&str>,
        seen: u64,
    ) -> Result<Vec<SignatureInfo>, NodeError> {
        let options = json!({ "commitment": "finalized", "before": before, "minContextSlot": seen });
        self.rpc.call("getSignaturesForAddress", json!([address, options])).await
    }

    /// A transaction and what it did.
    pub(super) async fn transaction(&self, signature: &str) -> Result<TransactionInfo, NodeError> {
        let options = json!({ "commitment": "finalized", "encoding": "json", "maxSupportedTransactionVersion": 0 });
        let found: Option<TransactionInfo> = self.rpc.call("getTransaction", json!([signature, options])).await?;
        found.ok_or_else(|| self.unexpected("getTransaction", format!("it listed {signature}, and does not have it")))
    }

    /// Where a transaction is; also one of long ago.
    pub(super) async fn status(&self, signature: &str) -> Result<Option<Status>, NodeError> {
        let params = json!([[signature], { "searchTransactionHistory": true }]);
        let answer: InContext<Vec<Option<SignatureStatus>>> = self.rpc.call("getSignatureStatuses", params).await?;
        Ok(answer.value.into_iter().next().flatten().map(|status| Status {
            slot: status.slot,
            is_final: status.confirmation_status.as_deref() == Some("finalized"),
            succeeded: status.err.is_null(),
        }))
    }

    /// Hands a transaction in. The node tries it first, on the newest state it believes to stay.
    pub(super) async fn send(&self, transaction: &str) -> Result<(), NodeError> {
        let options = json!({ "encoding": "base64", "preflightCommitment": "confirmed" });
        self.rpc.call::<Value>("sendTransaction", json!([transaction, options])).await.map(drop)
    }
}

fn finalized() -> Value {
    json!({ "commitment": "finalized" })
}
