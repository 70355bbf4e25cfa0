//! What can go wrong, by whose fault it is and what may be done next.

use std::{io, net::SocketAddr, path::PathBuf};

use appliance_wire::{BadCheckpoint, BadReceipt, NewerFormat, Problem, Retry, transaction::BadEvidence};

use crate::{ConfigError, ForkFile, TransportError};

/// Why a call gave no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `watcher.toml` or a file it names cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The signer refused, and says why and whether to ask again.
    #[error("{}", describe(.0))]
    Refused(Box<Problem>),
    /// The signer was not reached, or its answer did not arrive.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// An answer outside the API.
    #[error("unexpected answer (HTTP status {status}): {what}")]
    Unexpected {
        /// The HTTP status.
        status: u16,
        /// What is wrong with it.
        what: String,
    },
    /// The signer's answer is not what it claims to be: nothing of it may be used.
    #[error("the answer does not verify: {what}; use nothing of it and tell whoever runs the signer")]
    NotVerified {
        /// What does not hold.
        what: String,
    },
    /// A key has another public key than when it was first seen.
    #[error(
        "ALARM: key \"{key}\" had public key {known}, and now has {found}; a key never changes its public key. Pay to \
         no address of it and find out who changed it; {} keeps the first one",
        file.display()
    )]
    KeyChanged {
        /// Its name, with the child where it has one.
        key: String,
        /// As first seen, hexadecimal.
        known: String,
        /// As answered now, hexadecimal.
        found: String,
        /// Where the first one is remembered.
        file: PathBuf,
    },
    /// A key has another chain code than when it was first seen.
    #[error(
        "ALARM: key \"{key}\" has another chain code than before, so its children would be other keys; a key never \
         changes its chain code. Pay to no new address of it and find out who changed it; {} keeps the first one",
        file.display()
    )]
    ChainCodeChanged {
        /// The key.
        key: String,
        /// Where the first one is remembered.
        file: PathBuf,
    },
    /// An unsigned transaction the signer would not sign for.
    #[error("the unsigned transaction is not one that is signed")]
    Unsigned(#[from] BadEvidence),
    /// An unsigned transaction that is not for our keys to sign, or not for those named.
    #[error("{why}")]
    NotOurs {
        /// Which input or account, and why.
        why: String,
    },
    /// The signatures, good as they are, make no signed transaction.
    #[error("the signatures cannot be put into the transaction: {why}")]
    Unfinished {
        /// Why.
        why: String,
    },
    /// The log shown now is not the one shown before.
    #[error(
        "ALARM: the signer's audit log is inconsistent: {why}. It was rolled back, replaced or shown differently to \
         different watchers. Stop sending requests, keep {} and {} as evidence{}, and have \
         the log examined with `chancery audit verify --since`; only when it is explained, remove them to start afresh",
        remembered.display(), conflict.display(), describe_fork(fork.as_ref())
    )]
    Inconsistent {
        /// What contradicts what.
        why: String,
        /// The checkpoint remembered.
        remembered: PathBuf,
        /// The note that contradicts it.
        conflict: PathBuf,
        /// Both, with the signer's proof, for others to judge; none where it could not be written.
        fork: Option<ForkFile>,
    },
    /// A checkpoint that another watcher submitted is of another history than the one cosigned here.
    #[error(
        "ALARM: the signer's audit log has two histories: {why}. It is shown differently to different watchers. Stop \
         sending requests{}, and have the log examined; only when it is explained, remove the file to cosign again",
        describe_fork(Some(file))
    )]
    Forked {
        /// What contradicts what.
        why: String,
        /// Both checkpoints.
        file: ForkFile,
    },
    /// A fork was found, and the watcher is not frozen.
    #[error(
        "{alarm}. And this watcher could NOT be frozen at the signer: run `chancery-watcher freeze` again and again"
    )]
    NotFrozen {
        /// The fork.
        alarm: String,
        /// Why not.
        source: Box<Error>,
    },
    /// A fork was found before: nothing is cosigned any more.
    #[error(
        "nothing is cosigned: {} shows a fork of the signer's audit log. Check it with `chancery-watcher verify --fork`, \
         keep a copy, and have the log examined; only when it is explained, remove the file to cosign again",
        .0.display()
    )]
    ForkKnown(PathBuf),
    /// Two processes with one witness key could cosign two histories.
    #[error("another process is the witness of this state directory ({} is locked); stop it first", .0.display())]
    WitnessRunning(PathBuf),
    /// The witness's address cannot be listened on.
    #[error("listening on {address}")]
    Listen {
        /// `witness.listen`.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// A checkpoint is not one of the log keys'.
    #[error(
        "the checkpoint is not the log's: {0}; compare `log_keys` in watcher.toml with what `chancery status` shows"
    )]
    Checkpoint(BadCheckpoint),
    /// A receipt proves nothing.
    #[error("the receipt proves nothing: {0}")]
    Receipt(BadReceipt),
    /// A remembered file is damaged; it is never taken for an empty one.
    #[error("{} is damaged: {what}. Restore it from a copy; removing it forgets what was seen, so do that only after \
         `chancery audit verify` found the log whole", file.display())]
    StateDamaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The state directory is a later version's.
    #[error("the state directory {} is not used: {newer}; nothing was changed", directory.display())]
    StateNewer {
        /// The directory.
        directory: PathBuf,
        /// Whose it is.
        newer: NewerFormat,
    },
    /// A file of the state directory cannot be read or written.
    #[error("{doing} {}", file.display())]
    State {
        /// What was attempted.
        doing: &'static str,
        /// The file.
        file: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The signer ended the stream of events for good.
    #[error("the signer ended the stream of events: {why}")]
    StreamEnded {
        /// In its words.
        why: String,
    },
    /// No receipt yet when the time was up.
    #[error(
        "no receipt for {request_id} within {seconds} s: no checkpoint covers its entry yet; ask again with `status`"
    )]
    NoReceiptYet {
        /// The request.
        request_id: String,
        /// How long was waited.
        seconds: u64,
    },
}

impl Error {
    /// Whether something is not what it claims to be: nothing goes on before a person has looked.
    #[must_use]
    pub fn is_alarm(&self) -> bool {
        match self {
            Self::NotVerified { .. }
            | Self::KeyChanged { .. }
            | Self::ChainCodeChanged { .. }
            | Self::Inconsistent { .. }
            | Self::Forked { .. }
            | Self::ForkKnown(_)
            | Self::NotFrozen { .. }
            | Self::Checkpoint(_)
            | Self::Receipt(
                BadReceipt::Encoding(_)
                | BadReceipt::Checkpoint(_)
                | BadReceipt::Proof(_)
                | BadReceipt::Entry(_)
                | BadReceipt::Index { .. },
            ) => true,
            Self::Receipt(BadReceipt::Unknown { .. })
            | Self::Config(_)
            | Self::StateDamaged { .. }
            | Self::StateNewer { .. }
            | Self::Refused(_)
            | Self::Transport(_)
            | Self::Unexpected { .. }
            | Self::Unsigned(_)
            | Self::NotOurs { .. }
            | Self::Unfinished { .. }
            | Self::State { .. }
            | Self::WitnessRunning(_)
            | Self::Listen { .. }
            | Self::StreamEnded { .. }
            | Self::NoReceiptYet { .. } => false,
        }
    }

    /// Whether it ends in the same way however often it is tried: config, a state directory that cannot be used.
    #[must_use]
    pub fn is_for_good(&self) -> bool {
        matches!(self, Self::Config(_) | Self::StateDamaged { .. } | Self::StateNewer { .. })
    }

    /// The signer's refusal, where it is one.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        if let Self::Refused(problem) = self { Some(problem) } else { None }
    }
}

/// What the file is good for.
fn describe_fork(fork: Option<&ForkFile>) -> String {
    match fork {
        Some(ForkFile { path, proven: true }) => {
            format!(", with {}, which proves it to anyone (`chancery-watcher verify --fork`)", path.display())
        }
        Some(ForkFile { path, proven: false }) => format!(", with {}, which alone proves nothing yet", path.display()),
        None => String::new(),
    }
}

/// Title, detail and the members that matter, in one line.
fn describe(problem: &Problem) -> String {
    let mut text = format!("{}: {}", problem.title, problem.detail.trim_end_matches('.'));
    let members = [
        ("rule", &problem.rule),
        ("limit", &problem.limit),
        ("remaining", &problem.remaining),
        ("frees at", &problem.frees_at),
        ("held by", &problem.held_by),
    ];
    let members: Vec<String> = members
        .into_iter()
        .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}: {value}")))
        .collect();
    if !members.is_empty() {
        text += &format!(" ({})", members.join(", "));
    }
    text += match problem.retry {
        Retry::Same => "; put the same request again under the same id a little later",
        Retry::Later => "; the same id may be put again when circumstances have changed, and is decided afresh",
        Retry::Never => "; putting the same request again will not help",
    };
    text
}

#[cfg(test)]
mod tests {
    use appliance_wire::ProblemCode;

    use super::*;

    #[test]
    fn a_refusal_says_everything_it_knows() {
        let mut problem = Problem::new(ProblemCode::LimitExceeded, "Ask for less, or wait.");
        problem.limit = Some("hot wallet, a day".to_owned());
        problem.remaining = Some("0.25".to_owned());
        problem.frees_at = Some("2030-01-01T00:00:00Z".to_owned());
        assert_eq!(
            Error::Refused(Box::new(problem)).to_string(),
            "A limit has too little left: Ask for less, or wait (limit: hot wallet, a day, remaining: 0.25, \
             frees at: 2030-01-01T00:00:00Z); the same id may be put again when circumstances have changed, and is \
             decided afresh"
        );
    }
}
