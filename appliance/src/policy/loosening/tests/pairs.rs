use super::*;

/// (what the pair shows, what is replaced, by what, how each sentence of loosening begins: none where it only tightens)
type Pair<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str]);

pub(super) fn check(pairs: &[Pair<'_>]) {
    let base = base();
    for (shows, changes, wanted) in pairs {
        let mut candidate = base.clone();
        for (from, to) in *changes {
            assert!(candidate.contains(from), "{shows}: {from}");
            candidate = candidate.replacen(from, to, 1);
        }
        let found = found(&base, &candidate);
        let is_told = found.len() == wanted.len()
            && wanted.iter().all(|start| found.iter().any(|found| found.starts_with(start)));
        assert!(is_told, "{shows}: wanted {wanted:#?}, found {found:#?}");
    }
}

#[test]
fn of_versions_and_people() {
    check(&[
        ("nothing but a greater version", &[("version = 1", "version = 2")], &[]),
        (
            "a watcher's second certificate key",
            &[("00aa\"]", "00aa\", \"00000000000000000000000000000000000000000000000000000000000000ac\"]")],
            &[
                "watcher \"btc-watcher\" gains a certificate key, 00000000000000000000000000000000000000000000000000000000000000ac",
            ],
        ),
        (
            "a watcher that asks for nothing yet",
            &[(
                "[[asset]]",
                "[[watcher]]\nname = \"w\"\npublic_keys_sha256 = [\"00000000000000000000000000000000000000000000000000000000000000ac\"]\n\n[[asset]]",
            )],
            &["watcher \"w\" is new"],
        ),
        (
            "a new officer",
            &[(
                "[quorum]",
                "[[officer]]\nname = \"erin\"\nssh_keys = [\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINccdar+UDL2rEdExMruk9TjSUyzG8GZFbHC2DwRTU+U\"]\n[quorum]",
            )],
            &["officer \"erin\" is new"],
        ),
        (
            "a smaller quorum of each kind, and a shorter delay",
            &[(
                "policy = 2\nloosen = 3\nloosen_delay = \"24h\"\nunfreeze = 2",
                "policy = 1\nloosen = 2\nloosen_delay = \"90m\"\nunfreeze = 1",
            )],
            &[
                "quorum.policy is 1 instead of 2",
                "quorum.loosen is 2 instead of 3",
                "quorum.unfreeze is 1 instead of 2",
                "quorum.loosen_delay is 90m instead of 24h",
            ],
        ),
        (
            "a larger quorum and a longer delay",
            &[(
                "policy = 2\nloosen = 3\nloosen_delay = \"24h\"\nunfreeze = 2",
                "policy = 3\nloosen = 4\nloosen_delay = \"2d\"\nunfreeze = 3",
            )],
            &[],
        ),
    ]);
}

#[test]
fn of_officers_who_leave_come_or_change_their_key() {
    let base = base();
    let dave = format!("[[officer]]\nname = \"dave\"\nssh_keys = [\"{DAVE}\"]\n");
    assert_eq!(found(&base, &base.replacen(&dave, "", 1)), Vec::<String>::new(), "an officer fewer only tightens");
    let spare = base.replacen(DAVE, &format!("{DAVE}\", \"{ERIN}"), 1);
    assert_eq!(found(&base, &spare), [format!("officer \"dave\" gains a key, {ERIN}")]);
    assert_eq!(found(&spare, &base), Vec::<String>::new());
    let nobody = "version = 2";
    assert_eq!(found(&base, nobody), ["there are no officers any more: whoever operates the appliance decides alone"]);
    let first = format!(
        "version = 3\n[[officer]]\nname = \"dave\"\nssh_keys = [\"{DAVE}\"]\n[quorum]\npolicy = 1\nloosen = 1\nloosen_delay = \"1s\"\nunfreeze = 1\n"
    );
    assert_eq!(found(nobody, &first), Vec::<String>::new(), "without officers everything was open");
}

#[test]
fn of_keys_and_assets() {
    let second = "[[key]]\nname = \"second\"\nalgorithm = \"secp256k1\"\nassets = [\"BTC\"]\naddress_type = \"p2wpkh\"\n\n[[key]]";
    check(&[
        ("a key that nobody uses yet", &[("[[key]]", second)], &["key \"second\" is new"]),
        ("a key that signs no more", &[("\"active\"", "\"disabled\"")], &[]),
        (
            "a key with children",
            &[("\"active\"", "\"active\"\nchildren = true")],
            &["key \"btc-hot\" has children now"],
        ),
        ("a key whose change becomes payments", &[("\"active\"", "\"retiring\"")], &["key \"btc-hot\" is retiring"]),
        (
            "a key without change that gets no new address",
            &[("evidence = \"blind\"", "evidence = \"blind\"\nstate = \"retiring\"")],
            &[],
        ),
        ("addresses of another form", &[("p2wpkh", "p2pkh")], &["addresses of key \"btc-hot\" have another form"]),
        (
            "an asset that no key pays",
            &[("[[key]]", "[[asset]]\nname = \"POL\"\nchain = { evm = 137 }\ndecimals = 18\n\n[[key]]")],
            &[],
        ),
        (
            "an asset under another name",
            &[("name = \"USDC\"", "name = \"USDX\"")],
            &["asset \"USDX\" is what was \"USDC\""],
        ),
        (
            "an asset that a key may pay, and no rule signs",
            &[("assets = [\"ETH\"]", "assets = [\"ETH\", \"USDC\"]")],
            &[
            // A rule without `asset` signs whatever the key pays; those of this key all have one.
        ],
        ),
    ]);
    let with = |state| base().replacen("\"active\"", state, 1);
    for (before, after, words) in [
        ("\"disabled\"", "\"active\"", "key \"btc-hot\" is active instead of disabled: it signs again"),
        ("\"disabled\"", "\"retiring\"", "key \"btc-hot\" is retiring instead of disabled: it signs again"),
        (
            "\"retiring\"",
            "\"active\"",
            "key \"btc-hot\" is active instead of retiring: it gets new addresses, and change",
        ),
    ] {
        assert_eq!(found(&with(before), &with(after)), [words]);
    }
}

#[test]
fn of_rules_that_allow_more() {
    check(&[
        (
            "a larger amount",
            &[("max_amount = \"0.1\"", "max_amount = \"0.5\"")],
            &[
                "rule \"office\" now signs more than 0.1 and up to 0.5 BTC to anyone in requests of up to 2 BTC from btc-hot at some hours: rule \"large\" asked for 2 of alice, bob, carol within 4h, not before 10m (for btc-watcher)",
            ],
        ),
        (
            "an amount that nobody signed",
            &[("max_amount = \"5\"", "max_amount = \"6\"")],
            &[
                "rule \"large\" now signs with approval of 2 of alice, bob, carol within 4h, not before 10m more than 5 and up to 6 BTC to anyone from btc-hot: no rule did (for btc-watcher)",
            ],
        ),
        (
            "a larger request",
            &[("max_request_amount = \"2\"", "max_request_amount = \"3\"")],
            &[
                "rule \"office\" now signs up to 0.1 BTC to anyone in requests of more than 2 and up to 3 BTC from btc-hot at some hours: rule \"large\" asked for 2",
            ],
        ),
        (
            "a higher fee",
            &[("max_fee = \"0.0005\"", "max_fee = \"0.0006\"")],
            &[
                "rule \"gather\" now signs what pays nobody in BTC from btc-hot: with a fee of up to 0.0006; rule \"gather\" allowed a fee of up to 0.0005 (for btc-watcher)",
            ],
        ),
        (
            "a larger share",
            &[("max_fee_share = \"0.05\"\nhours", "max_fee_share = \"0.06\"\nhours")],
            &[
                "rule \"office\" now signs up to 0.1 BTC to anyone in requests of up to 2 BTC from btc-hot at some hours: with a fee of up to 0.001 and up to 0.06 of what is paid; rule \"office\" allowed a fee of up to 0.001 and up to 0.05 of what is paid",
            ],
        ),
        (
            "one more hour",
            &[("to = \"20:00\"", "to = \"21:00\"")],
            &[
                "rule \"office\" now signs up to 0.1 BTC to anyone in requests of up to 2 BTC from btc-hot at some hours: rule \"large\" asked",
            ],
        ),
        (
            "the same hours in another place",
            &[("Europe/Berlin", "Asia/Tokyo")],
            &[
                "rule \"office\" now signs up to 0.1 BTC to anyone in requests of up to 2 BTC from btc-hot at some hours: rule \"large\" asked",
            ],
        ),
        (
            "one more address",
            &[("3t4\"]", "3t4\", \"3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy\"]")],
            &[
                "rule \"sweep\" now signs up to 5 BTC to 3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy from btc-hot: rule \"large\" asked for 2",
                "rule \"sweep\" now signs up to 0.1 BTC to 3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy in requests of up to 2 BTC from btc-hot while the wall clock is not trusted: rule \"office\" denied it",
                "rule \"sweep\" now signs more than 5 BTC to 3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy from btc-hot: no rule did",
                "rule \"sweep\" now signs up to 0.1 BTC to 3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy in requests of up to 2 BTC from btc-hot at some hours: with a fee of up to 0.001; rule \"office\" allowed",
            ],
        ),
    ]);
}

#[test]
fn of_rules_in_another_order() {
    let (head, never, sweep, rest) = parts();
    let (in_order, swapped) = (format!("{head}{never}{sweep}{rest}"), format!("{head}{sweep}{never}{rest}"));
    let found_with = |keys: &str| {
        let with = |text: &str| text.replacen("keys = [\"btc-vault\"]", keys, 1);
        found(&with(&in_order), &with(&swapped))
    };
    assert_eq!(found_with(""), Vec::<String>::new(), "their lists have no destination in common");
    // An address in the one list may be of the key in the other.
    let with_vault = found_with("keys = [\"btc-vault\"]");
    let [denied] = with_vault.as_slice() else { panic!("{with_vault:#?}") };
    let wanted = "rule \"sweep\" now signs any amount of BTC to 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa from btc-hot: \
                  rule \"never\" denied it";
    assert!(denied.starts_with(wanted), "{denied}");
}

/// The base before its first rule, its first and its second rule, and the others.
fn parts() -> (String, String, String, String) {
    let base = base();
    let mut parts = base.split("[[rule]]").map(ToOwned::to_owned);
    let (Some(head), Some(never), Some(sweep)) = (parts.next(), parts.next(), parts.next()) else { panic!("{base}") };
    let with_head = |rule: String| format!("[[rule]]{rule}");
    (head, with_head(never), with_head(sweep), parts.map(with_head).collect())
}

#[test]
fn of_rules_that_come_and_go() {
    let never = "[[rule]]\nname = \"never\"\nwatchers = [\"btc-watcher\"]\nkeys = [\"btc-hot\"]\ndestinations = \"bad\"\naction = \"deny\"\n";
    let all_else = "[[rule]]\nname = \"rest\"\nwatchers = [\"eth-watcher\"]\nkeys = [\"eth-hot\"]\nasset = \"ETH\"\nmax_fee = \"0.02\"\naction = \"deny\"\n\n[[limit]]";
    let behind = "[[rule]]\nname = \"behind\"\nwatchers = [\"eth-watcher\"]\nkeys = [\"attest\"]\naction = \"sign\"\n\n[[limit]]";
    let other = "[[rule]]\nname = \"other\"\nwatchers = [\"btc-watcher\"]\nkeys = [\"eth-hot\"]\naction = \"deny\"\n\n[[limit]]";
    let hidden = "[[rule]]\nname = \"hidden\"\nwatchers = [\"btc-watcher\"]\nkeys = [\"btc-hot\"]\ndestinations = \"cold\"\nmax_fee = \"1\"\naction = \"sign\"\n\n[[limit]]";
    check(&[
        (
            "a denial that is gone",
            &[(never, "")],
            &[
                "rule \"office\" now signs up to 0.1 BTC to 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa in requests of up to 2 BTC from btc-hot at some hours: rule \"never\" denied it",
                // It may be an address of the vault's, as far as a policy can tell.
                "rule \"sweep\" now signs any amount of BTC to 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa from btc-hot: rule \"never\" denied it",
                "rule \"large\" now signs with approval of 2 of alice, bob, carol within 4h, not before 10m up to 5 BTC to 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa from btc-hot: rule \"never\" denied it",
            ],
        ),
        ("a denial of what nothing allows", &[("[[limit]]", all_else)], &[]),
        ("a denial for a watcher without any rights", &[("[[limit]]", other)], &[]),
        ("a rule behind one that always decides before it", &[("[[limit]]", hidden)], &[]),
        ("a rule that an hour's rule leaves only doubtful clocks to", &[("[[limit]]", behind)], &[]),
        (
            "a restriction to hours that is gone",
            &[("hours = { days = \"Mon-Sun\", from = \"00:00\", to = \"24:00\", zone = \"UTC\" }\n", "")],
            &[
                "rule \"attestations\" now signs anything from attest while the wall clock is not trusted: rule \"attestations\" denied it (for eth-watcher)",
            ],
        ),
        (
            "another call",
            &[("0x095ea7b3", "0x095ea7b4")],
            &[
                "rule \"spend\" now signs any amount of ETH to anyone with calls of 0x095ea7b4 of 0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed from eth-hot: no rule did",
            ],
        ),
        (
            "a rule with another action",
            &[("max_fee = \"0.0005\"\naction = \"sign\"", "max_fee = \"0.0005\"\naction = \"deny\"")],
            &[],
        ),
        (
            "a rule for one more watcher",
            &[(
                "watchers = [\"eth-watcher\"]\nkeys = [\"attest\"]",
                "watchers = [\"eth-watcher\", \"btc-watcher\"]\nkeys = [\"attest\"]",
            )],
            &[
                "watcher \"btc-watcher\" is granted key \"attest\"",
                "rule \"attestations\" now signs anything from attest: no rule did (for btc-watcher)",
            ],
        ),
        ("no rule of its own for what pays nobody: of nothing, a share allows no fee at all", &[(GATHER, "")], &[]),
        (
            "no rule of its own for what pays nobody, and a rule for payments without a share",
            &[(GATHER, ""), ("max_fee_share = \"0.05\"\nhours", "hours")],
            &[
                "rule \"office\" now signs up to 0.1 BTC to anyone in requests of up to 2 BTC from btc-hot at some hours: with a fee of up to 0.001; rule \"office\" allowed",
                "rule \"office\" now signs what pays nobody in BTC from btc-hot at some hours: with a fee of up to 0.001; rule \"gather\" allowed a fee of up to 0.0005",
            ],
        ),
    ]);
}

#[test]
fn of_a_rule_for_what_pays_nobody_after_which_others_are_not_asked_about_that() {
    let found = found(&base().replacen(GATHER, "", 1), &base());
    let wanted = [
        "rule \"gather\" now signs what pays nobody in BTC from btc-hot at some hours: with a fee of up to 0.0005; rule \"office\"",
        "rule \"gather\" now signs what pays nobody in BTC from btc-hot at some hours: rule \"large\" asked for 2",
        "rule \"gather\" now signs what pays nobody in BTC from btc-hot while the wall clock is not trusted: rule \"office\" denied",
    ];
    let is_told = wanted.iter().all(|start| found.iter().any(|found| found.starts_with(start)));
    assert!(is_told && found.len() == wanted.len(), "{found:#?}");
}

const GATHER: &str = "[[rule]]\nname = \"gather\"\nwatchers = [\"btc-watcher\"]\nkeys = [\"btc-hot\"]\ndestinations = \"self\"\n\
    max_fee = \"0.0005\"\naction = \"sign\"\n";

#[test]
fn of_approvals() {
    let approve = "approve = 2, of = [\"alice\", \"bob\", \"carol\"], expires = \"4h\", delay = \"10m\"";
    let large = "rule \"large\" now signs with approval of ";
    check(&[
        (
            "one approval fewer",
            &[(approve, "approve = 1, of = [\"alice\", \"bob\", \"carol\"], expires = \"4h\", delay = \"10m\"")],
            &[large],
        ),
        (
            "one approver more to choose from",
            &[(
                approve,
                "approve = 2, of = [\"alice\", \"bob\", \"carol\", \"dave\"], expires = \"4h\", delay = \"10m\"",
            )],
            &[large],
        ),
        (
            "one more to choose from, and one more to find",
            &[(
                approve,
                "approve = 3, of = [\"alice\", \"bob\", \"carol\", \"dave\"], expires = \"4h\", delay = \"10m\"",
            )],
            &[],
        ),
        (
            "fewer to choose from",
            &[(approve, "approve = 2, of = [\"alice\", \"bob\"], expires = \"4h\", delay = \"10m\"")],
            &[],
        ),
        (
            "more time",
            &[(approve, "approve = 2, of = [\"alice\", \"bob\", \"carol\"], expires = \"5h\", delay = \"10m\"")],
            &[large],
        ),
        (
            "less time and a longer wait",
            &[(approve, "approve = 2, of = [\"alice\", \"bob\", \"carol\"], expires = \"3h\", delay = \"20m\"")],
            &[],
        ),
        ("no wait", &[(approve, "approve = 2, of = [\"alice\", \"bob\", \"carol\"], expires = \"4h\"")], &[large]),
        (
            "approval of what was signed",
            &[(
                "max_fee = \"0.0005\"\naction = \"sign\"",
                "max_fee = \"0.0005\"\naction = { approve = 1, of = [\"dave\"], expires = \"1d\" }",
            )],
            &[],
        ),
    ]);
}
