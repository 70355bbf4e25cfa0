//! A PIN that was refused is not tried again, also not by the next start: a restart loop must not lock a token.
//!
//! The PIN itself leaves no trace, not even a hash, which would be guessed. What is remembered is which file it was in
//! and when that was written: a file put right is another file. A systemd credential is made anew at every start; there
//! the unit's `RestartPreventExitStatus=78` does the same.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::config::{Config, SecretSource, TokenConfig};

pub(super) struct RefusedPin {
    note: PathBuf,
    /// The PIN file as it is now.
    file: Option<(PathBuf, String)>,
}

impl RefusedPin {
    pub(super) fn of(config: &Config, settings: &TokenConfig) -> Self {
        let file = match &settings.secret {
            SecretSource::File(path) => fs::metadata(path).ok().map(|file| {
                let written = (file.mtime(), file.mtime_nsec());
                (path.clone(), format!("{}:{}:{}.{:09}:{}", file.dev(), file.ino(), written.0, written.1, file.len()))
            }),
            SecretSource::Credential(_) | SecretSource::Prompt => None,
        };
        Self { note: config.state_directory.join(format!("refused-pin-{}", settings.name)), file }
    }

    /// Refuses a PIN file that was refused before and has not been written since.
    pub(super) fn check(&self) -> Result<(), String> {
        let Some((path, mark)) = &self.file else { return Ok(()) };
        if fs::read_to_string(&self.note).is_ok_and(|note| note == *mark) {
            return Err(format!(
                "the PIN in {} was refused before and is not tried again: put the right PIN there, then start again",
                path.display()
            ));
        }
        Ok(())
    }

    /// Remembers that the token refused this PIN.
    pub(super) fn remember(&self) {
        let Some((_, mark)) = self.file.as_ref().filter(|_| self.note.parent().is_some_and(Path::exists)) else {
            return; // before the genesis there is no state directory, and no service that restarts
        };
        if let Err(error) = fs::write(&self.note, mark) {
            tracing::error!(%error, note = %self.note.display(), "a refused PIN could not be remembered");
        }
    }
}
