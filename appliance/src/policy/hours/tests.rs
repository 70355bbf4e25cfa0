use super::*;
use crate::toml_document::Document;

fn read(days: &str, from: &str, to: &str, zone: &str) -> Result<Hours, String> {
    let text = format!("hours = {{ days = \"{days}\", from = \"{from}\", to = \"{to}\", zone = \"{zone}\" }}");
    let document = Document::read(&text);
    let hours = hours(&document.root());
    document.close(hours).map_err(|mistakes| mistakes.to_string())
}

#[test]
fn hours_hold_by_the_wall_clock_of_their_zone() {
    // 2026-01-05 is a Monday; Berlin leaves standard time on 2026-03-29 and comes back on 2026-10-25, both Sundays.
    let table = [
        (["Mon-Fri", "08:00", "20:00", "UTC"], "2026-01-05T07:59:59.999Z", false),
        (["Mon-Fri", "08:00", "20:00", "UTC"], "2026-01-05T08:00:00Z", true),
        (["Mon-Fri", "08:00", "20:00", "UTC"], "2026-01-09T19:59:59.999Z", true),
        (["Mon-Fri", "08:00", "20:00", "UTC"], "2026-01-09T20:00:00Z", false),
        (["Mon-Fri", "08:00", "20:00", "UTC"], "2026-01-10T12:00:00Z", false),
        (["Sat,Sun", "00:00", "24:00", "UTC"], "2026-01-09T23:59:59Z", false),
        (["Sat,Sun", "00:00", "24:00", "UTC"], "2026-01-10T00:00:00Z", true),
        (["Sat,Sun", "00:00", "24:00", "UTC"], "2026-01-11T23:59:59Z", true),
        (["Sat,Sun", "00:00", "24:00", "UTC"], "2026-01-12T00:00:00Z", false),
        (["Sat-Mon", "12:00", "13:00", "UTC"], "2026-01-05T12:30:00Z", true),
        (["Sat-Mon", "12:00", "13:00", "UTC"], "2026-01-06T12:30:00Z", false),
        (["Wed, Fri-Sat", "12:00", "13:00", "UTC"], "2026-01-07T12:30:00Z", true),
        (["Wed, Fri-Sat", "12:00", "13:00", "UTC"], "2026-01-08T12:30:00Z", false),
        // Over midnight: the night from Friday belongs to Friday, the one from Sunday to nobody.
        (["Mon-Fri", "22:00", "06:00", "UTC"], "2026-01-09T22:00:00Z", true),
        (["Mon-Fri", "22:00", "06:00", "UTC"], "2026-01-10T05:59:59Z", true),
        (["Mon-Fri", "22:00", "06:00", "UTC"], "2026-01-10T06:00:00Z", false),
        (["Mon-Fri", "22:00", "06:00", "UTC"], "2026-01-10T23:00:00Z", false),
        (["Mon-Fri", "22:00", "06:00", "UTC"], "2026-01-05T05:00:00Z", false),
        (["Mon-Fri", "22:00", "06:00", "UTC"], "2026-01-05T21:59:59Z", false),
        (["Sun", "22:00", "06:00", "UTC"], "2026-01-05T05:00:00Z", true),
        (["Fri", "20:00", "00:00", "UTC"], "2026-01-09T23:59:59Z", true),
        (["Fri", "20:00", "00:00", "UTC"], "2026-01-10T00:00:00Z", false),
        // Berlin: UTC+1 in winter, UTC+2 in summer.
        (["Mon-Sun", "08:00", "09:00", "Europe/Berlin"], "2026-03-28T07:00:00Z", true),
        (["Mon-Sun", "08:00", "09:00", "Europe/Berlin"], "2026-03-28T06:59:59Z", false),
        (["Mon-Sun", "08:00", "09:00", "Europe/Berlin"], "2026-03-29T06:00:00Z", true),
        (["Mon-Sun", "08:00", "09:00", "Europe/Berlin"], "2026-03-29T07:00:00Z", false),
        (["Mon-Sun", "08:00", "09:00", "Europe/Berlin"], "2026-10-25T07:00:00Z", true),
        // The hour that is skipped never comes, the one that is repeated comes twice.
        (["Sun", "02:00", "03:00", "Europe/Berlin"], "2026-03-29T00:59:59Z", false),
        (["Sun", "02:00", "03:00", "Europe/Berlin"], "2026-03-29T01:00:00Z", false),
        (["Sun", "02:00", "03:00", "Europe/Berlin"], "2026-10-25T00:30:00Z", true),
        (["Sun", "02:00", "03:00", "Europe/Berlin"], "2026-10-25T01:30:00Z", true),
        (["Sun", "02:00", "03:00", "Europe/Berlin"], "2026-10-25T02:00:00Z", false),
        // The day is the zone's too: Sunday evening in Honolulu is Monday in UTC.
        (["Sun", "20:00", "21:00", "Pacific/Honolulu"], "2026-01-05T06:30:00Z", true),
        (["Mon", "20:00", "21:00", "Pacific/Honolulu"], "2026-01-05T06:30:00Z", false),
    ];
    for ([days, from, to, zone], at, inside) in table {
        let hours = read(days, from, to, zone).unwrap();
        assert_eq!(hours.contains(at.parse().unwrap()), inside, "{days} {from}-{to} {zone} at {at}");
    }
}

#[test]
fn what_is_no_time_is_refused() {
    let table = [
        (["Mon-Fry", "08:00", "20:00", "UTC"], "hours.days: \"Mon-Fry\" are no days"),
        (["", "08:00", "20:00", "UTC"], "hours.days"),
        (["Mon,", "08:00", "20:00", "UTC"], "hours.days"),
        (["mon", "08:00", "20:00", "UTC"], "hours.days"),
        (["Mon-Wed-Fri", "08:00", "20:00", "UTC"], "hours.days"),
        (["Mon", "8:00", "20:00", "UTC"], "hours.from: \"8:00\" is no time of day"),
        (["Mon", "08:60", "20:00", "UTC"], "hours.from"),
        (["Mon", "+8:00", "20:00", "UTC"], "hours.from"),
        (["Mon", "08:00", "24:01", "UTC"], "hours.to"),
        (["Mon", "08:00", "65:00", "UTC"], "hours.to"),
        (["Mon", "08:00", "08:00:00", "UTC"], "hours.to"),
        (["Mon", "08:00", "08:00", "UTC"], "hours.to: is the same as `from`"),
        (["Mon", "24:00", "08:00", "UTC"], "hours.from"),
        (["Mon", "08:00", "20:00", "Europe/Atlantis"], "hours.zone: \"Europe/Atlantis\" is no time zone"),
        (["Mon", "08:00", "20:00", ""], "hours.zone"),
    ];
    for ([days, from, to, zone], words) in table {
        let mistakes = read(days, from, to, zone).unwrap_err();
        assert!(mistakes.contains(words), "{words} in {mistakes}");
    }
}
