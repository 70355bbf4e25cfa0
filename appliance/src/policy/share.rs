//! Shares, such as the most a fee may be of what is paid.

use std::{fmt, str::FromStr};

use appliance_wire::{Amount, Decimal};
use ruint::Uint;

/// A decimal from 0 to 1, as the exact fraction it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Share {
    numerator: u64,
    /// The same of all: 10 to the power of [`DECIMALS`].
    denominator: u64,
}

/// A text that is no [`Share`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("\"{0}\" is no share: write a decimal from 0 to 1 with at most 18 decimals, such as 0.05")]
pub struct BadShare(String);

impl Share {
    /// Whether it is at most `other`.
    #[must_use]
    pub fn is_at_most(&self, other: &Self) -> bool {
        self.numerator <= other.numerator
    }

    /// Whether `fee` is at most this share of `paid`. Nothing is rounded and nothing overflows.
    #[must_use]
    pub fn allows(&self, fee: Amount, paid: Amount) -> bool {
        match (wide(fee), wide(paid)) {
            // 256 bits times 60 bits.
            (Some(fee), Some(paid)) => fee * Wide::from(self.denominator) <= paid * Wide::from(self.numerator),
            _ => false,
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(Amount::from_units(self.numerator).to_decimal(DECIMALS).as_str())
    }
}

type Wide = Uint<512, 8>;

fn wide(amount: Amount) -> Option<Wide> {
    Wide::from_str_radix(amount.to_decimal(0).as_str(), 10).ok()
}

impl FromStr for Share {
    type Err = BadShare;

    fn from_str(text: &str) -> Result<Self, BadShare> {
        let bad = || BadShare(text.to_owned());
        let decimal: Decimal = text.parse().map_err(|_| bad())?;
        let units = decimal.to_amount(DECIMALS).map_err(|_| bad())?;
        let numerator = units.to_decimal(0).as_str().parse().map_err(|_| bad())?;
        let denominator = 10_u64.pow(u32::from(DECIMALS));
        if numerator <= denominator { Ok(Self { numerator, denominator }) } else { Err(bad()) }
    }
}

const DECIMALS: u8 = 18;

#[cfg(test)]
mod tests {
    use super::*;

    fn share(text: &str) -> Share {
        text.parse().unwrap()
    }

    #[test]
    fn a_share_is_exact_at_its_edge() {
        let units = Amount::from_units;
        for (text, fee, paid, allowed) in [
            ("0.05", 5, 100, true),
            ("0.05", 6, 100, false),
            ("0.05", 5, 99, false),
            ("0.05", 0, 0, true),
            ("0.05", 1, 0, false),
            ("0", 0, 100, true),
            ("0", 1, 100, false),
            ("1", 100, 100, true),
            ("1.0", 101, 100, false),
            // A third is not a binary fraction, and 0.333... not a third.
            ("0.333333333333333333", 1, 3, false),
            ("0.333333333333333334", 1, 3, true),
            ("0.1", u64::MAX / 10, u64::MAX, true),
            ("0.1", u64::MAX / 10 + 1, u64::MAX, false),
        ] {
            assert_eq!(share(text).allows(units(fee), units(paid)), allowed, "{fee} of {paid} at {text}");
        }
    }

    #[test]
    fn the_largest_amounts_do_not_overflow() {
        let most: Decimal = ruint::aliases::U256::MAX.to_string().parse().unwrap();
        let most = most.to_amount(0).unwrap();
        let less = most.checked_sub(Amount::from_units(1)).unwrap();
        assert!(share("1").allows(most, most) && share("1").allows(less, most) && !share("1").allows(most, less));
        assert!(!share("0.999999999999999999").allows(less, most));
    }

    #[test]
    fn what_is_no_share_is_refused() {
        for bad in ["", "5%", "1.000000000000000001", "2", "-0.1", ".05", "0.0000000000000000001", "1e-2", "NaN"] {
            assert!(bad.parse::<Share>().is_err(), "{bad}");
        }
    }
}
