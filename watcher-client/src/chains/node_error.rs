//! Why a node gave no usable answer.

/// By whose fault, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// Nothing answers there.
    #[error("{method}: no node answers at {url}: {why}; start it, or correct `node` in the config")]
    NotReachable {
        /// The call.
        method: String,
        /// The node, without credentials.
        url: String,
        /// What the connection said.
        why: String,
    },
    /// No answer in time: what was asked may have been done all the same.
    #[error("{method}: the node at {url} did not answer within {seconds} s; it may have done it all the same")]
    TimedOut {
        /// The call.
        method: String,
        /// The node.
        url: String,
        /// How long was waited.
        seconds: u64,
    },
    /// User and password, or cookie, are not the node's.
    #[error("{method}: the node at {url} refuses our credentials; compare `credentials` in the config with the node's")]
    Credentials {
        /// The call.
        method: String,
        /// The node.
        url: String,
    },
    /// The node understood and refused. Codes decide; the text is for people.
    #[error("{method}: the node refused with code {code}: {message}")]
    Refused {
        /// The call.
        method: String,
        /// As the node's RPC defines it.
        code: i64,
        /// The node's words.
        message: String,
    },
    /// An answer in no form we know.
    #[error("{method}: unexpected answer of the node at {url}: {what}")]
    Unexpected {
        /// The call.
        method: String,
        /// The node.
        url: String,
        /// What is wrong.
        what: String,
    },
    /// The node is of another chain: nothing it says may be used.
    #[error(
        "the node at {url} is of another chain: {what} is {found}, and {chain} has {expected}; point `node` to the \
         right one"
    )]
    OtherChain {
        /// The node.
        url: String,
        /// The chain of the config.
        chain: String,
        /// What tells the chains apart.
        what: &'static str,
        /// What it must be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The node lacks something: a wallet, an index.
    #[error("the node at {url} cannot be used: {why}")]
    Unfit {
        /// The node.
        url: String,
        /// What is missing, and how it is turned on.
        why: String,
    },
}

impl NodeError {
    /// Whether the node is there and answered.
    #[must_use]
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Unexpected { .. })
    }

    /// The code of a refusal.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        if let Self::Refused { code, .. } = self { Some(*code) } else { None }
    }
}
