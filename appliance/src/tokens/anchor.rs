//! The bytes of the log's anchor, to and from the token. What they say is not known here.

use hsm_drivers::worker::{Request, Response};

use super::{Tokens, line::ANSWER_WITHIN, nonsense};

impl Tokens {
    /// What `token` holds; none where nothing was ever written.
    ///
    /// # Errors
    /// It cannot be asked, or what is there is no anchor.
    pub async fn read_anchor(&self, token: &str) -> Result<Option<Vec<u8>>, String> {
        match self.line(token)?.line.ask(Request::ReadAnchor, ANSWER_WITHIN).await {
            Ok(Response::Anchor(anchor)) => Ok(anchor),
            Ok(_) => Err(nonsense().to_string()),
            Err(error) => Err(format!("token {token}: {error}")),
        }
    }

    /// Has `token` hold this in place of what it holds.
    ///
    /// # Errors
    /// It cannot be asked, or refuses: afterwards it may hold either.
    pub async fn write_anchor(&self, token: &str, anchor: Vec<u8>) -> Result<(), String> {
        match self.line(token)?.line.ask(Request::WriteAnchor(anchor), ANSWER_WITHIN).await {
            Ok(Response::AnchorWritten) => Ok(()),
            Ok(_) => Err(nonsense().to_string()),
            Err(error) => Err(format!("token {token}: {error}")),
        }
    }
}
