//! How the rest of the appliance reaches the log: questions to the writer thread, answered after its sync.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicUsize, Ordering},
    mpsc::{SyncSender, TrySendError},
};

use appliance_wire::{Addresses, RequestId, Scope};
use bytes::Bytes;
use hsm_types::KeyLabel;
use tokio::sync::oneshot;

use super::{
    decided::{Acted, Install, Installed, Settled},
    intent::{Failure, Intent, VerifiedSignatures},
    job::Job,
    log::Log,
    scrub::{Progress, ScrubStatus},
    standing::{Admission, Allocated, LookUp, Standing, Verdict, standing},
    writer::AnchorDue,
};
use crate::{
    clock::Moment,
    command::SignCommand,
    evidence::Facts,
    officers::ActRequest,
    policy::Policy,
    principal::Principal,
    refusal::Refusal,
    state::{Binding, BindingKey, Bindings, Bound, Outcome, State},
};

/// The handle. Cheap to share.
#[derive(Debug)]
pub struct Audit {
    pub(super) jobs: SyncSender<Job>,
    pub(super) log: Arc<Log>,
    pub(super) policy: Arc<RwLock<Arc<Policy>>>,
    pub(super) under_way: Arc<AtomicUsize>,
    pub(super) at_token: Arc<AtomicUsize>,
    pub(super) anchor_due: Arc<AnchorDue>,
    pub(super) scrub: Arc<Progress>,
    /// Why nothing may be accepted any more.
    pub(super) broken: Arc<RwLock<Option<String>>>,
}

/// Counts while it lives.
#[derive(Debug)]
pub struct Counted(Arc<AtomicUsize>, usize);

impl Counted {
    fn new(count: &Arc<AtomicUsize>, by: usize) -> Self {
        count.fetch_add(by, Ordering::Relaxed);
        Self(Arc::clone(count), by)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}

impl Audit {
    /// The durable log.
    #[must_use]
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// How far the log was checked since the start.
    #[must_use]
    pub fn scrubbed(&self) -> ScrubStatus {
        self.scrub.status()
    }

    /// Why the log cannot be written any more, nor anything be accepted, until a restart.
    #[must_use]
    pub fn broken(&self) -> Option<String> {
        self.broken.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Announces a request that will come to the writer, which waits for company only where some can come.
    #[must_use]
    pub fn under_way(&self) -> Counted {
        Counted::new(&self.under_way, 1)
    }

    /// Announces signatures asked of a token: while it has enough of them, waiting for company costs nothing.
    #[must_use]
    pub fn at_token(&self, signatures: usize) -> Counted {
        Counted::new(&self.at_token, signatures)
    }

    /// What is known of the request: its stored answer, where there is one: it needs only the log, no rules, for ever.
    ///
    /// # Errors
    /// `audit-log-unavailable`.
    pub fn look_up(&self, principal: &Principal, command: &SignCommand) -> Result<LookUp, Refusal> {
        let Some(bound) = self.bound(principal.watcher(), command.request_id.as_str())? else {
            return Ok(LookUp::New);
        };
        // Other content is the writer's business: a conflict is recorded.
        if !bound.is_for(&command.content, &command.request) || bound.binding.outcome == Outcome::Open {
            return Ok(LookUp::Bound);
        }
        self.standing(&bound.binding).map(LookUp::Answered)
    }

    /// What a request id of this watcher is bound to.
    ///
    /// # Errors
    /// `audit-log-unavailable`.
    pub fn bound(&self, watcher: &str, request_id: &str) -> Result<Option<Bound>, Refusal> {
        let key = BindingKey::request(watcher, request_id);
        let Some(binding) = self.log.binding(&key).map_err(Refusal::log_unavailable)? else { return Ok(None) };
        let bound = Bound::read(&*self.log, binding).map_err(Refusal::log_unavailable)?;
        if bound.is_request(watcher, request_id) {
            return Ok(Some(bound));
        }
        let reason = format!("entry {} is not the acceptance it is bound as", binding.accepted);
        Err(Refusal::log_unavailable(reason))
    }

    /// What a binding has come to.
    ///
    /// # Errors
    /// `audit-log-unavailable`.
    pub fn standing(&self, binding: &Binding) -> Result<Standing, Refusal> {
        standing(&*self.log, binding).map_err(Refusal::log_unavailable)
    }

    /// Lets the writer decide. Where the key's token is `down`, what is allowed is refused by that, at once and without an
    /// entry: nothing is accepted that could not be signed now.
    ///
    /// # Errors
    /// The refusal it recorded, or `audit-log-unavailable`.
    pub async fn admit(
        &self,
        principal: &Principal,
        command: SignCommand,
        facts: Facts,
        down: Option<Refusal>,
    ) -> Result<Admission, Refusal> {
        let watcher = principal.watcher().to_owned();
        let asked = self.ask(|reply| {
            let (command, facts) = (Box::new(command), Box::new(facts));
            Job::Admit { watcher, command, facts, down, reply }
        });
        self.granted(asked.await?).await
    }

    async fn granted(&self, verdict: Verdict) -> Result<Admission, Refusal> {
        match verdict {
            Verdict::Admission(admission) => Ok(admission),
            Verdict::Unanchored(intent, failure) => Err(self.record_failed(intent, failure).await),
        }
    }

    /// Records a refusal that was certain before the writer had to decide, and returns it.
    pub async fn deny(&self, principal: &Principal, command: &SignCommand, refusal: Refusal) -> Refusal {
        let watcher = principal.watcher().to_owned();
        let (request_id, content) = (command.request_id.clone(), command.content.clone());
        let answer = self.ask(|reply| Job::Deny { watcher, request_id, content, refusal, reply }).await;
        match answer {
            Ok(refusal) | Err(refusal) => refusal,
        }
    }

    /// Records signatures; the answer exists only once they are durable.
    ///
    /// # Errors
    /// `audit-log-unavailable`: the signatures are discarded.
    pub async fn record_signed(&self, intent: Intent, verified: VerifiedSignatures) -> Result<Bytes, Refusal> {
        self.ask(|reply| Job::Signed { intent, verified, reply }).await
    }

    /// Records a failed attempt and returns what the watcher is told.
    pub async fn record_failed(&self, intent: Intent, failure: Failure) -> Refusal {
        match self.ask(|reply| Job::Failed { intent, failure, reply }).await {
            Ok(refusal) | Err(refusal) => refusal,
        }
    }

    /// Records an allocation of children, which goes on where the last one ended, with the addresses that they have
    /// under version `policy`.
    ///
    /// # Errors
    /// `frozen`, `rate-limited`, `audit-log-unavailable`.
    pub async fn allocate(&self, allocation: Addresses, policy: u64) -> Result<Allocated, Refusal> {
        self.ask(|reply| Job::Allocate { allocation, policy, reply }).await
    }

    /// Takes up an accepted request again that nobody asks for at the moment.
    ///
    /// # Errors
    /// It lapsed, is frozen, or the log cannot be used.
    pub async fn resume(&self, accepted: u64) -> Result<Admission, Refusal> {
        let verdict = self.ask(|reply| Job::Resume { accepted, reply }).await?;
        self.granted(verdict).await
    }

    /// Records a freeze. Whatever is frozen is so in memory already.
    ///
    /// # Errors
    /// `audit-log-unavailable`.
    pub async fn record_frozen(&self, what: Scope, by: String, reason: String) -> Result<(), Refusal> {
        self.ask(|reply| Job::Freeze { what, by, reason, reply }).await
    }

    /// Records what officers signed, where they are enough.
    ///
    /// # Errors
    /// `denied`, `malformed`, `audit-log-unavailable`.
    pub async fn act(&self, request: ActRequest, signatures: Vec<String>) -> Result<Acted, Refusal> {
        self.ask(|reply| Job::Act { request: Box::new(request), signatures, reply }).await
    }

    /// A watcher takes a request back that waits; returns the index of the entry.
    ///
    /// # Errors
    /// `unknown-request`, `request-conflict`, `audit-log-unavailable`.
    pub async fn withdraw(&self, watcher: String, request_id: RequestId) -> Result<u64, Refusal> {
        self.ask(|reply| Job::Withdraw { watcher, request_id, reply }).await
    }

    /// Records that no token has this key any more, which was to be destroyed.
    ///
    /// # Errors
    /// It was not, or not yet.
    pub async fn record_destroyed(&self, key: KeyLabel) -> Result<(), Refusal> {
        self.ask(|reply| Job::Destroyed { key, reply }).await
    }

    /// Decides again what waits, where officers agreed or its time is over.
    ///
    /// # Errors
    /// `audit-log-unavailable`.
    pub async fn settle(&self) -> Result<Settled, Refusal> {
        self.ask(|reply| Job::Settle { reply }).await
    }

    /// Installs a policy with the keys it brings in.
    ///
    /// # Errors
    /// Why it cannot follow the policy in force.
    pub async fn install(&self, install: Install) -> Result<Installed, Refusal> {
        self.ask(|reply| Job::Install { install: Box::new(install), reply }).await
    }

    /// Tells that the token's anchor covers so many entries, or why it cannot be written: what waits for it goes on, or
    /// is refused.
    pub async fn anchored(&self, size: Result<u64, String>) {
        let _ = self.ask(|reply| Job::Anchored { size, reply }).await;
    }

    /// When the token's anchor should be written.
    #[must_use]
    pub fn anchor_due(&self) -> &AnchorDue {
        &self.anchor_due
    }

    /// Asks the durable state.
    ///
    /// # Errors
    /// `audit-log-unavailable`.
    pub async fn query<T: Send + 'static>(
        &self,
        question: impl FnOnce(&State, Moment) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        self.ask(|reply| {
            Job::Query(Box::new(move |state, moment| {
                let _ = reply.send(Ok(question(state, moment)));
            }))
        })
        .await
    }

    /// Shows that the log can be written now.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn probe(&self) -> Result<(), Refusal> {
        self.ask(|reply| Job::Probe { reply }).await
    }

    /// Ends the writer after everything before this; the log is then wholly in the store and anchored.
    pub async fn stop(&self) {
        let _ = self.ask::<()>(|reply| Job::Stop { reply }).await;
    }

    pub(super) async fn ask<T>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, Refusal>>) -> Job,
    ) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        match self.jobs.try_send(job(reply)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(Refusal::log_unavailable("the writer has too much to do")),
            Err(TrySendError::Disconnected(_)) => return Err(Refusal::log_unavailable("the appliance is stopping")),
        }
        answer.await.unwrap_or_else(|_| Err(Refusal::log_unavailable("the appliance is stopping")))
    }
}
