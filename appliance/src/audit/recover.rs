//! `audit recover`: after a true loss the log goes on from the newest copy there is. What it lost is not made up for: it is
//! bound again as far as receipts prove it, every limit counts as full, and everything is frozen.
//!
//! Until the token's anchor is written for what came out, no start accepts it, and this can be done again.

use std::{
    fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use appliance_wire::{
    Body, Checkpoint, Frozen, KnownLog, LogKey, OfficerSignature, Receipt, Recovered, RecoveredLog, Scope,
};

use super::{
    archive::Archive,
    evidence_files::EvidenceFiles,
    export::layout::CHECKPOINT,
    in_place::InPlace,
    journal,
    log::Tip,
    open::{Opened, open, take_lock},
    rebuild::{Known, RebuildError, anchor_of, building_in, copy_log},
    token_anchor::TokenAnchor,
    unreadable::Unreadable,
    verify::{LogCopy, Subject, verify},
};
use crate::{
    own_file,
    state::{LogHome, State},
};

mod requests;

/// Says what officers signed for going on from a copy, or why that is not enough.
pub type Consent<'a> = dyn Fn(&State, Tip) -> Result<Vec<OfficerSignature>, String> + 'a;

/// What is recovered from, and by whom.
pub struct Recovery<'a> {
    /// `log.jsonl`, or the directory that has it.
    pub copy: &'a Path,
    /// What watchers kept of requests that the copy may not know.
    pub receipts: &'a [Receipt],
    /// Who does it.
    pub by: &'a str,
    /// Why.
    pub reason: &'a str,
    /// What the officers signed for it, by the state the copy comes to and where it ends.
    pub consent: &'a Consent<'a>,
    /// Reads the anchor in the token that holds the log.
    pub token_anchor: &'a dyn Fn(&LogHome) -> Result<Option<TokenAnchor>, String>,
    /// Told how many bytes are read: of the copy, then of what came out.
    pub progress: &'a dyn Fn(u64),
}

impl std::fmt::Debug for Recovery<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recovery({})", self.copy.display())
    }
}

/// What came out.
#[derive(Clone, Debug, serde::Serialize)]
pub struct RecoveryReport {
    /// Entries of the copy.
    pub copied_entries: u64,
    /// Entries of the log now.
    pub entries: u64,
    /// Logs somebody vouched for that this one does not begin with.
    pub lost: Vec<KnownLog>,
    /// Requests bound again.
    pub bound_again: u64,
    /// Receipts that prove nothing the copy does not know, or that contradict it.
    pub unused_receipts: u64,
    /// Files and directories that were replaced, under the names they are kept by.
    pub replaced: Vec<PathBuf>,
    /// Where the log now ends.
    #[serde(skip)]
    pub tip: Tip,
    /// The token that must be told.
    #[serde(skip)]
    pub home: LogHome,
}

const SUFFIX: &str = "before-recover";

/// Goes on from a copy, in `directory`, which need not be there.
///
/// # Errors
/// [`RebuildError`].
pub fn recover(directory: &Path, recovery: &Recovery<'_>) -> Result<RecoveryReport, RebuildError> {
    let failed = |error: &dyn std::fmt::Display| RebuildError::Failed(format!("{}: {error}", directory.display()));
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|error| failed(&error))?;
    let held = take_lock(directory).map_err(|error| RebuildError::Failed(error.to_string()))?;
    let building = building_in(directory)?;
    let built = build(&building, recovery);
    let recovered = built.and_then(|copied| {
        let names = ["log.jsonl", "store", "anchor"];
        let mut in_place = InPlace::put(directory, &building, &names, SUFFIX).map_err(|error| failed(&error))?;
        drop(held);
        let report = go_on(directory, recovery, copied, &mut in_place);
        match report {
            Ok(report) => Ok(RecoveryReport { replaced: in_place.kept(), ..report }),
            Err(error) => in_place.put_back().map_err(|error| failed(&error)).and(Err(error)),
        }
    });
    // Whatever is left there is of no use to anybody.
    let _ = fs::remove_dir_all(&building);
    recovered
}

/// Log, store and anchor of the copy, anew.
fn build(building: &Path, recovery: &Recovery<'_>) -> Result<Tip, RebuildError> {
    copy_log(&log_of(recovery.copy), None, building)?;
    let tip = Known::default().read_back(building, Some(building), recovery.progress)?;
    anchor_of(building, tip)?;
    Ok(tip)
}

fn log_of(copy: &Path) -> PathBuf {
    if copy.is_dir() { journal::path_in(copy) } else { copy.to_owned() }
}

/// Appends what happened, and verifies the whole.
fn go_on(
    directory: &Path,
    recovery: &Recovery<'_>,
    copied: Tip,
    in_place: &mut InPlace,
) -> Result<RecoveryReport, RebuildError> {
    let not_valid = |error: &dyn std::fmt::Display| RebuildError::NotValid(error.to_string());
    let failed = |error: &dyn std::fmt::Display| RebuildError::Failed(error.to_string());
    let mut opened = open(directory, Archive::default()).map_err(|error| not_valid(&error.reason))?;
    let home = opened.state().log_home.clone().ok_or_else(|| not_valid(&"the copy has no genesis"))?;
    let log_key = LogKey::parse(&home.log_key).map_err(|error| not_valid(&error))?;
    let token_anchor = (recovery.token_anchor)(&home).map_err(|reason| failed(&reason))?;
    let proven = requests::verified(recovery.receipts, &log_key).map_err(|reason| not_valid(&reason))?;
    let note = read_note(directory, &log_key).map_err(|reason| not_valid(&reason))?;
    let known = known(token_anchor, note.as_ref(), proven.iter().map(|proven| &proven.checkpoint));
    let lost = lost(&opened, known).map_err(|error| failed(&error))?;
    if lost.is_empty() && token_anchor.is_some() {
        let reason = "nothing shows that anything is lost: the copy reaches all that the token, the last checkpoint and \
                      the receipts vouch for. Put it in its place (docs/recover.md), or see `chancery audit rebuild`";
        return Err(not_valid(&reason));
    }
    let signatures = (recovery.consent)(opened.state(), copied).map_err(|reason| failed(&reason))?;
    let first = opened.state().size + 2;
    let (requests, unused_receipts) = requests::bound_again(&opened, proven, first).map_err(|error| failed(&error))?;
    let bound_again = requests.len() as u64;
    let (by, reason) = (recovery.by.to_owned(), recovery.reason.to_owned());
    let recovered = RecoveredLog { by: by.clone(), reason: reason.clone(), signatures, known: lost.clone() };
    let frozen = Frozen { what: Scope::All, by, reason: format!("the log was recovered: {reason}") };
    let mut bodies = vec![Body::Recovered(Recovered::Log(recovered)), Body::Frozen(frozen)];
    bodies.extend(requests.into_iter().map(|request| Body::Recovered(Recovered::Request(request))));
    let tip = opened.append(bodies).map_err(|error| failed(&error))?;
    drop(opened);

    bring_evidence(recovery.copy, directory)?;
    if lost.iter().any(|known| known.by == BY_CHECKPOINT) {
        in_place.set_aside(directory, CHECKPOINT, SUFFIX).map_err(|error| failed(&error))?;
    }
    let subject = Subject { log: LogCopy::State(directory), log_key: None, since: None, progress: recovery.progress };
    verify(&subject).map_err(|finding| not_valid(&format!("what came out does not verify: {finding}")))?;
    Ok(RecoveryReport {
        copied_entries: copied.size,
        entries: tip.size,
        lost,
        bound_again,
        unused_receipts,
        replaced: Vec::new(),
        tip,
        home,
    })
}

const BY_CHECKPOINT: &str = "checkpoint";

fn read_note(directory: &Path, log_key: &LogKey) -> Result<Option<Checkpoint>, String> {
    let path = directory.join(CHECKPOINT);
    let note = own_file::read_text(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    // One of another log says nothing of this one.
    Ok(note.and_then(|note| Checkpoint::open(&note, log_key).ok()))
}

/// Everything that vouches for a log of some size.
fn known<'a>(
    token_anchor: Option<TokenAnchor>,
    note: Option<&Checkpoint>,
    receipts: impl Iterator<Item = &'a Checkpoint>,
) -> Vec<KnownLog> {
    let of = |by: &str, size, root: &[u8; 32]| KnownLog { by: by.to_owned(), size, root: hex::encode(root) };
    let newest = receipts.max_by_key(|checkpoint| checkpoint.size());
    let anchor = token_anchor.map(|anchor| of("token anchor", anchor.size, &anchor.root));
    let note = note.map(|note| of(BY_CHECKPOINT, note.size(), note.root()));
    let receipts = newest.map(|newest| of("receipts", newest.size(), newest.root()));
    [anchor, note, receipts].into_iter().flatten().collect()
}

/// Those that this log does not begin with.
fn lost(opened: &Opened, known: Vec<KnownLog>) -> Result<Vec<KnownLog>, Unreadable> {
    let mut lost = Vec::new();
    for known in known {
        if opened.log().root(known.size)?.map(hex::encode).as_ref() != Some(&known.root) {
            lost.push(known);
        }
    }
    Ok(lost)
}

/// Evidence that the copy has and the directory lacks. It lies under its hash, so none can take the place of another.
fn bring_evidence(copy: &Path, directory: &Path) -> Result<(), RebuildError> {
    let failed = |error: &dyn std::fmt::Display| RebuildError::Failed(error.to_string());
    let damaged = |reason: String| RebuildError::NotValid(format!("{reason}: put it back whole, or take it away"));
    let from = EvidenceFiles::of(if copy.is_dir() { copy } else { copy.parent().unwrap_or(copy) });
    let to = EvidenceFiles::of(directory);
    for sha256 in from.names().map_err(|error| failed(&error))? {
        if to.has(&sha256) {
            continue;
        }
        if let Some(bytes) = from.read(&sha256).map_err(damaged)? {
            to.keep(&[(sha256, bytes.into())]).map_err(|error| failed(&error))?;
        }
    }
    Ok(())
}
