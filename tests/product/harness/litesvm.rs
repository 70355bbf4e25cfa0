//! A Solana node with a chain of its own, which mines and finalises when told to: Solana's runtime behind a few methods of
//! its RPC, see `litesvm_rpc.py`.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use super::rpc::{Refused, Rpc};

/// Where `.ci/prerequisites tests` puts the runtime.
const UNPACKED: &str = "../var/solders";
const PROGRAM: &str = "product/harness/litesvm_rpc.py";

/// Ends with this value.
pub(crate) struct LiteSvm {
    child: Child,
    rpc: Rpc,
    pub(crate) address: SocketAddr,
}

impl LiteSvm {
    pub(crate) fn start() -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new("python3");
        command.arg("-B").arg(here.join(PROGRAM)).env("PYTHONPATH", here.join(UNPACKED));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("Listening on ").and_then(|address| address.trim().parse().ok());
        let Some(address) = address else {
            panic!("no Solana runtime: run `.ci/prerequisites tests`, which installs solders");
        };
        Self { child, rpc: Rpc::new(address), address }
    }

    /// The hash of its first block.
    pub(crate) fn genesis(&self) -> String {
        text(&self.rpc.call("getGenesisHash", json!([])))
    }

    /// An account's lamports.
    pub(crate) fn balance(&self, account: &str) -> u64 {
        self.rpc.call("getBalance", json!([account]))["value"].as_u64().unwrap()
    }

    /// A customer pays, each of these so many lamports, in one transaction with these memos; its signature.
    pub(crate) fn pay(&self, payments: &[(&str, u64)], memos: &[&str]) -> String {
        text(&self.rpc.call("testPay", json!([payments, memos])))
    }

    /// A new nonce account of this authority.
    pub(crate) fn create_nonce_account(&self, authority: &str) -> String {
        text(&self.rpc.call("testCreateNonceAccount", json!([authority])))
    }

    /// Hands a transaction in, in base64.
    pub(crate) fn send(&self, transaction: &str) -> Result<Value, Refused> {
        self.rpc.try_call("sendTransaction", json!([transaction, { "encoding": "base64" }]))
    }

    /// Executes a transaction without trying it first; the runtime's error, where it has one.
    pub(crate) fn execute(&self, transaction: &str) -> Option<String> {
        self.rpc.call("testExecute", json!([transaction])).as_str().map(str::to_owned)
    }

    /// Mines a block for each transaction that waits, or an empty one.
    pub(crate) fn mine(&self) {
        self.rpc.call("testMine", json!([]));
    }

    /// Makes all blocks final; the slot of the last.
    pub(crate) fn finalize(&self) -> u64 {
        self.rpc.call("testFinalize", json!([])).as_u64().unwrap()
    }

    /// The next block is so many slots further on: the cluster stood still.
    pub(crate) fn skip(&self, slots: u64) {
        self.rpc.call("testSkip", json!([slots]));
    }

    /// Does what is next asked for by this method, and breaks the connection instead of an answer.
    pub(crate) fn lose_reply(&self, method: &str) {
        self.rpc.call("testLoseReply", json!([method]));
    }

    /// Whether the reply that was to be lost is.
    pub(crate) fn has_lost_reply(&self) -> bool {
        self.rpc.call("testHasLostReply", json!([])).as_bool().unwrap()
    }

    /// The memos of an executed transaction.
    pub(crate) fn memos(&self, signature: &str) -> Vec<String> {
        let memos = self.rpc.call("testMemos", json!([signature]));
        memos.as_array().unwrap().iter().map(text).collect()
    }

    /// Lets the node say whether it is behind its cluster.
    pub(crate) fn set_behind(&self, is_behind: bool) {
        self.rpc.call("testBehind", json!([is_behind]));
    }
}

impl Drop for LiteSvm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
