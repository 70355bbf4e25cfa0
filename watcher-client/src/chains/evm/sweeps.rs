//! What lies on children and should lie on the key's own account. Each child has to pay its own fees: where it has
//! tokens and no ether, the key sends it what the fee will be.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alloy_primitives::{Address, B256, U256};
use futures_util::future::join_all;

use super::{
    Evm, Token,
    account::{TRANSFER_GAS, is_busy},
    amount,
    fees::Market,
    node::{At, Trial},
    token, units,
};
use crate::chains::{Asset, DraftError, Held, NodeError, Order, Own, OwnAddress, Quantity, Source};

/// How many children's balances the node is asked for at a time.
const AT_ONCE: usize = 8;
/// Ether is moved where it is worth so many times the fee.
const WORTH: u64 = 10;

/// Balances after one block: they are asked for once a block, whoever is asked about.
#[derive(Debug, Default)]
pub(super) struct Balances(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    block: Option<B256>,
    by_account: HashMap<Address, Arc<Balance>>,
}

/// What a child has that is believed.
#[derive(Debug)]
struct Balance {
    wei: U256,
    /// Of the tokens that are swept, in the order of the config.
    tokens: Vec<U256>,
}

/// A child and what it has.
#[derive(Debug)]
struct Child<'a> {
    own: &'a OwnAddress,
    account: Address,
    balance: Arc<Balance>,
}

impl Evm {
    /// At most one order for each child, and none while another of its transactions is under way: the second would be
    /// drafted from a balance that the first spends. A top-up is ordered again until it is mined: whoever carries the orders
    /// out leaves out what is under way.
    pub(super) async fn sweep_orders(&self, own: &Own, held: &Held) -> Result<Vec<Order>, NodeError> {
        if self.native.sweep_above.is_none() && self.swept().next().is_none() {
            return Ok(Vec::new());
        }
        let last = self.node.latest().await?;
        let market = self.market(&last).await?;
        let mut children: Vec<&OwnAddress> = own.children().filter(|child| !is_busy(&child.address, held)).collect();
        children.sort_by(|one, other| one.path.cmp(&other.path));
        let mut orders = Vec::new();
        for some in children.chunks(AT_ONCE) {
            let asked = some.iter().map(|own| self.child(own, last.hash, self.believed(&last)));
            for child in join_all(asked).await {
                orders.extend(self.order_for(&child?, own, market).await?);
            }
        }
        Ok(orders)
    }

    async fn order_for(&self, child: &Child<'_>, own: &Own, market: Market) -> Result<Option<Order>, NodeError> {
        for (token, balance) in self.swept().zip(&child.balance.tokens) {
            if !reaches(*balance, token.sweep_above) {
                continue;
            }
            // Ether of a child whose tokens can be moved is their fee.
            if let Some(order) = self.token_order(child, token, *balance, own, market).await? {
                return Ok(Some(order));
            }
        }
        let Ok(price) = market.price(&self.ceilings, TRANSFER_GAS) else { return Ok(None) };
        let wei = child.balance.wei;
        let worth = price.of(TRANSFER_GAS).saturating_mul(U256::from(WORTH));
        let is_due = reaches(wei, self.native.sweep_above) && wei >= worth;
        Ok(is_due.then(|| sweep(child, &self.native.asset, own)))
    }

    /// None where the contract refuses, or gas is too dear now.
    async fn token_order(
        &self,
        child: &Child<'_>,
        token: &Token,
        balance: U256,
        own: &Own,
        market: Market,
    ) -> Result<Option<Order>, NodeError> {
        let Ok(key) = own.key().address.parse() else { return Ok(None) };
        let data = token::transfer(key, balance);
        let trial = Trial { from: child.account, to: token.contract, value: U256::ZERO, data };
        let Some(gas) = self.gas_limit(&trial).await? else { return Ok(None) };
        let cost = match market.price(&self.ceilings, gas) {
            Ok(price) => price.of(gas),
            Err(DraftError::Node(error)) => return Err(error),
            Err(_) => return Ok(None),
        };
        let wei = child.balance.wei;
        if wei >= cost {
            return Ok(Some(sweep(child, &token.asset, own)));
        }
        if self.node.wei(child.account, At::Latest).await? >= cost {
            // It was topped up, and that is not believed yet.
            return Ok(None);
        }
        // Half as much again: gas may be dearer when the tokens are moved.
        let missing = cost.saturating_add(cost >> 1).saturating_sub(wei);
        Ok(Some(Order {
            source: Source::Key,
            destination: child.own.address.clone(),
            asset: self.native.asset.clone(),
            quantity: Quantity::Exactly(amount(missing).to_decimal(self.native.asset.decimals)),
            memo: None,
        }))
    }

    async fn child<'a>(&self, own: &'a OwnAddress, block: B256, at: At) -> Result<Child<'a>, NodeError> {
        let unfit = || self.node.rpc.unfit(format!("{} is no address of this chain", own.address));
        let account = own.address.parse::<Address>().map_err(|_| unfit())?;
        if let Some(balance) = self.balances.known(block, account) {
            return Ok(Child { own, account, balance });
        }
        let wei = self.node.wei(account, at).await?;
        let mut tokens = Vec::new();
        for token in self.swept() {
            tokens.push(self.node.tokens(token.contract, account, at).await?);
        }
        let balance = Arc::new(Balance { wei, tokens });
        self.balances.keep(block, account, &balance);
        Ok(Child { own, account, balance })
    }

    fn swept(&self) -> impl Iterator<Item = &Token> {
        self.tokens.iter().filter(|token| token.sweep_above.is_some())
    }
}

impl Balances {
    /// What is known as of a block; of no other anything is kept.
    fn known(&self, block: B256, account: Address) -> Option<Arc<Balance>> {
        let mut kept = self.lock();
        if kept.block != Some(block) {
            *kept = Kept { block: Some(block), by_account: HashMap::new() };
        }
        kept.by_account.get(&account).cloned()
    }

    fn keep(&self, block: B256, account: Address, balance: &Arc<Balance>) {
        let mut kept = self.lock();
        if kept.block == Some(block) {
            kept.by_account.insert(account, Arc::clone(balance));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn reaches(balance: U256, above: Option<appliance_wire::Amount>) -> bool {
    !balance.is_zero() && above.is_some_and(|above| balance >= units(above))
}

fn sweep(child: &Child<'_>, asset: &Asset, own: &Own) -> Order {
    Order {
        source: Source::Child(child.own.path.clone()),
        destination: own.key().address.clone(),
        asset: asset.clone(),
        quantity: Quantity::All,
        memo: None,
    }
}
