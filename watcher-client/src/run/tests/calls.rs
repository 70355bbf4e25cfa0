//! Withdrawals, deposits, addresses and chains.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};

use super::*;
use crate::journal::testing::{address, block, observation, observe, sent, sighting};

const WD: &str = "/v1/withdrawals/wd-1";

fn code(status: u16, name: &str) -> (u16, String) {
    (status, name.to_owned())
}

#[tokio::test]
async fn the_same_id_and_content_is_one_withdrawal_and_other_content_a_conflict() {
    let bench = Bench::start().await;
    let (status, made) = bench.put(WD, wanted()).await;
    assert_eq!((status, &made["state"], &made["amount"]), (201, &json!("created"), &json!("0.1")));
    let mut same = wanted();
    same["amount"] = json!("0.1");
    assert_eq!(bench.put(WD, same).await, (200, made.clone()));
    for (member, other) in [("amount", "0.2"), ("chain", "litecoin"), ("memo", "991")] {
        let mut different = wanted();
        different[member] = json!(other);
        if member == "chain" {
            different["asset"] = json!("LTC");
            different["destination"] = json!("rltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kulaek4");
        }
        let (status, _) = bench.refused(Method::PUT, WD, Some(different)).await;
        assert!([409, 422].contains(&status), "{member}: {status}");
    }
    assert_eq!(bench.get(WD).await, (200, made));
    let (_, events) = bench.get("/v1/events").await;
    assert_eq!(events["events"].as_array().unwrap().len(), 1, "{events}");
}

#[tokio::test]
async fn what_cannot_be_read_or_carried_out_is_refused_and_leaves_nothing() {
    let bench = Bench::start().await;
    let with = |member: &str, value: Value| {
        let mut body = wanted();
        body[member] = value;
        Some(body)
    };
    for (path, body, wanted) in [
        (WD, with("chain", json!("dogecoin")), code(404, "unknown-chain")),
        (WD, with("asset", json!("USDC")), code(422, "invalid")),
        (WD, with("amount", json!("0.123456789")), code(422, "invalid")),
        (WD, with("amount", json!(0.1)), code(400, "malformed")),
        (WD, with("fee", json!("0.1")), code(400, "malformed")),
        ("/v1/withdrawals/sweep:bitcoin:1", with("asset", json!("BTC")), code(400, "malformed")),
        ("/v1/withdrawals/-1", with("asset", json!("BTC")), code(400, "malformed")),
        (WD, None, code(400, "malformed")),
        (WD, with("memo", json!("x".repeat(70_000))), code(413, "too-large")),
    ] {
        assert_eq!(bench.refused(Method::PUT, path, body).await, wanted, "{path}");
    }
    for (path, wanted) in [
        (WD, code(404, "unknown-withdrawal")),
        ("/v1/withdrawals?limit=0", code(400, "malformed")),
        ("/v1/withdrawals?limit=1001", code(400, "malformed")),
        ("/v1/withdrawals?surprise=1", code(400, "malformed")),
        ("/v1/withdrawals?chain=dogecoin", code(404, "unknown-chain")),
        ("/v1/deposits?after=-1", code(400, "malformed")),
        ("/v1/surprise", code(404, "not-found")),
    ] {
        assert_eq!(bench.refused(Method::GET, path, None).await, wanted, "{path}");
    }
    assert_eq!(bench.refused(Method::DELETE, WD, None).await, code(405, "method-not-allowed"));
    assert_eq!(bench.refused(Method::POST, WD, Some(json!({}))).await, code(405, "method-not-allowed"));
    assert_eq!(bench.journal.events(0, 10).unwrap().len(), 0);
}

#[tokio::test]
async fn without_the_token_there_is_no_answer_but_that_it_lives() {
    let bench = Bench::start().await;
    let ask = async |path: &str, shown: Option<&str>| {
        let request = http().get(format!("http://{}{path}", bench.address));
        let request = shown.into_iter().fold(request, |request, shown| request.header("authorization", shown));
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(ask("/healthz", None).await, (200, "ok\n".to_owned()));
    let good = format!("Bearer {TOKEN}");
    assert_eq!(ask("/v1/chains", Some(&good)).await.0, 200);
    let (longer, shorter) = (format!("{good}0"), &good[..good.len() - 1]);
    let basic = format!("Basic {TOKEN}");
    for shown in [None, Some(""), Some("Bearer "), Some(TOKEN), Some(&longer), Some(shorter), Some(&basic)] {
        for path in ["/v1/chains", "/openapi.json", "/surprise", "/healthz/", "/v1/withdrawals/wd-1"] {
            let (status, problem) = ask(path, shown).await;
            assert_eq!(status, 401, "{path} {shown:?}");
            assert!(problem.contains("urn:chancery-watcher:problem:unauthenticated") && !problem.contains(TOKEN));
        }
    }
}

#[tokio::test]
async fn withdrawals_are_listed_page_by_page_and_by_state() {
    let bench = Bench::start().await;
    for number in 1..=5 {
        sent(&bench.journal, &format!("wd-{number}"), &[&format!("t{number}:0")], &format!("tx{number}"));
    }
    assert_eq!(bench.put("/v1/withdrawals/wd-6", wanted()).await.0, 201);
    let (mut path, mut ids) = ("/v1/withdrawals?limit=2".to_owned(), Vec::new());
    loop {
        let (_, page) = bench.get(&path).await;
        ids.extend(page["withdrawals"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/withdrawals?limit=2&after={next}");
    }
    assert_eq!(ids, ["wd-1", "wd-2", "wd-3", "wd-4", "wd-5", "wd-6"]);
    let (_, created) = bench.get("/v1/withdrawals?state=created&open=true&chain=bitcoin").await;
    assert_eq!(created["withdrawals"].as_array().unwrap().len(), 1);
    assert!(created["withdrawals"][0].get("history").is_none(), "{created}");
    let (_, shown) = bench.get("/v1/withdrawals/wd-1").await;
    assert_eq!(shown["transactions"][0]["txid"], "tx1");
    assert_eq!(shown["transactions"][0]["entry"], 7);
    assert_eq!(shown["history"].as_array().unwrap().len(), 4);
    assert!(!shown.to_string().contains("cHNidP8"), "no unsigned bytes: {shown}");
}

#[tokio::test]
async fn a_withdrawal_is_cancelled_before_it_is_drafted_and_bumped_only_once_it_is_signed() {
    let bench = Bench::start().await;
    bench.put(WD, wanted()).await;
    assert_eq!(bench.refused(Method::POST, &format!("{WD}/bump"), None).await, code(409, "not-possible"));
    let (status, cancelled) = bench.post(&format!("{WD}/cancel")).await;
    assert_eq!((status, &cancelled["state"]), (200, &json!("cancelled")));
    assert_eq!(bench.refused(Method::POST, &format!("{WD}/cancel"), None).await, code(409, "not-possible"));
    sent(&bench.journal, "wd-2", &["t:0"], "tx");
    assert_eq!(bench.post("/v1/withdrawals/wd-2/bump").await.1["wish"], "bump");
    let none = bench.refused(Method::POST, "/v1/withdrawals/wd-3/bump", None).await;
    assert_eq!(none, code(404, "unknown-withdrawal"));
}

#[tokio::test]
async fn import_is_a_call_and_no_withdrawals_id() {
    let bench = Bench::start().await;
    let not_allowed = code(405, "method-not-allowed");
    assert_eq!(bench.refused(Method::PUT, "/v1/withdrawals/import", Some(wanted())).await, not_allowed);
    assert_eq!(bench.refused(Method::GET, "/v1/withdrawals/import", None).await, not_allowed);
    assert_eq!(bench.refused(Method::POST, WD, Some(wanted())).await, not_allowed);
}

#[tokio::test]
async fn a_cursor_is_no_larger_than_the_document_says() {
    let bench = Bench::start().await;
    for call in ["/v1/deposits", "/v1/events"] {
        assert_eq!(bench.get(&format!("{call}?after=9223372036854775807")).await.0, 200);
        let beyond = format!("{call}?after=9223372036854775808");
        assert_eq!(bench.refused(Method::GET, &beyond, None).await, code(400, "malformed"));
    }
}

#[tokio::test]
async fn each_deposit_comes_once_at_its_last_change_and_again_when_it_changes() {
    let bench = Bench::start().await;
    let found = |height| vec![sighting("t1", 1, Some(block(101, "a"))), sighting("t2", 2, Some(block(height, "a")))];
    observe(&bench.journal, &observation(100, 102, "a", found(102)));
    let (_, first) = bench.get("/v1/deposits?chain=bitcoin").await;
    assert_eq!(first["deposits"].as_array().unwrap().len(), 2);
    let next = first["next"].as_u64().unwrap();
    assert_eq!(bench.get(&format!("/v1/deposits?after={next}")).await.1, json!({ "deposits": [], "next": next }));

    observe(&bench.journal, &observation(100, 103, "a", found(102)));
    let (_, changed) = bench.get(&format!("/v1/deposits?after={next}")).await;
    assert_eq!(changed["deposits"].as_array().unwrap().len(), 1, "{changed}");
    assert_eq!(
        (&changed["deposits"][0]["id"], &changed["deposits"][0]["state"]),
        (&json!("t1:0"), &json!("creditable"))
    );
    let (_, all) = bench.get("/v1/deposits?limit=1").await;
    assert_eq!(all["deposits"][0]["id"], "t2:0", "the one that changed comes last");
    assert_eq!(bench.get("/v1/deposits?chain=litecoin").await.1["deposits"], json!([]));
}

#[tokio::test]
async fn an_address_is_given_out_once_to_each_name() {
    let bench = Bench::start().await;
    let path = "/v1/chains/bitcoin/addresses/customer%20991%2Fa";
    bench.journal.begin_chain("bitcoin", &block(100, "a")).unwrap();
    assert_eq!(bench.refused(Method::PUT, path, None).await, code(503, "not-ready"));
    bench.journal.add_addresses("bitcoin", &[address(Some(0)), address(Some(1))]).unwrap();
    let (status, given) = bench.ask(Method::PUT, path, None).await;
    assert_eq!((status, &given["address"], &given["name"]), (200, &json!("child-0"), &json!("customer 991/a")));
    assert_eq!(bench.ask(Method::PUT, path, None).await.1, given);
    let (_, other) = bench.ask(Method::PUT, "/v1/chains/bitcoin/addresses/b", None).await;
    assert_eq!(other["address"], "child-1");
    let (_, page) = bench.get("/v1/chains/bitcoin/addresses?limit=1").await;
    assert_eq!((&page["addresses"][0]["name"], &page["next"]), (&json!("b"), &json!("b")));
    let (_, rest) = bench.get("/v1/chains/bitcoin/addresses?after=b").await;
    assert_eq!(rest["addresses"], json!([given]));
    let nul = bench.refused(Method::PUT, "/v1/chains/bitcoin/addresses/a%00", None).await;
    assert_eq!(nul, code(400, "malformed"));
}

#[tokio::test]
async fn a_chain_shows_its_height_what_is_open_and_its_alarm() {
    let bench = Bench::start().await;
    observe(&bench.journal, &observation(100, 102, "a", vec![sighting("t1", 1, Some(block(102, "a")))]));
    sent(&bench.journal, "wd-2", &["t:0"], "tx");
    bench.put(WD, wanted()).await;
    let (_, chain) = bench.get("/v1/chains/bitcoin").await;
    assert_eq!((&chain["height"], &chain["pending_deposits"]), (&json!(102), &json!(1)), "{chain}");
    assert_eq!((&chain["unconfirmed_withdrawals"], &chain["oldest"]["id"]), (&json!(2), &json!("wd-2")));
    assert_eq!(bench.refused(Method::POST, "/v1/chains/bitcoin/resume", None).await, code(409, "not-possible"));
    bench.journal.raise_alarm("bitcoin", "look").unwrap();
    let (status, resumed) = bench.post("/v1/chains/bitcoin/resume").await;
    assert_eq!((status, &resumed["alarm"]["what"]), (202, &json!("look")));
    let (_, all) = bench.get("/v1/chains").await;
    assert_eq!(all["chains"].as_array().unwrap().len(), 2);
    assert_eq!(bench.refused(Method::GET, "/v1/chains/dogecoin", None).await, code(404, "unknown-chain"));
}

#[tokio::test]
async fn a_connection_whose_request_was_refused_takes_the_next_one() {
    let bench = Bench::start().await;
    let mut stream = TcpStream::connect(bench.address).await.unwrap();
    let head = |call: &str, length| format!("{call} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
    for refused in ["DELETE /v1/chains", "PUT /nothing"] {
        stream.write_all(head(refused, 2).as_bytes()).await.unwrap();
        // As long as a packet may take: an answer before the body would have closed the connection by then.
        sleep(Duration::from_millis(50)).await;
        stream.write_all(b"{}").await.unwrap();
    }
    let last = head("GET /healthz", 0).replace("content-length", "connection: close\r\ncontent-length");
    stream.write_all(last.as_bytes()).await.unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    assert_eq!(answers.matches("HTTP/1.1 401").count(), 2, "{answers}");
    assert!(answers.ends_with("ok\n"), "{answers}");
}
