//! Ceremonies that come to their end.

use std::fs;

use serde_json::json;

use super::{Hall, terminal::People};

const RUN: [&str; 5] = ["ceremony", "run", "plan.toml", "--out", "out"];

fn on_a_terminal(hall: &Hall, people: &mut People) -> String {
    let mut terminal = hall.terminal(&RUN);
    terminal.play(people);
    terminal.succeeded()
}

#[test]
fn on_a_terminal_with_softhsm_it_ends_in_a_restore() {
    let hall = Hall::softhsm("{ prompt = true }");
    let mut people = People::default();
    let seen = on_a_terminal(&hall, &mut people);

    let facts = hall.verify().succeeded().json();
    assert_eq!((&facts["valid"], &facts["rehearsal"]), (&true.into(), &false.into()));
    assert_eq!(facts["backup"]["custodians"], json!(["Carol", "Dave", "Erin"]));
    let restored = hall.acts_of("restore");
    assert_eq!((&restored[0]["token"], &restored[0]["shares"]), (&"spare".into(), &json!([1, 2])));
    let vault = hall.acts_of("key").into_iter().find(|key| key["label"] == "btc-vault").unwrap();
    assert_eq!(restored[0]["public_key"], vault["public_key"]);

    // Each token has what it should, and the appliance's own configuration opens the one that serves.
    let listed = hall.run(&["key", "list", "--config", "out/chancery.toml", "--json"]).succeeded().json();
    let labels: Vec<&str> = listed.as_array().unwrap().iter().filter_map(|key| key["key"].as_str()).collect();
    assert_eq!(labels, ["btc-vault", "chancery-log", "chancery-self-test"]);
    assert_eq!(people.paper.len(), 3);
    // The policy names the watcher's key, and the log was begun with this transcript.
    assert!(!hall.place.read("out/policy.toml").contains('@'));
    let begun = "policy install policy.toml --genesis --ceremony transcript.json --config chancery.toml --json";
    assert_eq!(hall.asked().last().unwrap(), begun);
    assert!(hall.place.path("out/on-a-terminal").exists(), "it could not ask for a PIN");
    assert!(hall.place.read("out/watcher.toml").contains(facts["log_key"].as_str().unwrap()));
    // Each screen says where one is; the words of a key stand there to be read aloud.
    assert!(seen.contains("1/15 Begin: A trial") && seen.contains("15/15 Begin the audit log"), "{seen}");
    assert!(seen.contains("in words") && seen.contains("CKA_EXTRACTABLE: true [required true] ok"), "{seen}");
}

#[test]
fn no_secret_is_in_any_public_file() {
    let hall = Hall::softhsm("{ prompt = true }");
    let mut people = People::default();
    on_a_terminal(&hall, &mut people);
    for file in ["transcript.json", "transcript.html", "steps.jsonl", "chancery.toml", "backup/btc-vault.json"] {
        let text = hall.place.read(&format!("out/{file}"));
        assert!(!text.contains(super::terminal::PIN), "{file}");
        for share in people.paper.values() {
            let (_, tail) = share.split_at(60);
            assert!(!text.contains(tail) && !text.contains(&tail.replace(' ', "")), "{file}");
        }
    }
    assert!(!hall.place.path("out/shares").exists());
}

#[test]
fn shares_are_typed_without_the_others_and_leave_the_screen() {
    let hall = Hall::softhsm("{ file = \"token/so-pin\" }");
    let mut people = People::default();
    let seen = on_a_terminal(&hall, &mut people);
    for share in people.paper.values() {
        // Its second line: the first is the same for all.
        let line = share.get(35..58).unwrap();
        let (_, rest) = seen.split_once(line).unwrap();
        let cleared = rest.find("\x1b[H\x1b[2J\x1b[3J").unwrap();
        let next = rest.find("press Enter when nobody else").unwrap_or(rest.len());
        assert!(cleared < next, "the next one would have seen it");
    }
}

#[test]
fn on_a_terminal_with_simulated_devices_keys_are_attested_and_wrapped() {
    let hall = Hall::simulated();
    on_a_terminal(&hall, &mut People::default());
    hall.verify().succeeded();
    let attested = hall.acts_of("attestation");
    assert_eq!(attested.len(), 3);
    for file in attested.iter().flat_map(|one| one["certificates"].as_array().unwrap()) {
        let der = fs::read(hall.place.path("out").join(file["path"].as_str().unwrap())).unwrap();
        assert_eq!(appliance_wire::sha256_hex(&der), file["sha256"].as_str().unwrap());
    }
    assert_eq!(hall.acts_of("restore")[0]["token"], "spare");
    assert!(hall.place.read("out/backup/btc-vault.json").contains("AES256-CCM-WRAP"));
    let roles = &hall.acts_of("token")[0]["roles"];
    let auditor = roles.as_array().unwrap().iter().find(|role| role["role"] == "auditor").unwrap();
    assert_eq!(auditor["capabilities"], json!(["get-option", "get-log-entries"]));
    let spare = hall.acts_of("token").into_iter().find(|token| token["name"] == "spare").unwrap();
    assert_ne!(spare["serial"], hall.acts_of("token")[0]["serial"]);
}

#[test]
fn a_password_that_somebody_typed_is_asked_for_once() {
    let hall = Hall::simulated();
    let typed = "passwords.administrator = { prompt = true }";
    hall.write_plan(&hall.plan().replace("passwords.administrator = { file = \"token/main-administrator\" }", typed));
    let seen = on_a_terminal(&hall, &mut People::default());
    assert_eq!(seen.matches("password of the administrator of token main").count(), 2, "typed, and once more");
}

#[test]
fn without_a_terminal_shares_go_into_files_and_that_is_said() {
    for hall in [Hall::softhsm("{ file = \"token/so-pin\" }"), Hall::simulated()] {
        let ran = hall.ceremony(&["--yes"]).succeeded();
        hall.verify().succeeded();
        assert!(!hall.place.path("out/on-a-terminal").exists());
        for custodian in ["Carol", "Dave", "Erin"] {
            assert_eq!(hall.place.mode(&format!("out/shares/{custodian}.txt")), 0o600);
            assert!(ran.err.contains(&format!("share {} of {custodian}", custodian_number(custodian))), "{}", ran.err);
            assert!(!ran.out.contains(hall.place.read(&format!("out/shares/{custodian}.txt")).trim()));
        }
    }
}

fn custodian_number(name: &str) -> usize {
    ["Carol", "Dave", "Erin"].iter().position(|other| *other == name).unwrap() + 1
}

#[test]
fn tokens_of_both_kinds_each_have_a_spare() {
    let (hall, simulated) = (Hall::softhsm("{ file = \"token/so-pin\" }"), Hall::simulated());
    let devices = simulated.plan().replace("name = \"main\"", "name = \"yubi\"").replace("\"spare\"", "\"yubi-spare\"");
    let (_, devices) = devices.split_once("[[token]]").unwrap();
    let plan = hall.plan().replacen("backup = true", "backup = true\ntoken = \"main\"", 1);
    let key = "[[key]]\nname = \"eth-hot\"\nalgorithm = \"secp256k1\"\nbackup = true\ntoken = \"yubi\"\n";
    hall.write_plan(&format!("{plan}\n{key}[[token]]{devices}"));
    hall.ceremony(&["--yes"]).succeeded();
    let keys = hall.verify().succeeded().json()["keys"].clone();
    let places: Vec<_> = keys.as_array().unwrap().iter().map(|key| (&key["key"], &key["token"])).collect();
    let own = [["chancery-log", "main"], ["chancery-self-test", "main"], ["chancery-self-test", "yubi"]];
    assert_eq!(json!(places[..3]), json!(own));
    assert_eq!(json!(places[3..]), json!([["btc-vault", "main"], ["eth-hot", "yubi"]]));
    let restored: Vec<_> = hall.acts_of("restore").iter().map(|one| one["token"].clone()).collect();
    assert_eq!(json!(restored), json!(["spare", "yubi-spare"]));
    assert_eq!(hall.acts_of("attestation").len(), 2);
    assert_eq!(hall.place.read("out/chancery.toml").matches("[[token]]").count(), 2);
}

#[test]
fn a_plan_without_backups_has_neither_shares_nor_a_restore() {
    let hall = Hall::softhsm("{ file = \"token/so-pin\" }");
    let plan = hall.plan().replace("backup = true", "backup = false");
    let plan = plan.replace("[backup]\nthreshold = 2\ncustodians = [\"Carol\", \"Dave\", \"Erin\"]\n", "");
    hall.write_plan(&plan);
    hall.ceremony(&["--yes"]).succeeded();
    assert_eq!(hall.verify().succeeded().json()["backup"], json!(null));
    assert!(!hall.place.path("out/shares").exists() && !hall.place.path("out/backup").exists());
}

#[test]
fn a_rehearsal_says_so_everywhere_and_needs_none_of_the_tokens() {
    let hall = Hall::softhsm("{ prompt = true }");
    let absent = hall.plan().replace("module = \"", "module = \"/no/such");
    hall.write_plan(&absent.replace("profile = \"development\"", "profile = \"development\" # as in production"));
    let rehearse = ["ceremony", "rehearse", "plan.toml", "--out", "out"];
    let mut terminal = hall.terminal(&rehearse);
    let mut screens = 0;
    let mut people = People::default();
    while let Some(asked) = terminal.next() {
        if asked.step().is_some() {
            assert!(asked.screen.contains("*** REHEARSAL"), "{}", asked.screen);
            screens += 1;
        }
        terminal.answer(&asked, &mut people);
    }
    terminal.succeeded();
    assert_eq!(screens, 15);
    assert_eq!(hall.verify().succeeded().json()["rehearsal"], true);
    let transcript: serde_json::Value = serde_json::from_str(&hall.place.read("out/transcript.json")).unwrap();
    assert!(transcript["steps"].as_array().unwrap().iter().all(|step| step["rehearsal"] == true));
    assert!(hall.place.read("out/transcript.html").contains("REHEARSAL"));
}

#[test]
fn what_is_typed_wrongly_is_told_and_asked_again() {
    let hall = Hall::softhsm("{ prompt = true }");
    let mut people = People::default();
    people.slips = vec![
        ("Type main", "spare".to_owned()),
        ("New security officer's PIN", "12345678".to_owned()),
        ("Once more", "another-one-9".to_owned()),
        ("Type your share back", "chancery1qqqq\n".to_owned()),
        ("Share 1 (its custodian", "no share\n".to_owned()),
    ];
    let seen = on_a_terminal(&hall, &mut people);
    assert!(people.slips.is_empty());
    for said in [
        "That is not \"main\": nothing was done.",
        "Not taken: its characters are a row.",
        "The two differ. Begin again.",
        "Not taken: this share's checksum is wrong",
        "Not taken: this is no share",
    ] {
        assert!(seen.contains(said), "{said}\n{seen}");
    }
    hall.verify().succeeded();
}
