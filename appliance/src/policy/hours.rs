//! The hours of the week in which a rule matches.

mod days;
#[cfg(test)]
mod tests;
mod week;

use jiff::{
    Timestamp,
    tz::{TimeZone, TimeZoneDatabase},
};

use self::days::{Days, Weekday};
pub(super) use self::week::Week;
use crate::toml_document::Section;

/// From one time of day to another, on some days of the week, by the wall clock of a time zone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hours {
    days: Days,
    from: Minute,
    to: Minute,
    zone: TimeZone,
}

/// Minutes since midnight.
type Minute = u16;

impl Hours {
    /// Whether `at` is in them. The end is not; what runs over midnight belongs to the day it began on.
    #[must_use]
    pub fn contains(&self, at: Timestamp) -> bool {
        let local = at.to_zoned(self.zone.clone());
        let now = u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        self.contains_minute(Weekday::from(local.weekday()), now)
    }

    fn contains_minute(&self, today: Weekday, now: Minute) -> bool {
        let (began, ends_later) = (now >= self.from, now < self.to);
        if self.from < self.to {
            self.days.contains(today) && began && ends_later
        } else {
            (self.days.contains(today) && began) || (self.days.contains(today.before()) && ends_later)
        }
    }
}

/// The hours in the table `hours`, where there is one.
pub(super) fn hours(rule: &Section<'_>) -> Option<Hours> {
    let section = rule.optional_section("hours")?;
    let days = section.parsed("days");
    let from = minute(&section, "from");
    let to = minute(&section, "to");
    let zone = zone(&section);
    let (from, to) = (from?, to?);
    if from == to {
        section.mistake("to", "is the same as `from`; for whole days write from = \"00:00\", to = \"24:00\"");
    }
    if from == MIDNIGHT_AFTER {
        section.mistake("from", "write \"00:00\" of the next day");
    }
    Some(Hours { days: days?, from, to, zone: zone? })
}

fn minute(section: &Section<'_>, key: &'static str) -> Option<Minute> {
    let text = section.text(key)?;
    let minute = parse_minute(&text);
    if minute.is_none() {
        section.mistake(key, format!("\"{text}\" is no time of day: write HH:MM, from 00:00 to 24:00"));
    }
    minute
}

fn parse_minute(text: &str) -> Option<Minute> {
    let (hour, minute) = text.split_once(':')?;
    let two_digits = |text: &str| {
        let is_plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_plain { text.parse::<Minute>().ok() } else { None }
    };
    let (hour, minute) = (two_digits(hour)?, two_digits(minute)?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= MIDNIGHT_AFTER).then_some(total)
}

/// From the tables inside the program: whoever verifies a decision later must come to the same one.
fn zone(section: &Section<'_>) -> Option<TimeZone> {
    let name = section.text("zone")?;
    let zone = TimeZoneDatabase::bundled().get(&name).ok();
    if zone.is_none() {
        section
            .mistake("zone", format!("\"{name}\" is no time zone: write an IANA name, such as UTC or Europe/Berlin"));
    }
    zone
}

const MIDNIGHT_AFTER: Minute = 24 * 60;
