//! `watcher.toml`.

use std::{fs, io, path::Path};

use watcher_client::Config;

use super::{
    Document, Key, Table,
    document::{key, key_of},
};

pub(super) fn document() -> Document {
    Document { name: "watcher.toml", full: FULL, tables: tables(), read }
}

fn read(text: &str, directory: &Path) -> Result<String, String> {
    let file = directory.join("watcher.toml");
    let write = || -> io::Result<()> {
        for name in ["ca.crt", "watcher.crt", "watcher.key", "witness.key"] {
            fs::write(directory.join(name), "")?;
        }
        fs::write(&file, text)
    };
    write().map_err(|error| error.to_string())?;
    Config::load(&file).map(|config| format!("{config:?}")).map_err(|error| error.problems.join("\n"))
}

fn tables() -> Vec<Table> {
    vec![
        Table::new("", "", first()),
        Table::new("[witness]", "Optional: what [`chancery-watcher witness`](witnesses.md) is.", witness()),
        Table::new("[[witness.other]]", "One for each witness that is asked.", other()),
        Table::new(
            "[run]",
            "Optional: what [`chancery-watcher run`](watcher.md) is. Its commands read the same keys.",
            run(),
        ),
        Table::new("[[run.webhook]]", "Any number: who is [told of events](watcher.md#webhooks).", webhook()),
        Table::new("[[chain]]", "Any number: the chains the daemon serves.", chain()),
        Table::new("[[chain.token]]", "Any number, on chains of Ethereum's kind.", token()),
    ]
}

fn first() -> Vec<Key> {
    vec![
        key("url", "yes", "`https://HOST:PORT` of the signer, without `/v1`, query or user"),
        key("ca", "yes", "PEM file: the only CA whose server certificate is believed"),
        key("certificate", "yes", "PEM file: this watcher's certificate"),
        key("private_key", "yes", "PEM file: its key"),
        key(
            "state_directory",
            "yes",
            "folder of the memory: `checkpoint`, `keys.json`, `lock`, `witness/`; made where it is missing",
        ),
        key_of("log_keys", "yes", "list of texts", "C2SP verifier keys, at least one; `chancery status` prints it"),
    ]
}

fn witness() -> Vec<Key> {
    vec![
        key("name", "yes", "the witness's name: a URL without its scheme, such as `exchange.example/watcher-a`"),
        key(
            "key",
            "yes",
            "PEM file of its private key, made by `chancery-watcher witness key`; no symbolic link, mode closed to \
             group and others",
        ),
        key_of("listen", "no", "`\"IP:PORT\"`", "where others submit checkpoints, plain HTTP; port 0 is any free one"),
    ]
}

fn other() -> Vec<Key> {
    vec![
        key("url", "yes", "`http://` or `https://`, its submission prefix"),
        key("key", "yes", "its C2SP verifier key of type 4, which also says its name"),
        key(
            "ca",
            "no",
            "PEM file: the CAs its certificate may come from, where `url` is `https`; else that of the signer",
        ),
    ]
}

fn run() -> Vec<Key> {
    vec![
        key("journal", "no, \"watcher.journal\"", "the daemon's journal: one file, one process"),
        key_of("listen", "yes", "`\"IP:PORT\"`", "of the API; outside loopback only with a certificate"),
        key(
            "token_file",
            "yes",
            "what callers show: one line of at least 32 characters; no symbolic link, mode closed to group and others",
        ),
        key("certificate", "no", "PEM file of the API's own TLS; together with `private_key`"),
        key("private_key", "no", "PEM file of its key; mode closed to group and others"),
    ]
}

fn webhook() -> Vec<Key> {
    vec![
        key("url", "yes", "`http` or `https`; each URL once"),
        key("secret_file", "yes", "`whsec_` and 24 to 64 bytes in base64; mode closed to group and others"),
        key("ca", "no", "PEM file: the CAs its certificate may come from; required with `https`"),
    ]
}

fn chain() -> Vec<Key> {
    vec![
        key("name", "yes", "letters, digits and `-`; differs from the others'"),
        key_of(
            "chain",
            "yes",
            "text, or `{ evm = CHAIN_ID }`",
            "as in the policy: `\"bitcoin\"`, `\"litecoin\"`, ..., `{ evm = 1 }`; or `\"solana\"`",
        ),
        key(
            "node",
            "yes",
            "URL of the node's RPC, without user, password or any other secret: it is in logs and in `status`",
        ),
        key(
            "ca",
            "yes, with `https`",
            "PEM file: the CAs the node's certificate may come from, no other is believed; read at the start. TLS \
             1.2 or 1.3",
        ),
        key(
            "credentials",
            "no",
            "file of one line `user:password`, read at each call, such as Bitcoin Core's `.cookie`",
        ),
        key(
            "strategy",
            "no",
            "chains of Bitcoin's kind: `\"wallet\"` (a watch-only wallet of the node) or `\"blocks\"` (no wallet), \
             which it is without",
        ),
        key("wallet", "no, \"chancery\"", "that wallet's name"),
        key("key", "yes", "the signer's key that pays; deposits come to its children, on Solana to itself"),
        key("asset", "yes", "what fees are paid in, as the policy names it"),
        key(
            "confirmations",
            "yes",
            "1 to 10000: how deep a block must be to be believed; the block itself counts as 1",
        ),
        key_of("max_fee", "yes", "amount, a text", "the most a transaction may cost, in `asset`"),
        key("max_fee_rate", "no", "the most a unit may cost: satoshi per virtual byte, or gwei per gas"),
        key("addresses_ahead", "no, 20", "0 to 10000 addresses kept ready; not on Solana"),
        key("poll_ms", "no, 5000", "50 to 600000: how often the node is asked"),
        key(
            "genesis",
            "no",
            "hash of the first block: another one is another chain, and refused; required where it is not known",
        ),
        key_of(
            "sweep_above",
            "no",
            "amount, a text",
            "from how much on deposits are brought from the children to the key, in `asset`; without it they stay. \
             Not on Solana",
        ),
        key("offline", "no, false", "withdrawals are [signed elsewhere](watcher.md#signing-elsewhere)"),
        key("nonce_account", "yes, on Solana", "the account whose nonce our transactions use"),
    ]
}

fn token() -> Vec<Key> {
    vec![
        key("asset", "yes", "as the policy names it"),
        key("contract", "yes", "its address"),
        key("decimals", "yes", "of its amounts, as in the policy"),
        key_of("sweep_above", "no", "amount, a text", "from how much on its deposits are brought to the key"),
    ]
}

const FULL: &str = r#"url = "https://signer-1.internal:8443"
ca = "ca.crt"
certificate = "watcher.crt"
private_key = "watcher.key"
state_directory = "state"
log_keys = ["exchange.example/signer-1/b45d0b7fe13748b6+9f85a683+AZFNgvqzgWE6Uei7956VINPM3C9If5BPWmY6GRVH4bXu"]

[witness]
name = "exchange.example/watcher-a"
key = "witness.key"
listen = "10.0.0.7:8480"

[[witness.other]]
url = "https://10.0.0.8:8480"
key = "exchange.example/watcher-b+6e445d33+BMyv6fI4e7m62m1k0fgxAOVJpAaHLJcTbLvvPEX4skGm"
ca = "ca.crt"

[run]
journal = "journal"
listen = "127.0.0.1:9470"
token_file = "api-token"
certificate = "watcher.crt"
private_key = "watcher.key"

[[run.webhook]]
url = "http://backend.internal/chancery"
secret_file = "webhook-secret"
ca = "ca.crt"

[[chain]]
name = "bitcoin"
chain = "bitcoin"
node = "https://127.0.0.1:8332"
ca = "ca.crt"
credentials = "cookie"
strategy = "wallet"
wallet = "deposits"
key = "btc-hot"
asset = "BTC"
confirmations = 6
max_fee = "0.001"
max_fee_rate = 200
addresses_ahead = 100
poll_ms = 1000
genesis = "00"
sweep_above = "0.1"
offline = true

[[chain]]
name = "ethereum"
chain = { evm = 1 }
node = "http://127.0.0.1:8545"
key = "eth-hot"
asset = "ETH"
confirmations = 32
max_fee = "0.02"

[[chain.token]]
asset = "USDC"
contract = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
decimals = 6
sweep_above = "500"

[[chain]]
name = "solana"
chain = "solana"
node = "http://127.0.0.1:8899"
key = "sol-hot"
asset = "SOL"
confirmations = 32
max_fee = "0.001"
nonce_account = "4zvwRjXUKGfvwnParsHAS3HuSVzV5cA4McphgmoCtajS"
"#;
