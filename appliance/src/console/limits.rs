//! Limits as bars against their maximum.

use askama::Template;

use super::words::{entry_time, limit_name, window};
use crate::{
    operations::{LimitUse, Overview},
    reading::escape,
};

/// Every sum of every limit.
#[derive(Debug, Template)]
#[template(path = "console/limits.html")]
pub(crate) struct LimitSection {
    sums: Vec<Sum>,
    left_out: usize,
    has_limits: bool,
}

#[derive(Debug)]
struct Sum {
    name: String,
    window: String,
    /// 0 to 100, two decimals.
    value: String,
    text: String,
    /// Where it is nearly used up, in words.
    warning: &'static str,
    frees: String,
}

impl LimitSection {
    pub(crate) fn new(overview: &Overview) -> Self {
        Self {
            sums: overview.limits.sums.iter().map(sum).collect(),
            left_out: overview.limits.left_out,
            has_limits: !overview.policy.limits.is_empty(),
        }
    }
}

fn sum(sum: &LimitUse) -> Sum {
    let answer = &sum.answer;
    let unit = answer.asset.as_deref().unwrap_or("signatures");
    Sum {
        name: escape(&limit_name(sum)),
        window: window(answer.window_seconds),
        value: format!("{:.2}", sum.percent),
        text: format!("{} of {} {unit}, {}", answer.used, answer.max, percent(sum.percent)),
        warning: match sum.percent {
            100.0.. => "used up",
            90.0.. => "nearly used up",
            _ => "",
        },
        frees: answer.frees_at.as_deref().map(entry_time).unwrap_or_default(),
    }
}

/// A little is never told as nothing, nor nearly all as all.
fn percent(percent: f64) -> String {
    match percent {
        ..=0.0 => "0 %".to_owned(),
        ..1.0 => "under 1 %".to_owned(),
        99.0..100.0 => "99 %".to_owned(),
        _ => format!("{percent:.0} %"),
    }
}
