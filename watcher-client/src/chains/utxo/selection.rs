//! Which coins are spent, and what becomes of the rest. Knows no node: the same coins give the same plan.
//!
//! The rule is the simplest that is right: the smallest coin that suffices alone, else the largest until they suffice.

use appliance_wire::Chain;
use bitcoin::{
    ScriptBuf, TxOut,
    transaction::{InputWeightPrediction, predict_weight},
};

use super::{
    coin::Coin,
    fee::{FeeRule, dust},
};

/// Inputs of one transaction: with the transactions they spend, a signer must be able to take it in.
pub(super) const MOST_INPUTS: usize = 200;

/// What a transaction is for.
#[derive(Clone, Debug)]
pub(super) struct Purpose {
    pub(super) chain: Chain,
    /// What must be paid; none where everything goes to `rest`.
    pub(super) payment: Option<TxOut>,
    /// To whom the rest goes.
    pub(super) rest: ScriptBuf,
    pub(super) fee: FeeRule,
}

/// A transaction without its signatures.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Plan {
    pub(super) coins: Vec<Coin>,
    pub(super) outputs: Vec<TxOut>,
    /// What it pays.
    pub(super) fee: u64,
    /// What it had to pay at least.
    pub(super) needed: u64,
    pub(super) vbytes: u64,
}

/// The coins there are do not suffice.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct TooLittle {
    pub(super) missing: u64,
}

impl Purpose {
    /// Pays with `kept` and as few of `free` as suffice.
    ///
    /// # Errors
    /// [`TooLittle`], also where it would take more coins than fit a transaction.
    pub(super) fn plan(&self, kept: &[Coin], free: Vec<Coin>) -> Result<Plan, TooLittle> {
        if let Some(plan) = self.settle(kept.to_vec()).filter(|_| !kept.is_empty()) {
            return Ok(plan);
        }
        let free = self.worthwhile(free);
        let with = |coin: &Coin| self.settle([kept, std::slice::from_ref(coin)].concat());
        if let Some(plan) = free.iter().rev().find_map(with) {
            return Ok(plan);
        }
        let mut coins = kept.to_vec();
        for coin in free {
            if coins.len() == MOST_INPUTS {
                break;
            }
            coins.push(coin);
            if let Some(plan) = self.settle(coins.clone()) {
                return Ok(plan);
            }
        }
        Err(TooLittle { missing: self.missing(&coins) })
    }

    /// Spends everything, as far as it fits a transaction, the largest first.
    ///
    /// # Errors
    /// [`TooLittle`] where nothing would be left of it.
    pub(super) fn plan_all(&self, free: Vec<Coin>) -> Result<Plan, TooLittle> {
        let mut coins = self.worthwhile(free);
        coins.truncate(MOST_INPUTS);
        let missing = TooLittle { missing: self.missing(&coins) };
        self.settle(coins).ok_or(missing)
    }

    /// Coins that are worth more than their inputs cost, the largest first.
    fn worthwhile(&self, mut coins: Vec<Coin>) -> Vec<Coin> {
        let empty = self.vbytes(&[], false);
        let cost = |coin: &Coin| self.fee.rate.of(self.vbytes(std::slice::from_ref(coin), false) - empty);
        coins.retain(|coin| coin.sats > cost(coin));
        coins.sort_by(|one, other| other.sats.cmp(&one.sats).then_with(|| one.outpoint.cmp(&other.outpoint)));
        coins
    }

    /// The plan that spends these coins and no others; none where they do not suffice. A rest too small to be an output
    /// is left to the fee.
    fn settle(&self, coins: Vec<Coin>) -> Option<Plan> {
        let total = sum(&coins)?;
        let left = total.checked_sub(self.paid())?;
        let vbytes = self.vbytes(&coins, true);
        let needed = self.fee.fee(vbytes);
        let rest = left.checked_sub(needed).filter(|rest| *rest >= dust(self.chain, self.rest.as_bytes()));
        if let Some(rest) = rest {
            let rest = TxOut { value: bitcoin::Amount::from_sat(rest), script_pubkey: self.rest.clone() };
            let outputs = self.payment.iter().cloned().chain([rest]).collect();
            return Some(Plan { coins, outputs, fee: needed, needed, vbytes });
        }
        let payment = self.payment.clone()?;
        let vbytes = self.vbytes(&coins, false);
        let needed = self.fee.fee(vbytes);
        (left >= needed).then(|| Plan { coins, outputs: vec![payment], fee: left, needed, vbytes })
    }

    fn missing(&self, coins: &[Coin]) -> u64 {
        let least = if self.payment.is_some() { 0 } else { dust(self.chain, self.rest.as_bytes()) };
        let fee = self.fee.fee(self.vbytes(coins, self.payment.is_none()));
        let wanted = self.paid().saturating_add(fee).saturating_add(least);
        wanted.saturating_sub(sum(coins).unwrap_or(u64::MAX))
    }

    fn paid(&self) -> u64 {
        self.payment.as_ref().map_or(0, |payment| payment.value.to_sat())
    }

    fn vbytes(&self, coins: &[Coin], with_rest: bool) -> u64 {
        let rest = with_rest.then_some(self.rest.len());
        let outputs = self.payment.iter().map(|payment| payment.script_pubkey.len()).chain(rest);
        vbytes(coins.iter().map(Coin::input), outputs)
    }
}

/// The size of a transaction with signatures, at most.
pub(super) fn vbytes(
    inputs: impl IntoIterator<Item = InputWeightPrediction>,
    scripts: impl IntoIterator<Item = usize>,
) -> u64 {
    predict_weight(inputs, scripts).to_vbytes_ceil()
}

fn sum(coins: &[Coin]) -> Option<u64> {
    coins.iter().try_fold(0_u64, |sum, coin| sum.checked_add(coin.sats))
}

#[cfg(test)]
mod tests;
