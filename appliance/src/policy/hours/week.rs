//! The week, cut where any of some hours of one time zone begins or ends.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use super::{Hours, MIDNIGHT_AFTER, Minute, days::Weekday};

/// The parts of a week of one time zone within each of which some [`Hours`] do not change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in super::super) struct Week {
    zone: TimeZone,
    /// Where each part begins.
    parts: Vec<(Weekday, Minute)>,
}

impl Week {
    /// A week for each time zone of `hours`.
    pub(in super::super) fn of(hours: &[&Hours]) -> Vec<Self> {
        let mut zones: Vec<&TimeZone> = Vec::new();
        for hours in hours {
            if !zones.contains(&&hours.zone) {
                zones.push(&hours.zone);
            }
        }
        zones.into_iter().map(|zone| Self::in_zone(zone, hours)).collect()
    }

    fn in_zone(zone: &TimeZone, hours: &[&Hours]) -> Self {
        let own = hours.iter().filter(|hours| hours.zone == *zone);
        let minutes: BTreeSet<Minute> = own.flat_map(|hours| [hours.from, hours.to]).chain([0]).collect();
        let parts = |day| minutes.iter().filter(|minute| **minute < MIDNIGHT_AFTER).map(move |minute| (day, *minute));
        Self { zone: zone.clone(), parts: Weekday::ALL.into_iter().flat_map(parts).collect() }
    }

    /// How many parts there are.
    pub(in super::super) fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether `hours` are of this time zone.
    pub(in super::super) fn is_of(&self, hours: &Hours) -> bool {
        hours.zone == self.zone
    }

    /// Whether a part is in `hours`, which are of this time zone.
    pub(in super::super) fn is_in(&self, part: usize, hours: &Hours) -> bool {
        self.parts.get(part).is_some_and(|(day, minute)| hours.contains_minute(*day, *minute))
    }
}
