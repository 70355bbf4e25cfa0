//! Signatures and refusals over time: as a table by the hour, and as numbers for the chart by the minute.

use std::collections::BTreeMap;

use appliance_wire::ProblemCode;
use askama::Template;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::words::{grouped, took};
use crate::{
    metrics::history::{MINUTES, Minute},
    operations::Overview,
};

/// Counts of the last day.
#[derive(Debug, Template)]
#[template(path = "console/history.html")]
pub(crate) struct HistorySection {
    signed: String,
    refused: String,
    /// Refusals by code, the most frequent first.
    codes: Vec<(&'static str, String)>,
    hours: Vec<Hour>,
}

#[derive(Debug)]
struct Hour {
    begins: String,
    signed: String,
    refused: String,
    unavailable: String,
    p50: String,
    p99: String,
}

/// What the chart draws: one number a minute, the oldest first; the last minute is not over.
#[derive(Debug, Serialize)]
struct Chart {
    /// Seconds since 1970.
    time: Vec<i64>,
    signed: Vec<u64>,
    refused: Vec<u64>,
    unavailable: Vec<u64>,
}

impl HistorySection {
    pub(crate) fn new(overview: &Overview, minutes: &[(u64, Minute)]) -> Self {
        let mut codes: Vec<_> = overview.day.refused.iter().collect();
        codes.sort_by_key(|(code, count)| (std::cmp::Reverse(**count), **code));
        Self {
            signed: grouped(overview.day.signed),
            refused: grouped(overview.day.refusals()),
            codes: codes.into_iter().map(|(code, count)| (*code, grouped(*count))).collect(),
            hours: hours(overview.made, minutes),
        }
    }
}

/// Hours in which something happened, the latest first.
fn hours(now: Timestamp, minutes: &[(u64, Minute)]) -> Vec<Hour> {
    let mut hours: BTreeMap<i64, Minute> = BTreeMap::new();
    for (ago, minute) in minutes {
        hours.entry(minute_at(now, *ago).as_second().div_euclid(3_600)).or_default().add(minute);
    }
    hours.iter().rev().map(|(hour, sum)| row(*hour, sum)).collect()
}

fn row(hour: i64, sum: &Minute) -> Hour {
    let (refused, unavailable) = split(sum);
    let times = sum.times();
    let percentile = |percent| times.percentile(percent).map_or_else(|| "none".to_owned(), took);
    let begins = Timestamp::from_second(hour.saturating_mul(3_600)).unwrap_or_default();
    Hour {
        begins: begins.strftime("%m-%d %H:00").to_string(),
        signed: grouped(sum.signed),
        refused: grouped(refused),
        unavailable: grouped(unavailable),
        p50: percentile(50),
        p99: percentile(99),
    }
}

/// Refusals that were decided, and those for lack of a token or a log.
fn split(minute: &Minute) -> (u64, u64) {
    let of_ours = [ProblemCode::TokenUnavailable, ProblemCode::AuditLogUnavailable, ProblemCode::Internal];
    let unavailable = of_ours.iter().filter_map(|code| minute.refused.get(code.name())).sum();
    (minute.refusals().saturating_sub(unavailable), unavailable)
}

fn minute_at(now: Timestamp, ago: u64) -> Timestamp {
    let ago = i64::try_from(ago).unwrap_or(i64::MAX).saturating_mul(60);
    now.checked_sub(SignedDuration::from_secs(ago)).unwrap_or(now)
}

/// The chart's numbers as JSON.
pub(crate) fn history_json(now: Timestamp, minutes: &[(u64, Minute)]) -> String {
    let by_age: BTreeMap<u64, &Minute> = minutes.iter().map(|(ago, minute)| (*ago, minute)).collect();
    let mut chart = Chart { time: Vec::new(), signed: Vec::new(), refused: Vec::new(), unavailable: Vec::new() };
    let none = Minute::default();
    for ago in (0..MINUTES).rev() {
        let minute = by_age.get(&ago).copied().unwrap_or(&none);
        let (refused, unavailable) = split(minute);
        chart.time.push(minute_at(now, ago).as_second());
        chart.signed.push(minute.signed);
        chart.refused.push(refused);
        chart.unavailable.push(unavailable);
    }
    // Numbers have a JSON form.
    serde_json::to_string(&chart).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_told_minute_by_minute_and_hour_by_hour() {
        let now: Timestamp = "2026-11-21T12:00:30Z".parse().unwrap();
        let minute = |signed, code| Minute { signed, refused: BTreeMap::from([(code, 2)]), ..Minute::default() };
        let minutes = [(61, minute(5, "denied")), (1, minute(7, "token-unavailable")), (0, minute(1, "denied"))];
        let chart: serde_json::Value = serde_json::from_str(&history_json(now, &minutes)).unwrap();
        let last = |name: &str| chart[name].as_array().unwrap()[1_438..].to_vec();
        assert_eq!(chart["time"].as_array().unwrap().len(), 1_440);
        assert_eq!(last("time"), [now.as_second() - 60, now.as_second()]);
        assert_eq!((last("signed"), last("refused")), (vec![7.into(), 1.into()], vec![0.into(), 2.into()]));
        assert_eq!(last("unavailable"), [2, 0]);
        let hours = hours(now, &minutes);
        let told: Vec<_> = hours.iter().map(|hour| (hour.begins.as_str(), hour.signed.as_str())).collect();
        assert_eq!(told, [("11-21 12:00", "1"), ("11-21 11:00", "7"), ("11-21 10:00", "5")]);
    }
}
