//! One chain's task: check the node, then addresses, deposits, withdrawals, sweeps, again and again.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tokio::{sync::watch, time::timeout};

use super::{FlowError, Parts, error::words};
use crate::{
    chains::{Block, Chain, Held, NodeError, Own, Sighting, Tip},
    journal::{JournalError, WithdrawalId},
};

/// Blocks that a node has heard of and is reading, as it always does.
const ON_THEIR_WAY: u64 = 2;
/// How long coins are left alone that the signer said another withdrawal has.
const AVOIDED_FOR: Duration = Duration::from_secs(600);

/// A chain and all that is remembered of it between two rounds; losing it costs nothing but time.
pub(super) struct Line<C> {
    pub(super) chain: C,
    pub(super) parts: Parts,
    /// Whether the node was found to be of the right chain since it was last away.
    checked: bool,
    pub(super) own: Option<Own>,
    /// The last blocks read, and what they held.
    pub(super) read: Option<(Block, Block, Vec<Sighting>)>,
    /// Coins the signer holds for somebody else, as far as it told.
    pub(super) avoided: HashMap<String, Instant>,
    /// Whether the signer gave no answer in this round.
    pub(super) signer_is_silent: bool,
    /// The withdrawal at which the last round got no further: the next one begins behind it.
    pub(super) stuck_at: Option<WithdrawalId>,
    /// The tip at which sweeps were last looked for.
    pub(super) swept_at: Option<Block>,
}

/// Why a round ended early.
pub(super) enum Stop {
    /// The daemon must end.
    Fatal(FlowError),
    /// The node: nothing of this round can go on.
    Node(String),
    /// This step only.
    Trouble(String),
}

impl From<JournalError> for Stop {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Conflict(why) | JournalError::Refused(why) => Self::Trouble(why),
            error @ (JournalError::Held { .. }
            | JournalError::Open { .. }
            | JournalError::Newer { .. }
            | JournalError::OtherFormat { .. }
            | JournalError::Store(_)
            | JournalError::Damaged { .. }
            | JournalError::Unknown { .. }
            | JournalError::Stopped) => Self::Fatal(error.into()),
        }
    }
}

impl From<NodeError> for Stop {
    fn from(error: NodeError) -> Self {
        Self::Node(words(&error))
    }
}

impl Stop {
    /// What a node said about one withdrawal: an answer, even a refusal, says nothing about the others.
    pub(super) fn of_one(error: NodeError) -> Self {
        if error.is_answer() { Self::Trouble(words(&error)) } else { error.into() }
    }
}

impl<C: Chain> Line<C> {
    pub(super) fn new(chain: C, parts: Parts) -> Self {
        let avoided = HashMap::new();
        Self {
            chain,
            parts,
            checked: false,
            own: None,
            read: None,
            avoided,
            signer_is_silent: false,
            stuck_at: None,
            swept_at: None,
        }
    }

    /// The chain's name.
    pub(super) fn name(&self) -> &str {
        &self.parts.config.name
    }

    /// Goes round until `stop` turns true: at each poll, and as soon as the journal has something new.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), FlowError> {
        let mut news = self.parts.journal.follow();
        while !*stop.borrow() {
            news.mark_unchanged();
            let (reachable, trouble) = match self.round().await {
                Ok(()) => (true, None),
                Err(Stop::Trouble(why)) => (true, Some(why)),
                Err(Stop::Node(why)) => (false, Some(why)),
                Err(Stop::Fatal(error)) => return Err(error),
            };
            // What was found out of a node that went away meanwhile may be another's.
            self.checked &= reachable;
            let name = self.name().to_owned();
            if let Some(why) = trouble.as_ref().filter(|_| trouble != self.parts.board.standing(&name).trouble) {
                tracing::warn!(chain = name, "{why}");
            }
            let signer_silent = self.signer_is_silent;
            self.parts.board.change(&name, |standing| {
                standing.node_errors += u64::from(!reachable);
                standing.signer_silent = signer_silent;
                standing.reachable = reachable;
                standing.trouble = trouble;
            });
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => {}
                // A poll that passed, news that came: both are a reason to look.
                _ = timeout(self.parts.config.poll, news.changed()) => {}
            }
        }
        Ok(())
    }

    pub(super) async fn round(&mut self) -> Result<(), Stop> {
        if !self.checked {
            self.chain.check().await?;
        }
        self.checked = true;
        let tip = self.chain.tip().await?;
        self.parts.board.change(&self.parts.config.name, |standing| standing.node_tip = Some(tip.clone()));
        // Before anybody can be given an address: what is paid to it from then on is found.
        self.begin_chain(&tip).await?;
        self.addresses().await?;
        let Some(own) = self.own.clone() else {
            return Err(Stop::Trouble("the signer has not told the key's address yet".to_owned()));
        };
        let at = tip.block.height;
        if let Some(height) = tip.behind.filter(|height| *height > at + ON_THEIR_WAY) {
            return Err(Stop::Trouble(format!(
                "the node is behind, at block {at} of {height}: nothing is credited or drafted until it has caught up"
            )));
        }
        if !self.deposits(&own, &tip).await? {
            return Ok(());
        }
        self.withdrawals(&own, &tip).await?;
        self.sweeps(&own, &tip).await
    }

    /// What a draft must leave alone.
    pub(super) async fn held(&mut self) -> Result<Held, Stop> {
        let name = self.name().to_owned();
        let mut held = self.parts.journal.off(move |journal| journal.held(&name)).await?;
        self.avoided.retain(|_, since| since.elapsed() < AVOIDED_FOR);
        held.extend(self.avoided.keys().cloned());
        Ok(held)
    }

    /// How deep a block is; the tip is 1.
    pub(super) fn depth(tip: &Tip, block: &Block) -> u64 {
        (tip.block.height + 1).saturating_sub(block.height)
    }
}
