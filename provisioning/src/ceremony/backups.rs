//! Keys wrapped into files, and the proof that they come back.

use appliance_wire::ceremony::{BackedUp, Restored, What};
use hsm_drivers::ceremony::{BackupKey, WrappedKey};

use super::Run;
use crate::{Error, files, plan::KeyInToken};

impl Run {
    pub(super) fn back_up(&mut self, head: &str) -> Result<(), Error> {
        let keys: Vec<KeyInToken> = self.plan.backed_up().cloned().collect();
        let mut lines =
            vec!["Each of these is wrapped under the backup key into a file that only shares can open:".to_owned()];
        lines.extend(keys.iter().map(|key| format!("  {}", file_of(key))));
        self.screen.show(head, &lines);
        self.screen.confirm("backup")?;
        let secret = match self.live.take() {
            Some(live) => live.secret,
            None => {
                self.screen
                    .say("    The secret was wiped when the ceremony was interrupted: custodians type their shares.");
                self.gathered()?.0
            }
        };
        let backup_key = BackupKey::from_secret(secret.bytes());
        files::create_directory(&self.path("backup"))?;
        for key in keys {
            let label = &key.key.label;
            let Some(token) = self.plan.token(&key.token).cloned() else { continue };
            if self.acts().any(|what| matches!(what, What::Backup(done) if done.label == *label)) {
                continue;
            }
            let (device, pins) = self.tokens.get(&token)?.parts();
            let wrapped = device.back_up(label, &backup_key, pins)?;
            let file = self.keep(&file_of(&key), text_of(&wrapped)?.as_bytes())?;
            self.screen.say(&format!("    {} (SHA-256 {})", file.path, file.sha256));
            let backup_key = hex::encode(backup_key.fingerprint());
            self.steps.append(What::Backup(BackedUp { token: token.name, label: label.clone(), file, backup_key }))?;
        }
        Ok(())
    }

    pub(super) fn prove_restore(&mut self, head: &str) -> Result<(), Error> {
        let lines = [
            "Nothing is a backup until it was restored. The secret was wiped; custodians type their shares from paper, and".to_owned(),
            "each backup is unwrapped into a spare token, which signs with it.".to_owned(),
        ];
        self.screen.show(head, &lines);
        self.screen.confirm("restore")?;
        let (secret, shares) = self.gathered()?;
        let backup_key = BackupKey::from_secret(secret.bytes());
        let keys: Vec<KeyInToken> = self.plan.backed_up().cloned().collect();
        for key in keys {
            let label = &key.key.label;
            let Some(spare) = self.plan.spare_for(&key.token).cloned() else { continue };
            if self.acts().any(|what| matches!(what, What::Restore(done) if done.label == *label)) {
                continue;
            }
            let wrapped = read(&files::read(&self.path(file_of(&key)))?, &self.path(file_of(&key)))?;
            let replica = self.tokens.get(&spare)?.device.restore(&wrapped, &backup_key)?;
            let public_key = hex::encode(replica.public_key.to_bytes());
            self.screen.say(&format!("    {label} is in token {} and signs: {public_key}", spare.name));
            let shares = shares.clone();
            self.steps.append(What::Restore(Restored {
                token: spare.name,
                label: label.clone(),
                public_key,
                shares,
            }))?;
        }
        Ok(())
    }
}

/// A backup file's text.
///
/// # Errors
/// It cannot be said in JSON; never.
pub fn text_of(wrapped: &WrappedKey) -> Result<String, Error> {
    let text = serde_json::to_string_pretty(wrapped);
    text.map(|text| text + "\n").map_err(|error| Error::Key { what: "backup", reason: error.to_string() })
}

/// A backup file, read.
///
/// # Errors
/// It is none.
pub fn read(text: &str, path: &std::path::Path) -> Result<WrappedKey, Error> {
    serde_json::from_str(text)
        .map_err(|error| Error::Config { path: path.to_owned(), reason: format!("is no backup of a key: {error}") })
}

fn file_of(key: &KeyInToken) -> String {
    format!("backup/{}.json", key.key.label)
}
