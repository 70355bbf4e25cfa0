//! Transactions in place of others: the same nonce, dearer, so that the one is mined or the other.

use alloy_consensus::{TxEip1559, TypedTransaction};
use alloy_primitives::{Bytes, U256};
use appliance_wire::Amount;
use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    ETHER_DECIMALS, Evm,
    account::{TRANSFER_GAS, too_little},
    draft::{Payment, Terms},
    fees::Price,
    node::{At, Trial},
    units,
};
use crate::chains::{Draft, DraftError, Order, Own, Variation};

/// What those have in common that are to be replaced.
#[derive(Debug)]
struct Before {
    nonce: u64,
    /// The dearest.
    price: Price,
    /// Of the one that pays.
    gas: u64,
    /// What that one pays.
    arriving: U256,
}

impl Evm {
    pub(super) async fn draft_instead_of(
        &self,
        before: &[Draft],
        order: &Order,
        variation: Variation,
        own: &Own,
    ) -> Result<Draft, DraftError> {
        let payment = Payment::read(order, own)?;
        let before = Before::read(before, order.asset.decimals)?;
        match variation {
            Variation::Bump => self.bump(&payment, &before).await,
            Variation::Cancel => self.cancel(&payment, &before).await,
        }
    }

    async fn bump(&self, payment: &Payment<'_>, before: &Before) -> Result<Draft, DraftError> {
        let last = self.node.latest().await?;
        let gas = before.gas;
        let price = self.market(&last).await?.price_instead_of(before.price, &self.ceilings, gas)?;
        let funds = self.funds_for(payment, &last).await?;
        let payable = self.payable(payment, funds, price.of(gas))?;
        // Where all there is is paid, it may be more by now: the signer lets nobody replace a payment by a larger one.
        let amount = if payment.exactly.is_none() { payable.min(before.arriving) } else { payable };
        Ok(self.pay(payment, amount, Terms { nonce: before.nonce, gas, price }))
    }

    /// Nothing, to oneself: it uses the nonce up.
    async fn cancel(&self, payment: &Payment<'_>, before: &Before) -> Result<Draft, DraftError> {
        let last = self.node.latest().await?;
        let account = payment.account;
        let trial = Trial { from: account, to: account, value: U256::ZERO, data: Bytes::new() };
        let gas = self.gas_limit(&trial).await?.unwrap_or(TRANSFER_GAS);
        let price = self.market(&last).await?.price_instead_of(before.price, &self.ceilings, gas)?;
        let (fee, has) = (price.of(gas), self.node.wei(account, At::Latest).await?);
        if has < fee {
            let why = format!("{} cannot pay for the cancellation", payment.payer.address);
            return Err(too_little(fee - has, &self.native.asset, why));
        }
        let terms = Terms { nonce: before.nonce, gas, price };
        Ok(self.write(payment.payer, (account, U256::ZERO, Bytes::new()), (Amount::ZERO, ETHER_DECIMALS), terms))
    }
}

impl Before {
    fn read(drafts: &[Draft], decimals: u8) -> Result<Self, DraftError> {
        let unreadable = || DraftError::Never("a transaction to be replaced cannot be read".to_owned());
        let mut before: Option<Self> = None;
        for draft in drafts {
            let this = Self::of(draft, decimals).ok_or_else(unreadable)?;
            before = Some(match before {
                None => this,
                Some(known) if known.nonce == this.nonce => known.and(this),
                Some(_) => return Err(DraftError::Never("the transactions to be replaced differ in nonce".to_owned())),
            });
        }
        before.ok_or_else(|| DraftError::Never("there is no transaction to be replaced".to_owned()))
    }

    fn of(draft: &Draft, decimals: u8) -> Option<Self> {
        let bytes = STANDARD.decode(&draft.unsigned).ok()?;
        let TypedTransaction::Eip1559(transaction) = TypedTransaction::decode_unsigned(&mut bytes.as_slice()).ok()?
        else {
            return None;
        };
        let TxEip1559 { nonce, gas_limit, max_fee_per_gas, max_priority_fee_per_gas, .. } = transaction;
        let price = Price { most: max_fee_per_gas, tip: max_priority_fee_per_gas };
        Some(Self { nonce, price, gas: gas_limit, arriving: units(draft.amount.to_amount(decimals).ok()?) })
    }

    /// A cancellation takes less gas than a payment, and pays nothing.
    fn and(self, other: Self) -> Self {
        Self {
            nonce: self.nonce,
            price: self.price.or_higher(other.price),
            gas: self.gas.max(other.gas),
            arriving: self.arriving.max(other.arriving),
        }
    }
}
