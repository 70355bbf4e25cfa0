//! Money: decimal strings outside, unsigned 256-bit base units inside, never floats.

use std::{fmt, str::FromStr};

use ruint::aliases::U256;
use serde::{Deserialize, Serialize};

/// An amount in base units (satoshi, wei). Sums are checked; one that does not fit is refused by the caller.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Amount(U256);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(U256::ZERO);
    /// 2^256 - 1 base units.
    pub const MAX: Self = Self(U256::MAX);

    /// `units` base units.
    #[must_use]
    pub fn from_units(units: u64) -> Self {
        Self(U256::from(units))
    }

    /// Of a number in 32 bytes, the highest first.
    #[must_use]
    pub fn from_be_bytes(bytes: [u8; 32]) -> Self {
        Self(U256::from_be_bytes(bytes))
    }

    /// The number in 32 bytes, the highest first.
    #[must_use]
    pub fn to_be_bytes(self) -> [u8; 32] {
        self.0.to_be_bytes()
    }

    /// The product, where it fits 256 bits.
    #[must_use]
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        self.0.checked_mul(other.0).map(Self)
    }

    /// The sum, where it fits 256 bits.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, where it is not negative.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// So many hundredths of it, rounded down; no more than all.
    #[must_use]
    pub fn percent(self, percent: u8) -> Self {
        let (percent, hundred) = (U256::from(percent.min(100)), U256::from(100));
        Self(self.0 / hundred * percent + self.0 % hundred * percent / hundred)
    }

    /// The amount in the main unit of an asset with `decimals` decimals.
    #[must_use]
    pub fn to_decimal(self, decimals: u8) -> Decimal {
        let digits = format!("{:0>width$}", self.0.to_string(), width = usize::from(decimals) + 1);
        let (whole, fraction) = digits.split_at(digits.len() - usize::from(decimals));
        let fraction = fraction.trim_end_matches('0');
        Decimal(if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") })
    }
}

/// A decimal number as people write it: digits, at most one point, no sign, no exponent, no leading zeros.
///
/// Trailing zeros of the fraction are dropped when it is read, so that equal amounts are equal texts.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Decimal(String);

/// Why a text is no [`Decimal`], or no amount of an asset.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadDecimal {
    /// Not in the grammar.
    #[error("\"{0}\" is no amount: write digits with at most one point, such as 0.25")]
    Grammar(String),
    /// A fraction the asset cannot hold.
    #[error("{text} has more than the {decimals} decimals of the asset")]
    TooPrecise {
        /// The text as given.
        text: String,
        /// What the asset has.
        decimals: u8,
    },
    /// Over 2^256 - 1 base units.
    #[error("{0} does not fit 256 bits")]
    TooLarge(String),
}

const LONGEST_DECIMAL: usize = 100;

impl Decimal {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The amount in base units of an asset with `decimals` decimals.
    ///
    /// # Errors
    /// [`BadDecimal::TooPrecise`] and [`BadDecimal::TooLarge`]; nothing is ever rounded.
    pub fn to_amount(&self, decimals: u8) -> Result<Amount, BadDecimal> {
        let (whole, fraction) = self.0.split_once('.').unwrap_or((&self.0, ""));
        if fraction.len() > usize::from(decimals) {
            return Err(BadDecimal::TooPrecise { text: self.0.clone(), decimals });
        }
        let digits = format!("{whole}{fraction:0<width$}", width = usize::from(decimals));
        U256::from_str_radix(&digits, 10).map(Amount).map_err(|_| BadDecimal::TooLarge(self.0.clone()))
    }
}

impl FromStr for Decimal {
    type Err = BadDecimal;

    fn from_str(text: &str) -> Result<Self, BadDecimal> {
        let bad = || BadDecimal::Grammar(text.chars().take(LONGEST_DECIMAL).collect());
        let (whole, fraction) = match text.split_once('.') {
            Some((_, "")) => return Err(bad()),
            Some(parts) => parts,
            None => (text, ""),
        };
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        if text.len() > LONGEST_DECIMAL || whole.is_empty() || leading_zero || !digits(whole) || !digits(fraction) {
            return Err(bad());
        }
        let fraction = fraction.trim_end_matches('0');
        Ok(Self(if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }))
    }
}

impl TryFrom<String> for Decimal {
    type Error = BadDecimal;

    fn try_from(text: String) -> Result<Self, BadDecimal> {
        text.parse()
    }
}

impl From<Decimal> for String {
    fn from(decimal: Decimal) -> Self {
        decimal.0
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_plain_decimals_are_read() {
        for bad in ["", ".", "1.", ".1", "+1", "-1", "1e8", "0x1", " 1", "1 ", "1,0", "00", "01", "1.2.3", "NaN", "١"]
        {
            assert!(bad.parse::<Decimal>().is_err(), "{bad:?}");
        }
        assert_eq!("0.10000000".parse::<Decimal>().unwrap().as_str(), "0.1");
        assert_eq!("10.000".parse::<Decimal>().unwrap().as_str(), "10");
    }

    #[test]
    fn nothing_is_rounded_and_nothing_overflows() {
        let decimal: Decimal = "0.123456789".parse().unwrap();
        assert!(matches!(decimal.to_amount(8), Err(BadDecimal::TooPrecise { .. })));
        let most = Amount(U256::MAX);
        assert_eq!(most.to_decimal(18).to_amount(18), Ok(most));
        let over: Decimal = format!("{}0", U256::MAX).parse().unwrap();
        assert!(matches!(over.to_amount(0), Err(BadDecimal::TooLarge(_))));
        assert_eq!(most.checked_add(Amount::from_units(1)), None);
    }

    proptest! {
        #[test]
        fn base_units_and_decimals_are_one_to_one(limbs in any::<[u64; 4]>(), decimals in 0_u8..=36) {
            let amount = Amount(U256::from_limbs(limbs));
            let decimal = amount.to_decimal(decimals);
            prop_assert_eq!(decimal.as_str().parse::<Decimal>().unwrap(), decimal.clone());
            prop_assert_eq!(decimal.to_amount(decimals), Ok(amount));
        }
    }
}
