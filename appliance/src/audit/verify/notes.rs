//! What vouches for the log: its anchor or its export's checkpoint, checkpoints from before, and the log key.

use std::path::Path;

use appliance_wire::{Body, Checkpoint, LogKey};

use super::{
    Auditor, Finding, Subject, finding,
    source::{Bundles, LogCopy, Source},
    unread,
};
use crate::{
    audit::{
        anchor::{self, Anchor},
        export::layout::CHECKPOINT,
        journal::{Lines, Next},
        read_entry::read_entry,
    },
    own_file,
};

/// What the entries must reach, known before the first is read.
#[derive(Debug)]
pub(super) struct Vouched {
    anchor: Option<Anchor>,
    /// Notes, newest of the copy first.
    notes: Vec<String>,
    pub(super) source: Source,
    /// Sizes whose root is wanted.
    pub(super) sizes: Vec<u64>,
}

impl Vouched {
    pub(super) fn read(subject: &Subject<'_>) -> Result<Self, Finding> {
        let directory = subject.log.directory();
        let own = own_file::read_text(&directory.join(CHECKPOINT));
        let own = own.map_err(|error| finding(None, format!("checkpoint: {error}")))?;
        let (anchor, source) = match subject.log {
            LogCopy::State(directory) => {
                let lines = Lines::open(directory).map_err(|error| finding(None, format!("log.jsonl: {error}")))?;
                let anchor = anchor::read(directory).map_err(|error| finding(None, format!("anchor: {error}")))?;
                let anchor = anchor.ok_or_else(|| finding(None, "neither slot of the anchor is valid"))?;
                (Some(anchor), Source::State(lines))
            }
            LogCopy::Export(directory) => {
                let note = own.as_deref().ok_or_else(|| finding(None, "there is no checkpoint in it"))?;
                let checkpoint = open_first(directory, note, subject.log_key)?;
                (None, Source::Export(Bundles::new(directory, checkpoint.size())))
            }
        };
        let notes: Vec<String> = own.into_iter().chain(subject.since.map(str::to_owned)).collect();
        let sizes = notes.iter().filter_map(|note| note.lines().nth(1)?.parse().ok());
        let sizes = sizes.chain(anchor.as_ref().map(|anchor| anchor.size)).collect();
        Ok(Self { anchor, notes, source, sizes })
    }

    /// Compares with the entries that were read. Returns size of the newest checkpoint, and the log key.
    pub(super) fn compare(self, auditor: &Auditor, known: Option<&LogKey>) -> Result<(Option<u64>, LogKey), Finding> {
        if let Some(anchor) = &self.anchor
            && !auditor.roots.get(&anchor.size).is_some_and(|root| anchor.has_root(root))
        {
            let index = anchor.size.min(auditor.frontier.size());
            let reason = format!("the log does not hold the {} entries its anchor was written for", anchor.size);
            return Err(finding(Some(index), reason));
        }
        let newest_key = auditor.log_keys.last().ok_or_else(|| finding(Some(0), "there is no genesis"))?;
        if let Some(known) = known.filter(|known| !auditor.log_keys.contains(known)) {
            let reason = format!("the log names log key {newest_key}, not the one given ({known})");
            return Err(finding(Some(0), reason));
        }
        let mut newest = None;
        for note in &self.notes {
            newest = newest.max(Some(check_note(auditor, note)?));
        }
        Ok((newest, newest_key.clone()))
    }
}

/// The checkpoint of an export, under the known key or the one of its first entry: how far to read is not believed
/// before that. One that a later key of the log signed needs that key to be known.
fn open_first(directory: &Path, note: &str, known: Option<&LogKey>) -> Result<Checkpoint, Finding> {
    let size = note.lines().nth(1).and_then(|size| size.parse().ok()).unwrap_or(0);
    let mut first = Source::Export(Bundles::new(directory, size));
    let Next::Line(bytes) = first.next().map_err(|error| finding(Some(0), error.to_string()))? else {
        return Err(finding(None, "its checkpoint covers no entry"));
    };
    let entry = read_entry(bytes).map_err(|error| unread(0, &error))?;
    let Body::Genesis(genesis) = &entry.body else { return Err(finding(Some(0), "it is no genesis")) };
    let own = LogKey::parse(&genesis.log_key).map_err(|error| finding(Some(0), error.to_string()))?;
    let keys: Vec<LogKey> = known.cloned().into_iter().chain([own]).collect();
    Checkpoint::open_any(note, &keys).map_err(|error| finding(None, error.to_string()))
}

fn check_note(auditor: &Auditor, note: &str) -> Result<u64, Finding> {
    let checkpoint = Checkpoint::open_any(note, &auditor.log_keys).map_err(|error| finding(None, error.to_string()))?;
    let size = checkpoint.size();
    match auditor.roots.get(&size) {
        Some(root) if root == checkpoint.root() => Ok(size),
        Some(_) => {
            Err(finding(Some(size.saturating_sub(1)), format!("the root at size {size} is not the checkpoint's")))
        }
        None => {
            let reason = format!("a checkpoint of size {size} was signed, but the log ends here");
            Err(finding(Some(auditor.frontier.size()), reason))
        }
    }
}
