//! What is shown, and that nothing a caller makes up is.

use jiff::Timestamp;

use super::*;

fn readings() -> Readings {
    let at = |second| Timestamp::from_second(second).unwrap();
    let limit = |limit: &str, scope: &str, remaining| LimitReading {
        limit: limit.to_owned(),
        scope: scope.to_owned(),
        asset: "BTC".to_owned(),
        max: 10.0,
        remaining,
        window_s: Some(86_400),
    };
    Readings {
        state: ApplianceState::Operational,
        started: at(1_700_000_000),
        policy_version: 3,
        freezes: 0,
        keys_unavailable: 0,
        tokens: vec![("main".to_owned(), true)],
        log: LogReading { size: 27, is_whole: true, is_writable: true, ..LogReading::default() },
        mirror: None,
        disk_free_bytes: 1 << 30,
        ballast_kept: true,
        witnesses: Vec::new(),
        certificates: vec![("server", at(1_800_000_000))],
        client_certificates: vec![("btc-watcher".to_owned(), at(1_800_000_001))],
        certificates_not_reloaded: false,
        log_lines_lost: 0,
        waiting: Some(WaitingReading {
            limits: vec![limit("a \"day\"", "btc-hot", 6.5), limit("a day", "", 10.0)],
            ..WaitingReading::default()
        }),
    }
}

#[test]
fn a_limit_that_left_the_policy_is_no_more_shown() {
    let metrics = Metrics::default();
    let mut readings = readings();
    let text = metrics.open_metrics(&readings);
    let line = r#"chancery_limit_remaining{limit="a \"day\"",scope="btc-hot",asset="BTC"} 6.5"#;
    assert!(text.lines().any(|found| found == line), "{text}");
    readings.waiting = None;
    assert!(metrics.open_metrics(&readings).contains("chancery_limit_remaining{"), "no answer is no news");
    readings.waiting = Some(WaitingReading::default());
    assert!(!metrics.open_metrics(&readings).contains("chancery_limit_remaining{"));
}

#[test]
fn the_state_is_one_of_three() {
    let metrics = Metrics::default();
    for (state, word) in [
        (ApplianceState::Frozen, "frozen"),
        (ApplianceState::Failed, "failed"),
        (ApplianceState::Operational, "operational"),
    ] {
        let text = metrics.open_metrics(&Readings { state, ..readings() });
        let set: Vec<&str> =
            text.lines().filter(|line| line.starts_with("chancery_state{") && line.ends_with(" 1")).collect();
        assert_eq!(set, [format!("chancery_state{{state=\"{word}\"}} 1")]);
    }
}

#[test]
fn what_has_not_happened_yet_is_counted_as_0() {
    // Otherwise the first event would be no increase, and no alarm.
    let metrics = Metrics::default();
    metrics.tokens(["main"].into_iter());
    let text = metrics.open_metrics(&readings());
    for line in [
        "chancery_refusals_total{code=\"digest-mismatch\"} 0",
        "chancery_refusals_total{code=\"internal\"} 0",
        "chancery_auth_failures_total{reason=\"certificate\"} 0",
        "chancery_token_wrong_signatures_total{token=\"main\"} 0",
        "chancery_device_log_unexplained_total{token=\"main\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

#[test]
fn the_older_format_has_the_same_samples_and_names_families_by_them() {
    let metrics = Metrics::default();
    metrics.request_answered("btc-watcher", "btc-hot", "signed");
    let (open, classic) = (metrics.open_metrics(&readings()), metrics.classic(&readings()));
    let samples =
        |text: &str| -> Vec<String> { text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect() };
    assert_eq!(samples(&open), samples(&classic));
    assert!(open.ends_with("# EOF\n") && !classic.contains("# EOF"));
    for line in [
        "# TYPE chancery_requests_total counter",
        "# HELP chancery_requests_total Requests for signatures, repeats included, by watcher, key and what they were \
         answered.",
        "# TYPE chancery_build_info gauge",
        "# TYPE chancery_frozen gauge",
        "# HELP chancery_frozen Freezes in force.",
    ] {
        assert!(classic.lines().any(|found| found == line), "{line} is not in\n{classic}");
    }
    assert!(!classic.contains(" info\n"));
}
