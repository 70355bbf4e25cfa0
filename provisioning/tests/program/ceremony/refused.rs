//! Ceremonies that must not begin, or not go on.

use std::fs;

use super::Hall;

#[test]
fn a_plan_that_changed_or_another_is_not_gone_on_with() {
    let hall = Hall::softhsm("{ file = \"token/so-pin\" }");
    hall.ceremony(&["--yes"]).succeeded();
    hall.ceremony(&["--yes"]).refused(1, "go on with --resume, or name another directory");
    let rehearse = ["ceremony", "rehearse", "plan.toml", "--out", "out", "--yes", "--resume"];
    hall.run(&rehearse).refused(1, "what was begun here is a ceremony: go on with `run`");
    hall.write_plan(&format!("{}# changed\n", hall.plan()));
    hall.ceremony(&["--yes", "--resume"]).refused(1, "a ceremony with another plan");
}

#[test]
fn nothing_begins_where_something_is() {
    let hall = Hall::softhsm("{ file = \"token/so-pin\" }");
    fs::create_dir_all(hall.place.path("out/state")).unwrap();
    hall.ceremony(&["--yes"]).refused(1, "state is there already, and a ceremony begins with nothing");
    assert!(!hall.place.path("out/token").exists());
}

#[test]
fn a_plan_with_mistakes_makes_nothing() {
    let hall = Hall::softhsm("{ file = \"token/so-pin\" }");
    hall.write_plan(
        &hall.plan().replace("threshold = 2", "threshold = 4").replace("children = true", "childern = true"),
    );
    let ran = hall.ceremony(&["--yes"]);
    assert!(ran.err.contains("4 of 3 cannot be") && ran.err.contains("childern"), "{}", ran.err);
    ran.refused(78, "the plan cannot be carried out");
    assert!(!hall.place.path("out").exists());
}

#[test]
fn a_policy_that_the_appliance_refuses_makes_nothing() {
    let hall = Hall::softhsm("{ file = \"token/so-pin\" }");
    fs::write(hall.place.path("policy.toml"), format!("# no such thing\n{}", super::POLICY)).unwrap();
    hall.ceremony(&["--yes"]).refused(1, "line 1: no such thing");
    assert!(!hall.place.path("out/token").exists() && !hall.place.path("out/steps.jsonl").exists());
}

#[test]
fn a_secret_that_nobody_would_type_is_told_at_once() {
    let hall = Hall::softhsm("{ prompt = true }");
    hall.ceremony(&["--yes"]).refused(2, "the plan has secrets that somebody types");
}

#[test]
fn a_token_that_holds_keys_is_left_alone() {
    let hall = Hall::softhsm("{ file = \"token/so-pin\" }");
    hall.ceremony(&["--yes"]).succeeded();
    let out = hall.place.path("out");
    fs::create_dir(hall.place.path("again")).unwrap();
    fs::rename(out.join("token"), hall.place.path("again/token")).unwrap();
    let conf = hall.place.read("again/token/softhsm2.conf").replace("/out/", "/again/");
    fs::write(hall.place.path("again/token/softhsm2.conf"), conf).unwrap();
    let again = hall.run(&["ceremony", "run", "plan.toml", "--out", "again", "--yes"]);
    again.refused(1, "it holds keys already");
}

#[test]
fn a_spare_device_that_is_the_main_one_is_refused() {
    let hall = Hall::simulated();
    // By two names, which no plan can tell.
    fs::create_dir_all(hall.place.path("out/token")).unwrap();
    std::os::unix::fs::symlink("main.simulator", hall.place.path("out/token/spare.simulator")).unwrap();
    for role in ["administrator", "password", "auditor"] {
        let (main, spare) = (format!("out/token/main-{role}"), format!("out/token/spare-{role}"));
        fs::write(hall.place.path(&main), format!("tulip-29-{role}")).unwrap();
        fs::set_permissions(hall.place.path(&main), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        fs::copy(hall.place.path(&main), hall.place.path(&spare)).unwrap();
    }
    hall.ceremony(&["--yes"]).refused(1, "it is the token \"main\" once more");
    assert!(!hall.place.path("out/transcript.json").exists());
}

#[test]
fn without_certificates_in_the_plan_they_are_brought() {
    let hall = Hall::softhsm("{ file = \"token/so-pin\" }");
    hall.write_plan(&hall.plan().replace("[pki]\nwatchers = [\"btc-watcher\"]\n", ""));
    hall.ceremony(&["--yes"]).refused(78, "the plan makes no certificates: bring this one here");
    fs::create_dir(hall.place.path("out/pki")).unwrap();
    for name in ["ca.crt", "server.crt", "server.key"] {
        fs::write(hall.place.path(&format!("out/pki/{name}")), "").unwrap();
    }
    hall.ceremony(&["--yes", "--resume"]).succeeded();
    hall.verify().succeeded();
}

#[test]
fn a_policy_that_went_bad_meanwhile_stops_what_is_gone_on_with() {
    let hall = Hall::softhsm("{ file = \"token/so-pin\" }");
    hall.ceremony(&["--yes"]).succeeded();
    fs::remove_file(hall.place.path("out/transcript.json")).unwrap();
    let steps = hall.place.read("out/steps.jsonl");
    let (earlier, _) = steps.split_once("\"act\":\"policy\"").unwrap();
    let whole = earlier.rfind('\n').unwrap() + 1;
    fs::write(hall.place.path("out/steps.jsonl"), &steps[..whole]).unwrap();
    fs::write(hall.place.path("policy.toml"), format!("# no such thing\n{}", super::POLICY)).unwrap();
    hall.ceremony(&["--yes", "--resume"]).refused(1, "line 1: no such thing");
}
