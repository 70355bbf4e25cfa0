//! Withdrawals: each open one is looked up on the chain first, and then taken one step further, as far as it goes.
//!
//! At most one of its transactions is ever mined, for each spends what those before it spend; and each is recorded,
//! signed, before a node hears of it. So whatever is lost in between, the same bytes are sent again, and a payment is
//! never made twice.

use std::{collections::BTreeSet, time::Instant};

use super::{
    line::{Line, Stop},
    signing::{self, Abandoned, Verdict},
};
use crate::{
    chains::{Chain, DraftError, Held, Order, Own, Tip, Variation, Whereabouts},
    journal::{
        Drafted, Dropped, Journal, JournalError, Mined, Next, Recorded, Undrafted, Waiting, Wish, Withdrawal,
        WithdrawalId, WithdrawalState,
    },
};

const FIRST_PAUSE_MS: i64 = 500;
const LONGEST_PAUSE_MS: i64 = 60_000;
/// More steps than any withdrawal takes in one round.
const MOST_STEPS: usize = 8;

/// Whether a withdrawal may go on in this round.
enum Step {
    On,
    Done,
}

impl<C: Chain> Line<C> {
    /// Every open withdrawal, one after the other.
    pub(super) async fn withdrawals(&mut self, own: &Own, tip: &Tip) -> Result<(), Stop> {
        let name = self.name().to_owned();
        let mut open = self.parts.journal.off(move |journal| journal.open_withdrawals(&name)).await?;
        if let Some(stuck) = self.stuck_at.take() {
            let behind = open.partition_point(|id| *id <= stuck);
            open.rotate_left(behind);
        }
        let mut trouble = None;
        self.signer_is_silent = false;
        for id in open {
            match self.advance(&id, own, tip).await {
                Ok(()) => {}
                // One that cannot go on does not keep the others from it.
                Err(Stop::Trouble(why)) => trouble = Some(Stop::Trouble(why)),
                Err(stop @ (Stop::Node(_) | Stop::Fatal(_))) => {
                    self.stuck_at = Some(id);
                    return Err(stop);
                }
            }
        }
        trouble.map_or(Ok(()), Err)
    }

    async fn advance(&mut self, id: &WithdrawalId, own: &Own, tip: &Tip) -> Result<(), Stop> {
        let known = id.clone();
        let withdrawal = self.parts.journal.off(move |journal| journal.withdrawal(&known)).await?;
        let known_to_the_node = self.look_up(&withdrawal).await?;
        if self.settle(id, tip).await? || is_put_off(&withdrawal) {
            return Ok(());
        }
        for _ in 0..MOST_STEPS {
            let known = id.clone();
            let next = self.parts.journal.off(move |journal| journal.next(&known)).await?;
            let step = match next {
                Next::Draft(undrafted) => self.draft(undrafted, own).await?,
                Next::Sign(drafted) => {
                    self.keep_sent(&drafted, &known_to_the_node).await?;
                    self.sign(drafted).await?
                }
                Next::Send(recorded) => self.send(recorded, &known_to_the_node).await?,
                Next::Vary(recorded, wish) => self.vary(recorded, wish, own).await?,
                Next::Nothing => Step::Done,
            };
            if matches!(step, Step::Done) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Asks the node for every signed transaction, before anything else is done: those it knows.
    async fn look_up(&self, withdrawal: &Withdrawal) -> Result<BTreeSet<String>, Stop> {
        let mut known = BTreeSet::new();
        for transaction in &withdrawal.transactions {
            let Some(signed) = &transaction.signed else { continue };
            let (id, txid) = (withdrawal.id.clone(), signed.txid.clone());
            let found = self.chain.look_up(&txid).await.map_err(Stop::of_one)?;
            if found != Whereabouts::Unknown {
                known.insert(txid.clone());
            }
            let mined = match found {
                Whereabouts::Mined { block, succeeded } => Some(Mined { block, succeeded }),
                Whereabouts::Waiting | Whereabouts::Unknown => None,
            };
            if mined != transaction.mined {
                self.parts.journal.off(move |journal| journal.record_mined(&id, &txid, mined)).await?;
            }
        }
        Ok(known)
    }

    /// Ends a withdrawal whose transaction is deep enough. Whether one of them is mined: then there is nothing else to
    /// do.
    async fn settle(&self, id: &WithdrawalId, tip: &Tip) -> Result<bool, Stop> {
        let known = id.clone();
        let withdrawal = self.parts.journal.off(move |journal| journal.withdrawal(&known)).await?;
        let Some(transaction) = withdrawal.mined() else { return Ok(false) };
        let Some(mined) = &transaction.mined else { return Ok(false) };
        let depth = Self::depth(tip, &mined.block);
        if depth < self.parts.config.confirmations {
            return Ok(true);
        }
        let (state, what) = match transaction.variation {
            _ if !mined.succeeded => (WithdrawalState::Failed, "failed on the chain: only its fee was paid".to_owned()),
            Some(Variation::Cancel) => (WithdrawalState::Cancelled, format!("cancelled, {depth} confirmations")),
            Some(Variation::Bump) | None => (WithdrawalState::Confirmed, format!("confirmed {depth} times")),
        };
        let known = id.clone();
        self.parts.journal.off(move |journal| journal.settle(&known, state, &what)).await?;
        Ok(true)
    }

    async fn draft(&mut self, undrafted: Undrafted, own: &Own) -> Result<Step, Stop> {
        let held = self.held().await?;
        let withdrawal = undrafted.withdrawal();
        let (id, order) = (withdrawal.id.clone(), withdrawal.order.clone());
        let mut draft = match self.chain.draft(&order, own, &held).await {
            Ok(draft) => draft,
            Err(DraftError::Never(why)) => {
                let settle = move |journal: &Journal| journal.settle(&id, WithdrawalState::Failed, &why);
                self.parts.journal.off(settle).await?;
                return Ok(Step::Done);
            }
            Err(DraftError::Node(error)) if !error.is_answer() => return Err(error.into()),
            // It is looked for again at the next tip, by what is there then.
            Err(DraftError::TooLittle { .. } | DraftError::TooDear { .. }) if id.is_own() => {
                let settle = move |journal: &Journal| {
                    journal.settle(&id, WithdrawalState::Cancelled, "not worth its fee any more")
                };
                self.parts.journal.off(settle).await?;
                return Ok(Step::Done);
            }
            Err(error) => return self.wait(withdrawal, None, error.to_string()).await,
        };
        draft.transfer = signing::transfer(&draft, &id, &order, own);
        let record = move |journal: &Journal| journal.record_draft(&undrafted, draft);
        self.parts.journal.off(record).await?;
        Ok(Step::On)
    }

    async fn wait(&self, withdrawal: &Withdrawal, code: Option<String>, why: String) -> Result<Step, Stop> {
        let (id, waiting) = (withdrawal.id.clone(), waiting(withdrawal, code, why));
        self.parts.journal.off(move |journal| journal.wait(&id, waiting)).await?;
        Ok(Step::Done)
    }

    async fn sign(&mut self, drafted: Drafted) -> Result<Step, Stop> {
        if self.signer_is_silent {
            return Ok(Step::Done);
        }
        let replaces = drafted.replaces().map(|transaction| transaction.request_id.clone());
        let withdrawal = drafted.withdrawal().clone();
        if withdrawal.wish == Some(Wish::Cancel)
            && drafted.transaction().variation != Some(Variation::Cancel)
            && let Some(step) = self.abandon(&drafted).await?
        {
            return Ok(step);
        }
        // Its file is on its way to the signer, or will be.
        if self.parts.config.offline {
            return Ok(Step::Done);
        }
        match signing::sign(&self.parts.client, drafted.transaction(), replaces.as_ref()).await {
            Verdict::Signed { signed, entry } => {
                let record = move |journal: &Journal| journal.record_signed(&drafted, signed, entry);
                self.parts.journal.off(record).await?;
                Ok(Step::On)
            }
            Verdict::Waits { code, why } => self.wait(&withdrawal, code, why).await,
            // Of many withdrawals only the first one waits for the answer in this round.
            Verdict::Silence(why) => {
                self.signer_is_silent = true;
                self.stuck_at = Some(withdrawal.id);
                Err(Stop::Trouble(why))
            }
            Verdict::Refused { code, why, again } => self.refused(drafted, code, why, again).await,
            Verdict::Dead(why) => self.dead(drafted, why).await,
            Verdict::Alarm(what) => {
                let name = self.name().to_owned();
                self.parts.journal.off(move |journal| journal.raise_alarm(&name, &what)).await?;
                Ok(Step::Done)
            }
        }
    }

    /// A cancellation that came before the signatures: where the signer will never give them, nothing has to be sent, or
    /// nothing more than the cancellation of what was.
    async fn abandon(&self, drafted: &Drafted) -> Result<Option<Step>, Stop> {
        let id = drafted.withdrawal().id.clone();
        match signing::abandon(&self.parts.client, &drafted.transaction().request_id).await {
            Abandoned::Alive => Ok(None),
            Abandoned::Unknown(why) => self
                .wait(drafted.withdrawal(), None, format!("to be cancelled, and the signer does not say: {why}"))
                .await
                .map(Some),
            Abandoned::Dead if drafted.replaces().is_some() => {
                let dropped = Dropped { why: "a cancellation was asked for".to_owned(), bound: true, waiting: None };
                let drafted = drafted.clone();
                self.parts.journal.off(move |journal| journal.drop_draft(&drafted, &dropped)).await?;
                Ok(Some(Step::On))
            }
            Abandoned::Dead => {
                let settle = move |journal: &Journal| {
                    journal.settle(&id, WithdrawalState::Cancelled, "cancelled before it was signed")
                };
                self.parts.journal.off(settle).await?;
                Ok(Some(Step::Done))
            }
        }
    }

    /// Nothing is bound: the payment may be drafted afresh later, or never, where it cannot be signed at all.
    async fn refused(&mut self, drafted: Drafted, code: String, why: String, again: bool) -> Result<Step, Stop> {
        let withdrawal = drafted.withdrawal().clone();
        let first = withdrawal.transactions.len() == 1;
        if code == appliance_wire::ProblemCode::InputReserved.name() {
            self.avoid(&drafted);
        }
        let waiting = (first && again).then(|| waiting(&withdrawal, Some(code), why.clone()));
        let dropped = Dropped { why: why.clone(), bound: false, waiting };
        let drop = move |journal: &Journal| journal.drop_draft(&drafted, &dropped);
        self.parts.journal.off(drop).await?;
        if first && !again {
            let settle = move |journal: &Journal| journal.settle(&withdrawal.id, WithdrawalState::Failed, &why);
            self.parts.journal.off(settle).await?;
        }
        Ok(Step::Done)
    }

    /// The signer holds a coin for somebody else: others are taken for a while. A nonce has no other in its place.
    fn avoid(&mut self, drafted: &Drafted) {
        let coins = drafted.transaction().draft.holds.iter().filter(|hold| !is_nonce(hold));
        self.avoided.extend(coins.map(|hold| (hold.clone(), Instant::now())));
    }

    async fn dead(&self, drafted: Drafted, why: String) -> Result<Step, Stop> {
        let withdrawal = drafted.withdrawal();
        if withdrawal.transactions.len() == 1 {
            let (id, cancelled) = (withdrawal.id.clone(), withdrawal.wish == Some(Wish::Cancel));
            let state = if cancelled { WithdrawalState::Cancelled } else { WithdrawalState::Failed };
            self.parts.journal.off(move |journal| journal.settle(&id, state, &why)).await?;
        } else {
            let dropped = Dropped { why, bound: true, waiting: None };
            self.parts.journal.off(move |journal| journal.drop_draft(&drafted, &dropped)).await?;
        }
        Ok(Step::Done)
    }

    /// Hands the last transaction to the node, unless it knows it: after a crash, an eviction, a reorganisation the same
    /// bytes again.
    async fn send(&self, recorded: Recorded, known: &BTreeSet<String>) -> Result<Step, Stop> {
        let is_known = known.contains(&recorded.signed().txid);
        if !is_known && let Err(error) = self.chain.send(recorded.signed()).await {
            // It may have been accepted all the same, also before this.
            let found = self.chain.look_up(&recorded.signed().txid).await.map_err(Stop::of_one)?;
            if found == Whereabouts::Unknown {
                return self.wait(recorded.withdrawal(), None, format!("not sent: {error}")).await;
            }
        }
        self.parts.journal.off(move |journal| journal.record_sent(&recorded)).await?;
        Ok(Step::Done)
    }

    /// What a higher fee is to replace stays with the node until that is signed, which may take hours.
    async fn keep_sent(&self, drafted: &Drafted, known: &BTreeSet<String>) -> Result<(), Stop> {
        let pays = drafted.transaction().variation == Some(Variation::Bump) && drafted.withdrawal().wish.is_none();
        let signed = drafted.replaces().and_then(|before| before.signed.as_ref());
        if let Some(signed) = signed.filter(|signed| pays && !known.contains(&signed.txid))
            && let Err(error) = self.chain.send(signed).await
            && !error.is_answer()
        {
            return Err(error.into());
        }
        Ok(())
    }

    async fn vary(&mut self, recorded: Recorded, wish: Wish, own: &Own) -> Result<Step, Stop> {
        let withdrawal = recorded.withdrawal();
        let (id, order): (WithdrawalId, Order) = (withdrawal.id.clone(), withdrawal.order.clone());
        // Its own coins it may use again.
        let mut held: Held = self.held().await?;
        for hold in withdrawal.holds() {
            held.remove(hold);
        }
        let drafts = recorded.drafts();
        let variation = Variation::from(wish);
        let mut draft = match self.chain.redraft(&order, &drafts, variation, own, &held).await {
            Ok(draft) => draft,
            Err(DraftError::Node(error)) => return Err(Stop::of_one(error)),
            Err(error) => {
                let why = format!("no {}: {error}", signing::name_of(Some(variation)));
                self.parts.journal.off(move |journal| journal.give_up_wish(&id, wish, &why)).await?;
                return Ok(Step::On);
            }
        };
        if wish == Wish::Bump {
            draft.transfer = signing::transfer(&draft, &id, &order, own);
        }
        let record = move |journal: &Journal| journal.record_variant(&recorded, wish, draft);
        match self.parts.journal.off(record).await {
            Ok(_) => Ok(Step::On),
            Err(JournalError::Conflict(_)) => Ok(Step::Done),
            Err(error) => Err(error.into()),
        }
    }
}

/// `ACCOUNT/NONCE`, not `txid:vout`.
fn is_nonce(hold: &str) -> bool {
    hold.contains('/')
}

fn is_put_off(withdrawal: &Withdrawal) -> bool {
    let now = jiff::Timestamp::now().as_millisecond();
    // Nothing is put off for longer: the clock was set back.
    let is_ahead = |waiting: &Waiting| (now + 1..=now + LONGEST_PAUSE_MS).contains(&waiting.again_at_ms);
    // A wish is a reason to look again.
    withdrawal.wish.is_none() && withdrawal.waiting.as_ref().is_some_and(is_ahead)
}

/// Waits longer each time for the same reason, up to a minute.
fn waiting(withdrawal: &Withdrawal, code: Option<String>, why: String) -> Waiting {
    let before = withdrawal.waiting.as_ref();
    let attempts = before.map_or(0, |before| before.attempts.saturating_add(1));
    let pause = (FIRST_PAUSE_MS << attempts.min(10)).min(LONGEST_PAUSE_MS);
    let now = jiff::Timestamp::now();
    let same = before.filter(|before| before.code == code);
    let since = same.map_or_else(|| now.to_string(), |before| before.since.clone());
    Waiting { why, code, since, attempts, again_at_ms: now.as_millisecond().saturating_add(pause) }
}
