//! What the daemon's API takes and answers, beside what the journal keeps.

use appliance_wire::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    chains::Block,
    journal::{Alarm, Assigned, Deposit, Event, PoolStanding, WithdrawalId, WithdrawalState, WithdrawalView},
};

/// A withdrawal that is wanted.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WithdrawalRequest {
    /// The chain, by its name in the config.
    #[schema(example = "bitcoin")]
    pub chain: String,
    /// What is paid.
    #[schema(example = "BTC")]
    pub asset: String,
    /// To whom.
    #[schema(example = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080")]
    pub destination: String,
    /// How much arrives there, in the asset's main unit; the fee comes on top.
    #[schema(value_type = String, max_length = 100, pattern = r"^(0|[1-9][0-9]*)(\.[0-9]+)?$", example = "0.1")]
    pub amount: Decimal,
    /// The data field of the payment, on chains that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memo: Option<String>,
}

/// Which withdrawals are asked for.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WithdrawalsQuery {
    /// Of this chain only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<String>,
    /// In this state only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<WithdrawalState>,
    /// Those not settled only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<bool>,
    /// After this id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// A page of withdrawals, without their history.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct WithdrawalsAnswer {
    /// In the order of their ids.
    pub withdrawals: Vec<WithdrawalView>,
    /// What to pass as `after` where there are more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub next: Option<WithdrawalId>,
}

/// Which deposits or events are asked for.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CursorQuery {
    /// Deposits of this chain only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<String>,
    /// After this cursor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// A page of deposits: each once, at its last change.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct DepositsAnswer {
    /// In the order of their last changes.
    pub deposits: Vec<Deposit>,
    /// What to pass as `after` next time.
    pub next: u64,
}

/// A page of events.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct WatcherEventsAnswer {
    /// In order, without gaps.
    pub events: Vec<Event>,
    /// What to pass as `after` next time.
    pub next: u64,
}

/// Which of a chain's addresses are asked for.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AddressesQuery {
    /// After this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// A page of addresses that were given out.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct AssignedAnswer {
    /// In the order of their names.
    pub addresses: Vec<Assigned>,
    /// What to pass as `after` where there are more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Every chain, and who is told of events.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ChainsAnswer {
    /// In the order of the config.
    pub chains: Vec<ChainView>,
    /// The webhooks of the config.
    pub receivers: Vec<ReceiverView>,
}

/// Where the watcher stands on a chain.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct ChainView {
    /// Its name in the config.
    #[schema(example = "bitcoin")]
    pub name: String,
    /// Which chain it is.
    #[schema(example = "bitcoin-regtest")]
    pub network: String,
    /// Whether its node answers.
    pub reachable: bool,
    /// Why node or signer cannot be used now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// The last block that was read for deposits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
    /// All deposits up to this block are settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safe: Option<Block>,
    /// How many blocks the node knows of beyond `height`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_blocks: Option<u64>,
    /// The age of the last block that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_seconds: Option<u64>,
    /// Deposits seen and not believed yet.
    pub pending_deposits: u64,
    /// Withdrawals not settled.
    pub unconfirmed_withdrawals: u64,
    /// The one of them that was made first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<OldestView>,
    /// Addresses ready to be given out; none where all customers pay to one, with a memo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolStanding>,
    /// What a person has to look at: nothing is credited, drafted or sent until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm: Option<Alarm>,
}

/// The oldest withdrawal that is not settled.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct OldestView {
    /// Its name.
    #[schema(value_type = String)]
    pub id: WithdrawalId,
    /// When it was made, RFC 3339.
    pub since: String,
}

/// Where a webhook stands.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct ReceiverView {
    /// Where to.
    pub url: String,
    /// Number of the last event it has taken.
    pub taken: u64,
    /// How many events it has not taken yet.
    pub behind: u64,
    /// Why it does not take the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// Since when, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}
