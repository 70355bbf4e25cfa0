//! Bad input: each gets its clear answer, and changes nothing.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};

use crate::harness::{
    Installation,
    body::{DESTINATION, OTHER_DESTINATION, digest, digests, message, payment, payments},
    installation::POLICY,
    trial,
    watcher::Watcher,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("bad_input::a_body_that_cannot_be_read_is_malformed_and_leaves_no_trace", unreadable_bodies),
        trial("bad_input::a_body_that_must_not_be_signed_is_refused_by_its_code", refused_bodies),
        trial("bad_input::what_is_too_large_is_refused_and_what_just_fits_is_signed", sizes),
        trial("bad_input::evidence_told_back_in_a_denial_never_makes_the_log_unreadable", long_evidence),
        trial("bad_input::a_bad_path_query_or_header_is_a_problem_document", bad_heads),
        trial("bad_input::no_path_but_those_of_the_api_is_there", crawl),
        trial("bad_input::a_client_that_never_finishes_is_cut_off_and_delays_nobody", slow_clients),
    ]
}

const GOOD: &str = r#"{"key":"raw","digest":"00000000000000000000000000000000000000000000000000000000000000ff"}"#;

/// Kinds of the entries since the start; the log must verify.
fn kinds_since_boot(installation: &Installation) -> Vec<String> {
    installation.assert_log_verifies();
    let kinds = installation.entries().into_iter().map(|entry| entry["kind"].as_str().unwrap().to_owned());
    kinds.skip_while(|kind| kind != "boot").skip(1).collect()
}

/// Every amount and count of the watcher's limits is as at first.
fn assert_nothing_is_spent(watcher: &Watcher) {
    let limits = watcher.get("/v1/limits").good();
    assert!(limits["limits"].as_array().unwrap().iter().all(|limit| limit["used"] == "0"), "{limits}");
}

fn with(mut body: Value, pointer: &str, value: Value) -> Value {
    match body.pointer_mut(pointer) {
        Some(place) => *place = value,
        None => {
            let (parent, member) = pointer.rsplit_once('/').unwrap();
            body.pointer_mut(parent).unwrap()[member] = value;
        }
    }
    body
}

fn unreadable_bodies() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let pays = || payment(1, "0.1", "0.0001");
    let output = |member: &str, value: Value| with(pays(), &format!("/transfer/outputs/0/{member}"), value);
    let cases: Vec<(&str, String, &str)> = vec![
        ("nothing", String::new(), "EOF"),
        ("half", r#"{"items":["#.to_owned(), "EOF"),
        ("a list", "[]".to_owned(), "cannot be read"),
        ("null", "null".to_owned(), "cannot be read"),
        ("a second value", format!(r#"{{"items":[{GOOD}]}} {{}}"#), "trailing"),
        ("deep", "[".repeat(100_000), "cannot be read"),
        ("an unknown field", format!(r#"{{"items":[{GOOD}],"itmes":[]}}"#), "unknown field `itmes`"),
        ("one in an item", with(digest("raw", 1), "/items/0/hash", json!("x")).to_string(), "unknown field `hash`"),
        ("one in the transfer", with(pays(), "/transfer/memo", json!("x")).to_string(), "unknown field `memo`"),
        ("one in an output", output("label", json!("x")).to_string(), "unknown field `label`"),
        ("a field twice", format!(r#"{{"items":[{GOOD}],"items":[{GOOD}]}}"#), "duplicate field `items`"),
        (
            "one twice in an item",
            format!(r#"{{"items":[{}]}}"#, GOOD.replace('}', r#","key":"ed"}"#)),
            "duplicate field",
        ),
        ("no items", json!({}).to_string(), "missing field `items`"),
        ("zero items", json!({ "items": [] }).to_string(), "1 to 256"),
        ("an item without input", json!({ "items": [{ "key": "raw" }] }).to_string(), "items[0] needs either digest"),
        ("both inputs", with(digest("raw", 1), "/items/0/message", json!("00")).to_string(), "items[0] needs either"),
        ("62 digits", with(digest("raw", 1), "/items/0/digest", json!("0".repeat(62))).to_string(), "64"),
        ("66 digits", with(digest("raw", 1), "/items/0/digest", json!("0".repeat(66))).to_string(), "64"),
        ("no hex", with(digest("raw", 1), "/items/0/digest", json!("g".repeat(64))).to_string(), "hex"),
        ("a number", with(digest("raw", 1), "/items/0/digest", json!(5)).to_string(), "cannot be read"),
        ("half a byte", json!({ "items": [{ "key": "ed", "message": "000" }] }).to_string(), "cannot be read"),
        ("no key name", digest("a key", 1).to_string(), "cannot be read"),
        ("a padded child", digest("raw/01", 1).to_string(), "cannot be read"),
        ("too large a child", digest("raw/2147483648", 1).to_string(), "cannot be read"),
        (
            "two families",
            json!({ "items": [digest("raw", 1)["items"][0], digest("nist", 1)["items"][0]] }).to_string(),
            "items[1] is of key nist, items[0] of raw",
        ),
        ("a message for ECDSA", json!({ "items": [{ "key": "raw", "message": "00" }] }).to_string(), "signs a digest"),
        ("a digest for Ed25519", digest("ed", 1).to_string(), "signs a message"),
        ("a float", output("amount", json!(0.1)).to_string(), "cannot be read"),
        ("a negative amount", output("amount", json!("-1")).to_string(), "\"-1\" is no amount"),
        ("an exponent", output("amount", json!("1e3")).to_string(), "\"1e3\" is no amount"),
        ("nine decimals", output("amount", json!("0.000000001")).to_string(), "8 decimals"),
        ("over 256 bits", output("amount", json!("9".repeat(80))).to_string(), "transfer.outputs[0].amount"),
        (
            "a sum over 256 bits",
            {
                let largest = "1".repeat(69);
                payments(1, &[(DESTINATION, largest.as_str()), (OTHER_DESTINATION, largest.as_str())].repeat(60), "0")
                    .to_string()
            },
            "256 bits",
        ),
        ("nine decimals of fee", payment(1, "0.1", "0.000000001").to_string(), "transfer.fee"),
        (
            "another chain",
            output("destination", json!("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4")).to_string(),
            "transfer.outputs[0].destination",
        ),
        (
            "a typing error",
            output("destination", json!(DESTINATION.replace("w508", "w509"))).to_string(),
            "transfer.outputs[0].destination",
        ),
        ("no address", output("destination", json!("")).to_string(), "transfer.outputs[0].destination"),
        ("a bad reference", output("reference", json!("a b")).to_string(), "cannot be read"),
        (
            "a reference twice",
            with(
                with(
                    payments(1, &[(DESTINATION, "0.1"), (OTHER_DESTINATION, "0.1")], "0"),
                    "/transfer/outputs/0/reference",
                    json!("r"),
                ),
                "/transfer/outputs/1/reference",
                json!("r"),
            )
            .to_string(),
            "transfer.outputs[1].reference is used twice",
        ),
        (
            "a transfer of a blind key",
            with(digest("raw", 1), "/transfer", pays()["transfer"].clone()).to_string(),
            "leave transfer out",
        ),
        ("no time", with(digest("raw", 1), "/expires_at", json!("tomorrow")).to_string(), "RFC 3339"),
    ];
    for (what, body, words) in &cases {
        let problem = watcher.refused("a", body);
        assert_eq!(problem.type_uri, "urn:chancery:problem:malformed", "{what}: {}", problem.detail);
        assert!(problem.detail.contains(words), "{what}: {}", problem.detail);
        assert_eq!(problem.request_id.as_deref(), Some("a"), "{what}");
    }
    let not_utf8 = watcher.call("PUT", "/v1/signatures/a", b"{\"items\":\"\xff\"}").problem();
    assert_eq!(not_utf8.type_uri, "urn:chancery:problem:malformed");
    assert_nothing_is_spent(&watcher);
    // The id is as free as before.
    assert_eq!(watcher.get("/v1/signatures/a").code(), "unknown-request");
    assert!(kinds_since_boot(&installation).is_empty());
    watcher.signed("a", digest("raw", 1));
    running.stop();
}

fn refused_bodies() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let pays = || payment(1, "0.1", "0.0001");
    let evidence = json!({ "format": "psbt", "data": "cHNidP8=" });
    let cases = [
        ("a key that is not", digest("cold", 1), "unknown-key", "cold"),
        ("a key of the appliance", digest("chancery-self-test", 1), "unknown-key", "chancery-self-test"),
        ("the log key", digest("chancery-log", 1), "unknown-key", "chancery-log"),
        ("a child never allocated", digest("raw/7", 1), "unknown-key", "raw/7"),
        ("nothing said of a declared key", digest("hot", 1), "evidence-required", "say in transfer"),
        ("a replacement", with(pays(), "/replaces", json!("b")), "evidence-required", "replaces"),
        ("evidence nobody reads", with(pays(), "/evidence", evidence.clone()), "evidence-invalid", "leave it out"),
        ("evidence of a blind key", with(digest("raw", 1), "/evidence", evidence), "evidence-invalid", "leave it out"),
        ("another asset", with(pays(), "/transfer/asset", json!("ETH")), "denied", "does not pay asset ETH"),
        ("the past", with(digest("raw", 1), "/expires_at", json!("2020-01-01T00:00:00Z")), "expired", "new id"),
    ];
    for (what, body, code, words) in &cases {
        let problem = watcher.refused("a", body);
        assert_eq!(problem.type_uri, format!("urn:chancery:problem:{code}"), "{what}: {}", problem.detail);
        assert!(problem.detail.contains(words), "{what}: {}", problem.detail);
        assert_eq!(problem.request_id.as_deref(), Some("a"), "{what}");
    }
    assert_nothing_is_spent(&watcher);
    assert_eq!(watcher.get("/v1/signatures/a").code(), "unknown-request");
    let kinds = kinds_since_boot(&installation);
    assert_eq!(kinds, vec!["denied"; cases.len()]);
    // A denial binds nothing.
    watcher.signed("a", digest("raw", 1));
    running.stop();
}

/// The parser's own words quote a preimage byte by byte, and a key in hexadecimal.
fn long_evidence() {
    let verified = "[[key]]\nname = \"vault\"\nalgorithm = \"secp256k1\"\nevidence = \"verified\"\nassets = [\"BTC\"]\n\
                    address_type = \"p2wpkh\"\n\n[[rule]]\nname = \"vault\"\nwatchers = [\"btc-watcher\"]\nkeys = [\"vault\"]\n\
                    max_fee = \"0.001\"\naction = \"sign\"\n";
    let installation = Installation::without_log();
    let generate = ["key", "generate", "vault", "--algorithm", "secp256k1", "--config", "chancery.toml"];
    installation.run("chancery-provision", &generate);
    installation.begin(&format!("{POLICY}\n{verified}"));
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let long = vec![0xff; 3_900_000];
    let length = |bytes: &[u8]| [&[0xfe][..], &(bytes.len() as u32).to_le_bytes()].concat();
    let preimage = [&[21, 0x0a][..], &[0; 20], &length(&long), &long].concat();
    let key = [&length(&long)[..], &[0x00], &long[1..], &[0]].concat();
    for entry in [preimage, key] {
        let input = [&[1][..], &[7; 32], &[0; 4], &[0], &[0xff; 4]].concat();
        let output = [&[1][..], &1_000_u64.to_le_bytes(), &[22, 0x00, 0x14], &[7; 20]].concat();
        let transaction = [&[2, 0, 0, 0][..], &input, &output, &[0; 4]].concat();
        let global = [&[1, 0x00, transaction.len() as u8][..], &transaction, &[0]].concat();
        let psbt = [b"psbt\xff", global.as_slice(), entry.as_slice(), &[0], &[0]].concat();
        let evidence = json!({ "format": "psbt", "data": STANDARD.encode(psbt) });
        let problem = watcher.refused("a", with(digest("vault", 1), "/evidence", evidence));
        assert_eq!(problem.type_uri, "urn:chancery:problem:evidence-invalid");
        assert!(problem.detail.len() < 1_000, "{} bytes of detail", problem.detail.len());
    }
    running.stop();
    let running = installation.start();
    installation.assert_log_verifies();
    running.stop();
}

fn sizes() {
    const MIB: usize = 1 << 20;
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let padded = |body: Value, length: usize| {
        let body = body.to_string();
        let padding = " ".repeat(length - body.len());
        body + &padding
    };

    let too_large = |body: String, words: &str| {
        let problem = watcher.refused("a", body);
        assert_eq!(problem.type_uri, "urn:chancery:problem:too-large", "{}", problem.detail);
        assert!(problem.detail.contains(words), "{}", problem.detail);
    };
    too_large(padded(digest("raw", 1), MIB + 1), "1 MiB");
    let with_evidence = with(digest("raw", 1), "/evidence", json!({ "format": "psbt", "data": "" }));
    too_large(padded(with_evidence.clone(), 8 * MIB + 1), "8388608");
    too_large(digests("raw", 0..257).to_string(), "256");
    too_large(message(&[7; 4_097]).to_string(), "4096");
    too_large(payments(1, &vec![(DESTINATION, "0.00000001"); 1_001], "0").to_string(), "1000");
    assert!(kinds_since_boot(&installation).is_empty());

    assert_eq!(watcher.refused("a", padded(with_evidence, 8 * MIB)).type_uri, "urn:chancery:problem:evidence-invalid");
    watcher.signed("b", padded(digest("raw", 1), MIB));
    watcher.signed("c", message(&[7; 4_096]));
    watcher.signed("d", message(b""));
    let outputs = vec![(DESTINATION, "0.00000001"); 1_000];
    watcher.signed("e", payments(1, &outputs, "0"));
    watcher.signed(&"i".repeat(128), digest("raw", 1));

    // A body that only says it is too large is not waited for.
    let answer = watcher.block_on(async {
        let mut connection = watcher.connect().await;
        let head = format!("PUT /v1/signatures/f HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", usize::MAX / 2);
        connection.send(head.as_bytes()).await.unwrap();
        connection.answer().await.unwrap()
    });
    assert_eq!(answer.code(), "too-large");
    // Nor one that never says how long it will be.
    let answer = watcher.block_on(async {
        let mut connection = watcher.connect().await;
        connection
            .send(b"PUT /v1/signatures/f HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
            .await
            .unwrap();
        let chunk = format!("100000\r\n{}\r\n", " ".repeat(MIB));
        for _ in 0..9 {
            connection.send(chunk.as_bytes()).await.unwrap();
        }
        connection.answer().await.unwrap()
    });
    assert_eq!(answer.code(), "too-large");
    running.stop();
    installation.assert_log_verifies();
}

fn bad_heads() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let body = digest("raw", 1).to_string();
    for id in [".a", "-a", "a%20b", "a%2Fb", "%ff", "%C3%A4", &"i".repeat(129)] {
        let problem = watcher.refused(id, &body);
        assert_eq!(problem.type_uri, "urn:chancery:problem:malformed", "{id}");
        assert_eq!(problem.request_id, None, "{id}");
    }
    for path in [
        "/v1/log/entries/-1",
        "/v1/log/entries/01",
        "/v1/log/entries/99999999999999999999",
        "/v1/log/proof/inclusion",
        "/v1/log/proof/inclusion?index=1",
        "/v1/log/proof/inclusion?index=1&size=2&size=3",
        "/v1/log/proof/inclusion?index=x&size=2",
        "/v1/log/proof/consistency?from=1&to=2&more=3",
        "/v1/keys?after=1",
    ] {
        assert_eq!(watcher.get(path).code(), "malformed", "{path}");
    }
    for (header, words) in
        [("content-type: text/plain", "content-type"), ("content-encoding: gzip", "content-encoding")]
    {
        let answer = watcher.block_on(async {
            let mut connection = watcher.connect().await;
            let head = format!(
                "PUT /v1/signatures/a HTTP/1.1\r\nhost: a\r\n{header}\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            connection.send((head + &body).as_bytes()).await.unwrap();
            connection.answer().await.unwrap()
        });
        let problem = answer.problem();
        assert_eq!(problem.status, 400, "{header}");
        assert!(problem.detail.contains(words), "{header}: {}", problem.detail);
    }
    for freeze in ["", "{}", r#"{"reason":1}"#, r#"{"reason":"x","what":"all"}"#] {
        assert_eq!(watcher.call("POST", "/v1/freeze", freeze).code(), "malformed", "{freeze}");
    }
    assert!(kinds_since_boot(&installation).is_empty());
    watcher.signed("a", body);
    running.stop();
}

fn crawl() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/keys/",
        "/v1/keys/raw/more",
        "/v1/signatures",
        "/v1/signatures/",
        "/v2/keys",
        "/V1/keys",
        "//v1/keys",
        "/status",
        "/freeze",
        "/unfreeze",
        "/policy",
        "/metrics",
        "/livez",
        "/readyz",
        "/v1/status",
        "/v1/unfreeze",
        "/v1/policy",
        "/admin",
        "/.well-known/security.txt",
    ] {
        for method in ["GET", "POST"] {
            let answer = watcher.call(method, path, "");
            assert_eq!((answer.status, answer.code().as_str()), (404, "not-found"), "{method} {path}");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
    }
    let document = watcher.get("/openapi.json").good();
    let mut calls = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path.replace("{index}", "0").replace("{request_id}", "wd-1").replace("{key}", "raw");
        for method in ["get", "put", "post", "delete", "patch"] {
            let answer = watcher.call(&method.to_uppercase(), &path, "");
            if methods.get(method).is_some() {
                calls += 1;
                assert_ne!(answer.status, 405, "{method} {path}");
                assert!(answer.status < 400 || answer.problem().status < 500, "{method} {path}");
            } else {
                assert_eq!(answer.code(), "method-not-allowed", "{method} {path}");
                assert!(answer.header("allow").is_some(), "{method} {path}");
            }
        }
    }
    assert!(calls >= 11, "the document has only {calls} calls");
    running.stop();
}

/// The product's own limits, with room for a loaded machine.
const CUT_OFF_WITHIN: Duration = Duration::from_secs(14);

fn slow_clients() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let begun = Instant::now();
    watcher.block_on(async {
        let mut silent = TcpStream::connect(running.watcher).await.unwrap();
        let mut dawdling = watcher.connect().await;
        dawdling.send(b"PUT /v1/signatures/a HTTP/1.1\r\nhost:").await.unwrap();
        let others = async {
            for number in 0..20 {
                let mut connection = watcher.connect().await;
                let path = format!("/v1/signatures/b-{number}");
                let body = digest("raw", number).to_string();
                let answer = timeout(Duration::from_secs(5), connection.request("PUT", &path, body.as_bytes())).await;
                assert_eq!(answer.unwrap().unwrap().status, 200);
            }
        };
        let cut_off = async {
            let no_handshake = async {
                let mut byte = [0];
                assert!(matches!(silent.read(&mut byte).await, Ok(0) | Err(_)));
            };
            let no_header = async {
                // Some servers say 408 first; what matters is that the connection ends.
                while dawdling.answer().await.is_ok() {}
            };
            tokio::join!(no_handshake, no_header);
        };
        let (ended, ()) = tokio::join!(timeout(CUT_OFF_WITHIN, cut_off), others);
        assert!(ended.is_ok(), "still open after {:?}", begun.elapsed());
    });
    assert_eq!(watcher.get("/v1/signatures/a").code(), "unknown-request");
    running.stop();
}
