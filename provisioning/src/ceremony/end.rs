//! The ceremony's end: a signed transcript, its page, and the audit log that begins with it.

use appliance_wire::ceremony::{Ended, LOG_KEY_LABEL, Transcript, What, signed_text};
use hsm_types::ToSign;

use super::{Run, page};
use crate::{Error, programs::CHANCERY, words};

/// The transcript's file.
pub(super) const TRANSCRIPT: &str = "transcript.json";
/// Where the audit log begins.
pub(super) const LOG: &str = "state/log.jsonl";

const PAGE: &str = "transcript.html";

impl Run {
    pub(super) fn sign(&mut self, head: &str) -> Result<(), Error> {
        let lines = [
            "The log key in the token signs everything that was written down. After that the ceremony's steps can no longer".to_owned(),
            "be changed unseen, and the tokens are closed.".to_owned(),
        ];
        self.screen.show(head, &lines);
        self.screen.confirm("sign")?;
        if !self.acts().any(|what| matches!(what, What::Ended(_))) {
            self.steps.append(What::Ended(Ended {}))?;
        }
        let text = self.signed()?;
        self.tokens.close()?;
        let transcript = self.verified(&text)?;
        let page = page(&transcript, self.steps.all());
        self.keep(PAGE, page.as_bytes())?;
        // Last: where it is, the step is done.
        let kept = self.keep(TRANSCRIPT, text.as_bytes())?;
        self.screen.say(&format!("    {TRANSCRIPT}  SHA-256 {}", kept.sha256));
        self.screen.say(&format!("    in words  {}", words::fingerprint(kept.sha256.as_bytes())));
        self.screen.wait("    Everybody writes the words down. Press Enter: ")
    }

    /// The transcript's text.
    fn signed(&mut self) -> Result<String, Error> {
        let failed = |reason: String| Error::Key { what: "transcript", reason };
        let log_key = self.log_key()?;
        let token = self.plan.keys.iter().find(|key| key.key.label.as_str() == LOG_KEY_LABEL);
        let key = token.cloned().ok_or_else(|| failed("the plan makes no log key".to_owned()))?;
        let token = self.plan.token(&key.token).cloned().ok_or_else(|| failed("its token is not there".to_owned()))?;
        let last = self.steps.all().last().ok_or_else(|| failed("it has no step".to_owned()))?;
        let message = signed_text(&log_key, last).map_err(|error| failed(error.to_string()))?;
        let message = ToSign::Message(message.into_bytes());
        let signature = self.tokens.get(&token)?.device.sign(&key.key.label, &message)?.to_bytes();
        Transcript::write(self.steps.all(), &log_key, &signature).map_err(|error| failed(error.to_string()))
    }

    /// What was written must convince whoever reads it.
    fn verified(&self, text: &str) -> Result<appliance_wire::ceremony::Ceremony, Error> {
        let path = self.path(TRANSCRIPT);
        let transcript = Transcript::parse(text)
            .map_err(|error| Error::NotValid { path: path.clone(), reason: error.to_string() })?;
        transcript.verify().map_err(|error| Error::NotValid { path, reason: error.to_string() })
    }

    pub(super) fn begin_log(&mut self, head: &str) -> Result<(), Error> {
        let lines =
            ["The first policy is installed: the audit log begins, and its first entry names this ceremony."
                .to_owned()];
        self.screen.show(head, &lines);
        self.screen.confirm("install")?;
        self.tokens.close()?;
        let arguments = [
            "policy",
            "install",
            "policy.toml",
            "--genesis",
            "--ceremony",
            TRANSCRIPT,
            "--config",
            "chancery.toml",
            "--json",
        ];
        if self.screen.automatic {
            return self.programs.output(CHANCERY, &arguments).map(drop);
        }
        self.programs.output_on_terminal(CHANCERY, &arguments).map(drop)
    }
}
