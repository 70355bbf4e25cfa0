//! The client against a real TLS server that answers by script.

use appliance_wire::{Item, ItemSignature, Problem, ProblemCode, RequestStatus};
use hsm_types::Digest;

use super::*;
use crate::testing::{
    Seen, TestAnswer, TestLog, TestPki, TestServer, ecdsa_public_key, ecdsa_signature, keys_answer, signed_answer,
};

mod addresses;
mod certificates;
mod log;
mod sign;
mod transaction;

const H1: &[&str] = &["http/1.1"];

/// A signer with one PKI for both sides, and a client of it.
struct Pair {
    server: TestServer,
    config: Config,
    client: Client,
    _folder: tempfile::TempDir,
}

impl Pair {
    async fn start(script: impl Fn(&Seen) -> TestAnswer + Send + Sync + 'static) -> Self {
        let (pki, folder) = (TestPki::new(), tempfile::tempdir().unwrap());
        pki.write(folder.path());
        let server = TestServer::start(&pki, &pki, H1, script).await;
        let config = server.config(folder.path());
        let client = patient(&config, 20);
        Self { server, config, client, _folder: folder }
    }
}

fn patient(config: &Config, seconds: u64) -> Client {
    let options = Options { deadline: Duration::from_secs(seconds), ..Options::default() };
    Client::with_options(config, options).unwrap()
}

fn id() -> RequestId {
    "wd-1".parse().unwrap()
}

fn request(digests: &[[u8; 32]]) -> SignatureRequest {
    let item =
        |digest: &[u8; 32]| Item { key: "btc-hot".parse().unwrap(), digest: Some(Digest(*digest)), message: None };
    let items = digests.iter().map(item).collect();
    SignatureRequest { items, transfer: None, evidence: None, replaces: None, expires_at: None }
}

fn signed(signatures: Vec<ItemSignature>) -> SignatureAnswer {
    signed_answer("wd-1", 5, signatures)
}

#[test]
fn calls_may_be_spawned() {
    fn send<T: Send>(_: impl FnOnce(Client) -> T) {}
    send(|client| async move { client.sign(&id(), &request(&[])).await });
    send(|client| async move { client.wait_for_receipt(&id(), Duration::ZERO).await });
    send(|client| async move { client.checkpoint().await });
    send(|client| async move { client.list_addresses(&"k".parse().unwrap(), None).await });
    send(|client| async move { client.owners(&crate::Unsigned::psbt(b"").unwrap(), &[]).await });
}
