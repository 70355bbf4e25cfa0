//! Durations, as people write them.

use std::str::FromStr;

/// A whole number of seconds, minutes, hours or days: 1 s to 366 d.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Duration {
    pub(super) milliseconds: u64,
}

/// A text that is no [`Duration`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("\"{0}\" is no duration from 1s to 366d: write a number and s, m, h or d, such as 24h")]
pub(super) struct BadDuration(String);

impl FromStr for Duration {
    type Err = BadDuration;

    fn from_str(text: &str) -> Result<Self, BadDuration> {
        let bad = || BadDuration(text.to_owned());
        let unit = text.chars().next_back().ok_or_else(bad)?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 60 * 60,
            'd' => DAY,
            _ => return Err(bad()),
        };
        let digits = text.strip_suffix(unit).ok_or_else(bad)?;
        let count: u64 = digits.parse().map_err(|_| bad())?;
        let total = count.checked_mul(seconds).filter(|total| (1..=366 * DAY).contains(total)).ok_or_else(bad)?;
        // One spelling of a number: no sign, no leading zero.
        if count.to_string() == digits { Ok(Self { milliseconds: total * 1000 }) } else { Err(bad()) }
    }
}

/// As people write it.
pub(super) fn words(milliseconds: u64) -> String {
    let units = [("d", DAY), ("h", 60 * 60), ("m", 60), ("s", 1)];
    let seconds = milliseconds / 1000;
    // A day is said in hours: so are the windows of most limits.
    let unit = units.into_iter().find(|(_, length)| seconds.is_multiple_of(*length) && seconds > *length);
    let (name, length) = unit.unwrap_or(("s", 1));
    format!("{}{name}", seconds / length)
}

const DAY: u64 = 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_and_a_range() {
        for (text, seconds) in [("1s", 1), ("30s", 30), ("1m", 60), ("24h", DAY), ("7d", 7 * DAY), ("366d", 366 * DAY)]
        {
            assert_eq!(text.parse(), Ok(Duration { milliseconds: seconds * 1000 }), "{text}");
        }
        let long = format!("{}d", u64::MAX);
        for bad in ["", "s", "1", "0s", "-1s", "+1s", "01s", "1.5h", "1 h", "1w", "1H", "367d", "8785h", "1é", &long] {
            assert!(bad.parse::<Duration>().is_err(), "{bad:?}");
        }
    }
}
