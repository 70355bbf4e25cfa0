//! Limits as a small table, with bars on a terminal.

use appliance_wire::{LimitAnswer, LimitsAnswer};

use super::table::table;

const BAR_CELLS: usize = 20;

/// The table; empty where nothing limits the watcher.
pub(super) fn limits_table(answer: &LimitsAnswer, bars: bool) -> String {
    if answer.limits.is_empty() {
        return "no limit applies\n".to_owned();
    }
    let mut rows = vec![["limit", "window", "used", "of", "left", "unit", ""].map(str::to_owned).to_vec()];
    for limit in &answer.limits {
        let unit = limit.asset.clone().unwrap_or_else(|| "signatures".to_owned());
        let (used, max, left) = (limit.used.clone(), limit.max.clone(), limit.remaining.clone());
        let last = if bars { bar(limit) } else { String::new() };
        rows.push(vec![limit.name.clone(), window(limit.window_seconds), used, max, left, unit, last]);
    }
    table(&rows)
}

/// Seconds in the largest unit that divides them; 0 stands for a limit without end.
fn window(seconds: u64) -> String {
    if seconds == 0 {
        return "ever".to_owned();
    }
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let fits = |(size, _): &&(u64, &str)| seconds.is_multiple_of(*size);
    match units.iter().find(fits) {
        Some((size, name)) => format!("{} {name}", seconds / size),
        None => format!("{seconds} s"),
    }
}

/// Floats are good enough for a drawing.
fn bar(limit: &LimitAnswer) -> String {
    let number = |text: &str| text.parse::<f64>().unwrap_or(0.0);
    let max = number(&limit.max);
    let share = if max > 0.0 { (number(&limit.used) / max).clamp(0.0, 1.0) } else { 1.0 };
    let full = (share * BAR_CELLS as f64).ceil() as usize;
    format!("[{}{}]", "#".repeat(full), ".".repeat(BAR_CELLS - full.min(BAR_CELLS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(used: &str) -> LimitAnswer {
        LimitAnswer {
            name: "a day".to_owned(),
            window_seconds: 86_400,
            asset: Some("BTC".to_owned()),
            max: "10".to_owned(),
            used: used.to_owned(),
            remaining: "9".to_owned(),
            frees_at: None,
        }
    }

    #[test]
    fn bars_only_where_wanted_and_never_too_long() {
        let answer = LimitsAnswer { limits: vec![limit("1")] };
        assert_eq!(
            limits_table(&answer, true),
            "limit  window  used  of  left  unit\na day  1 d     1     10  9     BTC   [##..................]\n"
        );
        assert!(!limits_table(&answer, false).contains('#'));
        for used in ["0", "10", "11", "1000000000", "x"] {
            assert_eq!(bar(&limit(used)).len(), BAR_CELLS + 2, "{used}");
        }
    }

    #[test]
    fn windows_read_well() {
        assert_eq!([86_400, 7_200, 60, 61, 0].map(window), ["1 d", "2 h", "1 min", "61 s", "ever"]);
    }
}
