//! Answers of a node, as far as they are read.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::Value;

/// An answer that says of which slot it is.
#[derive(Deserialize)]
pub(super) struct InContext<T> {
    pub(super) value: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockInfo {
    pub(super) blockhash: String,
    pub(super) block_time: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct Account {
    pub(super) owner: String,
    /// The data, and how it is written.
    data: (String, String),
}

impl Account {
    pub(super) fn bytes(&self) -> Result<Vec<u8>, &'static str> {
        let (data, encoding) = &self.data;
        let is_base64 = encoding == "base64";
        is_base64.then(|| STANDARD.decode(data).ok()).flatten().ok_or("the data is not in base64")
    }
}

/// `err` is `null` where it did what it should.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SignatureStatus {
    pub(super) slot: u64,
    pub(super) err: Value,
    pub(super) confirmation_status: Option<String>,
}

/// A transaction that names an account.
#[derive(Deserialize)]
pub(in super::super) struct SignatureInfo {
    pub(in super::super) signature: String,
    pub(in super::super) slot: u64,
    /// `null` where it did what it should.
    pub(in super::super) err: Value,
}

/// A transaction and what it did.
#[derive(Deserialize)]
pub(in super::super) struct TransactionInfo {
    pub(in super::super) slot: u64,
    transaction: Transaction,
    meta: Meta,
}

#[derive(Deserialize)]
struct Transaction {
    message: Message,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    account_keys: Vec<String>,
    instructions: Vec<Instruction>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Instruction {
    program_id_index: usize,
    /// In base58.
    data: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    pre_balances: Vec<u64>,
    post_balances: Vec<u64>,
    #[serde(default)]
    loaded_addresses: Option<LoadedAddresses>,
}

/// What a message of version 0 names by tables: the balances count it after the message's own accounts, first what is
/// written.
#[derive(Deserialize)]
struct LoadedAddresses {
    writable: Vec<String>,
    readonly: Vec<String>,
}

impl TransactionInfo {
    /// How many lamports an account has more than before; none where it has not, or is not named.
    pub(in super::super) fn gain(&self, address: &str) -> Option<u64> {
        let loaded =
            self.meta.loaded_addresses.iter().flat_map(|loaded| loaded.writable.iter().chain(&loaded.readonly));
        let mut accounts = self.transaction.message.account_keys.iter().chain(loaded);
        let place = accounts.position(|account| account == address)?;
        let (before, after) = (self.meta.pre_balances.get(place)?, self.meta.post_balances.get(place)?);
        after.checked_sub(*before).filter(|gain| *gain > 0)
    }

    /// Program and data of each instruction of the message itself.
    pub(in super::super) fn instructions(&self) -> impl Iterator<Item = (&str, Option<Vec<u8>>)> {
        let message = &self.transaction.message;
        message.instructions.iter().filter_map(|instruction| {
            let program = message.account_keys.get(instruction.program_id_index)?;
            Some((program.as_str(), bs58::decode(&instruction.data).into_vec().ok()))
        })
    }
}
