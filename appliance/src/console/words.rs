//! Numbers and names as the page says them.

use std::time::Duration;

use jiff::Timestamp;

use crate::{operations::LimitUse, policy::Per};

/// `1 request`, `2 requests`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{} {what}s", grouped(count)) }
}

/// With a narrow space between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// The two largest units: `3 d 4 h`. Seconds only below a minute.
pub(crate) fn duration(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let Some(first) = units.iter().position(|(length, _)| seconds >= *length) else { return "0 s".to_owned() };
    let mut left = seconds;
    let mut parts = Vec::new();
    for (length, unit) in units.iter().skip(first).take(2) {
        let count = left / length;
        left %= length;
        if count > 0 && (*unit != "s" || parts.is_empty()) {
            parts.push(format!("{count} {unit}"));
        }
    }
    parts.join(" ")
}

/// A window's length; 0 is for ever.
pub(crate) fn window(seconds: u64) -> String {
    if seconds == 0 { "for ever".to_owned() } else { duration(seconds) }
}

/// In the largest binary unit below it.
pub(crate) fn bytes(count: u64) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let step = (0..units.len()).rev().find(|step| count >> (10 * step) > 0).unwrap_or(0);
    format!("{} {}", grouped(count >> (10 * step)), units.get(step).copied().unwrap_or_default())
}

/// Three digits, in milliseconds or seconds.
pub(crate) fn took(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1_000.0;
    match ms {
        ..1.0 => format!("{ms:.2} ms"),
        1.0..10.0 => format!("{ms:.1} ms"),
        10.0..1_000.0 => format!("{ms:.0} ms"),
        _ => format!("{:.1} s", ms / 1_000.0),
    }
}

/// To the second, UTC.
pub(crate) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Likewise of what an entry says; what is no time stays as it is.
pub(crate) fn entry_time(text: &str) -> String {
    text.parse().map_or_else(|_| text.to_owned(), moment)
}

/// A few names, and how many more.
pub(crate) fn listed(names: &[String]) -> String {
    const MOST: usize = 6;
    let mut text = names.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > MOST {
        text += &format!(" and {} more", names.len() - MOST);
    }
    text
}

/// The limit, and what this sum of it is for.
pub(crate) fn limit_name(sum: &LimitUse) -> String {
    let name = &sum.answer.name;
    match &sum.of {
        None => name.clone(),
        Some((Per::Key, key)) => format!("{name}, key {key}"),
        Some((Per::Watcher, watcher)) => format!("{name}, watcher {watcher}"),
        Some((Per::Destination, destination)) => format!("{name}, to {destination}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_true() {
        assert_eq!(counted(1, "request"), "1 request");
        assert_eq!(counted(48_112, "request"), "48\u{202f}112 requests");
        for (seconds, text) in
            [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3_599, "59 min"), (3_660, "1 h 1 min"), (90_061, "1 d 1 h")]
        {
            assert_eq!(duration(seconds), text);
        }
        for (count, text) in [(0, "0 bytes"), (1_023, "1\u{202f}023 bytes"), (1 << 20, "1 MiB"), (5 << 40, "5 TiB")] {
            assert_eq!(bytes(count), text);
        }
        for (us, text) in [(90, "0.09 ms"), (1_200, "1.2 ms"), (12_300, "12 ms"), (2_500_000, "2.5 s")] {
            assert_eq!(took(Duration::from_micros(us)), text);
        }
    }
}
