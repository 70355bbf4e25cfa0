//! TLS failures in words: whose certificate, and what to do.

use super::*;

async fn failure(server: &TestPki, clients: &TestPki, watcher: &TestPki, alpn: &[&str]) -> Error {
    let folder = tempfile::tempdir().unwrap();
    watcher.write(folder.path());
    let server = TestServer::start(server, clients, alpn, |_| TestAnswer::Nothing).await;
    patient(&server.config(folder.path()), 20).sign(&id(), &request(&[[3; 32]])).await.unwrap_err()
}

#[tokio::test]
async fn a_signer_of_another_ca_is_not_believed() {
    let [signer, watcher] = [(); 2].map(|()| TestPki::new());
    let error = failure(&signer, &watcher, &watcher, H1).await.to_string();
    for part in ["it comes from another CA", "ca.crt", "whether this is your signer"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[tokio::test]
async fn a_refused_client_certificate_is_named_with_what_to_do() {
    let [ours, others] = [(); 2].map(|()| TestPki::new());
    for alpn in [H1, &["h2"]] {
        let start = Instant::now();
        let error = failure(&ours, &others, &ours, alpn).await;
        assert!(
            matches!(error, Error::Transport(crate::TransportError::ClientCertificateRefused { .. })),
            "{alpn:?}: {error:?}"
        );
        let text = error.to_string();
        for part in ["the signer refused your client certificate", "watcher.crt", "client_ca"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(start.elapsed() < Duration::from_secs(10), "it is not asked again");
    }
}

#[tokio::test]
async fn nobody_listening_asks_whether_the_signer_runs() {
    let pair = Pair::start(|_| TestAnswer::Nothing).await;
    let mut config = pair.config.clone();
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    config.url = format!("https://{free}");
    let error = patient(&config, 0).limits().await.unwrap_err().to_string();
    assert!(error.contains(&format!("is `chancery serve` running at https://{free}?")), "{error}");
}

#[test]
fn unusable_pem_files_are_config_errors() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        url: "https://127.0.0.1:1".to_owned(),
        ca: folder.path().join("ca.crt"),
        certificate: folder.path().join("watcher.crt"),
        private_key: folder.path().join("watcher.key"),
        state_directory: folder.path().join("state"),
        log_keys: vec![TestLog::new().key],
        witness: None,
        chains: Vec::new(),
        run: None,
    };
    for (file, text) in [("ca.crt", "no PEM"), ("watcher.crt", ""), ("watcher.key", "no PEM")] {
        TestPki::new().write(folder.path());
        std::fs::write(folder.path().join(file), text).unwrap();
        let error = Client::new(&config).unwrap_err();
        assert!(matches!(error, Error::Config(_)) && error.to_string().contains(file), "{error}");
    }
    let strangers = TestPki::new();
    strangers.write(folder.path());
    let certificate = std::fs::read(folder.path().join("watcher.crt")).unwrap();
    TestPki::new().write(folder.path());
    std::fs::write(folder.path().join("watcher.crt"), certificate).unwrap();
    let error = Client::new(&config).unwrap_err().to_string();
    assert!(error.contains("do not fit together"), "{error}");
}
