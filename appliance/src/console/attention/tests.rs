use std::{fs, path::Path};

use appliance_wire::Scope;

use super::*;
use crate::console::testing::{busy, client, file, key, limit, mirror, pending, quiet, token, witness};

/// What is said of a quiet appliance in which this was changed: severity and sentence, and none but that.
fn said(change: impl FnOnce(&mut Overview)) -> (Severity, String) {
    let mut overview = quiet();
    change(&mut overview);
    let mut found = attention(&overview);
    assert_eq!(found.len(), 1, "{found:?}");
    let one = found.remove(0);
    (one.severity, one.sentence)
}

/// Likewise, that it begins so.
fn says(severity: Severity, start: &str, change: impl FnOnce(&mut Overview)) {
    let (found, sentence) = said(change);
    assert!(sentence.starts_with(start), "{sentence}");
    assert_eq!(found, severity, "{sentence}");
}

#[test]
fn a_quiet_appliance_needs_nothing() {
    assert_eq!(attention(&quiet()), []);
}

#[test]
fn freezes_say_by_whom_and_lead_to_their_entry() {
    let freeze = |what| Freeze { what, entry: Some(7), by: Some(("admin socket".to_owned(), "drill".to_owned())) };
    for (what, sentence) in [
        (Scope::All, "Everything is frozen by admin socket: drill."),
        (Scope::Key("hot".to_owned()), "Key hot is frozen by admin socket: drill."),
        (Scope::Watcher("w".to_owned()), "Watcher w is frozen by admin socket: drill."),
    ] {
        says(Severity::Now, sentence, |overview| overview.frozen = vec![freeze(what)]);
    }
    let mut overview = quiet();
    overview.frozen = vec![freeze(Scope::All)];
    assert_eq!(attention(&overview)[0].entry, Some(7));
    overview.frozen[0].entry = None;
    assert!(attention(&overview)[0].sentence.ends_with("a restart would forget it."));
}

#[test]
fn what_keeps_it_from_serving_is_told_now() {
    says(Severity::Now, "The log cannot be used: gone.", |o| o.log_silent = Some("gone".to_owned()));
    says(Severity::Now, "The wall clock stepped", |o| o.status.wall_clock_trusted = false);
    says(Severity::Now, "A check of tokens and log has not ended", |o| o.readiness = None);
    says(Severity::Now, "The log cannot be written: disk.", |o| fail(o, "audit log", "disk"));
    says(Severity::Now, "Token main did not pass its self-test: wrong.", |o| fail(o, "token main", "wrong"));
    says(Severity::Now, "2 requests carried a digest", |o| o.day.refused = [("digest-mismatch", 2)].into());
    let finding = || Some("entry 7 is altered".to_owned());
    says(Severity::Now, "The log is not whole: entry 7 is altered.", |o| o.status.scrub.finding = finding());
}

fn fail(overview: &mut Overview, name: &str, why: &str) {
    let readiness = overview.readiness.as_mut().unwrap();
    let check = readiness.checks.iter_mut().find(|check| check.name == name).unwrap();
    (check.ok, check.detail) = (false, Some(why.to_owned()));
}

#[test]
fn tokens_that_do_not_sign_say_why() {
    let with = |state, reason: &str| crate::operations::TokenStatus {
        reason: Some(reason.to_owned()),
        ..token("main", state)
    };
    says(Severity::Now, "Token main is down: unplugged.", |o| o.status.tokens = vec![with("down", "unplugged")]);
    says(Severity::Now, "Token main is opening: ", |o| o.status.tokens = vec![with("opening", "")]);
    says(Severity::Now, "Token main is sealed and waits for an operator: PIN refused.", |o| {
        o.status.tokens = vec![with("sealed", "PIN refused")];
    });
    says(Severity::Now, "In token main a key may not serve: hot: extractable.", |o| {
        o.status.tokens[0].unfit_keys = vec!["hot: extractable".to_owned()];
    });
    says(Severity::Soon, "The worker of token main has more rights", |o| {
        o.status.tokens[0].worker_caveats = vec!["no Landlock".to_owned()];
    });
}

#[test]
fn what_waits_for_officers_says_how_long_still() {
    let expected =
        "Request wd-3 of watcher btc-watcher for key btc-hot waits for 2 of alice, bob; alice agreed; 42 min left.";
    says(Severity::Now, expected, |o| (o.pending.requests, o.status.pending_requests) = (vec![pending(3)], 1));
    let mut late = quiet();
    late.pending.requests = vec![pending(3)];
    late.made = late.pending.requests[0].expires_at;
    assert!(attention(&late)[0].sentence.ends_with("its time is over."));
    let found = attention(&busy());
    let waiting: Vec<_> = found.iter().filter(|one| one.runbook == "officers.md#approvals").collect();
    assert_eq!(waiting.len(), 6);
    assert!(waiting[5].sentence.starts_with("35 requests more wait"));
    let policy = found.iter().find(|one| one.runbook == "officers.md#policy").unwrap();
    assert_eq!(policy.sentence, "Policy version 4 waits and is in force in 1 d; it loosens 1 thing.");
}

#[test]
fn certificates_are_told_of_a_month_ahead() {
    for (days, severity, words) in [
        (-1, Severity::Now, "has ended."),
        (0, Severity::Now, "ends today."),
        (6, Severity::Now, "ends in 6 days."),
        (7, Severity::Soon, "ends in 7 days."),
        (29, Severity::Soon, "ends in 29 days."),
    ] {
        let sentence = format!("The appliance's certificate {words}");
        says(severity, &sentence, |o| o.status.certificates.files = vec![file("server", days)]);
        let sentence = format!("The certificate of watcher btc-watcher {words}");
        says(severity, &sentence, |o| o.status.certificates.clients = vec![client(days)]);
    }
    says(Severity::Soon, "The certificate of the watchers' CA ends", |o| {
        o.status.certificates.files = vec![file("client_ca", 20), file("client_crl", 30)];
    });
    says(Severity::Now, "Changed certificates are not in force", |o| {
        o.status.certificates.not_reloaded = Some("half a pair".to_owned());
    });
}

#[test]
fn the_copies_of_the_log_are_looked_after() {
    says(Severity::Now, "The log's anchor cannot be written, 112 entries are beyond it: no rights.", |o| {
        o.status.anchor.failing = Some("no rights".to_owned());
    });
    says(Severity::Soon, "The log's anchor is 20 min old, 112 entries are beyond it.", |o| {
        (o.status.anchor.age_s, o.status.anchor.is_behind) = (Some(1_200), true);
    });
    says(Severity::Now, "The mirror in /mnt/mirror is not written: full.", |o| {
        o.status.mirror = Some(crate::audit::MirrorStatus { up: false, reason: Some("full".to_owned()), ..mirror() });
    });
    says(Severity::Soon, "The mirror in /mnt/mirror is 2 MiB behind.", |o| {
        o.status.mirror = Some(crate::audit::MirrorStatus { behind_bytes: 2 << 20, ..mirror() });
    });
    says(Severity::Soon, "Witness watcher-2 has not cosigned yet.", |o| o.status.witnesses = vec![witness(None, None)]);
    says(Severity::Soon, "Witness watcher-2 has been silent for 16 min.", |o| {
        o.status.witnesses = vec![witness(Some(16 * 60), Some(48_000))];
    });
    let mut all_cosigned = quiet();
    all_cosigned.status.witnesses = vec![witness(Some(86_400), Some(48_112))];
    assert_eq!(attention(&all_cosigned), [], "there is nothing new to cosign");
}

#[test]
fn room_runs_out_in_two_steps() {
    says(Severity::Soon, "The disk of the log has 900 MiB free.", |o| o.status.disk_free_bytes = Some(900 << 20));
    says(Severity::Now, "The disk of the log is full: 63 MiB free.", |o| o.status.disk_free_bytes = Some(63 << 20));
    says(Severity::Soon, "No ballast file", |o| o.status.ballast_kept = false);
}

#[test]
fn limits_nearly_used_up_and_keys_on_their_way_out_are_told() {
    says(Severity::Soon, "Limit a day is 93 % used; it begins to be free again at", |o| {
        o.limits.sums = vec![limit(None, 93.0)]
    });
    let mut overview = quiet();
    overview.limits.sums = vec![limit(None, 89.9)];
    assert_eq!(attention(&overview), []);
    says(Severity::Soon, "Key old signs nothing and may be destroyed in 2 h.", |o| {
        o.keys.push(key("old", "pending-destroy"))
    });
}

#[test]
fn the_most_urgent_comes_first() {
    let found = attention(&busy());
    assert!(found.is_sorted_by_key(|one| one.severity) && found.last().unwrap().severity == Severity::Soon);
}

#[test]
fn every_runbook_is_a_heading_of_the_book() {
    let mut overview = busy();
    overview.readiness = None;
    overview.log_silent = Some("gone".to_owned());
    overview.status.scrub.finding = Some("altered".to_owned());
    overview.status.anchor.failing = Some("no rights".to_owned());
    overview.status.mirror = Some(crate::audit::MirrorStatus { up: false, ..mirror() });
    overview.status.witnesses = vec![witness(None, None)];
    overview.status.ballast_kept = false;
    overview.status.certificates.files = vec![file("server", 1)];
    let mut found = attention(&overview);
    overview.log_silent = None;
    overview.status.wall_clock_trusted = false;
    found.extend(attention(&overview));
    let books: std::collections::BTreeSet<_> = found.iter().map(|one| one.runbook).collect();
    assert!(books.len() >= 12, "{books:?}");
    for book in books {
        let (page, heading) = book.split_once('#').unwrap();
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
        let text = fs::read_to_string(&page).unwrap();
        let plain = |line: &str| {
            let kept = line.trim_start_matches('#').trim().to_lowercase();
            kept.chars().filter(|c| c.is_alphanumeric() || " -".contains(*c)).collect::<String>().replace(' ', "-")
        };
        assert!(text.lines().any(|line| line.starts_with('#') && plain(line) == heading), "{book} is in no heading");
    }
}
