//! From an order to an unsigned message: what the node must say for the payment to be possible, and the message.

use appliance_wire::{Amount, Output, Transfer};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::{Address, FEE, Payment, SOL_DECIMALS, node::Node};
use crate::chains::{Draft, DraftError, Format, Held, Order, Own, Quantity, Source};

/// What drafts follow besides the order.
#[derive(Clone, Debug)]
pub(super) struct Drafting {
    pub(super) nonce_account: Address,
    /// In lamports.
    pub(super) max_fee: Amount,
}

impl Drafting {
    /// See [`Chain::draft`](crate::chains::Chain::draft).
    pub(super) async fn draft(&self, node: &Node, order: &Order, own: &Own, held: &Held) -> Result<Draft, DraftError> {
        let payer = Address::of(&own.key().public_key)
            .ok_or_else(|| never(format!("key {} signs nothing for Solana: it takes ed25519", own.key().path)))?;
        let destination = self.possible(order)?;
        let account = self.nonce_account;
        if held.iter().any(|held| held.strip_prefix(&account.to_string()).is_some_and(|rest| rest.starts_with('/'))) {
            return Err(DraftError::Busy { what: format!("the nonce of {account}") });
        }
        let nonce = node.nonce(&account).await?;
        if nonce.authority != payer {
            let authority = nonce.authority;
            return Err(node.unfit(format!("nonce account {account} is of {authority}, and we are {payer}")).into());
        }
        let lamports = affordable(node, order, &payer, &destination).await?;
        let nonce = nonce.value;
        let payment = Payment { payer, nonce_account: account, nonce, destination, lamports, memo: order.memo.clone() };
        let message = payment.message().map_err(|error| never(error.to_string()))?;
        Ok(Draft {
            format: Format::Solana,
            unsigned: STANDARD.encode(message),
            owners: vec![own.key().path.clone()],
            holds: vec![format!("{account}/{}", bs58::encode(nonce).into_string())],
            amount: sol(lamports),
            fee: sol(FEE),
            transfer: Some(Transfer {
                asset: order.asset.name.clone(),
                fee: Some(sol(FEE)),
                outputs: vec![Output { destination: destination.to_string(), amount: sol(lamports), reference: None }],
            }),
        })
    }

    /// The destination of an order this chain can carry out.
    fn possible(&self, order: &Order) -> Result<Address, DraftError> {
        if order.source != Source::Key {
            return Err(never("an Ed25519 key has no children to pay from".to_owned()));
        }
        if order.asset.contract.is_some() {
            return Err(never("tokens of Solana are not paid here".to_owned()));
        }
        if Amount::from_units(FEE) > self.max_fee {
            let (fee, most) = (sol(FEE).to_string(), self.max_fee.to_decimal(SOL_DECIMALS).to_string());
            return Err(DraftError::TooDear { fee, unit: "SOL", key: "max_fee", most });
        }
        order.destination.parse().map_err(|error| never(format!("destination: {error}")))
    }
}

/// What is paid, once it is certain that the accounts can hold what they will: the runtime refuses a payment that leaves
/// one with more than nothing and less than the least.
async fn affordable(node: &Node, order: &Order, payer: &Address, destination: &Address) -> Result<u64, DraftError> {
    let (balance, least) = (node.balance(payer).await?, node.least_balance().await?);
    let too_little = |missing: u64, why: String| DraftError::TooLittle {
        missing: sol(missing).to_string(),
        asset: order.asset.name.clone(),
        why,
    };
    let has = || format!("{payer} has {} SOL", sol(balance));
    let most = balance.checked_sub(FEE).ok_or_else(|| too_little(FEE - balance, has()))?;
    let lamports = match &order.quantity {
        Quantity::All => most,
        Quantity::Exactly(amount) => {
            let units = order.quantity.units(&order.asset);
            let units = units.and_then(|units| units.to_decimal(0).as_str().parse().ok());
            units.ok_or_else(|| never(format!("{amount} {} is no amount of lamports", order.asset.name)))?
        }
    };
    let left = most.checked_sub(lamports).ok_or_else(|| too_little(lamports - most, has()))?;
    if left > 0 && left < least && payer != destination {
        let why = format!("{}, and whoever has anything keeps {} SOL", has(), sol(least));
        return Err(too_little(least - left, why));
    }
    if lamports < least && !node.exists(destination).await? {
        let (amount, least) = (sol(lamports), sol(least));
        return Err(never(format!(
            "{destination} is a new account, which takes at least {least} SOL, and not {amount}"
        )));
    }
    Ok(lamports)
}

fn never(why: String) -> DraftError {
    DraftError::Never(why)
}

fn sol(lamports: u64) -> appliance_wire::Decimal {
    Amount::from_units(lamports).to_decimal(SOL_DECIMALS)
}
