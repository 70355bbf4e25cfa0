//! Nodes behind TLS.

use std::{fs, path::Path};

use rustls::version::{TLS12, TLS13};

use super::*;
use crate::{
    Config,
    testing::{TestAnswer, TestLog, TestPki, TestServer},
};

/// A chain of `watcher.toml` whose node is at `url`, believed where `node-ca.crt` issued its certificate.
fn config(folder: &Path, url: &str) -> ChainConfig {
    TestPki::new().write(folder);
    let text = format!(
        "url = \"https://127.0.0.1:1\"\nca = \"ca.crt\"\ncertificate = \"watcher.crt\"\nprivate_key = \"watcher.key\"\n\
         state_directory = \"state\"\nlog_keys = [\"{}\"]\n[[chain]]\nname = \"c\"\nchain = {{ evm = 1 }}\n\
         node = \"{url}\"\nca = \"node-ca.crt\"\nkey = \"k\"\nasset = \"ETH\"\nconfirmations = 3\nmax_fee = \"0.01\"\n",
        TestLog::new().key
    );
    fs::write(folder.join("watcher.toml"), text).unwrap();
    Config::load(&folder.join("watcher.toml")).unwrap().chains.remove(0)
}

async fn node(pki: &TestPki, version: &'static rustls::SupportedProtocolVersion) -> TestServer {
    TestServer::with_tls(pki.open_server(version), |_| {
        TestAnswer::Body(200, r#"{"jsonrpc":"2.0","id":1,"result":"0x1"}"#.to_owned())
    })
    .await
}

fn write_ca(pki: &TestPki, folder: &Path) {
    pki.write(folder);
    fs::rename(folder.join("ca.crt"), folder.join("node-ca.crt")).unwrap();
}

#[tokio::test]
async fn a_node_behind_tls_is_believed_where_a_ca_of_the_config_issued_its_certificate() {
    for version in [&TLS12, &TLS13] {
        let (folder, pki) = (tempfile::tempdir().unwrap(), TestPki::new());
        let node = node(&pki, version).await;
        write_ca(&pki, folder.path());
        let rpc = Rpc::of(&config(folder.path(), &node.url()), Duration::from_secs(10)).unwrap();
        let answer: String = rpc.call("eth_chainId", json!([])).await.unwrap();
        assert_eq!(answer, "0x1");
        assert_eq!(node.seen("POST /").len(), 1);
    }
}

#[tokio::test]
async fn a_certificate_of_another_ca_is_refused_before_anything_is_asked() {
    let (folder, pki) = (tempfile::tempdir().unwrap(), TestPki::new());
    let node = node(&pki, &TLS13).await;
    write_ca(&TestPki::new(), folder.path());
    let rpc = Rpc::of(&config(folder.path(), &node.url()), Duration::from_secs(10)).unwrap();
    let refused = rpc.call::<String>("eth_chainId", json!([])).await.unwrap_err();
    assert!(matches!(&refused, NodeError::NotReachable { why, .. } if why.contains("certificate")), "{refused}");
    assert_eq!(node.seen(""), []);
}

#[test]
fn a_ca_that_is_no_certificate_says_which_file_it_is() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("node-ca.crt"), "PEM").unwrap();
    let unfit = Rpc::of(&config(folder.path(), "https://127.0.0.1:1"), Duration::from_secs(1)).unwrap_err();
    assert!(matches!(&unfit, NodeError::Unfit { why, .. } if why.contains("node-ca.crt")), "{unfit}");
}
