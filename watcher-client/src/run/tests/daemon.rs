//! Started and stopped whole.

use std::time::Duration;

use super::*;
use crate::journal::JournalError;

const PATIENCE: Duration = Duration::from_secs(120);

async fn start(config: &Config) -> Result<Daemon, RunError> {
    Daemon::start(config, Client::new(config).unwrap()).await
}

#[tokio::test]
async fn a_daemon_serves_until_it_is_told_to_stop_and_lets_its_journal_go() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), "");
    let daemon = start(&config).await.unwrap();
    let url = format!("http://{}/healthz", daemon.address());
    assert_eq!(http().get(url).send().await.unwrap().status(), 200);
    let second = start(&config).await.unwrap_err();
    assert!(matches!(second, RunError::Journal(JournalError::Held { .. })), "{second:?}");
    assert!(!second.is_for_good(), "the other one may end");
    timeout(PATIENCE, daemon.serve_until(async {})).await.unwrap().unwrap();
    let again = start(&config).await.unwrap();
    timeout(PATIENCE, again.serve_until(async {})).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_a_restart_cannot_mend_is_found_before_anything_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let good = config(folder.path(), "");
    let expect = async |config: &Config, part: &str| {
        let error = start(config).await.unwrap_err();
        assert!(error.is_for_good(), "{error:?}");
        assert!(causes(&error).contains(part), "{part}: {}", causes(&error));
    };
    expect(&Config { chains: Vec::new(), ..good.clone() }, "[[chain]]").await;
    expect(&Config { run: None, ..good.clone() }, "[run]").await;
    let token = folder.path().join("token");
    fs::set_permissions(&token, fs::Permissions::from_mode(0o640)).unwrap();
    expect(&good, "chmod 600").await;
    private(&token, "short");
    expect(&good, "at least 32").await;
    private(&token, TOKEN);
    fs::write(&good.run.as_ref().unwrap().journal, "no journal at all").unwrap();
    expect(&good, "opening the journal").await;
}

#[tokio::test]
async fn over_tls_the_same_api_answers_and_plain_http_is_not_heard() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path(), "certificate = \"watcher.crt\"\nprivate_key = \"watcher.key\"\n");
    let key = folder.path().join("watcher.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(causes(&start(&config).await.unwrap_err()).contains("chmod 600"));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let daemon = start(&config).await.unwrap();
    config.run.as_mut().unwrap().listen = daemon.address();
    assert!(http().get(format!("http://{}/healthz", daemon.address())).send().await.is_err());
    let shown = crate::cli::tests::chains_of(&config).await;
    assert_eq!(shown["chains"].as_array().unwrap().len(), 2, "{shown}");
    timeout(PATIENCE, daemon.serve_until(async {})).await.unwrap().unwrap();
}
