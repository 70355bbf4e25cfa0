//! The memory of the audit log: whoever shows us a log must show the one we saw before, only longer.

use std::future::Future;

use appliance_wire::{
    BadCheckpoint, Checkpoint, LogKey, Retry,
    tree::{Hash, verify_consistency},
};

use crate::{Error, fork_files::ForkFiles, state_directory::StateDirectory};

const FILE: &str = "checkpoint";
const CONFLICT: &str = "checkpoint.conflict";

/// The last verified checkpoint, kept in the state directory.
#[derive(Debug)]
pub(crate) struct LastCheckpoint {
    directory: StateDirectory,
    log_keys: Vec<LogKey>,
    forks: ForkFiles,
}

/// How a checkpoint stands to the one remembered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// Nothing was remembered; from now on it is.
    First,
    /// The same log at the same size.
    Same,
    /// The log grew; the new checkpoint is remembered.
    Grown {
        /// Size remembered before.
        from: u64,
    },
    /// A beginning of the log remembered.
    Older,
}

impl LastCheckpoint {
    pub(crate) fn new(directory: StateDirectory, log_keys: Vec<LogKey>) -> Self {
        let forks = ForkFiles::new(&directory, log_keys.clone());
        Self { directory, log_keys, forks }
    }

    /// The remembered checkpoint, its signature verified again. A damaged file is an error, never "nothing yet".
    pub(crate) fn remembered(&self) -> Result<Option<Checkpoint>, Error> {
        let Some(note) = self.directory.read(FILE)? else { return Ok(None) };
        let checkpoint = self
            .open(&note)
            .map_err(|error| Error::StateDamaged { file: self.directory.file(FILE), what: error.to_string() })?;
        Ok(Some(checkpoint))
    }

    /// Size remembered; 0 before the first.
    pub(crate) fn size(&self) -> Result<u64, Error> {
        Ok(self.remembered()?.map_or(0, |checkpoint| checkpoint.size()))
    }

    /// Verifies `note`, and that it is of the log remembered; remembers the larger one.
    ///
    /// `at_least` is the size the log certainly had when the note was asked for: a smaller one is a rollback. `prove`
    /// fetches the consistency proof between two checkpoints, the smaller one first; one that shows that there is none
    /// begins with the subtree it starts from, as [`appliance_wire::Fork::proof`] does.
    pub(crate) async fn accept<P, F>(
        &self,
        note: &str,
        at_least: u64,
        prove: P,
    ) -> Result<(Checkpoint, Standing), Error>
    where
        P: Fn(Checkpoint, Checkpoint) -> F,
        F: Future<Output = Result<Vec<Hash>, Error>>,
    {
        let offered = self.open(note).map_err(Error::Checkpoint)?;
        if offered.size() < at_least {
            let why = format!("it has {} entries now, and had {at_least} before", offered.size());
            return Err(self.conflict(self.remembered()?.as_ref().unwrap_or(&offered), &offered, &[], why));
        }
        loop {
            let known = self.remembered()?;
            let standing = match &known {
                None => Standing::First,
                Some(known) => self.compare(known, &offered, &prove).await?,
            };
            // Another task or process may have remembered more meanwhile: then compare with that.
            match standing {
                Standing::Same | Standing::Older => return Ok((offered, standing)),
                Standing::First | Standing::Grown { .. } if self.replace(known.as_ref(), &offered)? => {
                    return Ok((offered, standing));
                }
                Standing::First | Standing::Grown { .. } => {}
            }
        }
    }

    async fn compare<P, F>(&self, known: &Checkpoint, offered: &Checkpoint, prove: &P) -> Result<Standing, Error>
    where
        P: Fn(Checkpoint, Checkpoint) -> F,
        F: Future<Output = Result<Vec<Hash>, Error>>,
    {
        if known.size() == offered.size() {
            let same = known.root() == offered.root();
            let why = || format!("its {} entries have another root hash than before", known.size());
            return if same { Ok(Standing::Same) } else { Err(self.conflict(known, offered, &[], why())) };
        }
        let grown = known.size() < offered.size();
        let (small, large) = if grown { (known, offered) } else { (offered, known) };
        let proof = match prove_between(small, large, prove).await {
            Ok(proof) => proof,
            Err(Error::Refused(problem)) if problem.retry == Retry::Never => {
                let why = format!(
                    "the signer cannot prove that its {} entries begin with the {} shown before ({})",
                    large.size(),
                    small.size(),
                    problem.detail
                );
                return Err(self.conflict(known, offered, &[], why));
            }
            Err(error) => return Err(error),
        };
        if verify_consistency(small.size(), large.size(), &proof, small.root(), large.root()).is_err() {
            let why = format!("the log of {} entries does not begin with the log of {}", large.size(), small.size());
            return Err(self.conflict(known, offered, &proof, why));
        }
        Ok(if grown { Standing::Grown { from: known.size() } } else { Standing::Older })
    }

    /// Whether `offered` was remembered in place of `known`; not so where another process remembered one meanwhile.
    fn replace(&self, known: Option<&Checkpoint>, offered: &Checkpoint) -> Result<bool, Error> {
        let _lock = self.directory.lock()?;
        if self.remembered()?.as_ref() != known {
            return Ok(false);
        }
        self.directory.replace(FILE, offered.note()).map(|()| true)
    }

    /// Keeps the first contradicting note and the two of them as evidence, and says what happened.
    fn conflict(&self, known: &Checkpoint, offered: &Checkpoint, proof: &[Hash], why: String) -> Error {
        let (remembered, conflict) = (self.directory.file(FILE), self.directory.file(CONFLICT));
        let kept = match self.directory.read(CONFLICT) {
            Ok(Some(_)) => Ok(()),
            Ok(None) | Err(_) => {
                self.directory.lock().and_then(|_lock| self.directory.replace(CONFLICT, offered.note()))
            }
        };
        let fork = kept.and_then(|()| self.forks.keep(&self.forks.of(known, offered, proof, why.clone())));
        match fork {
            Ok(fork) => Error::Inconsistent { why, remembered, conflict, fork: Some(fork) },
            // The alarm matters more than the files: without them the note itself goes into the message.
            Err(error) => {
                let why = format!("{why} (the note could not be kept: {error}; it is {:?})", offered.note());
                Error::Inconsistent { why, remembered, conflict, fork: None }
            }
        }
    }

    fn open(&self, note: &str) -> Result<Checkpoint, BadCheckpoint> {
        Checkpoint::open_any(note, &self.log_keys)
    }
}

/// Nothing needs to be asked about the empty log: everything begins with it.
async fn prove_between<P, F>(small: &Checkpoint, large: &Checkpoint, prove: &P) -> Result<Vec<Hash>, Error>
where
    P: Fn(Checkpoint, Checkpoint) -> F,
    F: Future<Output = Result<Vec<Hash>, Error>>,
{
    if small.size() == 0 { Ok(Vec::new()) } else { prove(small.clone(), large.clone()).await }
}

#[cfg(test)]
mod tests;
