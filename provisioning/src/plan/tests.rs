//! The sample plans, and every mistake a plan can have, with its line.

use std::path::PathBuf;

use super::*;

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("plans").join(name)
}

/// The mistakes of a sample after this change.
fn mistakes(name: &str, change: impl Fn(String) -> String) -> String {
    let path = sample(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let changed = change(text.clone());
    assert_ne!(text, changed, "nothing was changed");
    Plan::parse(&changed, &path).unwrap_err()
}

fn line_of(text: &str, part: &str) -> usize {
    text[..text.find(part).unwrap()].matches('\n').count() + 1
}

#[test]
fn the_samples_are_plans() {
    let soft = Plan::read(&sample("softhsm.toml")).unwrap();
    let labels: Vec<&str> = soft.keys.iter().map(|key| key.key.label.as_str()).collect();
    assert_eq!(labels, ["chancery-log", "chancery-self-test", "btc-hot", "btc-vault"]);
    assert_eq!(soft.backed_up().count(), 1);
    assert_eq!(soft.spare_for("main").unwrap().name, "spare");
    assert_eq!(soft.backup.as_ref().unwrap().threshold, 2);
    assert!(soft.asks_for_secrets());

    let yubi = Plan::read(&sample("yubihsm.toml")).unwrap();
    assert_eq!((yubi.profile.as_str(), yubi.backup.as_ref().unwrap().custodians.len()), ("production", 5));
    assert_eq!(yubi.watcher_address.to_string(), "10.0.0.7:8443");
    let PlannedKind::Yubihsm { roles, attestation_ca, .. } = &yubi.tokens[0].kind else { panic!("{yubi:?}") };
    assert_eq!(roles.iter().map(|role| role.id).collect::<Vec<_>>(), [3, 2, 4]);
    assert!(attestation_ca.as_ref().unwrap().is_absolute());
}

#[test]
fn each_mistake_is_told_with_its_line() {
    let text = std::fs::read_to_string(sample("softhsm.toml")).unwrap();
    for (old, new, line, because) in [
        (
            "algorithm = \"secp256k1\"\nchildren",
            "algorithm = \"p256\"\nchildren",
            "children = true",
            "p256 keys have no children",
        ),
        (
            "name = \"btc-hot\"\nalgorithm = \"secp256k1\"",
            "name = \"btc-hot\"\nalgorithm = \"ed25519\"\nbackup = true",
            "name = \"btc-hot\"\nalgorithm",
            "SoftHSM wraps no ed25519 key",
        ),
        ("name = \"btc-hot\"", "name = \"chancery-x\"", "name = \"btc-hot\"", "are the appliance's own"),
        ("name = \"btc-hot\"", "name = \"btc-vault\"", "name = \"btc-vault\"", "is there twice"),
        ("name = \"btc-hot\"", "name = \"btc hot\"", "name = \"btc-hot\"", "key:"),
        ("threshold = 2", "threshold = 1", "threshold = 2", "1 of 3 cannot be"),
        ("threshold = 2", "threshold = 4", "threshold = 2", "4 of 3 cannot be"),
        ("\"Dave\", \"Erin\"]", "\"Dave\", \"Dave\"]", "custodians = [", "somebody is there twice"),
        (
            "\"Dave\", \"Erin\"]",
            "\"Dave\", \"Walter\"]",
            "custodians = [",
            "\"Walter\" is no [[participant]] whose role is custodian",
        ),
        ("role = \"witness\"", "role = \"guest\"", "role = \"witness\"", "write one of administrator, custodian"),
        ("name = \"Walter\"", "name = \"../x\"", "name = \"Walter\"", "is no name"),
        (
            "label = \"signer-1-spare\"",
            "label = \"signer-1\"",
            "[[token]]\nname = \"spare\"",
            "it is the token \"main\" once more",
        ),
        ("profile = \"development\" ", "profile = \"test\" ", "profile =", "write \"production\" or \"development\""),
        (
            "pin = { file = \"token/pin\" }",
            "pin = { credential = \"x\" }",
            "pin = { file",
            "write { prompt = true } or",
        ),
        ("\"/usr/lib/softhsm", "\"lib/softhsm", "module =", "write the module's whole path"),
        ("driver = \"pkcs11\"", "driver = \"tpm\"", "driver =", "write \"pkcs11\" or \"yubihsm\""),
        ("origin = \"exchange.example/signer-1\"", "origin = \"a b\"", "origin =", "is no origin"),
        ("threshold = 2", "threshold = 2\nthreshhold = 2", "threshold = 2", "unknown field"),
        ("[pki]", "[pkl]", "[pki]", "`pkl` is no part of a plan"),
        ("watchers = [\"btc-watcher\"] ", "watchers = [\"ca\"] ", "watchers =", "cannot be a certificate's name"),
        ("policy = \"softhsm-policy.toml\"", "policy = \"absent.toml\"", "policy =", "No such file"),
    ] {
        let told = mistakes("softhsm.toml", |text| text.replacen(old, new, 1));
        let wanted = line_of(&text, line);
        let found = told.lines().find(|one| one.contains(because)).unwrap_or_else(|| panic!("{because}: {told}"));
        let at: usize = found.strip_prefix("line ").and_then(|rest| rest.split(':').next()).unwrap().parse().unwrap();
        assert!((wanted..=wanted + 2).contains(&at), "{found}, not line {wanted}");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let told = mistakes("softhsm.toml", |text| {
        text.replace("threshold = 2", "threshold = 9")
            .replace("role = \"witness\"", "role = \"guest\"")
            .replace("[pki]", "[pkl]")
    });
    assert_eq!(told.lines().count(), 3, "{told}");
    let broken = mistakes("softhsm.toml", |text| text.replace("name = \"Walter\"", "name = Walter"));
    assert!(broken.starts_with("line "), "{broken}");
}

#[test]
fn production_admits_no_software_token_and_no_lonely_ceremony() {
    let told = mistakes("softhsm.toml", |text| {
        text.replace("profile = \"development\" ", "profile = \"production\" ")
            .replace("role = \"witness\"", "role = \"custodian\"")
    });
    assert!(told.contains("is a software token") && told.contains("nobody is witness or auditor"), "{told}");
    let simulated = mistakes("yubihsm.toml", |text| text.replace("usb:12345678", "simulator"));
    assert!(simulated.contains("is a software token"), "{simulated}");
}

#[test]
fn a_backup_needs_custodians_and_a_spare_token() {
    let told = mistakes("softhsm.toml", |text| {
        text.replace("spare = true  ", "spare = false ").replace("backup = true ", "backup = true\ntoken = \"main\" ")
    });
    assert!(told.contains("there is no spare token with driver \"pkcs11\""), "{told}");
    let (before, after) = ("[backup]", "# The backup");
    let told = mistakes("softhsm.toml", |text| {
        let start = text.find(before).unwrap();
        let end = text[start..].find("\n\n").unwrap() + start;
        format!("{}{}", text[..start].trim_end_matches(after), &text[end..])
    });
    assert!(told.contains("a backup needs a section [backup]"), "{told}");
}

#[test]
fn what_the_policy_names_the_plan_makes() {
    let told = mistakes("softhsm.toml", |text| text.replace("name = \"btc-hot\"", "name = \"btc-warm\""));
    assert!(told.contains("it names key \"btc-hot\", which the plan does not make"), "{told}");
    let told = mistakes("softhsm.toml", |text| text.replace("children = true  ", "children = false "));
    assert!(told.contains("key \"btc-vault\" has children there and none in the plan"), "{told}");
}

#[test]
fn devices_of_a_plan_have_their_roles_and_their_makers_certificates() {
    let told = mistakes("yubihsm.toml", |text| text.replacen("attestation_ca = \"yubico-attestation.pem\"", "#", 1));
    assert!(told.contains("name its maker's certificates"), "{told}");
    let told = mistakes("yubihsm.toml", |text| text.replacen("id = 2", "id = 1", 1));
    assert!(told.contains("1 is the factory's object id"), "{told}");
    let told = mistakes("yubihsm.toml", |text| text.replacen("domains = [1]", "domains = [2]", 1));
    assert!(told.contains("domains = [1]"), "{told}");
    let told = mistakes("yubihsm.toml", |text| text.replacen("passwords.auditor = { prompt = true }\n", "", 1));
    assert!(told.contains("the auditor has no password"), "{told}");
    let told = mistakes("yubihsm.toml", |text| text.replacen("usb:12345679", "usb:12345678", 1));
    assert!(told.contains("it is the token \"main\" once more"), "{told}");
}

#[test]
fn a_role_that_gets_too_much_is_refused_and_the_excess_named() {
    let with = |capabilities: &str| {
        let line = format!("role = \"signer\"\nid = 2\ncapabilities = [{capabilities}]");
        mistakes("yubihsm.toml", |text| text.replacen("role = \"signer\"\nid = 2", &line, 1))
    };
    let least = capabilities(RoleName::Signer).iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    let told = with(&format!("{least}, \"export-wrapped\", \"reset-device\""));
    assert!(told.ends_with("role \"signer\": more than it needs: export-wrapped, reset-device"), "{told}");
    assert!(with("\"sign-ecdsa\"").contains("it also needs"));
    assert!(with(&format!("{least}, \"sign-everything\"")).contains("sign-everything"));
    let path = sample("yubihsm.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let line = format!("role = \"signer\"\nid = 2\ncapabilities = [{least}]");
    Plan::parse(&text.replacen("role = \"signer\"\nid = 2", &line, 1), &path).unwrap();
}

#[test]
fn a_rehearsal_has_tokens_of_its_own_and_the_same_steps() {
    let plan = Plan::read(&sample("yubihsm.toml")).unwrap();
    let rehearsal = plan.clone().into_rehearsal(Path::new("/usr/lib/softhsm.so")).with_secrets_in_files();
    assert_eq!((rehearsal.profile.as_str(), rehearsal.rehearsal), ("development", true));
    assert_eq!(rehearsal.sha256, plan.sha256);
    assert!(rehearsal.watcher_address.ip().is_loopback());
    assert!(!rehearsal.asks_for_secrets());
    let files: Vec<&String> = rehearsal.tokens.iter().map(|token| &token.environment["CHANCERY_SIMULATOR"]).collect();
    assert_ne!(files[0], files[1]);
}
