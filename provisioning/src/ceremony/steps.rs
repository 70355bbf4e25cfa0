//! `steps.jsonl`: the transcript while the ceremony goes on, a line a step, each synced before the next is begun.
//!
//! No secret is ever in it. Whoever is killed leaves whole lines, and perhaps the beginning of one, which is cut off.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use appliance_wire::{
    canonical,
    ceremony::{Step, What},
};
use jiff::Timestamp;

use crate::{Error, files};

const NAME: &str = "steps.jsonl";

/// The steps so far.
#[derive(Debug)]
pub(super) struct Steps {
    path: PathBuf,
    steps: Vec<Step>,
    rehearsal: bool,
}

impl Steps {
    /// Those of a ceremony's directory; none where none was begun.
    ///
    /// # Errors
    /// The file cannot be read, or is not a chain of steps.
    pub(super) fn open(directory: &Path, rehearsal: bool) -> Result<Self, Error> {
        let path = directory.join(NAME);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(Error::File { attempted: "read", path, source }),
        };
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let (lines, begun) = text.split_at(whole);
        let mut this = Self { path, steps: Vec::new(), rehearsal };
        for (number, line) in lines.lines().enumerate() {
            let step = this.read(line).map_err(|reason| this.wrong(number + 1, &reason))?;
            this.steps.push(step);
        }
        if !begun.is_empty() {
            this.cut(whole)?;
        }
        Ok(this)
    }

    /// A line that follows from those before it.
    fn read(&self, line: &str) -> Result<Step, String> {
        let step: Step = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let expected = Step::after(self.steps.last(), step.time.clone(), step.rehearsal, step.what.clone());
        match expected {
            Ok(expected) if expected == step => Ok(step),
            _ => Err("it does not follow from the line before".to_owned()),
        }
    }

    /// Every step.
    #[must_use]
    pub(super) fn all(&self) -> &[Step] {
        &self.steps
    }

    /// What was done so far.
    pub(super) fn acts(&self) -> impl DoubleEndedIterator<Item = &What> {
        self.steps.iter().map(|step| &step.what)
    }

    /// Writes a further step down, for good.
    ///
    /// # Errors
    /// It cannot be written; then it was not done.
    pub(super) fn append(&mut self, what: What) -> Result<(), Error> {
        let step = Step::after(self.steps.last(), now(), self.rehearsal, what).map_err(|error| self.failed(error))?;
        let mut line = canonical(&step).map_err(|error| self.failed(error))?;
        line.push(b'\n');
        let failed = |source| Error::File { attempted: "write", path: self.path.clone(), source };
        let is_new = !files::exists(&self.path)?;
        let mut file = OpenOptions::new().append(true).create(true).open(&self.path).map_err(failed)?;
        file.write_all(&line).and_then(|()| file.sync_data()).map_err(failed)?;
        if is_new && let Some(parent) = self.path.parent() {
            File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed)?;
        }
        self.steps.push(step);
        Ok(())
    }

    fn cut(&self, length: usize) -> Result<(), Error> {
        let failed = |source| Error::File { attempted: "cut", path: self.path.clone(), source };
        let file = OpenOptions::new().write(true).open(&self.path).map_err(failed)?;
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        file.set_len(length).and_then(|()| file.sync_all()).map_err(failed)
    }

    fn wrong(&self, line: usize, reason: &str) -> Error {
        let reason = format!("line {line}: {reason}: this is not as the ceremony left it, and cannot be gone on with");
        Error::Config { path: self.path.clone(), reason }
    }

    fn failed(&self, error: impl std::fmt::Display) -> Error {
        Error::Config { path: self.path.clone(), reason: error.to_string() }
    }
}

/// The time in whole seconds, as steps have it.
fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use appliance_wire::ceremony::{Policy, Resumed};

    use super::*;

    fn policy() -> What {
        What::Policy(Policy { sha256: "00".repeat(32) })
    }

    #[test]
    fn steps_are_read_back_and_go_on() {
        let directory = tempfile::tempdir().unwrap();
        let mut steps = Steps::open(directory.path(), true).unwrap();
        steps.append(policy()).unwrap();
        let mut again = Steps::open(directory.path(), true).unwrap();
        assert_eq!(again.all(), steps.all());
        again.append(What::Resumed(Resumed { program_sha256: String::new() })).unwrap();
        assert_eq!(Steps::open(directory.path(), true).unwrap().all().len(), 2);
        assert!(again.all().iter().all(|step| step.rehearsal && step.time.len() == 20), "{again:?}");
    }

    #[test]
    fn a_line_that_was_cut_is_not_a_step_and_does_not_stay() {
        let directory = tempfile::tempdir().unwrap();
        let mut steps = Steps::open(directory.path(), false).unwrap();
        steps.append(policy()).unwrap();
        let path = directory.path().join(NAME);
        let whole = fs::read_to_string(&path).unwrap();
        for cut in 1..whole.len() {
            fs::write(&path, format!("{whole}{}", &whole[..cut])).unwrap();
            assert_eq!(Steps::open(directory.path(), false).unwrap().all().len(), 1);
            assert_eq!(fs::read_to_string(&path).unwrap(), whole);
        }
    }

    #[test]
    fn an_altered_line_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let mut steps = Steps::open(directory.path(), false).unwrap();
        steps.append(policy()).unwrap();
        steps.append(policy()).unwrap();
        let path = directory.path().join(NAME);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replacen("0000", "0001", 1)).unwrap();
        let error = Steps::open(directory.path(), false).unwrap_err();
        assert!(error.to_string().contains("cannot be gone on with"), "{error}");
        assert_eq!(error.exit_status(), 78);
    }
}
