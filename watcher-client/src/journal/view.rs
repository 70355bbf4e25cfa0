//! A withdrawal as others see it. Unsigned and signed bytes are not in it: those only an export carries.

use appliance_wire::{Decimal, RequestId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Moment, Purpose, Transaction, TransactionState, Waiting, Wish, Withdrawal, WithdrawalId, WithdrawalState};
use crate::chains::{Block, Quantity, Variation};

/// A withdrawal.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct WithdrawalView {
    /// Its name.
    #[schema(value_type = String, example = "wd-1042")]
    pub id: WithdrawalId,
    /// The chain, by its name in the config.
    #[schema(example = "bitcoin")]
    pub chain: String,
    /// What it is for: `payout`, or the watcher's own `sweep` and `top_up`.
    pub purpose: Purpose,
    /// What is paid.
    #[schema(example = "BTC")]
    pub asset: String,
    /// To whom.
    #[schema(example = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080")]
    pub destination: String,
    /// How much, in the asset's main unit; none where it is all there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "0.1")]
    pub amount: Option<Decimal>,
    /// The data field of the payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memo: Option<String>,
    /// Where it stands.
    pub state: WithdrawalState,
    /// Its transactions, each in place of all before it: at most one of them is ever mined.
    pub transactions: Vec<TransactionView>,
    /// How deep its transaction must be to be believed. Events leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmations_needed: Option<u64>,
    /// What was asked for and is not done yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wish: Option<Wish>,
    /// Why it does not go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// What happened, in order. Events leave it out: they are the history.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Moment>,
}

/// One transaction of a withdrawal.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct TransactionView {
    /// The request of the signer's API under which it is signed.
    #[schema(value_type = String, example = "wd-1042")]
    pub request_id: RequestId,
    /// Why it is there beside the first; none for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variation: Option<Variation>,
    /// Where it stands.
    pub state: TransactionState,
    /// What the chain knows it by, once it is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub txid: Option<String>,
    /// The most it costs, in the chain's native asset.
    #[schema(value_type = String, example = "0.0000141")]
    pub fee: Decimal,
    /// The entry of the signer's audit log that holds its signatures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
    /// The block that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<Block>,
    /// How deep that block is: 1 where it is the last. Events leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmations: Option<u64>,
}

impl WithdrawalView {
    /// With its history and with how deep it is, under a tip at this height, where it must be so deep.
    #[must_use]
    pub fn of(withdrawal: &Withdrawal, tip: Option<u64>, needed: Option<u64>) -> Self {
        let mut view = Self::short(withdrawal);
        view.confirmations_needed = needed;
        view.history.clone_from(&withdrawal.history);
        for transaction in &mut view.transactions {
            let depth = |block: &Block| tip.map(|tip| (tip + 1).saturating_sub(block.height));
            transaction.confirmations = transaction.block.as_ref().and_then(depth);
        }
        view
    }

    /// As events carry it.
    pub(super) fn short(withdrawal: &Withdrawal) -> Self {
        let order = &withdrawal.order;
        let transactions = withdrawal.transactions.iter().enumerate();
        let transactions = transactions.filter_map(|(position, one)| {
            let state = withdrawal.state_of(position)?;
            Some(TransactionView::of(one, state))
        });
        Self {
            id: withdrawal.id.clone(),
            chain: withdrawal.chain.clone(),
            purpose: withdrawal.purpose,
            asset: order.asset.name.clone(),
            destination: order.destination.clone(),
            amount: match &order.quantity {
                Quantity::Exactly(amount) => Some(amount.clone()),
                Quantity::All => None,
            },
            memo: order.memo.clone(),
            state: withdrawal.state,
            transactions: transactions.collect(),
            confirmations_needed: None,
            wish: withdrawal.wish,
            waiting: withdrawal.waiting.clone(),
            history: Vec::new(),
        }
    }
}

impl TransactionView {
    fn of(transaction: &Transaction, state: TransactionState) -> Self {
        Self {
            request_id: transaction.request_id.clone(),
            variation: transaction.variation,
            state,
            txid: transaction.signed.as_ref().map(|signed| signed.txid.clone()),
            fee: transaction.draft.fee.clone(),
            entry: transaction.entry,
            block: transaction.mined.as_ref().map(|mined| mined.block.clone()),
            confirmations: None,
        }
    }
}
