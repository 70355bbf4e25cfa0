//! What a withdrawal has cost so far, over all its variants: only what exceeds that is charged.

use appliance_wire::{Accepted, Amount, Chain, Charged, Decimal};

/// The largest fee, and the largest sum of payments and fee in the fee's asset, of all variants up to `newest`.
///
/// # Errors
/// An amount that cannot be read.
pub fn charged(newest: &Accepted) -> Result<Charged, String> {
    let (fee, native) = costs(newest)?;
    let (mut most_fee, mut most_native) = (fee, native);
    let decimals = native_decimals(newest);
    if let Some(variant) = &newest.variant {
        let before = |amount: &Decimal| amount.to_amount(decimals).map_err(|error| error.to_string());
        most_fee = most_fee.max(before(&variant.charged_before.fee)?);
        most_native = most_native.max(before(&variant.charged_before.native)?);
    }
    Ok(Charged { fee: most_fee.to_decimal(decimals), native: most_native.to_decimal(decimals) })
}

/// (fee, payments and fee) of one request in its fee's asset, in base units.
fn costs(accepted: &Accepted) -> Result<(Amount, Amount), String> {
    let decimals = native_decimals(accepted);
    let units = |amount: &Decimal| amount.to_amount(decimals).map_err(|error| error.to_string());
    let fee = accepted.fee.as_ref().ok_or("it has no fee")?;
    let fee_units = units(&fee.amount)?;
    let paid = accepted.payments.iter().filter(|payment| payment.asset == fee.asset);
    let native = paid.map(|payment| units(&payment.amount)).try_fold(fee_units, |sum, amount| {
        sum.checked_add(amount?).ok_or_else(|| "the sum of its amounts does not fit 256 bits".to_owned())
    })?;
    Ok((fee_units, native))
}

fn native_decimals(accepted: &Accepted) -> u8 {
    let chain = accepted.transaction.as_ref().and_then(|transaction| transaction.chain.parse().ok());
    chain.map_or(0, |chain: Chain| chain.native_decimals())
}

/// What of a variant's fee, and of its payments and fee together, exceeds what the variants before it were charged: in
/// base units of its fee's asset. None where it is no variant.
///
/// # Errors
/// An amount that cannot be read.
pub(super) fn increase(accepted: &Accepted) -> Result<Option<(Amount, Amount)>, String> {
    let Some(variant) = &accepted.variant else { return Ok(None) };
    let decimals = native_decimals(accepted);
    let units = |amount: &Decimal| amount.to_amount(decimals).map_err(|error| error.to_string());
    let (fee, native) = costs(accepted)?;
    let more = |now: Amount, before: Amount| now.checked_sub(before).unwrap_or(Amount::ZERO);
    let before = &variant.charged_before;
    Ok(Some((more(fee, units(&before.fee)?), more(native, units(&before.native)?))))
}
