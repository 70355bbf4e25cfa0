//! Orders as unsigned transactions of EIP-1559.

use alloy_consensus::{SignableTransaction, TxEip1559};
use alloy_primitives::{Address, Bytes, TxKind, U256};
use appliance_wire::Amount;
use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    ETHER_DECIMALS, Evm,
    account::{Funds, hold, too_little},
    amount,
    fees::Price,
    node::{At, Header, Trial},
    token, units,
};
use crate::chains::{Draft, DraftError, Format, Held, Order, Own, OwnAddress, Quantity, Source};

/// An order, read: who pays what to whom.
#[derive(Debug)]
pub(super) struct Payment<'a> {
    pub(super) order: &'a Order,
    pub(super) payer: &'a OwnAddress,
    pub(super) account: Address,
    pub(super) destination: Address,
    pub(super) contract: Option<Address>,
    /// None where all there is is paid.
    pub(super) exactly: Option<U256>,
}

/// Everything of a transaction but what it does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) nonce: u64,
    pub(super) gas: u64,
    pub(super) price: Price,
}

impl Evm {
    pub(super) async fn first_draft(&self, order: &Order, own: &Own, held: &Held) -> Result<Draft, DraftError> {
        let payment = Payment::read(order, own)?;
        let last = self.node.latest().await?;
        let funds = self.funds_for(&payment, &last).await?;
        let gas = self.gas_for(&payment, funds).await?;
        let price = self.market(&last).await?.price(&self.ceilings, gas)?;
        let nonce = self.free_nonce(payment.account, held).await?;
        let terms = Terms { nonce, gas, price };
        let amount = self.payable(&payment, funds, price.of(gas))?;
        Ok(self.pay(&payment, amount, terms))
    }

    /// What may be spent for a payment. Where the amount is given, the last block's state must cover it: what is asked
    /// for is paid as soon as it is there. All there is, is what is believed to be there.
    pub(super) async fn funds_for(&self, payment: &Payment<'_>, last: &Header) -> Result<Funds, DraftError> {
        let (account, contract) = (payment.account, payment.contract);
        Ok(match payment.exactly {
            Some(_) => self.funds(account, contract, At::Latest).await?,
            None => self.believed_funds(account, contract, last).await?,
        })
    }

    /// The gas limit of a payment, found by trying it. An account cannot try to pay what it has not.
    async fn gas_for(&self, payment: &Payment<'_>, funds: Funds) -> Result<u64, DraftError> {
        let tried = self.payable(payment, funds, U256::ZERO)?;
        // A node may count the gas against the balance: one wei stands for all.
        let tried = if payment.contract.is_none() && payment.exactly.is_none() { U256::from(1) } else { tried };
        let trial = payment.trial(tried);
        let gas = self.gas_limit(&trial).await?;
        gas.ok_or_else(|| {
            let (name, to) = (&payment.order.asset.name, &payment.order.destination);
            DraftError::Never(match payment.contract {
                Some(_) => format!("the contract of {name} refuses this transfer to {to}"),
                None => format!("the contract at {to} refuses this payment"),
            })
        })
    }

    /// What is paid, where fee and amount can be paid.
    pub(super) fn payable(&self, payment: &Payment<'_>, funds: Funds, fee: U256) -> Result<U256, DraftError> {
        let native = payment.contract.is_none();
        let of_asset = if native { funds.wei } else { funds.tokens };
        let fee_in_asset = if native { fee } else { U256::ZERO };
        // All there is, is at least one unit.
        let least = payment.exactly.unwrap_or(U256::from(1)).saturating_add(fee_in_asset);
        let short = |needed: U256, has: U256, asset: &crate::chains::Asset| {
            let text = |units: U256| amount(units).to_decimal(asset.decimals).as_str().to_owned();
            let why = format!("{} has {} and needs {}, fee included", payment.payer.address, text(has), text(needed));
            too_little(needed - has, asset, why)
        };
        if of_asset < least {
            return Err(short(least, of_asset, &payment.order.asset));
        }
        if funds.wei < fee {
            return Err(short(fee, funds.wei, &self.native.asset));
        }
        Ok(payment.exactly.unwrap_or(of_asset - fee_in_asset))
    }

    /// The transaction that pays `units` of the order's asset.
    pub(super) fn pay(&self, payment: &Payment<'_>, units: U256, terms: Terms) -> Draft {
        let Trial { to, value, data, .. } = payment.trial(units);
        let decimals = payment.order.asset.decimals;
        self.write(payment.payer, (to, value, data), (amount(units), decimals), terms)
    }

    /// A transaction of the account `payer` that says what is given, as the journal keeps it.
    pub(super) fn write(
        &self,
        payer: &OwnAddress,
        (to, value, input): (Address, U256, Bytes),
        (arriving, decimals): (Amount, u8),
        terms: Terms,
    ) -> Draft {
        let Terms { nonce, gas, price } = terms;
        let transaction = TxEip1559 {
            chain_id: self.chain_id,
            nonce,
            gas_limit: gas,
            max_fee_per_gas: price.most,
            max_priority_fee_per_gas: price.tip,
            to: TxKind::Call(to),
            value,
            input,
            ..TxEip1559::default()
        };
        Draft {
            format: Format::Eip2718,
            unsigned: STANDARD.encode(transaction.encoded_for_signing()),
            owners: vec![payer.path.clone()],
            holds: vec![hold(&payer.address, nonce)],
            amount: arriving.to_decimal(decimals),
            fee: amount(price.of(gas)).to_decimal(ETHER_DECIMALS),
            transfer: None,
        }
    }
}

impl<'a> Payment<'a> {
    pub(super) fn read(order: &'a Order, own: &'a Own) -> Result<Self, DraftError> {
        let never = |why: String| DraftError::Never(why);
        if order.memo.is_some() {
            return Err(never("a transaction of this chain has no data field: pay without a memo".to_owned()));
        }
        let payer = payer(&order.source, own)?;
        let address = |text: &str| text.parse::<Address>().map_err(|_| never(format!("{text} is no address")));
        let account = address(&payer.address)?;
        let destination = address(&order.destination)?;
        let contract = order.asset.contract.as_deref().map(address).transpose()?;
        if contract == Some(destination) {
            return Err(never(format!(
                "{destination:#x} is the token's own contract: nobody could move it from there"
            )));
        }
        let exactly = match &order.quantity {
            Quantity::All => None,
            Quantity::Exactly(text) => Some(order.quantity.units(&order.asset).map(units).ok_or_else(|| {
                let Order { asset, .. } = order;
                never(format!("{} {} has more than {} decimals", text.as_str(), asset.name, asset.decimals))
            })?),
        };
        if exactly.is_some_and(|units| units.is_zero()) {
            return Err(never("an amount of 0 pays nobody".to_owned()));
        }
        Ok(Self { order, payer, account, destination, contract, exactly })
    }

    /// What pays so many units, so that it can be tried.
    pub(super) fn trial(&self, units: U256) -> Trial {
        let (from, destination) = (self.account, self.destination);
        match self.contract {
            None => Trial { from, to: destination, value: units, data: Bytes::new() },
            Some(to) => Trial { from, to, value: U256::ZERO, data: token::transfer(destination, units) },
        }
    }
}

fn payer<'a>(source: &Source, own: &'a Own) -> Result<&'a OwnAddress, DraftError> {
    match source {
        Source::Key => Ok(own.key()),
        Source::Child(path) => own
            .children()
            .find(|child| child.path == *path)
            .ok_or_else(|| DraftError::Never(format!("{path} has no address on this chain"))),
        Source::Children => {
            Err(DraftError::Never("accounts cannot pay together on this chain: name one of them".to_owned()))
        }
    }
}
