//! What came back, sorted into answers and refusals.

use appliance_wire::Problem;
use serde::de::DeserializeOwned;

use crate::Error;

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    /// Of the header, in seconds.
    pub(crate) retry_after_s: Option<u64>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// The answer in JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let body = self.success()?;
        serde_json::from_slice(body).map_err(|error| self.unexpected(format!("not the JSON of the API: {error}")))
    }

    /// The answer as text.
    pub(crate) fn text(&self) -> Result<String, Error> {
        String::from_utf8(self.success()?.to_vec()).map_err(|_| self.unexpected("not UTF-8".to_owned()))
    }

    /// The body of a success; a refusal is [`Error::Refused`], anything else [`Error::Unexpected`].
    pub(crate) fn success(&self) -> Result<&[u8], Error> {
        match self.status {
            200 | 202 | 204 => Ok(&self.body),
            400..=599 => Err(self.refusal()),
            _ => Err(self.unexpected("no status of the API; is `url` the signer's watcher listener?".to_owned())),
        }
    }

    fn refusal(&self) -> Error {
        if !self.content_type.starts_with("application/problem+json") {
            let what = format!("no problem document but \"{}\"; is `url` the signer's?", self.content_type);
            return self.unexpected(what);
        }
        match serde_json::from_slice::<Problem>(&self.body) {
            Ok(problem) if problem.status == self.status => {
                Error::Refused(Box::new(Problem { retry_after_s: self.retry_after_s, ..problem }))
            }
            Ok(problem) => self.unexpected(format!("the problem document says status {}", problem.status)),
            Err(error) => self.unexpected(format!("the problem document cannot be read: {error}")),
        }
    }

    fn unexpected(&self, what: String) -> Error {
        Error::Unexpected { status: self.status, what }
    }
}

#[cfg(test)]
mod tests {
    use appliance_wire::{KeysAnswer, ProblemCode};

    use super::*;

    fn reply(status: u16, content_type: &str, body: &[u8]) -> Reply {
        Reply { status, content_type: content_type.to_owned(), retry_after_s: Some(7), body: body.to_vec() }
    }

    #[test]
    fn a_problem_document_is_a_refusal_and_keeps_retry_after() {
        let problem = serde_json::to_vec(&Problem::new(ProblemCode::RateLimited, "slower")).unwrap();
        let error = reply(429, "application/problem+json", &problem).json::<KeysAnswer>().unwrap_err();
        assert_eq!(error.problem().unwrap().retry_after_s, Some(7));
        assert_eq!(error.problem().unwrap().code(), Some(ProblemCode::RateLimited));
    }

    #[test]
    fn anything_else_is_unexpected() {
        let problem = serde_json::to_vec(&Problem::new(ProblemCode::RateLimited, "slower")).unwrap();
        for (status, content_type, body) in [
            (200, "application/json", &b"<html>"[..]),
            (200, "application/json", b"{}"),
            (301, "text/html", b""),
            (502, "text/html", b"<html>bad gateway</html>"),
            (503, "application/problem+json", b"{"),
            (503, "application/problem+json", &problem),
        ] {
            let error = reply(status, content_type, body).json::<KeysAnswer>().unwrap_err();
            assert!(matches!(error, Error::Unexpected { status: s, .. } if s == status), "{error}");
        }
    }
}
