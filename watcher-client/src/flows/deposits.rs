//! Deposits: from the last safe block to the tip, read again and again, and held against the journal.

use super::line::{Line, Stop};
use crate::{
    chains::{Asset, Block, Chain, Own, Scan, Tip},
    journal::{ChainBooks, Observation},
};

/// Blocks read at once while catching up.
const WINDOW: u64 = 500;

impl<C: Chain> Line<C> {
    /// Reads what is new. Whether the rest of the round may follow: not while an alarm stands.
    pub(super) async fn deposits(&mut self, own: &Own, tip: &Tip) -> Result<bool, Stop> {
        let mut books = self.books().await?;
        if books.alarm.is_some() {
            if !self.parts.board.is_to_resume(&self.parts.config.name) {
                return Ok(false);
            }
            self.resume(&books, tip).await?;
            books = self.books().await?;
        }
        let Some(mut safe) = books.safe else { return Ok(false) };
        if tip.block.height < safe.height {
            let (at, known) = (tip.block.height, safe.height);
            return Err(Stop::Trouble(format!(
                "the node ends at block {at} and block {known} is settled: it has not caught up, or lost blocks"
            )));
        }
        if self.chain.block_at(safe.height).await?.as_ref() != Some(&safe) {
            self.raise(&safe).await?;
            return Ok(false);
        }
        // As deep as the config demands, and not yet as deep as the safe block.
        if let Some(block) = books.confirmed.filter(|block| block.height > safe.height)
            && self.chain.block_at(block.height).await?.as_ref() != Some(&block)
        {
            let name = self.name().to_owned();
            self.parts.journal.off(move |journal| journal.reopen(&name)).await?;
        }
        let deep = self.deep(tip);
        let mut window = WINDOW;
        while safe.height + window < deep {
            match self.window(own, tip, &safe, safe.height + window).await? {
                // Where heights are slots, all of them may be empty.
                Some(next) if next == safe => window += WINDOW,
                Some(next) => (safe, window) = (next, WINDOW),
                None => return Ok(false),
            }
        }
        self.up_to_the_tip(own, tip, safe).await
    }

    /// The height from which on a reorganisation may still change things.
    fn deep(&self, tip: &Tip) -> u64 {
        tip.block.height.saturating_sub(self.parts.config.confirmations)
    }

    async fn books(&self) -> Result<ChainBooks, Stop> {
        let name = self.name().to_owned();
        Ok(self.parts.journal.off(move |journal| journal.chain(&name)).await?)
    }

    /// Where this journal begins: nobody has been given an address yet, so nothing before now can be a deposit.
    pub(super) async fn begin_chain(&self, tip: &Tip) -> Result<(), Stop> {
        if self.books().await?.safe.is_some() {
            return Ok(());
        }
        let Some(from) = self.chain.block_at(self.deep(tip)).await? else { return Ok(()) };
        let name = self.name().to_owned();
        Ok(self.parts.journal.off(move |journal| journal.begin_chain(&name, &from)).await?)
    }

    /// Reads settled blocks: the new safe block, or none where the chain moved meanwhile.
    async fn window(&self, own: &Own, tip: &Tip, safe: &Block, height: u64) -> Result<Option<Block>, Stop> {
        let Some(to) = self.chain.block_at(height).await? else { return Ok(None) };
        let Scan::Found(found) = self.chain.scan(own, safe, &to).await? else { return Ok(None) };
        let observation = Observation {
            after: safe.clone(),
            to: to.clone(),
            found,
            pending: None,
            tip: tip.clone(),
            safe: Some(to.clone()),
            confirmations: self.parts.config.confirmations,
        };
        self.observe(own, observation).await?;
        Ok(Some(to))
    }

    /// Reads the last blocks, unless nothing was mined since they were last read, and what waits to be mined.
    async fn up_to_the_tip(&mut self, own: &Own, tip: &Tip, safe: Block) -> Result<bool, Stop> {
        let known = self.read.take().filter(|(after, to, _)| *after == safe && *to == tip.block);
        let found = match known {
            Some((_, _, found)) => found,
            None => match self.chain.scan(own, &safe, &tip.block).await? {
                Scan::Found(found) => found,
                Scan::Moved => return Ok(false),
            },
        };
        let pending = self.chain.pending(own).await?;
        // What a new block took out of the mempool meanwhile is not gone: it is found in the next round.
        let pending = (self.chain.tip().await?.block == tip.block).then_some(pending);
        let deep = self.deep(tip);
        let next = if deep > safe.height { self.chain.block_at(deep).await? } else { None };
        let observation = Observation {
            after: safe.clone(),
            to: tip.block.clone(),
            found: found.clone(),
            pending,
            tip: tip.clone(),
            safe: next.clone(),
            confirmations: self.parts.config.confirmations,
        };
        self.observe(own, observation).await?;
        if next.is_none() {
            self.read = Some((safe, tip.block.clone(), found));
        }
        Ok(true)
    }

    async fn observe(&self, own: &Own, observation: Observation) -> Result<(), Stop> {
        let (name, own) = (self.name().to_owned(), own.clone());
        let assets: Vec<Asset> = self.parts.config.assets.iter().map(|one| one.asset.clone()).collect();
        let seen = move |journal: &crate::journal::Journal| journal.observe(&name, &own, &assets, &observation);
        Ok(self.parts.journal.off(seen).await?)
    }

    /// A settled block is not of the chain any more: what was credited may be gone.
    async fn raise(&self, safe: &Block) -> Result<(), Stop> {
        let confirmations = self.parts.config.confirmations;
        let what = format!(
            "the chain was reorganised deeper than {confirmations} blocks: block {} was {} and is another one now. Nothing \
             is credited, drafted or sent. Find out whether the node is on the true chain; then `chancery-watcher chain \
             resume {}` looks at everything again from where the chains part",
            safe.height,
            safe.hash,
            self.name()
        );
        let name = self.name().to_owned();
        Ok(self.parts.journal.off(move |journal| journal.raise_alarm(&name, &what)).await?)
    }

    /// Goes on from the last settled block that both chains have.
    async fn resume(&mut self, books: &ChainBooks, tip: &Tip) -> Result<(), Stop> {
        let mut from = None;
        for block in books.safe.iter().chain(books.past.iter().rev()) {
            if block.height <= tip.block.height && self.chain.block_at(block.height).await?.as_ref() == Some(block) {
                from = Some(block.clone());
                break;
            }
        }
        let Some(from) = from else {
            return Err(Stop::Trouble(
                "the chain has none of the settled blocks that are remembered: is this the right chain? Begin with a new \
                 journal only when every withdrawal of this one is accounted for"
                    .to_owned(),
            ));
        };
        self.read = None;
        let name = self.name().to_owned();
        Ok(self.parts.journal.off(move |journal| journal.resume_chain(&name, &from)).await?)
    }
}
