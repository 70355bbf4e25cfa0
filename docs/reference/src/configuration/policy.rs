//! `policy.toml`.

use std::path::Path;

use appliance::policy::Policy;

use super::{
    Document, Key, Table,
    document::{key, key_of},
};

pub(super) fn document() -> Document {
    Document { name: "policy.toml", full: FULL, tables: tables(), read }
}

fn read(text: &str, _: &Path) -> Result<String, String> {
    let policy = Policy::parse(text).map_err(|mistakes| mistakes.to_string())?;
    Ok(format!("{:?}", Policy { sha256: String::new(), document: String::new(), ..policy }))
}

const OFFICERS: &str = "integer, at most the officers there are";
const ACT: &str = "table, as `[rule.action]`";

fn tables() -> Vec<Table> {
    vec![
        Table::new("", "", vec![key("version", "yes", "greater than that of the policy in force")]),
        Table::new(
            "[[officer]]",
            "Who decides. Required in profile `production`; see [officers](officers.md).",
            vec![
                key("name", "yes", "1 to 100 characters of one line"),
                key(
                    "ssh_keys",
                    "yes",
                    "lines of `.pub` files: ed25519, ecdsa on nistp256, or security keys (`sk-`) of either",
                ),
            ],
        ),
        Table::new("[quorum]", "With officers, and only with them: how many it takes.", quorum()),
        Table::new(
            "[[watcher]]",
            "Who may ask.",
            vec![
                key("name", "yes", "1 to 100 characters of one line"),
                key(
                    "public_keys_sha256",
                    "yes",
                    "SHA-256 of the SubjectPublicKeyInfo of its certificate, 64 hexadecimal digits; several while it \
                     changes",
                ),
            ],
        ),
        Table::new("[[asset]]", "What is paid in.", asset()),
        Table::new("[[key]]", "What signs. [More](policy.md#what).", signing_key()),
        Table::new(
            "[[address_list]]",
            "Destinations that rules name: `addresses`, `keys` or both.",
            vec![
                key("name", "yes", "1 to 100 characters of one line; not `self`"),
                key("addresses", "no", "addresses of chains of this policy"),
                key("keys", "no", "keys of this policy: their own addresses and their children's"),
            ],
        ),
        Table::new("[[rule]]", "In order: the first that matches decides. [More](policy.md#rules).", rule()),
        Table::new(
            "[rule.hours]",
            "When a rule matches.",
            vec![
                key("days", "yes", "such as `Mon-Fri` or `Sat,Sun`"),
                key("from", "yes", "`HH:MM`"),
                key("to", "yes", "`HH:MM`, `24:00` possible; over midnight belongs to the day it began"),
                key("zone", "yes", "a time zone of the IANA database, such as `UTC` or `Europe/Berlin`"),
            ],
        ),
        Table::new(
            "[rule.call]",
            "Which contract call a rule is about.",
            vec![
                key("contract", "yes", "its address"),
                key("selector", "yes", "the first four bytes of the call data, `0x` and 8 hexadecimal digits"),
            ],
        ),
        Table::new("[rule.action]", "Whose [approval](policy.md#approvals) a request waits for.", approvers()),
        Table::new("[[limit]]", "All hold, whatever rule decided. [More](policy.md#limits).", limit()),
    ]
}

fn quorum() -> Vec<Key> {
    vec![
        key_of("policy", "yes", OFFICERS, "to install a policy that only tightens"),
        key_of("loosen", "yes", OFFICERS, "to install any other; at least as many"),
        key("loosen_delay", "yes", "so long that one waits, in service time: a number and `s`, `m`, `h` or `d`"),
        key_of("unfreeze", "yes", OFFICERS, "to end a freeze, and for all else that is no policy"),
    ]
}

fn asset() -> Vec<Key> {
    vec![
        key("name", "yes", "for ever"),
        key_of("chain", "yes", "text, or `{ evm = CHAIN_ID }`", "[which there are](policy.md#what)"),
        key("decimals", "yes", "for ever; a chain's own asset has the chain's"),
        key("contract", "no", "a token's, on EVM chains; without it, it is the chain's own asset"),
    ]
}

fn signing_key() -> Vec<Key> {
    vec![
        key("name", "yes", "its label in the token; `chancery-...` are the appliance's own"),
        key("algorithm", "yes", "`secp256k1`, `p256`, `ed25519`"),
        key(
            "evidence",
            "no, \"verified\"",
            "`verified`, `declared`, `blind`: [levels](concepts.md#evidence-levels). The default is that of \
             secp256k1 keys with `assets`; others must say it",
        ),
        key("assets", "yes, of `verified` and `declared` keys", "names of what it pays"),
        key(
            "address_type",
            "yes, of `verified` keys on chains of Bitcoin's kind",
            "`p2wpkh`, `p2sh-p2wpkh`, `p2pkh`: how its change is known",
        ),
        key("state", "no, \"active\"", "`active`, `retiring`, `disabled`"),
        key("children", "no, false", "endless addresses of this one key; secp256k1 only"),
    ]
}

fn rule() -> Vec<Key> {
    vec![
        key("name", "yes", "in denials and entries"),
        key("watchers", "yes", "names; at least one"),
        key("keys", "yes", "names; at least one"),
        key("asset", "no", "condition: what is paid"),
        key("destinations", "no", "condition: name of an `[[address_list]]`, or `self`, the family that pays"),
        key("max_amount", "no", "condition, with `asset`: the most that one destination gets"),
        key("max_request_amount", "no", "condition, with `asset`: the most of all payments"),
        key(
            "max_fee",
            "no",
            "ceiling, in the chain's own asset. A rule that signs with a `verified` key has it or `max_fee_share`",
        ),
        key("max_fee_share", "no", "ceiling: the fee as a share of what is paid, such as `0.05`"),
        key_of("action", "yes", "`\"sign\"`, `\"deny\"` or a table", "what is decided"),
    ]
}

fn approvers() -> Vec<Key> {
    vec![
        key_of("approve", "yes", "integer, at most those of `of`", "so many officers"),
        key("of", "yes", "of these"),
        key("expires", "yes", "how long they have, in wall time"),
        key("delay", "no", "how long the request waits at the least, in service time; shorter than `expires`"),
    ]
}

fn limit() -> Vec<Key> {
    vec![
        key("name", "yes", "in refusals; a limit that is renamed counts on"),
        key("keys", "no", "the keys it counts; without it every key of the policy"),
        key("asset", "no", "required with `max_amount`, refused with `max_signatures`"),
        key(
            "max_amount",
            "yes, or `max_signatures`",
            "the most of payments, and of fees where it is the chain's own asset",
        ),
        key("max_signatures", "yes, or `max_amount`", "the most items"),
        key("window", "yes", "`1s` to `366d`, or `lifetime`"),
        key("per", "no", "`key`, `watcher`, `destination`: a sum for each; without it one for all"),
        key_of("beyond", "no", ACT, "a request for which too little is left waits for these"),
    ]
}

const FULL: &str = r#"version = 3

[[officer]]
name = "bob"
ssh_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEizZH22L0BlAHR/IpShoxdADyDfvT6l0iz1Ne8SsdS4"]

[[officer]]
name = "carol"
ssh_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINccdar+UDL2rEdExMruk9TjSUyzG8GZFbHC2DwRTU+U"]

[quorum]
policy = 1
loosen = 2
loosen_delay = "24h"
unfreeze = 1

[[watcher]]
name = "btc-watcher"
public_keys_sha256 = ["00000000000000000000000000000000000000000000000000000000000000aa"]

[[asset]]
name = "BTC"
chain = "bitcoin"
decimals = 8

[[asset]]
name = "ETH"
chain = { evm = 1 }
decimals = 18

[[asset]]
name = "USDC"
chain = { evm = 1 }
decimals = 6
contract = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"

[[key]]
name = "btc-hot"
algorithm = "secp256k1"
evidence = "verified"
assets = ["BTC"]
address_type = "p2wpkh"
state = "retiring"
children = true

[[key]]
name = "eth-hot"
algorithm = "secp256k1"
assets = ["ETH", "USDC"]

[[address_list]]
name = "cold"
addresses = ["bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"]
keys = ["btc-hot"]

[[rule]]
name = "withdrawals"
watchers = ["btc-watcher"]
keys = ["btc-hot"]
asset = "BTC"
destinations = "cold"
max_amount = "0.5"
max_request_amount = "2"
max_fee = "0.001"
max_fee_share = "0.05"
action = "sign"

[rule.hours]
days = "Mon-Fri"
from = "08:00"
to = "20:00"
zone = "UTC"

[[rule]]
name = "call"
watchers = ["btc-watcher"]
keys = ["eth-hot"]
asset = "ETH"
max_fee = "0.01"
action = "deny"

[rule.call]
contract = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
selector = "0x095ea7b3"

[[rule]]
name = "large"
watchers = ["btc-watcher"]
keys = ["btc-hot"]
max_fee = "0.001"

[rule.action]
approve = 1
of = ["bob", "carol"]
expires = "4h"
delay = "10m"

[[limit]]
name = "a day"
keys = ["btc-hot"]
asset = "BTC"
max_amount = "10"
window = "24h"
per = "key"
beyond = { approve = 1, of = ["bob"], expires = "4h" }

[[limit]]
name = "signatures"
max_signatures = 600
window = "1m"
"#;
