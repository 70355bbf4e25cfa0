//! What the monitoring is told, and who may ask.

use std::collections::BTreeSet;

use axum::{Extension, body::Body, extract::Request};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;
use crate::{
    journal::testing::{observation, observe, sent, sighting, tip},
    run::server::Caller,
};

/// The daemon's work table, with a webhook that nobody serves.
fn desk(folder: &Path) -> (Desk, watch::Sender<bool>) {
    let secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    private(&folder.join("secret"), secret);
    let hook = "[[run.webhook]]\nurl = \"http://127.0.0.1:1/a-secret-path\"\nsecret_file = \"secret\"\n";
    let config = config(folder, hook);
    let run = config.run.as_ref().unwrap();
    let receivers = run.webhooks.iter().map(|webhook| Receiver::new(webhook).unwrap()).collect();
    let (journal, token) = (Journal::open(&run.journal).unwrap(), Token::read(&run.token_file).unwrap());
    let (stop, stopped) = watch::channel(false);
    (Desk::new(&config, journal, Board::default(), token, receivers, stopped), stop)
}

async fn ask(desk: &Arc<Desk>, path: &str, is_local: bool, token: Option<&str>) -> (u16, String) {
    let mut request = Request::builder().uri(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let router = api::router(Arc::clone(desk)).layer(Extension(Caller { is_local }));
    let answer = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// Names with labels and type, as the documentation has them: `name{label,label}` and the type.
fn documented() -> BTreeSet<(String, String)> {
    let page = include_str!("../../../../docs/watcher.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `chancery_watcher_")?.split_once("` | "));
    rows.map(|(name, rest)| (name.to_owned(), rest.split(" |").next().unwrap().to_owned())).collect()
}

/// The same of what is shown.
fn shown(text: &str) -> BTreeSet<(String, String)> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE chancery_watcher_")?.split_once(' '));
    let family = |(name, kind): (&str, &str)| {
        let sample =
            text.lines().find_map(|line| line.strip_prefix(&format!("chancery_watcher_{name}{{"))).unwrap_or("");
        let labels = sample.rsplit_once('}').map(|(labels, _)| labels).unwrap_or_default();
        let labels: Vec<&str> = labels.split(',').filter_map(|label| Some(label.split_once('=')?.0)).collect();
        let kind = if name.ends_with("_info") { "info" } else { kind };
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        (format!("{name}{labels}"), kind.to_owned())
    };
    types.map(family).collect()
}

#[tokio::test]
async fn what_is_documented_is_what_is_told_and_nothing_of_a_payment_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let (desk, _stop) = desk(folder.path());
    observe(
        &desk.journal,
        &observation(0, 100, "a", vec![sighting("tx", 7, Some(crate::journal::testing::block(100, "a")))]),
    );
    sent(&desk.journal, "wd-1", &["coin"], "txid");
    desk.board.change("bitcoin", |standing| standing.node_tip = Some(tip(103, "a")));
    let desk = Arc::new(desk);
    let (status, text) = ask(&desk, "/metrics", true, None).await;
    assert_eq!(status, 200, "{text}");
    assert_eq!(shown(&text), documented());
    for line in [
        "chancery_watcher_chain_height{chain=\"bitcoin\"} 100",
        "chancery_watcher_chain_node_height{chain=\"bitcoin\"} 103",
        "chancery_watcher_deposits_pending{chain=\"bitcoin\"} 1",
        "chancery_watcher_withdrawals_open{chain=\"bitcoin\",state=\"sent\"} 1",
        "chancery_watcher_withdrawals_open{chain=\"litecoin\",state=\"sent\"} 0",
        "chancery_watcher_withdrawals_oldest_timestamp_seconds{chain=\"litecoin\"} 0",
        "chancery_watcher_webhook_failing{receiver=\"1\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    for secret in ["wd-1", "txid", "a-secret-path", "bcrt1", "0.1"] {
        let in_values = text.lines().filter(|line| !line.contains("build_info"));
        assert!(!in_values.clone().any(|line| line.contains(secret)), "{secret} is in\n{text}");
    }
}

#[tokio::test]
async fn from_elsewhere_metrics_take_the_token_and_nothing_else_is_open_here() {
    let folder = tempfile::tempdir().unwrap();
    let (desk, _stop) = desk(folder.path());
    let desk = Arc::new(desk);
    for (path, is_local, token, wanted) in [
        ("/metrics", true, None, 200),
        ("/metrics", false, None, 401),
        ("/metrics", false, Some("wrong"), 401),
        ("/metrics", false, Some(TOKEN), 200),
        ("/healthz", false, None, 200),
        ("/v1/chains", true, None, 401),
        ("/openapi.json", true, None, 401),
        ("/metrics/", true, None, 401),
    ] {
        assert_eq!(ask(&desk, path, is_local, token).await.0, wanted, "{path} {is_local} {token:?}");
    }
}
