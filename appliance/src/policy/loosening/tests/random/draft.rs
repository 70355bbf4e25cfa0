//! Small random policies, and random changes of them.

use proptest::prelude::*;

use super::super::{ALICE, BOB, CAROL, DAVE};

/// What a rule is made of, each an index of one of its few values.
#[derive(Clone, Debug)]
pub(super) struct DraftRule {
    watchers: usize,
    keys: usize,
    destinations: usize,
    max_amount: usize,
    max_request: usize,
    max_fee: usize,
    share: usize,
    hours: usize,
    action: usize,
}

/// What a limit is made of.
#[derive(Clone, Debug)]
pub(super) struct DraftLimit {
    keys: usize,
    max: usize,
    window: usize,
    per: usize,
    beyond: usize,
}

/// A policy before it is text.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    rules: Vec<DraftRule>,
    limits: Vec<DraftLimit>,
    /// For each list, which of the addresses and keys are in it.
    lists: [usize; 2],
    quorum: usize,
    /// Of "hot" and of "said".
    states: [usize; 2],
}

/// One change: which section, which of its members, and to what.
pub(super) type Change = (usize, prop::sample::Index, usize, usize);

pub(super) const WATCHERS: [&str; 2] = ["w", "v"];
pub(super) const ADDRESSES: [&str; 3] = [
    "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
    "mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r",
    "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry",
];
pub(super) const OFFICERS: [(&str, &str); 4] = [("alice", ALICE), ("bob", BOB), ("carol", CAROL), ("dave", DAVE)];
pub(super) const CONTRACT: &str = "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed";
const KEYS: [&str; 7] = ["\"hot\"", "\"hot\"", "\"hot\"", "\"said\"", "\"hot\", \"said\"", "\"eth\"", "\"raw\""];
const APPROVERS: [&str; 7] = [
    "approve = 1, of = [\"alice\", \"bob\"], expires = \"4h\"",
    "approve = 2, of = [\"alice\", \"bob\"], expires = \"4h\"",
    "approve = 2, of = [\"alice\", \"bob\", \"carol\"], expires = \"4h\"",
    "approve = 3, of = [\"alice\", \"bob\", \"carol\", \"dave\"], expires = \"4h\"",
    "approve = 2, of = [\"alice\", \"bob\"], expires = \"5h\"",
    "approve = 1, of = [\"alice\"], expires = \"3h\", delay = \"1h\"",
    "approve = 1, of = [\"alice\"], expires = \"3h\"",
];
const HOURS: [&str; 4] = [
    "days = \"Mon-Fri\", from = \"08:00\", to = \"20:00\", zone = \"UTC\"",
    "days = \"Mon-Sun\", from = \"09:00\", to = \"20:00\", zone = \"UTC\"",
    "days = \"Fri-Mon\", from = \"22:00\", to = \"09:00\", zone = \"UTC\"",
    "days = \"Mon-Fri\", from = \"08:00\", to = \"20:00\", zone = \"America/New_York\"",
];
const HEAD: &str = r#"
[[watcher]]
name = "w"
public_keys_sha256 = ["00000000000000000000000000000000000000000000000000000000000000aa"]
[[watcher]]
name = "v"
public_keys_sha256 = ["00000000000000000000000000000000000000000000000000000000000000bb"]
[[asset]]
name = "BTC"
chain = "bitcoin-regtest"
decimals = 8
[[asset]]
name = "ETH"
chain = { evm = 1 }
decimals = 18
[[key]]
name = "hot"
algorithm = "secp256k1"
assets = ["BTC"]
address_type = "p2wpkh"
[[key]]
name = "said"
algorithm = "secp256k1"
evidence = "declared"
assets = ["BTC"]
address_type = "p2wpkh"
[[key]]
name = "eth"
algorithm = "secp256k1"
assets = ["ETH"]
[[key]]
name = "raw"
algorithm = "ed25519"
evidence = "blind"
"#;

impl Draft {
    pub(super) fn strategy() -> impl Strategy<Value = Self> {
        let rules = prop::collection::vec(rule(), 2..8);
        let limits = prop::collection::vec(limit(), 0..4);
        let states = prop::array::uniform2(0..6_usize);
        (rules, limits, prop::array::uniform2(1..32_usize), 0..4_usize, states)
            .prop_map(|(rules, limits, lists, quorum, states)| Self { rules, limits, lists, quorum, states })
    }

    /// A policy under which everything is signed.
    pub(super) fn open() -> String {
        let rule = |keys| DraftRule {
            watchers: 2,
            keys,
            destinations: 5,
            max_amount: 4,
            max_request: 4,
            max_fee: 3,
            share: 3,
            hours: 7,
            action: 14,
        };
        Self { rules: [4, 5, 6].map(rule).into(), limits: Vec::new(), lists: [1, 1], quorum: 0, states: [0; 2] }.text(1)
    }

    pub(super) fn changed(&self, (section, which, member, value): &Change, rule: DraftRule, limit: DraftLimit) -> Self {
        let mut draft = self.clone();
        let place = which.index(draft.rules.len());
        match section {
            0..=4 => draft.rules[place].set(*member, *value),
            5 => drop(draft.rules.remove(place)),
            6 => draft.rules.insert(place, rule),
            7 => draft.rules.swap(place, 0),
            8 => draft.lists[member % 2] = 1 + value % 31,
            9 => draft.quorum = value % 4,
            10 => draft.limits.push(limit),
            11 => drop(draft.limits.pop()),
            12 => draft.states[member % 2] = value % 6,
            _ if draft.limits.is_empty() => {}
            _ => {
                let place = which.index(draft.limits.len());
                draft.limits[place].set(*member, *value);
            }
        }
        if draft.rules.is_empty() { self.clone() } else { draft }
    }

    pub(super) fn text(&self, version: u64) -> String {
        let mut text = format!("version = {version}\n");
        for (name, key) in OFFICERS {
            text += &format!("[[officer]]\nname = \"{name}\"\nssh_keys = [\"{key}\"]\n");
        }
        let (policy, delay) = (1 + self.quorum % 2, 1 + self.quorum / 2);
        text += &format!("[quorum]\npolicy = {policy}\nloosen = 3\nloosen_delay = \"{delay}h\"\nunfreeze = 2\n{HEAD}");
        for (name, state) in ["hot", "said"].into_iter().zip(self.states) {
            let state = ["active", "active", "active", "active", "retiring", "disabled"][state % 6];
            let key = format!("name = \"{name}\"\n");
            text = text.replacen(&key, &format!("{key}state = \"{state}\"\n"), 1);
        }
        for (name, members) in ["x", "y"].into_iter().zip(self.lists) {
            text += &format!("[[address_list]]\nname = \"{name}\"\n");
            let some = |from: usize, of: &[&str]| {
                let chosen = of.iter().enumerate().filter(|(place, _)| members >> (from + place) & 1 == 1);
                chosen.map(|(_, member)| format!("\"{member}\"")).collect::<Vec<_>>().join(", ")
            };
            let (addresses, keys) = (some(0, &ADDRESSES), some(ADDRESSES.len(), &["hot", "said"]));
            text += &[("addresses", addresses), ("keys", keys)]
                .into_iter()
                .filter(|(_, members)| !members.is_empty())
                .map(|(name, members)| format!("{name} = [{members}]\n"))
                .collect::<String>();
        }
        text += &self.rules.iter().enumerate().map(|(place, rule)| rule.text(place)).collect::<String>();
        text += &self.limits.iter().enumerate().map(|(place, limit)| limit.text(place)).collect::<String>();
        text
    }
}

pub(super) fn rule() -> impl Strategy<Value = DraftRule> {
    let conditions = (0..4_usize, 0..KEYS.len(), 0..6_usize, 0..5_usize, 0..5_usize);
    (conditions, (0..4_usize, 0..4_usize, 0..8_usize, 0..15_usize)).prop_map(
        |((watchers, keys, destinations, max_amount, max_request), (max_fee, share, hours, action))| DraftRule {
            watchers,
            keys,
            destinations,
            max_amount,
            max_request,
            max_fee,
            share,
            hours,
            action,
        },
    )
}

pub(super) fn limit() -> impl Strategy<Value = DraftLimit> {
    (0..6_usize, 0..6_usize, 0..5_usize, 0..4_usize, 0..12_usize)
        .prop_map(|(keys, max, window, per, beyond)| DraftLimit { keys, max, window, per, beyond })
}

impl DraftRule {
    fn set(&mut self, member: usize, value: usize) {
        let members = [
            &mut self.watchers,
            &mut self.destinations,
            &mut self.max_amount,
            &mut self.max_request,
            &mut self.max_fee,
            &mut self.share,
            &mut self.hours,
            &mut self.action,
        ];
        let count = members.len();
        for (place, old) in members.into_iter().enumerate() {
            if place == member % count {
                *old = value;
            }
        }
    }

    fn text(&self, place: usize) -> String {
        let keys = KEYS[self.keys % KEYS.len()];
        let (is_blind, is_ether) = (keys.contains("raw"), keys.contains("eth"));
        let watchers = ["\"w\"", "\"v\"", "\"w\", \"v\"", "\"w\""][self.watchers % 4];
        let mut text = format!("[[rule]]\nname = \"r{place}\"\nwatchers = [{watchers}]\nkeys = [{keys}]\n");
        if !is_blind {
            text += if is_ether { "asset = \"ETH\"\n" } else { "asset = \"BTC\"\n" };
            let base = if is_ether { 18 } else { 8 };
            let units = |units: u64| appliance_wire::Amount::from_units(units).to_decimal(base);
            text += &match self.destinations % 6 {
                0 if is_ether => format!("call = {{ contract = \"{CONTRACT}\", selector = \"0x095ea7b3\" }}\n"),
                0 | 1 => "destinations = \"x\"\n".to_owned(),
                2 => "destinations = \"y\"\n".to_owned(),
                3 => "destinations = \"self\"\n".to_owned(),
                _ => String::new(),
            };
            for (name, index) in [("max_amount", self.max_amount), ("max_request_amount", self.max_request)] {
                if let Some(most) = [10, 20, 40].get(index % 5) {
                    text += &format!("{name} = \"{}\"\n", units(*most));
                }
            }
            let share = ["0.05", "0.1", "0.5"].get(self.share % 4);
            let max_fee = [1, 2, 4].get(self.max_fee % 4).copied().or(share.is_none().then_some(8));
            text += &max_fee.map(|fee| format!("max_fee = \"{}\"\n", units(fee))).unwrap_or_default();
            text += &share.map(|share| format!("max_fee_share = \"{share}\"\n")).unwrap_or_default();
        }
        text += &HOURS.get(self.hours % 8).map(|hours| format!("hours = {{ {hours} }}\n")).unwrap_or_default();
        text + &match self.action % 12 {
            action @ 0..=6 => format!("action = {{ {} }}\n", APPROVERS[action]),
            7 | 8 => "action = \"deny\"\n".to_owned(),
            _ => "action = \"sign\"\n".to_owned(),
        }
    }
}

impl DraftLimit {
    fn set(&mut self, member: usize, value: usize) {
        match member % 5 {
            0 => self.keys = value,
            1 => self.max = value,
            2 => self.window = value,
            3 => self.per = value,
            _ => self.beyond = value,
        }
    }

    fn text(&self, place: usize) -> String {
        let is_count = self.max % 6 > 3;
        let max = match self.max % 6 {
            max @ 0..=3 => format!("asset = \"BTC\"\nmax_amount = \"0.000000{}\"\n", ["20", "30", "50", "80"][max]),
            max => format!("max_signatures = {}\n", max - 2),
        };
        let keys = ["", "keys = [\"hot\"]\n", "keys = [\"said\"]\n", "keys = [\"hot\", \"said\"]\n"];
        let per = match self.per % 4 {
            0 => "",
            1 => "per = \"key\"\n",
            2 => "per = \"watcher\"\n",
            _ if is_count => "",
            _ => "per = \"destination\"\n",
        };
        let window = ["1m", "2m", "61s", "1h", "lifetime"][self.window % 5];
        let beyond = APPROVERS.get(self.beyond % 12).map(|approvers| format!("beyond = {{ {approvers} }}\n"));
        let keys = keys[self.keys % 4];
        format!("[[limit]]\nname = \"l{place}\"\n{keys}{max}window = \"{window}\"\n{per}{}", beyond.unwrap_or_default())
    }
}
