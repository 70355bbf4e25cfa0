//! Children of a key: allocated once and for ever, derivable by whoever has the chain code, signing under their own
//! public keys.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use hsm_types::{Algorithm, PublicKey};
use k256::ecdsa::signature::hazmat::PrehashVerifier;
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{
    Installation, Running,
    body::digest,
    installation::POLICY,
    trial,
    vault::{self, Vault},
    watcher::Watcher,
    wire::Answer,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("children::the_same_body_gives_the_same_addresses_and_one_without_after_gives_the_next", allocation),
        trial("children::what_cannot_be_allocated_is_refused_and_leaves_no_gap", refused),
        trial("children::sixteen_at_once_get_every_child_once", at_once),
        trial("children::a_list_goes_on_where_the_page_before_ended", listing),
        trial("children::whoever_has_the_chain_code_derives_the_same_addresses", offline),
        trial("children::a_frozen_key_gets_no_more_of_them", frozen),
        trial("children::a_child_signs_under_its_own_public_key_once_it_is_allocated", signs),
        trial("children::a_key_whose_chain_code_is_gone_or_another_is_refused_while_others_sign", gone_or_another),
        trial("children::a_restart_goes_on_after_the_last_child", restarts),
    ]
}

fn post(watcher: &Watcher, key: &str, body: &Value) -> Answer {
    watcher.call("POST", &format!("/v1/keys/{key}/addresses"), body.to_string())
}

/// The children of an answer, in order.
fn numbers(answer: &Value) -> Vec<u64> {
    let addresses = answer["addresses"].as_array().unwrap();
    addresses.iter().map(|address| address["child"].as_u64().unwrap()).collect()
}

fn range(first: u64, end: u64) -> Vec<u64> {
    (first..end).collect()
}

fn allocation() {
    let vault = Vault::new();
    let allocate = |body: Value| post(&vault.watcher, "vault", &body).good();
    let first = allocate(json!({ "count": 3 }));
    assert_eq!(numbers(&first), range(0, 3));
    assert_eq!(first["addresses"][2]["key"], "vault/2");
    assert_eq!(first["addresses"][2]["address"], vault.address("vault/2"));
    let next = allocate(json!({ "count": 2 }));
    assert_eq!((numbers(&next), next.get("next")), (range(3, 5), None));
    let body = json!({ "count": 4, "after": 3 });
    let extended = allocate(body.clone());
    assert_eq!(numbers(&extended), range(4, 8));
    assert_eq!(extended["addresses"][0], next["addresses"][1]);
    let entries = vault.entries("addresses");
    // Only what is new is written, and only once.
    let written: Vec<_> = entries.iter().map(|entry| json!([entry["key"], entry["first"], entry["count"]])).collect();
    assert_eq!(written, [json!(["vault", 0, 3]), json!(["vault", 3, 2]), json!(["vault", 5, 3])]);
    assert_eq!(allocate(body), extended);
    let again = allocate(json!({ "count": 2, "after": 0 }));
    assert_eq!((numbers(&again), &again["next"]), (range(1, 3), &json!(2)));
    assert_eq!(again["addresses"][1], first["addresses"][2]);
    assert_eq!(vault.entries("addresses").len(), 3);
    // The keys' sequences are their own, and a key's is everybody's.
    assert_eq!(numbers(&post(&vault.watcher, "cold", &json!({ "count": 1 })).good()), [0]);
    assert_eq!(numbers(&post(&vault.second(), "vault", &json!({ "count": 1000 })).good()), range(8, 1008));
    let verified = vault.installation.run("chancery", &["audit", "verify", "--json"]).stdout;
    let verified: Value = serde_json::from_slice(&verified).unwrap();
    assert_eq!(verified["verification"]["addresses"], 1009);
    vault.stop();
}

fn refused() {
    let vault = Vault::new();
    vault.allocate("vault", 3);
    let second = vault.second();
    let cases = [
        ("no child", &vault.watcher, "vault", json!({ "count": 0 }), "malformed", "1 to 1000"),
        ("too many", &vault.watcher, "vault", json!({ "count": 1001 }), "malformed", "1 to 1000"),
        ("less than none", &vault.watcher, "vault", json!({ "count": -1 }), "malformed", "documented form"),
        ("a gap", &vault.watcher, "vault", json!({ "count": 1, "after": 3 }), "malformed", "the last is 2"),
        ("a gap at first", &vault.watcher, "cold", json!({ "count": 1, "after": 0 }), "malformed", "none yet"),
        ("the end", &vault.watcher, "vault", json!({ "count": 1, "after": u32::MAX }), "malformed", "without gaps"),
        ("no count", &vault.watcher, "vault", json!({ "after": 2 }), "malformed", "count"),
        ("more", &vault.watcher, "vault", json!({ "count": 1, "first": 2 }), "malformed", "first"),
        ("a key without children", &vault.watcher, "hot", json!({ "count": 1 }), "unknown-key", "has no children"),
        ("no key", &vault.watcher, "chill", json!({ "count": 1 }), "unknown-key", "granted"),
        ("a key of the appliance", &vault.watcher, "chancery-log", json!({ "count": 1 }), "unknown-key", "granted"),
        ("a child", &vault.watcher, "vault%2F0", json!({ "count": 1 }), "unknown-key", "granted"),
        ("not granted", &second, "cold", json!({ "count": 1 }), "unknown-key", "granted"),
    ];
    for (what, watcher, key, body, code, words) in &cases {
        let problem = post(watcher, key, body).problem();
        assert_eq!(problem.type_uri, format!("urn:chancery:problem:{code}"), "{what}: {}", problem.detail);
        assert!(problem.detail.contains(words), "{what}: {}", problem.detail);
    }
    for (path, code) in [
        ("/v1/keys/vault/addresses?after=x", "malformed"),
        ("/v1/keys/vault/addresses?before=1", "malformed"),
        ("/v1/keys/hot/addresses", "unknown-key"),
        ("/v1/keys/chill/addresses", "unknown-key"),
    ] {
        assert_eq!(vault.watcher.get(path).code(), code, "{path}");
    }
    assert_eq!(second.get("/v1/keys/cold/addresses").code(), "unknown-key");
    assert_eq!(numbers(&vault.allocate("vault", 1)), [3]);
    assert_eq!(vault.entries("addresses").len(), 2);
    vault.stop();
}

fn at_once() {
    const CLIENTS: u64 = 16;
    const CALLS: u64 = 5;
    const COUNT: u64 = 20;
    let vault = Vault::new();
    let answers = vault.watcher.block_on(async {
        let mut tasks = JoinSet::new();
        for _ in 0..CLIENTS {
            let mut connection = vault.watcher.connect().await;
            tasks.spawn(async move {
                let body = json!({ "count": COUNT }).to_string();
                let mut answers = Vec::new();
                for _ in 0..CALLS {
                    let path = "/v1/keys/vault/addresses";
                    answers.push(connection.request("POST", path, body.as_bytes()).await.unwrap());
                }
                answers
            });
        }
        tasks.join_all().await.concat()
    });
    let mut given: Vec<u64> = answers.iter().flat_map(|answer| numbers(&answer.good())).collect();
    given.sort_unstable();
    assert_eq!(given, range(0, CLIENTS * CALLS * COUNT));
    vault.stop();
}

fn listing() {
    let vault = Vault::new();
    let list = |query: &str| vault.watcher.get(&format!("/v1/keys/vault/addresses{query}")).good();
    assert_eq!(list(""), json!({ "addresses": [] }));
    let mut allocated = Vec::new();
    for count in [1000, 1000, 500] {
        allocated.extend(vault.allocate("vault", count)["addresses"].as_array().unwrap().clone());
    }
    let mut listed = Vec::new();
    let mut query = String::new();
    for next in [Some(999), Some(1999), None] {
        let page = list(&query);
        assert_eq!(page.get("next").and_then(Value::as_u64), next);
        listed.extend(page["addresses"].as_array().unwrap().clone());
        query = format!("?after={}", next.unwrap_or_default());
    }
    assert_eq!(listed, allocated);
    assert_eq!(numbers(&list("?after=2400")), range(2401, 2500));
    assert_eq!(list("?after=2499"), json!({ "addresses": [] }));
    assert_eq!(list("?after=2147483647"), json!({ "addresses": [] }));
    let refused = vault.watcher.get("/v1/keys/vault/addresses?after=2147483648").problem();
    assert_eq!(refused.type_uri, "urn:chancery:problem:malformed");
    assert!(refused.detail.contains("the last one is 2147483647"), "{refused:?}");
    vault.stop();
}

fn offline() {
    let vault = Vault::new();
    for key in ["vault", "eth"] {
        let answer = vault.watcher.get(&format!("/v1/keys/{key}")).good();
        assert_eq!(answer["children"], true);
        let chain_code = answer["chain_code"].as_str().unwrap().parse().unwrap();
        let parent = hex::decode(answer["public_key"].as_str().unwrap()).unwrap();
        let parent = PublicKey::decode(Algorithm::Secp256k1, &parent).unwrap();
        let allocated = vault.allocate(key, 100);
        for address in allocated["addresses"].as_array().unwrap() {
            let child = u32::try_from(address["child"].as_u64().unwrap()).unwrap();
            let derived = parent.child(&chain_code, child).unwrap();
            assert_eq!(address["public_key"], derived.public_key().to_string());
            assert_eq!(address["address"], vault.address(&format!("{key}/{child}")));
        }
        let distinct: BTreeSet<_> =
            allocated["addresses"].as_array().unwrap().iter().map(|one| one["address"].to_string()).collect();
        assert_eq!(distinct.len(), 100);
    }
    // Keys without children have none to tell.
    let hot = vault.watcher.get("/v1/keys/hot").good();
    assert_eq!((&hot["children"], hot.get("chain_code")), (&json!(false), None));
    vault.stop();
}

fn frozen() {
    let vault = Vault::new();
    vault.allocate("vault", 2);
    let act = |act: &str, what: &[&str]| {
        vault.installation.run("chancery", &[&[act], what, &["--reason", "a drill"]].concat());
    };
    for what in [&["--key", "vault"][..], &["--watcher", "btc-watcher"], &["--all"]] {
        act("freeze", what);
        assert_eq!(post(&vault.watcher, "vault", &json!({ "count": 1 })).code(), "frozen", "{what:?}");
        act("unfreeze", what);
    }
    act("freeze", &["--key", "cold"]);
    assert_eq!(numbers(&vault.allocate("vault", 1)), [2]);
    vault.stop();
}

/// A `blind` key with children, which signs whatever digest it gets.
const KIDS: &str = "\n[[key]]\nname = \"kids\"\nalgorithm = \"secp256k1\"\nevidence = \"blind\"\nchildren = true\n";

fn kids_policy() -> String {
    POLICY.replace("keys = [\"raw\", \"nist\", \"ed\"]", "keys = [\"raw\", \"nist\", \"ed\", \"kids\"]") + KIDS
}

fn objects(installation: &Installation) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for token in fs::read_dir(installation.path("token/objects")).unwrap() {
        for object in fs::read_dir(token.unwrap().path()).unwrap() {
            found.insert(object.unwrap().path());
        }
    }
    found
}

/// The objects made by `make`, in the order they were made: the chain code first.
fn made(installation: &Installation, make: impl Fn()) -> Vec<PathBuf> {
    let before = objects(installation);
    make();
    let mut made: Vec<PathBuf> = objects(installation).difference(&before).cloned().collect();
    made.retain(|path| path.extension().is_some_and(|extension| extension == "object"));
    made.sort_by_key(|path: &PathBuf| fs::metadata(path).unwrap().created().unwrap());
    made
}

fn signs() {
    let installation = Installation::without_log();
    vault::generate(&installation, "kids");
    installation.begin(&kids_policy());
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let problem = watcher.refused("a", digest("kids/0", 1));
    assert_eq!(problem.type_uri, "urn:chancery:problem:unknown-key");
    assert!(problem.detail.contains("kids/0 was never allocated"), "{}", problem.detail);
    // No asset gives it an address.
    let allocated = post(&watcher, "kids", &json!({ "count": 18 })).good();
    assert!(allocated["addresses"][17].get("address").is_none());
    for unallocated in ["kids/18", "kids/2147483647"] {
        let items = json!([digest("kids/0", 1)["items"][0], digest(unallocated, 2)["items"][0]]);
        assert_eq!(watcher.put("a", json!({ "items": items })).code(), "unknown-key");
    }
    let parent = watcher.get("/v1/keys/kids").good()["public_key"].clone();
    let names = ["kids/0", "kids", "kids/17", "kids/0"];
    let items: Vec<Value> = (7..).zip(names).map(|(number, key)| digest(key, number)["items"][0].clone()).collect();
    let answer = watcher.signed("a", json!({ "items": items }));
    for (item, signature) in items.iter().zip(answer["signatures"].as_array().unwrap()) {
        let child = item["key"].as_str().unwrap().split_once('/').map(|(_, child)| child.parse::<usize>().unwrap());
        let expected = child.map_or(&parent, |child| &allocated["addresses"][child]["public_key"]);
        assert_eq!((&signature["public_key"], &signature["key"]), (expected, &item["key"]));
        let bytes = |value: &Value| hex::decode(value.as_str().unwrap()).unwrap();
        let key = k256::ecdsa::VerifyingKey::from_sec1_bytes(&bytes(expected)).unwrap();
        let raw = k256::ecdsa::Signature::from_slice(&bytes(&signature["signature"])).unwrap();
        key.verify_prehash(&bytes(&item["digest"]), &raw).unwrap();
    }
    running.stop();
    installation.assert_log_verifies();
}

fn gone_or_another() {
    let installation = Installation::without_log();
    let generate = || vault::generate(&installation, "kids");
    let first = made(&installation, generate);
    assert_eq!(first.len(), 3);
    let kept = fs::read(&first[0]).unwrap();
    first.iter().for_each(|object| fs::remove_file(object).unwrap());
    let second = made(&installation, generate);
    installation.begin(&kids_policy());
    let code: &Path = &second[0];
    let own = fs::read(code).unwrap();

    let ask = |id: &str| {
        let running = installation.start();
        let watcher = Watcher::new(&installation, &running);
        let answer = watcher.put(id, digest("kids", 7));
        watcher.signed(&format!("{id}-other"), digest("raw", 7));
        running.stop();
        answer
    };
    assert_eq!(ask("whole").status, 200);
    fs::write(code, &kept).unwrap();
    let problem = ask("another").problem();
    assert_eq!(problem.type_uri, "urn:chancery:problem:token-unavailable");
    assert!(problem.detail.contains("is not the one the log pins"), "{}", problem.detail);
    fs::remove_file(code).unwrap();
    let problem = ask("gone").problem();
    assert!(problem.detail.contains("the token now has none"), "{}", problem.detail);
    fs::write(code, &own).unwrap();
    assert_eq!(ask("back").status, 200);
    installation.assert_log_verifies();
}

fn restarts() {
    let mut vault = Vault::new();
    let first = vault.allocate("vault", 3);
    for (end, next) in [(Running::stop as fn(Running), 3), (Running::kill, 5)] {
        vault = vault.restart(end);
        let listed = vault.watcher.get("/v1/keys/vault/addresses").good();
        assert_eq!(numbers(&listed), range(0, next));
        assert_eq!(listed["addresses"].as_array().unwrap()[..3], first["addresses"].as_array().unwrap()[..]);
        assert_eq!(
            post(&vault.watcher, "vault", &json!({ "count": 2, "after": 0 })).good()["addresses"][1],
            first["addresses"][2]
        );
        assert_eq!(numbers(&vault.allocate("vault", 2)), range(next, next + 2));
    }
    vault.stop();
}
