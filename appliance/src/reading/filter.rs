//! Which entries somebody wants to see. Looks at members by name, so that entries of a later version are found, too.

use std::{collections::HashSet, str::FromStr};

use appliance_wire::Body;
use clap::{Args, builder::PossibleValuesParser};
use hsm_drivers::DeviceLogEntry;
use hsm_types::KeyPath;
use jiff::Timestamp;
use serde_json::Value;

use super::device_keys::DeviceKeys;

/// What an entry must be; everything that is given must hold.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Filter {
    /// About this key and all its children; with KEY/CHILD, about this child or the key as a whole.
    #[arg(long, value_name = "KEY[/CHILD]")]
    pub(crate) key: Option<KeyPath>,
    /// Of this watcher's requests, or its freeze.
    #[arg(long)]
    pub(crate) watcher: Option<String>,
    /// Of one of these kinds.
    #[arg(long, value_delimiter = ',', value_parser = PossibleValuesParser::new(Body::KINDS))]
    pub(crate) kind: Vec<String>,
    /// From one moment on and before another, RFC 3339; either may be left out.
    #[arg(long, value_name = "FROM..TO")]
    pub(crate) time: Option<Period>,
    /// Of this request.
    #[arg(long, value_name = "ID")]
    pub(crate) request: Option<String>,
}

/// `FROM..TO`: the end is not in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Period {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (from, to) = text.split_once("..").ok_or("write FROM..TO, such as 2026-11-21T08:00:00Z..")?;
        let moment = |text: &str| -> Result<Option<Timestamp>, String> {
            let parsed = (!text.is_empty()).then(|| text.parse()).transpose();
            parsed.map_err(|_| format!("\"{text}\" is no RFC 3339 time, such as 2026-11-21T08:00:00Z"))
        };
        let period = Self { from: moment(from)?, to: moment(to)? };
        match period {
            Self { from: Some(from), to: Some(to) } if from >= to => Err("it ends before it begins".to_owned()),
            _ => Ok(period),
        }
    }
}

impl Period {
    fn has(&self, time: Timestamp) -> bool {
        self.from.is_none_or(|from| time >= from) && self.to.is_none_or(|to| time < to)
    }
}

impl Filter {
    /// Whether every entry passes.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { key, watcher, kind, time, request } = self;
        key.is_none() && watcher.is_none() && kind.is_empty() && time.is_none() && request.is_none()
    }
}

/// The filter at work: it remembers acceptances, because what they come to does not name their key again.
#[derive(Debug)]
pub(crate) struct Selection<'a> {
    filter: &'a Filter,
    accepted: HashSet<u64>,
}

impl<'a> Selection<'a> {
    /// Nothing read yet.
    pub(crate) fn new(filter: &'a Filter) -> Self {
        Self { filter, accepted: HashSet::new() }
    }

    /// Whether the entry passes. To be asked of every entry, in order.
    pub(crate) fn wants(&mut self, entry: &Value, devices: &DeviceKeys) -> bool {
        let filter = self.filter;
        // First, and always: it remembers.
        let of_key = filter.key.as_ref().is_none_or(|key| self.is_about(key, entry, devices));
        let is = |member: &Value, wanted: &Option<String>| {
            wanted.as_ref().is_none_or(|wanted| member.as_str() == Some(wanted))
        };
        let scope = &entry["what"];
        let of_watcher = is(&entry["watcher"], &filter.watcher)
            || (scope["scope"] == "watcher" && is(&scope["name"], &filter.watcher));
        let kind = entry["kind"].as_str().unwrap_or_default();
        of_key
            && of_watcher
            && (filter.kind.is_empty() || filter.kind.iter().any(|wanted| wanted == kind))
            && is(&entry["request_id"], &filter.request)
            && filter.time.is_none_or(|period| {
                entry["time"].as_str().and_then(|time| time.parse().ok()).is_some_and(|time| period.has(time))
            })
    }

    fn is_about(&mut self, key: &KeyPath, entry: &Value, devices: &DeviceKeys) -> bool {
        let label = key.label.as_str();
        let path = key.to_string();
        let named = |items: &Value| {
            let mut names = items.as_array().into_iter().flatten().filter_map(|item| item["key"].as_str());
            names.any(|name| {
                name == path || (key.child.is_none() && name.split_once('/').is_some_and(|(name, _)| name == label))
            })
        };
        match entry["kind"].as_str().unwrap_or_default() {
            "accepted" | "pending" => {
                let named = named(&entry["items"]);
                if named {
                    self.accepted.extend(entry["index"].as_u64());
                }
                named
            }
            "signed" => {
                self.accepted.remove(&entry["accepted"].as_u64().unwrap_or(u64::MAX));
                named(&entry["signatures"])
            }
            "addresses" => {
                let (first, count) = (entry["first"].as_u64().unwrap_or(0), entry["count"].as_u64().unwrap_or(0));
                let within = |child: u32| (first..first.saturating_add(count)).contains(&child.into());
                entry["key"] == label && key.child.is_none_or(within)
            }
            "token" => token_is_about(label, entry, devices),
            "frozen" | "unfrozen" => entry["what"]["scope"] == "key" && entry["what"]["name"] == label,
            _ => {
                entry["name"] == label
                    || entry["asked"]["key"] == label
                    || entry["accepted"].as_u64().is_some_and(|accepted| self.accepted.contains(&accepted))
            }
        }
    }
}

/// Whether a device was asked for something with the key, or says by what number it calls it.
fn token_is_about(label: &str, entry: &Value, devices: &DeviceKeys) -> bool {
    let (serial, log) = (entry["serial"].as_str().unwrap_or_default(), &entry["device_log"]);
    let told = ["keys", "own"].iter().any(|member| log[*member].get(label).is_some());
    let mut entries = log["entries"].as_array().into_iter().flatten().filter_map(|entry| {
        let bytes = hex::decode(entry.as_str()?).ok()?;
        DeviceLogEntry::decode(&bytes).ok()
    });
    let is_it = |number| devices.name(serial, number) == Some(label);
    told || entries.any(|entry| is_it(entry.target_key) || is_it(entry.second_key))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn indices(arguments: &[&str], entries: &[Value]) -> Vec<u64> {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            filter: Filter,
        }
        let arguments = [&["show"], arguments].concat();
        let filter = <Line as clap::Parser>::try_parse_from(arguments).unwrap_or_else(|error| panic!("{error}")).filter;
        let (mut selection, mut devices) = (Selection::new(&filter), DeviceKeys::default());
        let wanted = entries.iter().filter(|entry| {
            devices.learn(entry);
            selection.wants(entry, &devices)
        });
        wanted.map(|entry| entry["index"].as_u64().unwrap()).collect()
    }

    fn log() -> Vec<Value> {
        let device = |target: u16| {
            let entry = DeviceLogEntry {
                number: 1,
                command: 0x56,
                length: 34,
                session_key: 2,
                target_key: target,
                second_key: DeviceLogEntry::NO_KEY,
                result: 0xd6,
                tick: 1,
                digest: [0; 16],
            };
            hex::encode(entry.encode())
        };
        let mut log = vec![
            json!({"kind": "key", "name": "hot"}),
            json!({"kind": "accepted", "watcher": "a", "request_id": "1", "items": [{"key": "hot/7"}]}),
            json!({"kind": "accepted", "watcher": "b", "request_id": "2", "items": [{"key": "cold"}]}),
            json!({"kind": "failed", "watcher": "a", "request_id": "1", "accepted": 1}),
            json!({"kind": "signed", "watcher": "a", "request_id": "1", "accepted": 1, "signatures": [{"key": "hot/7"}]}),
            json!({"kind": "lapsed", "watcher": "b", "request_id": "2", "accepted": 2}),
            json!({"kind": "denied", "watcher": "a", "request_id": "3", "asked": {"key": "hot"}}),
            json!({"kind": "frozen", "what": {"scope": "key", "name": "hot"}}),
            json!({"kind": "frozen", "what": {"scope": "watcher", "name": "a"}}),
            json!({"kind": "addresses", "watcher": "a", "key": "hot", "first": 5, "count": 3}),
            json!({"kind": "token", "serial": "9", "device_log": {"keys": {"hot": 4}, "entries": []}}),
            json!({"kind": "token", "serial": "9", "device_log": {"entries": [device(4)]}}),
            json!({"kind": "token", "serial": "8", "device_log": {"entries": [device(4)]}}),
        ];
        for (index, entry) in log.iter_mut().enumerate() {
            entry["index"] = index.into();
            entry["time"] = format!("2026-11-21T00:00:{index:02}.000001Z").into();
        }
        log
    }

    #[test]
    fn a_key_is_found_wherever_it_was_used() {
        let log = log();
        assert_eq!(indices(&["--key", "hot"], &log), [0, 1, 3, 4, 6, 7, 9, 10, 11]);
        assert_eq!(indices(&["--key", "hot/7"], &log), [0, 1, 3, 4, 6, 7, 9, 10, 11]);
        assert_eq!(indices(&["--key", "hot/8"], &log), [0, 6, 7, 10, 11]);
        assert_eq!(indices(&["--key", "cold"], &log), [2, 5]);
    }

    #[test]
    fn filters_are_combined() {
        let log = log();
        assert_eq!(indices(&[], &log).len(), log.len());
        assert_eq!(indices(&["--watcher", "a"], &log), [1, 3, 4, 6, 8, 9]);
        assert_eq!(indices(&["--watcher", "a", "--kind", "failed,denied"], &log), [3, 6]);
        assert_eq!(indices(&["--request", "2"], &log), [2, 5]);
        assert_eq!(indices(&["--request", "2", "--key", "hot"], &log), [0_u64; 0]);
        let times = ["2026-11-21T00:00:03.000001Z..2026-11-21T00:00:05.000001Z", "2026-11-21T00:00:11Z..", ".."];
        assert_eq!(indices(&["--time", times[0]], &log), [3, 4]);
        assert_eq!(indices(&["--time", times[1]], &log), [11, 12]);
        assert_eq!(indices(&["--time", times[2], "--kind", "key"], &log), [0]);
    }

    #[test]
    fn a_period_is_two_times_in_order() {
        for bad in ["", "2026-11-21T00:00:03Z", "yesterday..", "2026-11-21T00:00:03Z..2026-11-21T00:00:03Z"] {
            assert!(bad.parse::<Period>().is_err(), "{bad}");
        }
    }
}
