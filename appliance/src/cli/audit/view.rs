//! Lines of the log on their way to the reader: chosen, and put into words.

use appliance_wire::Entry;
use serde_json::Value;

use crate::reading::{DeviceKeys, Filter, Selection, escape, words};

/// How entries are shown.
#[derive(Debug)]
pub(super) struct View<'a> {
    selection: Selection<'a>,
    devices: DeviceKeys,
    shows_all: bool,
    as_json: bool,
}

impl<'a> View<'a> {
    pub(super) fn new(filter: &'a Filter, as_json: bool) -> Self {
        let (selection, devices) = (Selection::new(filter), DeviceKeys::default());
        Self { selection, devices, shows_all: filter.is_empty(), as_json }
    }

    /// What the reader sees of a line of the log; none where he does not want it. A line that is no entry is shown, too.
    pub(super) fn line(&mut self, bytes: &[u8]) -> Option<String> {
        let text = String::from_utf8_lossy(bytes);
        let Ok(entry) = serde_json::from_slice::<Value>(bytes) else {
            return self.shows_all.then(|| if self.as_json { text.into_owned() } else { no_entry(&text) });
        };
        self.devices.learn(&entry);
        if !self.selection.wants(&entry, &self.devices) {
            return None;
        }
        Some(if self.as_json { text.into_owned() } else { self.in_words(entry) })
    }

    fn in_words(&self, entry: Value) -> String {
        let member = |name: &str| match entry[name].as_str() {
            Some(text) => escape(text),
            None => entry.get(name).map(Value::to_string).unwrap_or_default(),
        };
        let head = format!("{:>8}  {}  {:<9}", member("index"), member("time"), member("kind"));
        let what = match serde_json::from_value::<Entry>(entry) {
            Ok(entry) => words(&entry.body, &self.devices),
            Err(error) => format!("not an entry this version can read: {error}"),
        };
        format!("{head}  {}", escape(&what))
    }
}

fn no_entry(text: &str) -> String {
    let start: String = text.chars().take(60).collect();
    format!("{:>8}  NOT AN ENTRY: {}", "?", escape(&start))
}
