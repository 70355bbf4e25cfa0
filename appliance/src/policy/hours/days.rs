//! Days of the week: `Mon-Fri`, `Sat,Sun`, `Fri-Mon`.

use std::str::FromStr;

/// A day, counted from Monday as 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Weekday(u8);

impl Weekday {
    /// From Monday to Sunday.
    pub(super) const ALL: [Self; 7] = [Self(0), Self(1), Self(2), Self(3), Self(4), Self(5), Self(6)];

    /// The day before.
    pub(super) fn before(self) -> Self {
        Self((self.0 + 6) % 7)
    }

    fn after(self) -> Self {
        Self((self.0 + 1) % 7)
    }
}

impl From<jiff::civil::Weekday> for Weekday {
    fn from(day: jiff::civil::Weekday) -> Self {
        Self(day.to_monday_zero_offset().unsigned_abs())
    }
}

/// A set of days, a bit each.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Days(u8);

/// A text that is no [`Days`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("\"{0}\" are no days: write Mon, Tue, Wed, Thu, Fri, Sat, Sun, such as \"Mon-Fri\" or \"Sat,Sun\"")]
pub(super) struct BadDays(String);

impl Days {
    /// Whether `day` is one of them.
    pub(super) fn contains(self, day: Weekday) -> bool {
        self.0 & (1 << day.0) != 0
    }

    fn add(&mut self, first: Weekday, last: Weekday) {
        let mut day = first;
        self.0 |= 1 << day.0;
        while day != last {
            day = day.after();
            self.0 |= 1 << day.0;
        }
    }
}

impl FromStr for Days {
    type Err = BadDays;

    fn from_str(text: &str) -> Result<Self, BadDays> {
        let day = |name: &str| {
            let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].into_iter().zip(0..);
            let mut found = names.filter(|(known, _)| *known == name.trim()).map(|(_, index)| Weekday(index));
            found.next().ok_or_else(|| BadDays(text.to_owned()))
        };
        let mut days = Self::default();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            days.add(day(first)?, day(last)?);
        }
        Ok(days)
    }
}
