//! A dry run: what would happen, and why. It binds nothing, spends nothing, signs nothing, and leaves no trace.

use std::sync::Arc;

use appliance_wire::Explanation;

use super::Operations;
use crate::{
    admission::{self, Application},
    command::SignCommand,
    principal::Peer,
    refusal::Refusal,
};

impl Operations {
    /// Explains what a `PUT` of this body would come to now.
    ///
    /// # Errors
    /// The body cannot be read, or its evidence cannot: then there is nothing to decide on.
    pub async fn explain(&self, peer: &Peer, request_id: &str, body: &[u8]) -> Result<Explanation, Refusal> {
        let principal = self.principal(peer)?;
        self.explain_for(principal.watcher(), request_id, body).await
    }

    /// Explains what a watcher's `PUT` would come to, to whoever may look at the appliance.
    ///
    /// # Errors
    /// As [`explain`](Self::explain).
    pub async fn explain_for(&self, watcher: &str, request_id: &str, body: &[u8]) -> Result<Explanation, Refusal> {
        let command = SignCommand::decode(request_id, body)?;
        self.freezes.check(watcher, &command.key)?;
        let facts = self.establish(watcher, &command)?;
        let (log, watcher) = (Arc::clone(self.audit.log()), watcher.to_owned());
        let explained = self.audit.query(move |state, moment| {
            let application = Application { watcher: &watcher, command: &command, facts: &facts, approval: None };
            admission::explain(state, &*log, &application, moment)
        });
        explained.await?.map_err(Refusal::log_unavailable)
    }
}
