//! What fails later, if nobody looks after it: the log and its copies, certificates, limits, keys.

use super::{Attention, FAILURES, now, soon};
use crate::{
    console::words::{bytes, duration, entry_time, limit_name},
    operations::Overview,
};

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;
/// Nothing is accepted below.
const FULL: u64 = 64 * MIB;
const ANCHOR_TOO_OLD_S: u64 = 15 * 60;
const MIRROR_TOO_FAR_BEHIND: u64 = MIB;
const WITNESS_SILENT_S: i64 = 15 * 60;
const SOON_DAYS: i64 = 30;
const NOW_DAYS: i64 = 7;
const NEARLY_USED_PERCENT: f64 = 90.0;

/// The log, its anchor, its mirror, its witnesses, its disk.
pub(super) fn log(overview: &Overview, found: &mut Vec<Attention>) {
    let status = &overview.status;
    if let Some(finding) = &status.scrub.finding {
        let sentence = format!("The log is not whole: {finding}. Nothing is signed.");
        found.push(now(sentence, "Stop; copy the state directory aside; `chancery audit verify`.", FAILURES));
    }
    anchor(overview, found);
    if let Some(mirror) = &status.mirror {
        let directory = mirror.directory.display();
        if !mirror.up {
            let why = mirror.reason.as_deref().unwrap_or("it does not say why");
            let sentence = format!("The mirror in {directory} is not written: {why}.");
            found.push(now(sentence, "Mend its disk; it goes on by itself.", MIRROR));
        } else if mirror.behind_bytes > MIRROR_TOO_FAR_BEHIND {
            let sentence = format!("The mirror in {directory} is {} behind.", bytes(mirror.behind_bytes));
            found.push(soon(sentence, "Look at its disk where it does not catch up.", MIRROR));
        }
    }
    witnesses(overview, found);
    match status.disk_free_bytes {
        Some(free) if free < FULL => found.push(now(
            format!("The disk of the log is full: {} free. Nothing new is accepted.", bytes(free)),
            "Free space; it goes on by itself.",
            "audit-log.md#a-full-disk",
        )),
        Some(free) if free < GIB => found.push(soon(
            format!("The disk of the log has {} free.", bytes(free)),
            "Free space: below 64 MiB nothing is accepted.",
            "audit-log.md#a-full-disk",
        )),
        Some(_) | None => {}
    }
    if !status.ballast_kept {
        let sentence = "No ballast file keeps room for a full disk.".to_owned();
        found.push(soon(sentence, "It is made at a start with 80 MiB free.", "audit-log.md#a-full-disk"));
    }
}

fn anchor(overview: &Overview, found: &mut Vec<Attention>) {
    let anchor = &overview.status.anchor;
    let runbook = "audit-log.md#the-anchor-in-the-token";
    let unanchored = overview.status.entries.saturating_sub(anchor.size.unwrap_or(0));
    let age = anchor.age_s.filter(|age| *age > ANCHOR_TOO_OLD_S && anchor.is_behind);
    match (&anchor.failing, age) {
        (Some(reason), _) => found.push(now(
            format!("The log's anchor cannot be written, {unanchored} entries are beyond it: {reason}."),
            "What is beyond a limit's 5 % is refused until it can: mend what it says.",
            runbook,
        )),
        (None, Some(age)) => found.push(soon(
            format!("The log's anchor is {} old, {unanchored} entries are beyond it.", duration(age)),
            "It should be written every 5 minutes: look at its token.",
            runbook,
        )),
        (None, None) => {}
    }
}

fn witnesses(overview: &Overview, found: &mut Vec<Attention>) {
    let status = &overview.status;
    for witness in &status.witnesses {
        let silent = match witness.timestamp.and_then(|at| i64::try_from(at).ok()) {
            None => Some("has not cosigned yet".to_owned()),
            Some(at) => {
                let age = overview.made.as_second().saturating_sub(at);
                let has_all = witness.size.is_some_and(|size| size >= status.entries);
                let silent = u64::try_from(age).ok().filter(|_| age > WITNESS_SILENT_S && !has_all);
                silent.map(|age| format!("has been silent for {}", duration(age)))
            }
        };
        found.extend(silent.map(|silent| {
            let advice = "Look at its daemon, and at its alarm.";
            soon(
                format!("Witness {} {silent}.", witness.name),
                advice,
                "witnesses.md#two-watchers-that-witness-each-other",
            )
        }));
    }
}

/// Certificates that end, and those that could not be read again.
pub(super) fn certificates(overview: &Overview, found: &mut Vec<Attention>) {
    let runbook = "operate.md#certificates";
    let certificates = &overview.status.certificates;
    if let Some(reason) = &certificates.not_reloaded {
        let sentence = format!("Changed certificates are not in force, those read before are: {reason}.");
        found.push(now(sentence, "Mend the file; it goes on by itself.", runbook));
    }
    let files = certificates.files.iter().map(|file| {
        let what = match file.name {
            "server" => "The appliance's certificate",
            "client_ca" => "The certificate of the watchers' CA",
            _ => "The revocation list",
        };
        (what.to_owned(), file.days_left, "Renew it: `chancery-provision pki renew`; for the list, `pki revoke`.")
    });
    let clients = certificates.clients.iter().map(|client| {
        let what = format!("The certificate of watcher {}", client.watcher);
        (what, client.days_left, "Renew it: `chancery-provision pki renew`, then restart the watcher.")
    });
    for (what, days_left, advice) in files.chain(clients).filter(|(_, days_left, _)| *days_left < SOON_DAYS) {
        let sentence = match days_left {
            ..0 => format!("{what} has ended."),
            0 => format!("{what} ends today."),
            1 => format!("{what} ends tomorrow."),
            days => format!("{what} ends in {days} days."),
        };
        found.push(if days_left < NOW_DAYS { now(sentence, advice, runbook) } else { soon(sentence, advice, runbook) });
    }
}

/// Limits that are nearly used up, and keys on their way out.
pub(super) fn limits(overview: &Overview, found: &mut Vec<Attention>) {
    let full = overview.limits.sums.iter().filter(|sum| sum.percent >= NEARLY_USED_PERCENT);
    found.extend(full.map(|sum| {
        let frees =
            sum.answer.frees_at.as_ref().map(|at| format!("; it begins to be free again at {}", entry_time(at)));
        let sentence = format!("Limit {} is {:.0} % used{}.", limit_name(sum), sum.percent, frees.unwrap_or_default());
        soon(sentence, "Requests beyond it are refused, or go to officers.", "policy.md#limits")
    }));
    let ending = overview.keys.iter().filter(|key| key.status.state == "pending-destroy");
    found.extend(ending.map(|key| {
        let left = key.status.may_be_destroyed_in_s.unwrap_or(0);
        let when = if left == 0 { "now".to_owned() } else { format!("in {}", duration(left)) };
        let sentence = format!("Key {} signs nothing and may be destroyed {when}.", key.status.name);
        soon(sentence, "Where that was wrong: `chancery key keep`.", "officers.md#the-end-of-a-key")
    }));
}

const MIRROR: &str = "audit-log.md#the-mirror";
