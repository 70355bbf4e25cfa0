use super::{
    mistakes::mistakes_of_changed,
    officers::{ALICE, OFFICERS},
};
use crate::policy::{Action, KeyState, OfficerKey, Policy};

/// What is told after each change of one line; nothing else may be.
fn check(table: &[(usize, &str, &str, &[&str])]) {
    for (line, from, to, wanted) in table {
        let mistakes = mistakes_of_changed(OFFICERS, *line, from, to);
        let is_told = wanted.iter().all(|words| mistakes.iter().any(|mistake| mistake.starts_with(words)));
        assert!(is_told && mistakes.len() == wanted.len(), "{to:?}: {wanted:#?} in {mistakes:#?}");
    }
}

#[test]
fn a_policy_with_officers_is_read() {
    let policy = Policy::parse(OFFICERS).unwrap();
    let names: Vec<_> = policy.officers.iter().map(|officer| (officer.name.as_str(), officer.ssh_keys.len())).collect();
    assert_eq!(names, [("alice", 1), ("bob", 1), ("carol", 2)]);
    assert_eq!(policy.officers[0].ssh_keys[0].text(), ALICE);
    let public_keys: Vec<_> =
        policy.officers.iter().flat_map(|officer| &officer.ssh_keys).map(OfficerKey::public_key).collect();
    assert_eq!(
        public_keys,
        [
            "48b3647db62f406500747f2294a1a317400f20dfbd3ea5d22cf535ef12b1d4b8",
            "022e62eb08daa2edd5a4d46f963d8c12446105bbbcd1ce4d3e6d303f5993b8e85e",
            "464bac01fd563c110642c4584fd4b877236baeaaa8511068af59310765a8a83a",
            "41f0b2d9b751b50e8c18e701615a90c03ae5af28bd492e6cbbeeeb0796c20772",
        ]
    );
    let quorum = policy.quorum.unwrap();
    assert_eq!((quorum.policy, quorum.loosen, quorum.unfreeze, quorum.loosen_delay_ms), (1, 2, 2, 86_400_000));
    let Action::Approve(approvers) = &policy.rules[0].action else { panic!("{:?}", policy.rules[0].action) };
    assert_eq!(approvers.words_with_times(), "2 of alice, bob within 4h, not before 10m");
    let beyond = policy.limits[0].beyond.as_ref().unwrap();
    assert_eq!((beyond.words(), beyond.delay_ms), ("1 of carol".to_owned(), 0));
    assert_eq!(policy.keys[0].state, KeyState::Retiring);
    assert_eq!(Policy::parse(&OFFICERS.replace("state = \"retiring\"\n", "")).unwrap().keys[0].state, KeyState::Active);
}

#[test]
fn of_officers() {
    check(&[
        (
            5,
            "alice",
            "",
            &[
                "line 5, officer[1].name: write 1 to 100 characters",
                "line 40, rule[1].action.of: no [[officer]] is named \"alice\"",
            ],
        ),
        (
            9,
            "bob",
            "carol",
            &[
                "line 14, officer[3].name: another [[officer]] has this name",
                "line 40, rule[1].action.of: no [[officer]] is named \"bob\"",
            ],
        ),
        (6, "[", "[] #", &["line 6, officer[1].ssh_keys: is empty; write at least one"]),
        (
            6,
            "ssh_keys",
            "ssh_key",
            &[
                "line 4, officer[1].ssh_keys: is missing",
                "line 6, officer[1].ssh_key: unknown key, did you mean \"ssh_keys\"?",
            ],
        ),
        (6, "\"ssh-ed25519 AAAA", "\"ssh-ed25519 ABBA", &["line 6, officer[1].ssh_keys: \"ssh-ed25519 ABBA"]),
        (6, "\"ssh-ed25519 AAAA", "\"AAAA", &["line 6, officer[1].ssh_keys: \"AAAAC3Nz"]),
        (5, "\"alice\"", "\"alice\"\nrole = \"signer\"", &["line 6, officer[1].role: unknown key"]),
    ]);
}

#[test]
fn of_a_key_of_two_uses() {
    let again = "is a key of officer \"alice\" already: one key is one officer's, once";
    let told = |line: usize, from: &str, to: &str, words: &str, at: usize| {
        let mistakes = mistakes_of_changed(OFFICERS, line, from, to);
        let [mistake] = mistakes.as_slice() else { panic!("{mistakes:#?}") };
        assert!(mistake.starts_with(&format!("line {at}, officer[")) && mistake.contains(words), "{mistake}");
    };
    told(10, "[", &format!("[\"{ALICE}\", "), again, 10);
    told(6, "\"]", &format!("\", \"{ALICE}\"]"), again, 6);
    told(10, "[", &format!("[\"{ALICE} bob@elsewhere\", "), again, 10);
    // The same point, for another application; and without a security key.
    let carol = "is a key of officer \"carol\" already";
    let other = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIEZLrAH9VjwRBkLEWE/UuHcja66qqFEQaK9ZMQdlqKg6AAAACXNzaDpvdGhlcg==";
    let plain = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEZLrAH9VjwRBkLEWE/UuHcja66qqFEQaK9ZMQdlqKg6 carol";
    told(17, "\"", &format!("\"{other}\", \""), carol, 17);
    told(17, "\"", &format!("\"{plain}\", \""), carol, 17);
    let bob = "sk-ecdsa-sha2-nistp256@openssh.com AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20AAAAIbmlzdHAyNTYAAABBBC5i6wjaou3VpNRvlj2MEkRhBbu80c5NPm0wP1mTuOheqQ2lw6iW568Tj0F86XjiPhl/FFa0p8tTpnLmjS+HaQYAAAAEc3NoOg==";
    told(17, "\"", &format!("\"{bob}\", \""), "is a key of officer \"bob\" already", 17);
}

/// Of alice's and bob's key: SHA-256 of the SubjectPublicKeyInfo, by `openssl pkey -pubin -outform DER`.
#[test]
fn of_a_watchers_key_that_is_an_officers() {
    for (spki, line, name) in [
        ("59e527047fa0970f1b334ce935f4b05a69a2465d4bf9b5f2eb2179e6bfcb511c", 6, "ssh-ed25519"),
        ("b38d4dce75b61ef0921e30aaea1cafc68f396f90f526d00edca69eab92430b04", 10, "ecdsa-sha2-nistp256"),
    ] {
        let mistakes = mistakes_of_changed(OFFICERS, 28, &"aa".repeat(32), spki);
        let [mistake] = mistakes.as_slice() else { panic!("{mistakes:#?}") };
        assert!(mistake.starts_with(&format!("line {line}, officer[")), "{mistake}");
        assert!(mistake.contains(name) && mistake.ends_with("is a key of watcher \"w\" already"), "{mistake}");
    }
    let nothing = OFFICERS.replace(&"aa".repeat(32), &"00".repeat(32));
    assert!(Policy::parse(&nothing).is_ok(), "a security key is not the key of zeros");
}

#[test]
fn of_types_of_keys_that_officers_do_not_sign_with() {
    let p384 = "ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBLUmx6uPh/sFDsSLX6TtrTDQNPS5KXuGceMhUUqsHqrKw9hO8akc7pGYkRiKIdn0WCzHpK8D9H/OVAsks1hglk5KpZDcBDczx6WtYrIvQ8IHbScOyT+gek5k0ODS2CjXmw==";
    let rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDC0qk+cgp/rNLGy8x07Kz5oUiTMKp7f82CxAvsaEJeStSd8BoxiEUvwyc/OrVtmzZzgjuBvWRBzWotKDyYGalaDEM5cneJ93L9PE8xgtWWZlQSzIXcNHLHWFmHPaY7Y3XAOrkNVR3/U9RH6dEwtfARFtcTN2T7UqQ20FFXWeGTRQ==";
    for (key, name) in [(p384, "ecdsa-sha2-nistp384"), (rsa, "ssh-rsa")] {
        let mistakes = mistakes_of_changed(OFFICERS, 6, ALICE, key);
        let [mistake] = mistakes.as_slice() else { panic!("{mistakes:#?}") };
        let words = format!(
            "...\" is of type {name}: officers sign with ed25519, ecdsa on nistp256, or a security key (sk-) of either"
        );
        assert!(mistake.starts_with("line 6, officer[1].ssh_keys: \"") && mistake.ends_with(&words), "{mistake}");
    }
}

#[test]
fn of_the_quorum() {
    check(&[
        (21, "1", "4", &["line 21, quorum.policy: write an integer from 1 to 3"]),
        (21, "1", "0", &["line 21, quorum.policy: write an integer from 1 to 3"]),
        (22, "2", "4", &["line 22, quorum.loosen: write an integer from 1 to 3"]),
        (24, "2", "4", &["line 24, quorum.unfreeze: write an integer from 1 to 3"]),
        (21, "1", "3", &["line 22, quorum.loosen: is less than policy, which is 3: loosening takes as many at least"]),
        (23, "24h", "never", &["line 23, quorum.loosen_delay: \"never\" is no duration"]),
        (23, "loosen_delay = \"24h\"", "", &["line 20, quorum.loosen_delay: is missing"]),
        (
            24,
            "unfreeze",
            "unfreezes",
            &[
                "line 20, quorum.unfreeze: is missing",
                "line 24, quorum.unfreezes: unknown key, did you mean \"unfreeze\"?",
            ],
        ),
        (21, "policy = 1", "", &["line 20, quorum.policy: is missing"]),
    ]);
}

#[test]
fn of_officers_without_a_quorum_and_a_quorum_without_officers() {
    let mistakes = |text: &str| Policy::parse(text).unwrap_err().0.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (head, rest) = OFFICERS.split_once("[quorum]").unwrap();
    let rest = &rest[rest.find("[[watcher]]").unwrap()..];
    let without = mistakes(&format!("{head}{rest}"));
    assert!(matches!(without.as_slice(), [one] if one.starts_with("line 1, quorum: is missing")), "{without:?}");
    let alone = mistakes("version = 1\n[quorum]\npolicy = 1\nloosen = 1\nloosen_delay = \"1h\"\nunfreeze = 1");
    assert_eq!(alone, ["line 2, quorum: there is no [[officer]] to make a quorum of"]);
}

#[test]
fn of_approvers() {
    check(&[
        (40, "\"alice\", \"bob\"", "", &["line 40, rule[1].action.of: is empty; name at least one"]),
        (40, "\"bob\"", "\"dave\"", &["line 40, rule[1].action.of: no [[officer]] is named \"dave\""]),
        (40, "\"bob\"", "\"alice\"", &["line 40, rule[1].action.of: \"alice\" is there twice"]),
        (40, "approve = 2", "approve = 3", &["line 40, rule[1].action.approve: write an integer from 1 to 2"]),
        (40, "approve = 2, ", "", &["line 40, rule[1].action.approve: is missing"]),
        (
            40,
            "of",
            "off",
            &[
                "line 40, rule[1].action.of: is missing",
                "line 40, rule[1].action.off: unknown key, did you mean \"of\"?",
            ],
        ),
        (40, "expires = \"4h\", ", "", &["line 40, rule[1].action.expires: is missing"]),
        (40, "10m", "4h", &["line 40, rule[1].action.delay: is not shorter than expires: it could never be signed"]),
        (40, "10m", "soon", &["line 40, rule[1].action.delay: \"soon\" is no duration"]),
        (
            40,
            "{ approve",
            "\"approve\" # {",
            &["line 40, rule[1].action: write \"sign\", \"deny\" or { approve = 2, of = [...], expires = \"4h\" }"],
        ),
        (46, "approve = 1", "approve = 2", &["line 46, limit[1].beyond.approve: write an integer from 1 to 1"]),
        (46, "expires = \"1d\"", "delay = \"1h\"", &["line 46, limit[1].beyond.expires: is missing"]),
        (46, "{", "1 # {", &["line 46, limit[1].beyond: write a table"]),
    ]);
}

#[test]
fn of_states_of_keys() {
    check(&[
        (
            34,
            "retiring",
            "retired",
            &["line 34, key[1].state: \"retired\" is not known: write active, retiring or disabled"],
        ),
        (34, "\"retiring\"", "false", &["line 34, key[1].state: write a text in quotes"]),
    ]);
}
