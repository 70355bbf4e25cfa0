//! What waits for officers.

use jiff::Timestamp;

use super::{Attention, now};
use crate::{
    console::words::{counted, duration, listed},
    operations::Overview,
};

/// Requests told one by one.
const MOST: usize = 5;

pub(super) fn requests(overview: &Overview, found: &mut Vec<Attention>) {
    let waiting = &overview.pending.requests;
    for request in waiting.iter().take(MOST) {
        let wanted = request.wanted.iter().map(|wanted| format!("{} of {}", wanted.approve, listed(&wanted.of)));
        let wanted = wanted.collect::<Vec<_>>().join(" and ");
        let agreed = match request.approved_by.as_slice() {
            [] => "nobody agreed yet".to_owned(),
            officers => format!("{} agreed", listed(officers)),
        };
        let sentence = format!(
            "Request {} of watcher {} for key {} waits for {wanted}; {agreed}; {}.",
            request.request_id,
            request.watcher,
            request.key,
            time_left(overview.made, request.expires_at)
        );
        let advice = format!("`chancery approve {0}`, or `chancery reject {0}`", request.pending);
        found.push(Attention { entry: Some(request.pending), ..now(sentence, &advice, "officers.md#approvals") });
    }
    let more = overview.status.pending_requests.saturating_sub(waiting.len().min(MOST));
    if more > 0 {
        let sentence = format!("{} more wait for officers.", counted(more as u64, "request"));
        found.push(now(sentence, "`chancery pending` lists them.", "officers.md#approvals"));
    }
}

pub(super) fn policy(overview: &Overview, found: &mut Vec<Attention>) {
    let Some(policy) = &overview.pending.policy else { return };
    let loosens = match policy.loosens.len() {
        0 => "it came by the custodians".to_owned(),
        count => format!("it loosens {}", counted(count as u64, "thing")),
    };
    let sentence = format!(
        "Policy version {} waits and is in force in {}; {loosens}.",
        policy.version,
        duration(policy.in_force_in_s)
    );
    let advice = format!(
        "Somebody who did not sign it reads it (page Policy). One officer stops it: `chancery policy veto {}`.",
        policy.version
    );
    found.push(now(sentence, &advice, "officers.md#policy"));
}

fn time_left(now: Timestamp, end: Timestamp) -> String {
    match u64::try_from(end.duration_since(now).as_secs()) {
        Ok(0) | Err(_) => "its time is over".to_owned(),
        Ok(left) => format!("{} left", duration(left)),
    }
}
