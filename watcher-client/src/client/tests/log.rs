//! Checkpoints and receipts through the client.

use std::sync::{Arc, Mutex};

use super::*;
use crate::{Standing, testing::serve_log};

/// A signer whose log can be exchanged behind the client's back.
async fn signer(log: TestLog) -> (Pair, Arc<Mutex<TestLog>>) {
    let log = Arc::new(Mutex::new(log));
    let served = log.clone();
    let pair = Pair::start(move |seen| serve_log(seen, &served.lock().unwrap())).await;
    (pair, log)
}

#[tokio::test]
async fn the_log_may_grow_and_not_shrink() {
    let (pair, log) = signer(TestLog::grown(3, "entry")).await;
    assert_eq!(pair.client.checkpoint().await.unwrap().1, Standing::First);
    log.lock().unwrap().grow(8);
    assert_eq!(pair.client.checkpoint().await.unwrap().1, Standing::Grown { from: 3 });

    *log.lock().unwrap() = TestLog::grown(3, "entry");
    for client in [&pair.client, &patient(&pair.config, 1)] {
        let error = client.checkpoint().await.unwrap_err();
        assert!(error.to_string().contains("it has 3 entries now, and had 11 before"), "{error}");
    }
    assert_eq!(pair.client.remembered_checkpoint().unwrap().unwrap().size(), 11);
}

#[tokio::test]
async fn a_receipt_comes_with_its_checkpoint_and_is_the_answers() {
    let mut log = TestLog::grown(5, "entry");
    let (pair, shared) = signer(log.clone()).await;
    let error = pair.client.wait_for_receipt(&id(), Duration::from_millis(500)).await.unwrap_err();
    assert!(matches!(error, Error::NoReceiptYet { .. }), "{error}");

    log.append_signed("wd-1", &[ecdsa_signature(1, "btc-hot", [3; 32])]);
    log.grow(1);
    *shared.lock().unwrap() = log.clone();
    let receipt = pair.client.wait_for_receipt(&id(), Duration::from_secs(5)).await.unwrap();
    assert_eq!(receipt, log.receipt(5));
    assert_eq!(pair.client.remembered_checkpoint().unwrap().unwrap().size(), 7);

    let mut other = TestLog::grown(5, "entry");
    other.append_signed("wd-2", &[ecdsa_signature(1, "btc-hot", [3; 32])]);
    other.grow(1);
    *shared.lock().unwrap() = other.clone();
    let error = pair.client.status(&id()).await.unwrap_err();
    assert!(matches!(error, Error::Inconsistent { .. }), "{error}");

    std::fs::remove_file(pair.config.state_directory.join("checkpoint")).unwrap();
    let error = pair.client.status(&id()).await.unwrap_err();
    assert!(error.to_string().contains("the receipt's entry 5 is not that of wd-1"), "{error}");
}
