//! What a person sees who got a line of `watcher.toml` wrong.

use super::*;
use crate::testing::TestLog;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("pki")).unwrap();
    for name in ["ca.crt", "watcher.crt", "watcher.key"] {
        fs::write(folder.path().join("pki").join(name), "PEM").unwrap();
    }
    folder
}

fn good() -> String {
    format!(
        "url = \"https://127.0.0.1:8443/\"\nca = \"pki/ca.crt\"\ncertificate = \"pki/watcher.crt\"\n\
         private_key = \"pki/watcher.key\"\nstate_directory = \"watcher-state\"\nlog_keys = [\"{}\"]\n",
        TestLog::new().key
    )
}

fn load(text: &str) -> Result<Config, String> {
    let folder = folder();
    let file = folder.path().join("watcher.toml");
    fs::write(&file, text).unwrap();
    Config::load(&file).map_err(|error| {
        assert_eq!(error.file, file);
        error.to_string()
    })
}

#[test]
fn a_good_file_is_read_and_its_paths_are_relative_to_it() {
    let folder = folder();
    let file = folder.path().join("watcher.toml");
    fs::write(&file, good()).unwrap();
    let config = Config::load(&file).unwrap();
    assert_eq!(config.url, "https://127.0.0.1:8443");
    assert_eq!(config.ca, folder.path().join("pki/ca.crt"));
    assert_eq!(config.state_directory, folder.path().join("watcher-state"));
    assert_eq!(config.log_keys.len(), 1);
}

#[test]
fn every_wrong_line_names_its_key_and_what_to_do() {
    for (from, to, wanted) in [
        ("https://", "http://", "key `url`"),
        ("https://127.0.0.1:8443/", "signer", "key `url`"),
        ("https://", "https://me:secret@", "the certificate says who we are"),
        ("8443/", "8443/?a=b", "has a query"),
        ("pki/ca.crt", "pki/no.crt", "key `ca`"),
        ("pki/watcher.key", "pki/no.key", "key `private_key`"),
        ("+", "-", "key `log_keys`"),
        ("url =", "uri =", "unknown field `uri`"),
        ("state_directory = \"watcher-state\"\n", "", "missing field `state_directory`"),
    ] {
        let error = load(&good().replace(from, to)).unwrap_err();
        assert!(error.contains(wanted), "{wanted}: {error}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let text = good().replace("https", "ftp").replace("pki/ca.crt", "no").replace("pki/watcher.crt", "no");
    let error = load(&text).unwrap_err();
    for key in ["`url`", "`ca`", "`certificate`"] {
        assert!(error.contains(key), "{error}");
    }
}

#[test]
fn no_log_key_is_an_error_and_not_a_watcher_that_believes_anything() {
    let text = good();
    let (head, _) = text.split_once("log_keys").unwrap();
    assert!(load(&format!("{head}log_keys = []\n")).unwrap_err().contains("`log_keys` is empty"));
}

#[test]
fn a_missing_file_says_how_to_name_another() {
    let error = Config::load(Path::new("/nowhere/watcher.toml")).unwrap_err().to_string();
    assert!(error.contains("/nowhere/watcher.toml") && error.contains("--config"), "{error}");
}

/// A witness with one other, as a person writes it.
fn with_witness() -> String {
    let public = *TestLog::new().key.public();
    let other = appliance_wire::WitnessKey::new("exchange.example/b", &public).unwrap();
    good()
        + &format!(
            "[witness]\nname = \"exchange.example/a\"\nkey = \"pki/watcher.key\"\nlisten = \"127.0.0.1:0\"\n\
             [[witness.other]]\nurl = \"http://10.0.0.8:8480/\"\nkey = \"{other}\"\n"
        )
}

#[test]
fn a_witness_has_a_name_a_key_and_others() {
    let witness = load(&with_witness()).unwrap().witness.unwrap();
    assert_eq!(witness.name, "exchange.example/a");
    assert!(witness.key.ends_with("pki/watcher.key") && witness.listen.is_some());
    let [other] = &witness.others[..] else { panic!("{witness:?}") };
    assert_eq!((&*other.url, other.key.name()), ("http://10.0.0.8:8480", "exchange.example/b"));
    assert!(other.ca.ends_with("pki/ca.crt"), "that of the signer, where it names none");
    assert!(load(&good()).unwrap().witness.is_none());
}

#[test]
fn every_wrong_line_of_a_witness_names_its_key() {
    let twice = with_witness();
    let (_, other) = twice.split_once("[[witness.other]]").unwrap();
    assert!(load(&format!("{twice}[[witness.other]]{other}")).unwrap_err().contains("is there already"));
    for (from, to, wanted) in [
        ("exchange.example/a", "exchange example", "key `witness.name`"),
        ("key = \"pki/watcher.key\"", "key = \"pki/none.key\"", "chancery-watcher witness key"),
        ("127.0.0.1:0", "localhost", "key `witness.listen`"),
        ("http://10", "ftp://10", "key `witness.other.url`"),
        ("8480/", "8480/?a=b", "key `witness.other.url`"),
        ("exchange.example/b+", "exchange.example/c+", "key `witness.other.key`"),
        ("name =", "called =", "unknown field `called`"),
        ("exchange.example/a", "exchange.example/b", "is there already"),
    ] {
        let text = with_witness();
        let (head, section) = text.split_once("[witness]").unwrap();
        let error = load(&format!("{head}[witness]{}", section.replacen(from, to, 1))).unwrap_err();
        assert!(error.contains(wanted), "{wanted}: {error}");
    }
}

#[test]
fn a_node_behind_tls_takes_the_cas_of_its_certificate_and_one_without_takes_none() {
    let with = |node: &str, ca: &str| {
        let chain = format!("[[chain]]\nname = \"c\"\nchain = \"bitcoin\"\nnode = \"{node}\"\nkey = \"k\"\n{ca}");
        load(&format!("{}\n{chain}\nasset = \"BTC\"\nconfirmations = 1\nmax_fee = \"0.001\"\n", good()))
    };
    let known = "ca = \"pki/ca.crt\"";
    let chain = with("https://10.0.0.7:8332", known).unwrap().chains.remove(0);
    assert!(chain.ca.unwrap().ends_with("pki/ca.crt"));
    assert!(with("http://10.0.0.7:8332", "").unwrap().chains[0].ca.is_none());
    for (node, ca, wanted) in [
        ("https://10.0.0.7:8332", "", "is missing"),
        ("https://10.0.0.7:8332", "ca = \"pki/no.crt\"", "pki/no.crt"),
        ("http://10.0.0.7:8332", known, "https only"),
    ] {
        let error = with(node, ca).unwrap_err();
        assert!(error.contains("chain \"c\", key `ca`") && error.contains(wanted), "{error}");
    }
}

#[test]
fn a_chain_of_solana_has_a_nonce_account_and_no_other_has() {
    let account = "4vb8a2FFza7cL1GBKuDN8WiNJ8cVRwcC27WraJJrMxLH";
    let with = |chain: &str, nonce_account: &str| {
        load(&format!(
            "{}\n[[chain]]\nname = \"c\"\nchain = \"{chain}\"\nnode = \"http://127.0.0.1:1\"\nkey = \"k\"\nasset = \"A\"\n\
             confirmations = 1\nmax_fee = \"0.00001\"\ngenesis = \"AbC\"\n{nonce_account}\n",
            good()
        ))
    };
    let named = format!("nonce_account = \"{account}\"");
    let chain = with("solana", &named).unwrap().chains.remove(0);
    assert_eq!((chain.network, chain.network_name().as_str()), (Network::Solana, "solana"));
    assert_eq!(
        (chain.nonce_account.as_deref(), chain.genesis.as_deref()),
        (Some(account), Some("AbC")),
        "base58 has case"
    );
    assert_eq!(chain.max_fee, appliance_wire::Amount::from_units(10_000));
    assert_eq!(chain.addresses_ahead, 0, "an Ed25519 key has no children");
    assert_eq!(with("bitcoin", "").unwrap().chains.remove(0).genesis.as_deref(), Some("abc"));
    for (chain, nonce_account) in [("solana", ""), ("solana", "nonce_account = \"abc\""), ("bitcoin", named.as_str())] {
        let error = with(chain, nonce_account).unwrap_err();
        assert!(error.contains("chain \"c\", key `nonce_account`"), "{error}");
    }
    for meaningless in ["addresses_ahead = 3", "sweep_above = \"1\""] {
        let error = with("solana", &format!("{named}\n{meaningless}")).unwrap_err();
        assert!(
            error.contains("have no children") && error.contains(meaningless.split(' ').next().unwrap()),
            "{error}"
        );
    }
}

#[test]
fn the_sample_lacks_its_files_and_nothing_else() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/samples/watcher.toml");
    let problems = Config::load(&sample).unwrap_err().problems;
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems.iter().all(|problem| problem.contains("there is no file")), "{problems:?}");
}
