//! OpenMetrics text in the format of before (Prometheus' text format 0.0.4), for readers that do not ask for the new one.
//!
//! The samples are the same; there a family is named as its samples are, and there are neither units nor an end.

/// `open_metrics` as text format 0.0.4.
pub(super) fn classic(open_metrics: &str) -> String {
    let types = |line: &str| {
        let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
        Some((name.to_owned(), kind.to_owned()))
    };
    let mut text = String::with_capacity(open_metrics.len());
    let mut lines = open_metrics.lines().peekable();
    while let Some(line) = lines.next() {
        let declared = types(line).or_else(|| lines.peek().and_then(|next| types(next)));
        match (line.split(' ').nth(1), declared) {
            (Some("HELP" | "TYPE"), Some((name, kind))) if line.starts_with('#') => {
                let (named, kind) = match kind.as_str() {
                    "counter" => (format!("{name}_total"), "counter"),
                    "info" => (format!("{name}_info"), "gauge"),
                    kind => (name.clone(), kind),
                };
                match line.strip_prefix(&format!("# HELP {name} ")) {
                    Some(help) => text.push_str(&format!("# HELP {named} {help}\n")),
                    None => text.push_str(&format!("# TYPE {named} {kind}\n")),
                }
            }
            (Some("UNIT" | "EOF"), _) if line.starts_with('#') => {}
            _ => text.push_str(&format!("{line}\n")),
        }
    }
    text
}
