//! A report as a person reads it: facts first, then what they mean.

use hsm_drivers::probe::{Finding, Level, Report};

use super::{super::output::escape, facts::facts};
use crate::config::TokenConfig;

/// Columns of the names of facts.
const NAME: usize = 12;

/// The screen of one token, without a line end.
pub(super) fn screen(settings: &TokenConfig, report: &Report) -> String {
    let verdict = if report.able() { "can serve" } else { "CANNOT serve" };
    let mut lines = vec![format!("token {} {verdict}", settings.name), String::new()];
    for fact in facts(settings, report) {
        for (place, value) in fact.values.iter().enumerate() {
            let name = if place == 0 { fact.name } else { "" };
            lines.push(format!("  {name:<NAME$}  {}", escape(value)));
        }
    }
    for (level, title) in [(Level::Works, "works"), (Level::Odd, "odd"), (Level::Wrong, "wrong")] {
        let mut found = report.findings.iter().filter(|finding| finding.level == level).peekable();
        if found.peek().is_some() {
            lines.extend([String::new(), format!("  {title}")]);
        }
        lines.extend(found.flat_map(told));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn told(finding: &Finding) -> impl Iterator<Item = String> {
    let advice = finding.advice.as_ref().map(|advice| format!("      -> {}", escape(advice)));
    std::iter::once(format!("    - {}", escape(&finding.what))).chain(advice)
}
