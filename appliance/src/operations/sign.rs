//! The way of a request. Each station consumes what the one before it made, so none can be left out:
//!
//! peer -> principal -> command -> (answered before?) -> facts -> intent (durable) -> verified signatures -> answer
//! (durable).

use std::{sync::Arc, time::Duration};

use appliance_wire::{ProblemCode, RequestStatus, SignatureAnswer};
use bytes::Bytes;
use hsm_types::{PublicKey, ToSign};
use tokio::sync::watch;

use super::Operations;
use crate::{
    audit::{Admission, Attempt, Intent, LookUp, Standing},
    call_notes::CallNotes,
    command::SignCommand,
    evidence::{self, Facts},
    principal::{Peer, Principal},
    refusal::Refusal,
    tokens::Family,
};

/// Answer of a `PUT`.
#[derive(Clone, Debug)]
pub enum SignReply {
    /// The stored bytes.
    Signed(Bytes),
    /// Another standing than signed.
    Answer {
        /// What stands.
        answer: SignatureAnswer,
        /// Seconds after which to look again.
        retry_after_s: Option<u64>,
    },
}

/// A working token that needs longer is answered `accepted`; the request goes on.
const LONGEST_ANSWER: Duration = Duration::from_secs(10);
const LOOK_AGAIN_AFTER_S: u64 = 2;

impl Operations {
    /// Signs, or says why not. The request runs in a task of its own: a caller who leaves cuts nothing in two.
    ///
    /// # Errors
    /// The refusal, as recorded.
    pub async fn sign(
        self: &Arc<Self>,
        peer: Peer,
        request_id: String,
        body: Bytes,
        notes: Arc<CallNotes>,
    ) -> Result<SignReply, Refusal> {
        let operations = Arc::clone(self);
        let task = self.requests.spawn({
            let request_id = request_id.clone();
            let peer = peer.clone();
            async move { operations.walk(&peer, &request_id, &body, &notes).await }
        });
        match tokio::time::timeout(LONGEST_ANSWER, task).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(_)) => Err(Refusal::new(ProblemCode::Internal, "the request ended in a fault")),
            Err(_) => self.still_at_it(&peer, &request_id),
        }
    }

    /// The way.
    async fn walk(&self, peer: &Peer, request_id: &str, body: &[u8], notes: &CallNotes) -> Result<SignReply, Refusal> {
        let under_way = self.audit.under_way();
        let principal = self.principal(peer)?;
        let command = SignCommand::decode(request_id, body)?;
        let (watcher, key) = (principal.watcher().to_owned(), command.key.clone());
        if self.audit.policy().granted_key(&watcher, &key).is_some() {
            notes.note_key(&key);
        }

        let reply = match self.audit.look_up(&principal, &command)? {
            LookUp::Answered(standing) => Ok(reply(request_id, standing)), // a stored result needs only the log, for ever
            LookUp::Bound => self.decide_and_sign(request_id, &principal, command, Facts::default()).await,
            LookUp::New => match self.establish(&watcher, &command) {
                Ok(facts) => self.decide_and_sign(request_id, &principal, command, facts).await,
                Err(refusal) => Err(self.audit.deny(&principal, &command, refusal).await),
            },
        };
        drop(under_way);

        self.freezes.check(&watcher, &key)?; // nothing frozen leaves, stored or fresh
        reply
    }

    /// What the request is known to pay. Evidence is read on a thread where it may take its time.
    pub(super) fn establish(&self, watcher: &str, command: &SignCommand) -> Result<Facts, Refusal> {
        let (policy, family) = (self.audit.policy(), self.tokens.family(&command.key));
        // Of keys not granted nothing is told, not even this.
        if policy.granted_key(watcher, &command.key).is_some() {
            self.check_length(command)?;
        }
        let public_key = |child| family_key(family.as_ref(), child);
        let establish = || evidence::establish(&policy, watcher, command, &public_key);
        if command.request.evidence.is_some() { tokio::task::block_in_place(establish) } else { establish() }
    }

    /// What the key's tokens cannot carry is told before any is asked.
    fn check_length(&self, command: &SignCommand) -> Result<(), Refusal> {
        let Some(longest) = self.tokens.longest_message(&command.key) else { return Ok(()) };
        let too_long = |input: &ToSign| matches!(input, ToSign::Message(message) if message.len() > longest);
        match command.inputs.iter().position(too_long) {
            None => Ok(()),
            Some(place) => {
                let detail = format!("items[{place}].message is over {longest} bytes, the most its token can carry");
                Err(Refusal::new(ProblemCode::TooLarge, detail))
            }
        }
    }

    /// The way from facts to signatures.
    async fn decide_and_sign(
        &self,
        request_id: &str,
        principal: &Principal,
        command: SignCommand,
        facts: Facts,
    ) -> Result<SignReply, Refusal> {
        let down = self.tokens.down(&command.key).map(|failure| failure.refusal());
        match self.audit.admit(principal, command, facts, down).await? {
            Admission::Granted(intent) => self.attempt(intent).await.map(SignReply::Signed),
            Admission::Bound(standing) => Ok(reply(request_id, standing)),
            Admission::InFlight(outcome) => follow(outcome).await.map(SignReply::Signed),
        }
    }

    /// Attempts at a durable acceptance, where the key is in several tokens: as many. Each failure is in the log before
    /// the next attempt begins.
    pub(super) async fn attempt(&self, intent: Intent) -> Result<Bytes, Refusal> {
        let (accepted, key) = (intent.index(), intent.signing_key().clone());
        let attempts = self.tokens.homes(&key).len();
        let mut answer = self.attempt_once(intent).await;
        for _ in 1..attempts {
            match &answer {
                Err(refusal) if refusal.code() == ProblemCode::TokenUnavailable && self.tokens.ready(&key).is_ok() => {}
                _ => break,
            }
            let Ok(Admission::Granted(intent)) = self.audit.resume(accepted).await else { break };
            answer = self.attempt_once(intent).await;
        }
        answer
    }

    /// One attempt: a token signs, each signature is verified, the outcome becomes durable.
    async fn attempt_once(&self, intent: Intent) -> Result<Bytes, Refusal> {
        crate::testing_only::station("before-sign");
        let asked = self.audit.at_token(intent.inputs().len());
        let signed = self.tokens.sign(&intent).await;
        drop(asked);
        let verified = match signed {
            Ok(verified) => verified,
            Err(failure) => return Err(self.audit.record_failed(intent, failure).await),
        };
        crate::testing_only::station("after-sign");
        let answer = self.audit.record_signed(intent, verified).await?;
        crate::testing_only::station("before-answer");
        Ok(answer)
    }

    /// The token, or the disk, takes longer than a caller should wait.
    fn still_at_it(&self, peer: &Peer, request_id: &str) -> Result<SignReply, Refusal> {
        let principal = self.principal(peer)?;
        match self.audit.bound(principal.watcher(), request_id)? {
            Some(bound) => Ok(reply(request_id, self.audit.standing(&bound.binding)?)),
            None => Err(Refusal::log_unavailable("it did not answer within 10 s").of_request(request_id)),
        }
    }
}

/// The public key of a family, or of a child of it.
pub(super) fn family_key(family: Option<&Family>, child: Option<u32>) -> Result<PublicKey, String> {
    let family = family.ok_or("the key has no entry in the log")?;
    family.public_key(child).map_err(|error| error.to_string())
}

async fn follow(mut outcome: watch::Receiver<Option<Attempt>>) -> Result<Bytes, Refusal> {
    match outcome.wait_for(Option::is_some).await.as_deref() {
        Ok(Some(Attempt::Signed(answer))) => Ok(answer.clone()),
        Ok(Some(Attempt::Refused(refusal))) => Err(refusal.clone()),
        Ok(None) | Err(_) => {
            let detail = "the attempt under way ended without an outcome: put the same request again";
            Err(Refusal::new(ProblemCode::TokenUnavailable, detail).retry_after(LOOK_AGAIN_AFTER_S))
        }
    }
}

fn reply(request_id: &str, standing: Standing) -> SignReply {
    let (status, entry) = match standing {
        Standing::Signed(answer) => return SignReply::Signed(answer),
        Standing::Unsigned(status, entry) => (status, entry),
    };
    let retry_after_s = (status == RequestStatus::Accepted).then_some(LOOK_AGAIN_AFTER_S);
    let request_id = request_id.to_owned();
    let answer = SignatureAnswer { request_id, status, signatures: None, entry: Some(entry), receipt: None };
    SignReply::Answer { answer, retry_after_s }
}
