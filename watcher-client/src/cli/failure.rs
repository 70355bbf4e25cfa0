//! How a command ends that does not end well.

use crate::{
    Error,
    run::{RunError, problem::causes},
};

/// Why, and by it the exit status.
#[derive(Debug)]
pub(super) enum Failure {
    /// The library's error.
    Client(Box<Error>),
    /// What was verified is not valid.
    NotValid(String),
    /// Arguments that do not fit together.
    Usage(String),
    /// The daemon's error.
    Run(Box<RunError>),
    /// Anything else that failed.
    Failed(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Client(Box::new(error))
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        Self::Run(Box::new(error))
    }
}

impl Failure {
    pub(super) fn exit_status(&self) -> u8 {
        match self {
            Self::NotValid(_) => 3,
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Run(error) if error.is_for_good() => 78,
            Self::Run(_) => 1,
            Self::Client(error) if error.is_alarm() => 3,
            Self::Client(error) if error.is_for_good() => 78,
            Self::Client(_) => 1,
        }
    }

    /// One line, with the causes.
    pub(super) fn text(&self) -> String {
        match self {
            Self::NotValid(why) => format!("NOT valid: {why}"),
            Self::Failed(why) | Self::Usage(why) => why.clone(),
            Self::Client(error) => causes(&**error),
            Self::Run(error) => causes(&**error),
        }
    }

    /// The same for machines, with the signer's problem document.
    pub(super) fn json(&self) -> String {
        let problem = if let Self::Client(error) = self { error.problem() } else { None };
        let mut json = serde_json::json!({ "error": self.text(), "exit_status": self.exit_status() });
        if let Some(problem) = problem {
            json["problem"] = serde_json::json!(problem);
        }
        if matches!(self, Self::NotValid(_)) {
            json["valid"] = false.into();
        }
        json.to_string()
    }
}
