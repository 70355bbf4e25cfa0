//! Modules that hang, crash and lie under `chancery doctor`.

use std::fs;

use libtest_mimic::Trial;
use serde_json::Value;

use super::{able, examine, found, key};
use crate::harness::{Installation, shim::Shim, trial};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial("doctor::each_form_of_ec_point_is_told", point_forms),
        trial("doctor::a_module_that_hangs_is_told_with_its_call_and_the_next_token_is_looked_at", hanging),
        trial("doctor::a_module_that_crashes_is_told_with_what_was_found_before", crashing),
        trial("doctor::a_module_that_lies_cannot_serve", lying),
        trial("doctor::a_pin_is_not_tried_where_a_wrong_one_would_lock_the_token", last_try),
        trial("doctor::too_few_sessions_are_told_with_the_number_to_write", few_sessions),
        trial("doctor::a_module_that_cannot_lock_is_told", cannot_lock),
        trial("doctor::a_login_that_is_lost_costs_no_second_one", lost_login),
    ]
}

/// The report on the first token, which cannot serve, and why.
fn unable(installation: &Installation, arguments: &[&str]) -> (Value, String) {
    let (status, report, err) = examine(installation, arguments);
    let token = report["tokens"][0].clone();
    assert_eq!((status, &token["able"]), (1, &false.into()), "{token} {err}");
    assert!(err.starts_with("chancery: token main cannot serve: "), "{err}");
    (token, err)
}

fn point_forms() {
    let installation = Installation::without_log();
    let shim = Shim::between(&installation);
    let with = |form: &str| shim.set(&[format!("C_GetAttributeValue always point {form}")]);
    let quick = ["--signatures", "1"];
    for (form, told, odd) in [
        ("wrapped", "octet_string", None),
        ("compressed", "octet_string", None),
        ("bare", "bare", Some("bare, without the DER around it")),
        ("bits", "bit_string", Some("a DER BIT STRING")),
    ] {
        with(form);
        let token = able(&installation, &quick);
        assert_eq!(key(&token, "hot")["ec_point"], told, "{form}: {token}");
        assert_eq!(key(&token, "ed")["ec_point"], told, "{form}: {token}");
        let of_points: Vec<String> =
            found(&token, "odd").into_iter().filter(|what| what.contains("CKA_EC_POINT")).collect();
        match odd {
            None => assert!(of_points.is_empty(), "{form}: {of_points:?}"),
            Some(words) => assert!(of_points.len() == 1 && of_points[0].contains(words), "{form}: {of_points:?}"),
        }
    }
    with("truncated");
    let (token, err) = unable(&installation, &quick);
    assert_eq!(key(&token, "hot")["ec_point"], Value::Null);
    assert!(err.contains("chancery-self-test") && err.contains("CKA_EC_POINT"), "{err}");
    assert!(found(&token, "odd").iter().any(|what| what.contains("key \"hot\" may not serve")), "{token}");
}

fn hanging() {
    let installation = Installation::without_log();
    let plain = fs::read_to_string(installation.path("chancery.toml")).unwrap();
    let section = plain.split("\n[[token]]").nth(1).unwrap();
    let section = section.split("\n[").next().unwrap().replace("\"main\"", "\"spare\"");
    let shim = Shim::between(&installation);
    installation.edit_config(|config| format!("{config}\n[[token]]{section}"));
    shim.set(&["C_Initialize always hang".to_owned()]);
    let (status, report, err) = examine(&installation, &["--signatures", "1"]);
    assert_eq!(status, 1, "{report}");
    assert!(err.contains("the module did not answer C_Initialize of ") && err.contains(" within 20 s"), "{err}");
    let [hung, spare] = &report["tokens"].as_array().unwrap()[..] else { panic!("{report}") };
    assert_eq!((&hung["able"], &hung["pkcs11"]), (&false.into(), &Value::Null));
    assert_eq!((&spare["name"], &spare["able"]), (&"spare".into(), &true.into()), "{spare}");
    assert!(!err.contains("spare"), "{err}");
}

fn crashing() {
    let installation = Installation::without_log();
    let shim = Shim::between(&installation);
    shim.set(&["C_Sign 5 crash".to_owned()]);
    let (token, err) = unable(&installation, &[]);
    for words in ["signal: 6", "when the module was asked for a signature with key \"chancery-self-test\""] {
        assert!(err.contains(words), "{words}: {err}");
    }
    assert_eq!(key(&token, "hot")["ec_point"], "octet_string");
    assert_eq!((&token["sessions"]["opened"], &token["signing"]), (&64.into(), &Value::Null));
    assert!(found(&token, "wrong")[0].contains("look for a newer version"), "{token}");

    shim.set(&["C_Login always crash".to_owned()]);
    let (token, err) = unable(&installation, &[]);
    assert!(err.contains("when the module was asked for C_OpenSession and C_Login"), "{err}");
    assert_eq!((&token["device"]["model"], &token["keys"]), (&"SoftHSM v2".into(), &serde_json::json!([])));
}

fn lying() {
    let installation = Installation::without_log();
    let shim = Shim::between(&installation);
    for (fault, words) in [
        ("C_Sign 2 flip 17", "the signature does not verify under the key's public key"),
        ("C_SignInit always another-key", "the signature does not verify under the key's public key"),
        ("C_Sign always short", "63 bytes, not 64"),
        ("C_GetAttributeValue always attribute CKA_EXTRACTABLE true", "chancery-self-test"),
        ("C_GetTokenInfo always serial other", "not found; the module shows"),
    ] {
        if fault.starts_with("C_GetTokenInfo") {
            installation
                .edit_config(|config| config.replace("label = \"chancery\"", "label = \"chancery\"\nserial = \"1\""));
        }
        shim.set(&[fault.to_owned()]);
        let (token, err) = unable(&installation, &[]);
        assert!(err.contains(words), "{fault}: {err}");
        assert!(!found(&token, "works").iter().any(|what| what.contains("every signature")), "{fault}: {token}");
    }
}

fn last_try() {
    let installation = Installation::without_log();
    let shim = Shim::between(&installation);
    for (flag, told, words) in [
        ("CKF_USER_PIN_FINAL_TRY", "final_try", "one try is left"),
        ("CKF_USER_PIN_LOCKED", "locked", "no try is left"),
    ] {
        shim.set(&[format!("C_GetTokenInfo always flags {flag}")]);
        let (status, report, err) = examine(&installation, &[]);
        assert_eq!((status, &report["tokens"][0]["pkcs11"]["token"]["pin_tries"]), (78, &told.into()), "{err}");
        assert!(err.contains("not tried") && err.contains(words), "{err}");
    }
    assert!(shim.logins().is_empty());
    shim.set(&["C_GetTokenInfo always flags CKF_USER_PIN_COUNT_LOW".to_owned()]);
    let token = able(&installation, &["--signatures", "1"]);
    assert!(found(&token, "odd").iter().any(|what| what.contains("CKF_USER_PIN_COUNT_LOW")), "{token}");
}

fn few_sessions() {
    let installation = Installation::without_log();
    let shim = Shim::between(&installation);
    shim.set(&["C_OpenSession 3.. return CKR_SESSION_COUNT".to_owned()]);
    let (token, err) = unable(&installation, &["--signatures", "1"]);
    assert_eq!(token["sessions"]["opened"], 2);
    assert!(err.contains("2 sessions could be opened, 4 are configured") && err.contains("CKR_SESSION_COUNT"), "{err}");
    assert!(found(&token, "wrong")[0].contains("write sessions = 2"), "{token}");
    assert_eq!(token["signing"]["signatures"], 1, "the rest is looked at all the same");
}

fn cannot_lock() {
    let installation = Installation::without_log();
    let shim = Shim::between(&installation);
    shim.set(&["C_Initialize always return 0xa".to_owned()]);
    let (token, err) = unable(&installation, &[]);
    assert!(err.contains("CKR_CANT_LOCK"), "{err}");
    assert!(found(&token, "wrong")[0].contains("CKF_OS_LOCKING_OK"), "{token}");
}

fn lost_login() {
    let installation = Installation::without_log();
    let shim = Shim::between(&installation);
    for (looks, fault, words) in [
        (1, "C_SignInit 3 logout", "CKR_USER_NOT_LOGGED_IN"),
        (2, "C_OpenSession 3 logout", "it is no longer logged in"),
    ] {
        shim.set(&[fault.to_owned()]);
        let (_, err) = unable(&installation, &[]);
        assert!(err.contains(words), "{fault}: {err}");
        assert_eq!(shim.logins().len(), looks, "{fault}");
    }
}
