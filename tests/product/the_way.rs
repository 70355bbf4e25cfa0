//! The way of a request, as its user sees it.

use libtest_mimic::Trial;

use crate::harness::{Installation, block_on, trial, wire};

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("the_way::a_retry_gives_the_same_bytes_also_after_a_restart", a_retry_gives_the_same_bytes)]
}

fn a_retry_gives_the_same_bytes() {
    let installation = Installation::new();
    let tls = wire::tls(&installation.path("pki"), Some("watcher"));
    let body = format!(r#"{{"items":[{{"key":"raw","digest":"{:064x}"}}]}}"#, 42);
    let ask = |address| {
        let (tls, body) = (tls.clone(), body.clone());
        block_on(async move {
            let mut connection = wire::Connection::open(address, &tls).await.unwrap();
            connection.request("PUT", "/v1/signatures/a", body.as_bytes()).await.unwrap()
        })
    };
    let running = installation.start();
    let first = ask(running.watcher);
    assert_eq!(first.status, 200, "{}", String::from_utf8_lossy(&first.body));
    assert_eq!(ask(running.watcher).body, first.body);
    running.stop();
    let running = installation.start();
    assert_eq!(ask(running.watcher).body, first.body);
    running.stop();
    installation.assert_log_verifies();
}
