//! What an entry says, for people: one line, the terms of the documentation.

use std::fmt::Display;

use appliance_wire::{
    Accepted, Body, Boot, Denied, DeviceLogRecord, Failed, ItemSignature, KeyEntry, LogToken, Recovered,
    RecoveredRequest, Signed, TokenEntry, TokenEvent,
};
use hsm_drivers::DeviceLogEntry;

use super::device_keys::DeviceKeys;

mod officers;

const MOST_LISTED: usize = 3;

/// The entry in words, without index, time and kind.
pub(crate) fn words(body: &Body, devices: &DeviceKeys) -> String {
    match body {
        Body::Genesis(genesis) => {
            let (origin, token) = (&genesis.origin, &genesis.token);
            format!("the log {origin} begins, profile {}, log key in token {token}", genesis.profile)
        }
        Body::Boot(boot) => boot_in_words(boot),
        Body::Policy(policy) => officers::policy(policy),
        Body::Key(KeyEntry { name, change: Some(change), .. }) => officers::key_change(name, change),
        Body::Key(key) => format!(
            "{}: {} key in token {}, {}{}{}, public key {}",
            key.name,
            key.algorithm,
            key.token,
            key.evidence,
            if key.chain_code.is_some() { ", with children" } else { "" },
            if key.backup { ", with a backup" } else { "" },
            key.public_key
        ),
        Body::Addresses(allocated) => format!(
            "{}: children {} to {} of {} allocated",
            allocated.watcher,
            allocated.first,
            u64::from(allocated.first) + u64::from(allocated.count).saturating_sub(1),
            allocated.key
        ),
        Body::Accepted(accepted) => accepted_in_words(accepted),
        Body::Signed(signed) => signed_in_words(signed),
        Body::Failed(failed) => failed_in_words(failed),
        Body::Lapsed(lapsed) => {
            format!("{} {}: may no longer be signed: {}", lapsed.watcher, lapsed.request_id, lapsed.reason)
        }
        Body::Pending(pending) => officers::pending(pending),
        Body::Approved(approved) => {
            format!("{} {}: approved by {}", approved.watcher, approved.request_id, approved.signature.officer)
        }
        Body::Rejected(rejected) => {
            format!("{} {}: rejected by {}", rejected.watcher, rejected.request_id, rejected.signature.officer)
        }
        Body::Withdrawn(withdrawn) => officers::withdrawn(withdrawn),
        Body::Released(released) => officers::released(released),
        Body::Clock(clock) => officers::clock(clock),
        Body::Denied(denied) => denied_in_words(denied),
        Body::Token(token) => token_in_words(token, devices),
        Body::Frozen(frozen) => format!("{} frozen by {}: {}", frozen.what, frozen.by, frozen.reason),
        Body::Unfrozen(unfrozen) => {
            format!("{} no longer frozen, by {}: {}", unfrozen.what, unfrozen.by, unfrozen.reason)
        }
        Body::Recovered(Recovered::Log(recovered)) => {
            let lost = recovered.known.iter().map(|known| format!("{} of {} entries", known.by, known.size));
            let lost =
                if recovered.known.is_empty() { "how far it went is not known".to_owned() } else { listed(lost) };
            let by = officers::named(&recovered.by, &recovered.signatures);
            format!("RECOVERED by {by} from an older copy; lost: {lost}; {}", recovered.reason)
        }
        Body::Recovered(Recovered::Request(request)) => recovered_in_words(request),
    }
}

fn boot_in_words(boot: &Boot) -> String {
    let tokens = listed(boot.tokens.iter().map(|token| match &token.serial {
        Some(serial) => format!("{} (serial {serial})", token.name),
        None => format!("{} (down)", token.name),
    }));
    let cut = boot.cut_bytes.map(|bytes| format!("; {bytes} bytes of an incomplete line were cut"));
    format!("the appliance started, tokens: {tokens}{}", cut.unwrap_or_default())
}

/// What was asked for, who pays whom.
fn accepted_in_words(accepted: &Accepted) -> String {
    let Accepted { watcher, request_id, key, items, payments, .. } = accepted;
    let variant = accepted.variant.as_ref().map(|variant| format!(" in place of {}", variant.replaces));
    let mut text = format!("{watcher} {request_id}{}: {}", variant.unwrap_or_default(), counted(items.len(), "item"));
    text += &format!(" of {key}");
    if accepted.amounts_verified || !payments.is_empty() {
        let said = if accepted.amounts_verified { "pays" } else { "said to pay" };
        let each = payments.iter().map(|pay| format!("{} {} to {}", pay.amount, pay.asset, pay.destination));
        let paid = if payments.is_empty() { "nobody".to_owned() } else { listed(each) };
        text += &format!("; {said} {paid}");
    }
    if let Some(fee) = &accepted.fee {
        text += &format!(", fee {} {}", fee.amount, fee.asset);
    }
    if !accepted.rules.is_empty() {
        text += &format!("; rule {}", listed(accepted.rules.iter().map(|rule| format!("\"{rule}\""))));
    }
    text
}

fn signed_in_words(signed: &Signed) -> String {
    let keys = listed(signed.signatures.iter().map(|signature: &ItemSignature| signature.key.to_string()));
    let count = counted(signed.signatures.len(), "signature");
    format!("{} {}: {count} by {keys} (accepted in entry {})", signed.watcher, signed.request_id, signed.accepted)
}

fn failed_in_words(failed: &Failed) -> String {
    let unknown = if failed.outcome_unknown { " (the token may have signed all the same)" } else { "" };
    let Failed { watcher, request_id, accepted, reason, .. } = failed;
    format!("{watcher} {request_id}: the token did not sign: {reason}{unknown} (accepted in entry {accepted})")
}

fn denied_in_words(denied: &Denied) -> String {
    let rule = denied.rule.as_ref().map(|rule| format!(" by \"{rule}\"")).unwrap_or_default();
    format!("{} {}: {}{rule}: {}", denied.watcher, denied.request_id, denied.code, denied.detail)
}

fn recovered_in_words(request: &RecoveredRequest) -> String {
    let of = request.proven.iter().map(|proven| proven.entry.index.to_string());
    let what = match (request.accepted(), request.signed()) {
        (_, Some(signed)) => counted(signed.signatures.len(), "signature"),
        (Some(_), None) | (None, None) => "its acceptance".to_owned(),
    };
    format!("{} {}: bound again, {what} proven by the lost entry {}", request.watcher, request.request_id, listed(of))
}

fn token_in_words(entry: &TokenEntry, devices: &DeviceKeys) -> String {
    let TokenEntry { token, serial, event } = entry;
    let device_log = match event {
        TokenEvent::DeviceLog(device_log) => device_log,
        TokenEvent::HoldsLog(home) => {
            let LogToken { log_key, by, reason, signatures } = home;
            let by = officers::named(by, signatures);
            return format!(
                "{token} (serial {serial}) holds the log from here on, by {by}: {reason}; log key {log_key}"
            );
        }
    };
    let DeviceLogRecord { entries, own, unlogged_boots, unlogged_authentications, .. } = device_log;
    let mut parts = vec![format!("{token} (serial {serial}): {} of its own log", counted(entries.len(), "entry"))];
    parts.extend(runs(serial, entries, devices));
    parts.extend(own.iter().map(|(key, asked)| format!("{asked} asked with {key}")));
    if *unlogged_boots > 0 || *unlogged_authentications > 0 {
        parts.push(format!("not logged: {unlogged_boots} boots, {unlogged_authentications} sessions"));
    }
    if device_log.gap {
        parts.push("A GAP before it".to_owned());
    }
    parts.join("; ")
}

/// What a device was told, equal commands behind each other as one.
fn runs(serial: &str, entries: &[String], devices: &DeviceKeys) -> Vec<String> {
    let mut runs: Vec<(u16, u16, String)> = Vec::new();
    for text in entries {
        let decoded = hex::decode(text).ok().and_then(|bytes| DeviceLogEntry::decode(&bytes).ok());
        let Some(entry) = decoded else {
            runs.push((0, 0, format!("no entry of a device: {text}")));
            continue;
        };
        let what = command_in_words(serial, &entry, devices);
        match runs.last_mut().filter(|(_, _, last)| *last == what) {
            Some((_, last, _)) => *last = entry.number,
            None => runs.push((entry.number, entry.number, what)),
        }
    }
    let numbered = |(first, last, what): (u16, u16, String)| {
        if first == last { format!("{first} {what}") } else { format!("{first}-{last} {what}") }
    };
    runs.into_iter().map(numbered).collect()
}

fn command_in_words(serial: &str, entry: &DeviceLogEntry, devices: &DeviceKeys) -> String {
    let mut text = match entry.command_name() {
        Some(name) => name.to_owned(),
        None => format!("command {:#04x}", entry.command),
    };
    let object = |number: u16| match devices.name(serial, number) {
        Some(key) => key.to_owned(),
        None => format!("object {number}"),
    };
    let of_system = [DeviceLogEntry::BOOT, DeviceLogEntry::RESET].contains(&entry.command);
    // 0 is no object: commands about none carry it or the other mark.
    let named = [entry.target_key, entry.second_key].into_iter();
    for number in named.filter(|number| !of_system && ![0, DeviceLogEntry::NO_KEY].contains(number)) {
        text += &format!(" {}", object(number));
    }
    if entry.is_refusal() {
        text += &format!(" REFUSED ({:#04x})", entry.result);
    }
    text
}

/// The first few, and how many more there are.
fn listed<T: Display>(all: impl Iterator<Item = T>) -> String {
    let mut all = all.map(|one| one.to_string());
    let mut text = all.by_ref().take(MOST_LISTED).collect::<Vec<_>>().join(", ");
    let more = all.count();
    if more > 0 {
        text += &format!(" and {more} more");
    }
    text
}

fn counted(count: usize, what: &str) -> String {
    match (count, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(number: u16, command: u8, target_key: u16, result: u8) -> String {
        let (session_key, second_key, digest) = (2, DeviceLogEntry::NO_KEY, [0; 16]);
        let (length, tick) = (34, 1);
        let entry =
            DeviceLogEntry { number, command, length, session_key, target_key, second_key, result, tick, digest };
        hex::encode(entry.encode())
    }

    #[test]
    fn a_device_log_is_told_by_the_names_of_its_commands_and_keys() {
        let entries = [
            entry(8, DeviceLogEntry::BOOT, 0, 0),
            entry(9, 0x03, DeviceLogEntry::NO_KEY, 0x83),
            entry(10, 0x56, 7, 0xd6),
            entry(11, 0x56, 7, 0xd6),
            entry(12, 0x56, 9, 0x0b),
            entry(13, 0xee, 0, 0xff),
            "00".to_owned(),
        ];
        let token = json!({
            "kind": "token", "token": "yubi", "serial": "123",
            "device_log": { "entries": entries, "keys": { "btc-hot": 7 }, "own": { "chancery-log": 2 }, "gap": true },
        });
        let mut devices = DeviceKeys::default();
        devices.learn(&token);
        let body = serde_json::from_value(token).unwrap();
        assert_eq!(
            words(&body, &devices),
            "yubi (serial 123): 7 entries of its own log; 8 boot; 9 create-session; 10-11 sign-ecdsa btc-hot; \
             12 sign-ecdsa object 9 REFUSED (0x0b); 13 command 0xee; 0 no entry of a device: 00; 2 asked with \
             chancery-log; A GAP before it"
        );
    }

    #[test]
    fn an_acceptance_tells_whose_word_the_amounts_are() {
        let mut accepted = json!({
            "kind": "accepted", "watcher": "w", "request_id": "wd-1", "content": "", "key": "hot",
            "evidence": "declared", "amounts_verified": false, "items": [], "rules": ["small", "large"],
            "payments": [{"asset": "BTC", "destination": "bcrt1q", "amount": "0.1"}],
            "fee": {"asset": "BTC", "amount": "0.001"},
        });
        let told =
            |entry: &serde_json::Value| words(&serde_json::from_value(entry.clone()).unwrap(), &DeviceKeys::default());
        let paid = "said to pay 0.1 BTC to bcrt1q, fee 0.001 BTC; rule \"small\", \"large\"";
        assert_eq!(told(&accepted), format!("w wd-1: 0 items of hot; {paid}"));
        accepted["amounts_verified"] = true.into();
        assert!(told(&accepted).contains("; pays 0.1 BTC"));
        accepted["payments"] = json!([]);
        assert!(told(&accepted).contains("; pays nobody, fee"));
    }

    #[test]
    fn only_the_first_of_many_are_listed() {
        assert_eq!(listed([1, 2, 3].iter()), "1, 2, 3");
        assert_eq!(listed([1, 2, 3, 4, 5].iter()), "1, 2, 3 and 2 more");
    }
}
