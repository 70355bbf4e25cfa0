//! Events as they happen, over a WebSocket: in order, from anywhere on, and only to who is a watcher still.

use std::{
    ops::ControlFlow,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use libtest_mimic::Trial;
use serde_json::json;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::{all, each, policy_of};
use crate::harness::{
    Installation, Running, block_on, body::digest, eventually, installation::POLICY, long_log, officers::Officers,
    trial, watcher::Watcher, websocket::Events,
};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial("events::a_stream_tells_what_was_and_then_what_happens_and_goes_on_where_it_was_left", follows),
        trial("events::an_approval_is_told_without_being_asked_for", approved),
        trial("events::a_stream_ends_when_its_certificate_is_revoked", revoked),
        trial("events::a_stream_ends_when_its_watcher_leaves_the_policy", taken_out),
        trial("events::a_stop_ends_streams_promptly_and_says_so", stopped),
        trial("events::a_follower_misses_and_repeats_nothing_when_the_appliance_restarts", restarted),
        trial("events::a_watcher_has_eight_streams_and_its_calls_besides", too_many),
        trial("events::who_reads_nothing_is_cut_off", slow),
        trial("events::what_is_no_handshake_opens_no_stream", no_handshake),
    ]
}

fn follows() {
    let installation = Installation::with_second_watcher();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    watcher.signed("a", digest("raw", 1));
    let mut stream = Events::open(&watcher, None).unwrap();
    let told = stream.take(&watcher, 2);
    assert_eq!(told, all(&watcher, None).0, "each is what the page has");
    Watcher::named(&installation, &running, "second").signed("theirs", digest("nist", 1));
    watcher.signed("b", digest("raw", 2));
    let more = stream.take(&watcher, 2);
    assert_eq!(each(&more, "request_id"), ["b", "b"]);
    drop(stream);
    watcher.signed("c", digest("raw", 3));
    let after = more[0]["index"].as_u64();
    let rest = Events::open(&watcher, after).unwrap().take(&watcher, 3);
    assert_eq!(rest, all(&watcher, after).0);
    running.stop();
}

fn approved() {
    let officers = Officers::new();
    let installation = Installation::with_policy(&policy_of(&officers));
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let pending = watcher.put("a", digest("raw", 1)).json()["entry"].as_u64().unwrap();
    let mut stream = Events::open(&watcher, Some(pending)).unwrap();
    officers.act(&installation, &["approve", &pending.to_string()], &["alice"]);
    let first = stream.take(&watcher, 1);
    assert_eq!(first[0]["approvals"], json!([{ "because": "rule \"digests\"", "given": 1, "wanted": 2 }]));
    officers.act(&installation, &["approve", &pending.to_string()], &["carol"]);
    let events = stream.take(&watcher, 3);
    assert_eq!(each(&events, "kind"), ["approved", "accepted", "signed"]);
    assert_eq!(watcher.get("/v1/signatures/a").good()["status"], "signed");
    running.stop();
}

fn revoked() {
    let installation = Installation::with_second_watcher();
    let revoke = |names: &[&str]| {
        installation.run("chancery-provision", &[&["pki", "revoke", "--directory", "pki"], names].concat());
    };
    revoke(&[]);
    installation.edit_config(|config| {
        config.replace("client_ca = \"pki/ca.crt\"", "client_ca = \"pki/ca.crt\"\nclient_crl = \"pki/revoked.crl\"")
    });
    let running = installation.start();
    let (watcher, second) = (Watcher::new(&installation, &running), Watcher::named(&installation, &running, "second"));
    let stream = Events::open(&watcher, None).unwrap();
    let mut other = Events::open(&second, None).unwrap();
    revoke(&["watcher"]);
    running.hang_up();
    // Nothing happens in the log meanwhile.
    let (close, events) = stream.end(&watcher);
    assert_eq!((close.code, events), (CloseCode::Policy, 0));
    assert!(close.reason.contains("unauthenticated") && close.reason.contains("revoked"), "{close:?}");
    second.signed("a", digest("nist", 1));
    assert_eq!(other.take(&second, 2).len(), 2, "who was not revoked is told on");
    running.stop();
}

fn taken_out() {
    let installation = Installation::new();
    let successor = installation.issue("successor");
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let stream = Events::open(&watcher, None).unwrap();
    installation.write_policy(&POLICY.replace("version = 1", "version = 2").replace("WATCHER", &successor));
    installation.run("chancery", &["policy", "install", "policy.toml"]);
    let (close, _) = stream.end(&watcher);
    assert_eq!(close.code, CloseCode::Policy);
    assert!(close.reason.contains("no watcher of the policy"), "{close:?}");
    running.stop();
}

fn stopped() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let streams: Vec<Events> = (0..3).map(|_| Events::open(&watcher, None).unwrap()).collect();
    let begun = Instant::now();
    let ended = thread::scope(|scope| {
        let stop = scope.spawn(|| running.stop());
        let ended: Vec<CloseCode> = streams.into_iter().map(|stream| stream.end(&watcher).0.code).collect();
        stop.join().unwrap();
        ended
    });
    assert_eq!(ended, [CloseCode::Away; 3]);
    assert!(begun.elapsed() < Duration::from_secs(15), "not only when the time to finish was over");
}

fn restarted() {
    let installation = Installation::new();
    let running = installation.start();
    // It comes back where it was.
    let port = running.watcher.port();
    installation.edit_config(|config| config.replacen("127.0.0.1:0", &format!("127.0.0.1:{port}"), 1));
    let client = installation.client(&running);
    let (told, events) = mpsc::channel();
    let follower = thread::spawn(move || {
        block_on(client.follow_events(None, |event| {
            let last = event.request_id.as_ref().is_some_and(|id| id.as_str() == "last") && event.status.is_some();
            told.send(event.index).unwrap();
            if last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }))
    });
    Watcher::new(&installation, &running).signed("a", digest("raw", 1));
    let mut seen: Vec<u64> = (0..2).map(|_| events.recv_timeout(Duration::from_secs(30)).unwrap()).collect();
    running.kill();
    let running = Running::start(&installation, &[]);
    assert_eq!(running.watcher.port(), port);
    let watcher = Watcher::new(&installation, &running);
    watcher.signed("b", digest("raw", 2));
    running.stop();
    let running = Running::start(&installation, &[]);
    let watcher = Watcher::new(&installation, &running);
    watcher.signed("last", digest("raw", 3));
    follower.join().unwrap().unwrap();
    seen.extend(events.iter());
    let wanted: Vec<u64> = all(&watcher, None).0.iter().map(|event| event["index"].as_u64().unwrap()).collect();
    assert_eq!(seen, wanted[..wanted.len() - 1], "all but the last signature");
    running.stop();
}

fn too_many() {
    let installation = Installation::with_second_watcher();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let mut streams: Vec<Events> = (0..8).map(|_| Events::open(&watcher, None).unwrap()).collect();
    assert_eq!(Events::open(&watcher, None).err(), Some(429));
    assert_eq!(watcher.get("/v1/events").status, 200);
    assert!(Events::open(&Watcher::named(&installation, &running, "second"), None).is_ok());
    streams.pop();
    eventually("its place is free", || Events::open(&watcher, None).ok());
    running.stop();
}

fn slow() {
    let installation = Installation::with_second_watcher();
    // More than what lies between the two can hold.
    long_log::grow(&installation, 60_000);
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let _unread = Events::open(&watcher, None).unwrap();
    let open = || running.metric("chancery_connections");
    assert_eq!(open(), 1);
    let begun = Instant::now();
    while open() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(120), "it is not cut off");
        thread::sleep(Duration::from_millis(200));
    }
    // Whoever reads is not cut, however much there is.
    let mut stream = Events::open(&watcher, Some(50_000)).unwrap();
    assert_eq!(stream.take(&watcher, 9_000).len(), 9_000);
    running.stop();
}

fn no_handshake() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let ask = |path: &str, version: u8, key: &str| {
        watcher.block_on(async {
            let mut connection = watcher.connect().await;
            let request = format!(
                "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                 sec-websocket-version: {version}\r\n{key}\r\n"
            );
            connection.send(request.as_bytes()).await.unwrap();
            connection.answer().await.unwrap()
        })
    };
    let key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    assert_eq!(ask("/v1/events", 12, key).code(), "malformed");
    assert_eq!(ask("/v1/events", 13, "").code(), "malformed");
    assert_eq!(ask("/v1/events?after=x", 13, key).code(), "malformed");
    assert_eq!(ask("/v1/events?after=1000000", 13, key).code(), "not-found");
    assert_eq!(ask("/v1/keys", 13, key).status, 200, "nothing else is a stream");
    assert_eq!(ask("/v1/events", 13, key).status, 101);
    running.stop();
}
