//! From an order to an unsigned transaction, and to another in its place.

use std::collections::{HashMap, HashSet, hash_map::Entry};

use appliance_wire::Amount;
use bitcoin::{OutPoint, ScriptBuf, Transaction, TxOut, Txid};

use super::{
    Utxo,
    coin::Coin,
    fee::{Ceilings, FeeRule, coins, decimal, dust},
    psbt::{self, Before},
    selection::{Plan, Purpose, TooLittle, vbytes},
};
use crate::{
    chains::{Asset, Draft, DraftError, Format, Held, NodeError, Order, Own, Quantity, Source, Variation},
    config::{ChainAsset, ChainConfig},
};

/// A sweep is made where it brings in more than so many times what it costs.
const WORTH: u64 = 10;

/// What the config says of drafts.
#[derive(Debug)]
pub(super) struct Terms {
    native: Asset,
    ceilings: Ceilings,
    confirmations: u64,
    sweep_above: Option<u64>,
}

impl Terms {
    pub(super) fn new(config: &ChainConfig, native: &ChainAsset) -> Self {
        Self {
            native: native.asset.clone(),
            ceilings: Ceilings { fee: units(config.max_fee), rate: config.max_fee_rate },
            confirmations: config.confirmations,
            sweep_above: native.sweep_above.map(units),
        }
    }
}

impl Utxo {
    pub(super) async fn draft_order(&self, order: &Order, own: &Own, held: &Held) -> Result<Draft, DraftError> {
        let purpose = self.purpose(order, own, FeeRule::fresh(self.node.rates().await?))?;
        let mut free = self.free(order, own, held).await?;
        loop {
            let plan = match order.quantity {
                Quantity::Exactly(_) => purpose.plan(&[], free.clone()),
                Quantity::All => purpose.plan_all(free.clone()),
            };
            let plan = plan.map_err(|short| self.too_little(&short, &free, held))?;
            self.terms.ceilings.check(self.node.chain, plan.needed, plan.fee, plan.vbytes)?;
            let gone = self.gone(&plan.coins).await?;
            if gone.is_empty() {
                return self.finish(&plan, HashMap::new(), first_output(&plan)).await;
            }
            free.retain(|coin| !gone.contains(&coin.outpoint));
        }
    }

    /// All inputs of all that went before stay, so that whichever is mined rules out the others.
    pub(super) async fn draft_variant(
        &self,
        order: &Order,
        before: &[Draft],
        variation: Variation,
        own: &Own,
        held: &Held,
    ) -> Result<Draft, DraftError> {
        let address_of = |script: &[u8]| self.node.chain.address_of_script(script);
        let before: Option<Vec<Before>> = before.iter().map(|draft| psbt::read(draft, own, address_of)).collect();
        let before = before.filter(|before| !before.is_empty()).ok_or_else(|| {
            DraftError::Never("what is to be replaced is not a transaction of our addresses".to_owned())
        })?;
        let sizes: Vec<_> = before.iter().map(|before| (before.fee, size(before))).collect();
        let rule = FeeRule::replacing(self.node.rates().await?, &sizes);
        let purpose = match variation {
            Variation::Bump => self.purpose(order, own, rule)?,
            Variation::Cancel => {
                let (chain, rest) = (self.node.chain, self.script(&own.key().address)?);
                Purpose { chain, payment: None, rest, fee: rule }
            }
        };
        let (kept, previous) = kept(before);
        let mut free = Vec::new();
        let plan = loop {
            match purpose.plan(&kept, free.clone()) {
                Ok(plan) => {
                    let gone = self.gone(plan.coins.get(kept.len()..).unwrap_or_default()).await?;
                    if gone.is_empty() {
                        break plan;
                    }
                    free.retain(|coin: &Coin| !gone.contains(&coin.outpoint));
                }
                Err(_) if free.is_empty() => {
                    free = self.free(order, own, held).await?;
                    free.retain(|coin| kept.iter().all(|kept| kept.outpoint != coin.outpoint));
                    if free.is_empty() {
                        let short = purpose.plan(&kept, Vec::new()).err().unwrap_or(TooLittle { missing: 0 });
                        return Err(self.too_little(&short, &free, held));
                    }
                }
                Err(short) => return Err(self.too_little(&short, &free, held)),
            }
        };
        self.terms.ceilings.check(self.node.chain, plan.needed, plan.fee, plan.vbytes)?;
        let arrives = if variation == Variation::Cancel { 0 } else { first_output(&plan) };
        self.finish(&plan, previous, arrives).await
    }

    pub(super) async fn draft_sweeps(&self, own: &Own, held: &Held) -> Result<Vec<Order>, NodeError> {
        let Some(above) = self.terms.sweep_above else { return Ok(Vec::new()) };
        let order = Order {
            source: Source::Children,
            destination: own.key().address.clone(),
            asset: self.terms.native.clone(),
            quantity: Quantity::All,
            memo: None,
        };
        let free = self.free(&order, own, held).await?;
        if free.iter().map(|coin| coin.sats).sum::<u64>() <= above {
            return Ok(Vec::new());
        }
        let Ok(purpose) = self.purpose(&order, own, FeeRule::fresh(self.node.rates().await?)) else {
            return Ok(Vec::new());
        };
        let plan = purpose.plan_all(free).ok().filter(|plan| {
            let brings: u64 = plan.outputs.iter().map(|output| output.value.to_sat()).sum();
            let is_affordable = self.terms.ceilings.check(self.node.chain, plan.needed, plan.fee, plan.vbytes).is_ok();
            is_affordable && brings > plan.fee.saturating_mul(WORTH)
        });
        Ok(plan.map(|_| order).into_iter().collect())
    }

    /// What the order pays, and where its rest goes: everything to the destination, or change to the key.
    fn purpose(&self, order: &Order, own: &Own, fee: FeeRule) -> Result<Purpose, DraftError> {
        let chain = self.node.chain;
        if order.memo.is_some() {
            return Err(DraftError::Never(format!("a payment on {chain} has no data field: leave the memo out")));
        }
        if order.asset != self.terms.native {
            return Err(DraftError::Never(format!("{chain} has no asset \"{}\" here", order.asset.name)));
        }
        let destination = self.script(&order.destination)?;
        let sats = match &order.quantity {
            Quantity::All => return Ok(Purpose { chain, payment: None, rest: destination, fee }),
            Quantity::Exactly(_) => order.quantity.units(&order.asset).map_or(0, units),
        };
        let least = dust(chain, destination.as_bytes());
        if sats < least {
            let least = coins(least);
            let name = &order.asset.name;
            let why = format!("nodes do not relay a payment of less than {least} {name} to {}", order.destination);
            return Err(DraftError::Never(why));
        }
        let payment = TxOut { value: bitcoin::Amount::from_sat(sats), script_pubkey: destination };
        Ok(Purpose { chain, payment: Some(payment), rest: self.script(&own.key().address)?, fee })
    }

    fn script(&self, address: &str) -> Result<ScriptBuf, DraftError> {
        let script = self.node.chain.script_of_address(address);
        script.map(ScriptBuf::from_bytes).map_err(|error| DraftError::Never(error.to_string()))
    }

    /// Coins that the order may spend.
    async fn free(&self, order: &Order, own: &Own, held: &Held) -> Result<Vec<Coin>, NodeError> {
        let mut coins = self.knowledge.coins(&self.node, own, held, self.terms.confirmations).await?;
        coins.retain(|coin| match &order.source {
            Source::Key => true,
            Source::Child(path) => coin.owner.path == *path,
            Source::Children => coin.owner != *own.key(),
        });
        Ok(coins)
    }

    /// Those that cannot be spent after all: what was read of them is as old as the last block.
    async fn gone(&self, coins: &[Coin]) -> Result<HashSet<OutPoint>, NodeError> {
        let mut gone = HashSet::new();
        for coin in coins {
            if !self.node.is_spendable(coin.outpoint).await? {
                gone.insert(coin.outpoint);
            }
        }
        Ok(gone)
    }

    async fn finish(
        &self,
        plan: &Plan,
        mut previous: HashMap<Txid, Transaction>,
        arrives: u64,
    ) -> Result<Draft, DraftError> {
        for coin in &plan.coins {
            let txid = coin.outpoint.txid;
            if let Entry::Vacant(vacant) = previous.entry(txid) {
                vacant.insert(self.knowledge.transaction(&self.node, txid).await?);
            }
        }
        let unsigned = psbt::write(plan, &previous)
            .ok_or_else(|| self.node.rpc.unexpected("gettxout", "a coin is not what its transaction made"))?;
        Ok(Draft {
            format: Format::Psbt,
            unsigned,
            owners: plan.coins.iter().map(|coin| coin.owner.path.clone()).collect(),
            holds: plan.coins.iter().map(|coin| coin.outpoint.to_string()).collect(),
            amount: decimal(arrives),
            fee: decimal(plan.fee),
            transfer: None,
        })
    }

    fn too_little(&self, short: &TooLittle, free: &[Coin], held: &Held) -> DraftError {
        let there: u64 = free.iter().map(|coin| coin.sats).sum();
        let (count, there, held) = (free.len(), coins(there), held.len());
        let deep = self.terms.confirmations;
        DraftError::TooLittle {
            missing: coins(short.missing),
            asset: self.terms.native.name.clone(),
            why: format!(
                "{count} coins of {there} are free and confirmed (change once, deposits {deep} times), and {held} are \
                 held by other withdrawals"
            ),
        }
    }
}

/// The coins of all of them, each once, and what made them.
fn kept(before: Vec<Before>) -> (Vec<Coin>, HashMap<Txid, Transaction>) {
    let (mut kept, mut previous) = (Vec::<Coin>::new(), HashMap::new());
    for (coin, made) in before.into_iter().flat_map(|before| before.coins) {
        previous.insert(coin.outpoint.txid, made);
        if !kept.contains(&coin) {
            kept.push(coin);
        }
    }
    (kept, previous)
}

/// What arrives at the destination: the payment, or all there is.
fn first_output(plan: &Plan) -> u64 {
    plan.outputs.first().map_or(0, |output| output.value.to_sat())
}

fn size(before: &Before) -> u64 {
    let inputs = before.coins.iter().map(|(coin, _)| coin.input());
    vbytes(inputs, before.outputs.iter().map(|output| output.script_pubkey.len()))
}

/// Base units; more than there can be is as much as there can be.
fn units(amount: Amount) -> u64 {
    amount.to_decimal(0).as_str().parse().unwrap_or(u64::MAX)
}
