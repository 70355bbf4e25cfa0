//! The commands that ask a running daemon.

use serde_json::Value;

use super::*;
use crate::run::Daemon as RunningDaemon;

/// What `chains --json` shows.
pub(crate) async fn chains_of(config: &Config) -> Value {
    let daemon = Daemon::new(config, Path::new("watcher.toml")).unwrap_or_else(|failure| panic!("{failure:?}"));
    chains::list(&daemon).await.unwrap_or_else(|failure| panic!("{failure:?}")).json
}

/// A signer, and beside it a daemon that ends with the runtime; its config's file.
fn start(folder: &Path) -> (tokio::runtime::Runtime, String) {
    use std::os::unix::fs::PermissionsExt;

    let (runtime, file) = quick_start(folder);
    let token = folder.join("token");
    fs::write(&token, "0123456789abcdef0123456789abcdef").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    // A port of the system's, which nobody has until the daemon takes it.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = fs::read_to_string(&file).unwrap()
        + &format!(
            "[[chain]]\nname = \"bitcoin\"\nchain = \"bitcoin-regtest\"\nnode = \"http://127.0.0.1:1\"\n\
             key = \"btc-hot\"\nasset = \"BTC\"\nconfirmations = 3\nmax_fee = \"0.001\"\n\
             [run]\nlisten = \"127.0.0.1:{port}\"\ntoken_file = \"token\"\n"
        );
    fs::write(&file, text).unwrap();
    (runtime, file)
}

fn shown(line: &[&str]) -> Shown {
    let line = std::iter::once("chancery-watcher").chain(line.iter().copied());
    execute(Arguments::try_parse_from(line).unwrap()).unwrap_or_else(|failure| panic!("{failure:?}"))
}

const CREATE: [&str; 11] = [
    "withdrawal",
    "create",
    "wd-1",
    "--chain",
    "bitcoin",
    "--asset",
    "BTC",
    "--to",
    "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
    "--amount",
    "0.1",
];

#[test]
fn a_withdrawal_is_created_shown_listed_exported_and_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let (runtime, file) = start(folder.path());
    let config = Config::load(Path::new(&file)).unwrap();
    let client = Client::new(&config).unwrap();
    let daemon = runtime.block_on(RunningDaemon::start(&config, client)).unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = runtime.spawn(daemon.serve_until(async {
        let _ = stopped.await;
    }));

    let with = |line: &[&str]| [line, &["--config", &file]].concat().join("\u{1f}");
    let ask = |line: &[&str]| shown(&with(line).split('\u{1f}').collect::<Vec<_>>());
    let created = ask(&CREATE);
    assert_eq!(created.json["state"], "created");
    assert!(created.text.starts_with("wd-1 pays 0.1 BTC on bitcoin to bcrt1q"), "{}", created.text);
    assert!(created.text.contains("  created\n"), "{}", created.text);
    ask(&CREATE);
    let mut other = CREATE;
    other[10] = "0.2";
    assert_exit(&[&other[..], &["--config", &file]].concat(), 1);
    let listed = ask(&["withdrawal", "list", "--open", "--chain", "bitcoin"]);
    assert_eq!(listed.json["withdrawals"].as_array().unwrap().len(), 1);
    assert!(listed.text.contains("wd-1"), "{}", listed.text);
    assert_exit(&["withdrawal", "show", "wd-2", "--config", &file], 1);
    assert_exit(&["withdrawal", "bump", "wd-1", "--config", &file], 1);

    let status = ask(&["status"]);
    for part in
        ["signer      https://", "chain       bitcoin (bitcoin-regtest)", "withdrawals 1 unconfirmed, the oldest wd-1"]
    {
        assert!(status.text.contains(part), "{part}: {}", status.text);
    }
    assert_eq!(status.json["daemon"]["chains"][0]["unconfirmed_withdrawals"], 1);
    assert_exit(&["chain", "resume", "bitcoin", "--config", &file], 1);
    assert_exit(&["address", "customer-991", "--chain", "bitcoin", "--config", &file], 1);
    assert_eq!(ask(&["deposits"]).json["deposits"], serde_json::json!([]));
    assert_eq!(ask(&["withdrawal", "cancel", "wd-1"]).json["state"], "cancelled");
    // It waits for nothing, and says that nobody was paid.
    assert_exit(&["withdrawal", "show", "wd-1", "--watch", "--config", &file], 1);
    assert_exit(&["withdrawal", "show", "wd-1", "--config", &file], 0);

    stop.send(()).unwrap();
    runtime.block_on(served).unwrap().unwrap();
}

#[test]
fn without_a_daemon_commands_say_how_to_start_it_and_status_still_shows_the_signer() {
    let folder = tempfile::tempdir().unwrap();
    let (_runtime, file) = start(folder.path());
    let line = ["chancery-watcher", "chains", "--config", &file];
    let Err(failure) = execute(Arguments::try_parse_from(line).unwrap()) else { panic!("it answered") };
    assert!(failure.text().contains("start `chancery-watcher run`"), "{}", failure.text());
    assert_eq!(failure.exit_status(), 1);
    let status = shown(&["status", "--config", &file]);
    assert!(status.failure.is_none());
    assert!(status.text.contains("no daemon answers at http://127.0.0.1:"), "{}", status.text);
    assert!(status.text.contains("checkpoint  9 entries"), "{}", status.text);
    fs::remove_file(folder.path().join("token")).unwrap();
    assert_exit(&["chains", "--config", &file], 78);
    assert_exit(&["status", "--config", &file], 0);
}

#[test]
fn without_run_in_the_config_the_daemons_commands_are_78() {
    let folder = tempfile::tempdir().unwrap();
    let (_runtime, file) = quick_start(folder.path());
    for line in [&["run"][..], &["chains"], &["withdrawal", "show", "wd-1"], &["deposits"]] {
        assert_exit(&[line, &["--config", &file]].concat(), 78);
    }
    assert_exit(&["status", "--config", &file], 0);
}
