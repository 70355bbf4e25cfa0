//! What comes between: a fee that is too low, a change of mind, a reorganisation, a kill.

use watcher_client::journal::{DepositState, TransactionState, WithdrawalState};

use super::{CUSTOMER, DEPOSIT, Node, Result, Step, Story, ensure, is_mined, is_sent, last, name, place, told};

impl<N: Node> Story<N> {
    /// Two transactions, of which only one can ever be mined.
    pub(super) async fn bump(&mut self) -> Result<()> {
        let (id, step) = (self.id("bump"), Step::begin());
        let sent = self.send(&id).await?;
        let step = step.done(told(&id, last(&sent)?));
        self.node.mine_dearer().await?;
        let height = self.node.height().await?;
        ensure(!is_mined(&self.daemon.withdrawal(&id).await?, 0), || format!("block {height} holds the first"))?;
        let step = step.done(format!("block {height} is mined without it: others offer more"));
        self.daemon.wish(&id, "bump").await?;
        let bumped = self.until(&id, "the second is sent", |view| is_sent(view, 1)).await?;
        let second = last(&bumped)?;
        let step = step.done(format!(
            "a bump: another transaction in its place, fee at most {}: {}",
            second.fee,
            name(second)
        ));
        self.node.mine(1).await?;
        let confirmed = self.confirm(&id).await?;
        let states: Vec<TransactionState> = confirmed.transactions.iter().map(|one| one.state).collect();
        ensure(states == [TransactionState::Replaced, TransactionState::Confirmed], || format!("{id}: {states:?}"))?;
        let got = self.node.balance(&confirmed.destination).await?;
        ensure(got == self.units(super::AMOUNT)?, || format!("the destination of {id} has {got}"))?;
        step.done("two transactions, one confirmed; both spend the same, so the other never can be");
        Ok(())
    }

    pub(super) async fn cancellation(&mut self) -> Result<()> {
        let (id, step) = (self.id("cancel"), Step::begin());
        let sent = self.send(&id).await?;
        let step = step.done(told(&id, last(&sent)?));
        self.daemon.wish(&id, "cancel").await?;
        let cancelled = self.until(&id, "the cancellation is sent", |view| is_sent(view, 1)).await?;
        let step =
            step.done(format!("a cancellation is sent in its place, back to the key: {}", name(last(&cancelled)?)));
        self.node.mine(1).await?;
        self.settle(&id, WithdrawalState::Cancelled).await?;
        let got = self.node.balance(&sent.destination).await?;
        ensure(got == 0, || format!("{id} was cancelled and paid {got}"))?;
        step.done("cancelled: its destination has nothing, and never will have");
        Ok(())
    }

    /// A block is gone, and with it a deposit and a withdrawal; both come again as the same transactions.
    pub(super) async fn reorganisation(&mut self) -> Result<()> {
        let (id, step) = (self.id("again"), Step::begin());
        let payment = self.node.pay(&self.address, self.units(DEPOSIT)?).await?;
        let sent = self.send(&id).await?;
        let txid = name(last(&sent)?).to_owned();
        self.node.mine(1).await?;
        let mined = self.until(&id, "it is mined", |view| is_mined(view, 0)).await?;
        let deposit = self.deposit_where(&payment, "it is mined", |deposit| deposit.block.is_some()).await?;
        let step = step.done(format!("{id} and a deposit by {CUSTOMER}: {}", place(last(&mined)?.block.as_ref())));
        self.node.reorganise().await?;
        let back = self.until(&id, "it is mined no more", |view| !is_mined(view, 0)).await?;
        let gone = self.deposit_where(&payment, "it is mined no more", |deposit| deposit.block.is_none()).await?;
        let state = if gone.state == DepositState::Removed { "removed" } else { "pending in no block" };
        let step = step.done(format!("that block is of the chain no more: {id} is sent again, the deposit {state}"));
        ensure(!back.state.is_settled(), || format!("{id} is {:?}", back.state))?;
        self.node.repeat(&payment).await?;
        self.node_knows(&txid).await?;
        self.node.mine(1).await?;
        let confirmed = self.confirm(&id).await?;
        let credited = self.deposit_is(&payment, DepositState::Creditable).await?;
        ensure(confirmed.transactions.len() == 1 && name(last(&confirmed)?) == txid, || format!("{id} is another"))?;
        ensure(credited.id == deposit.id, || "the deposit has another id".to_owned())?;
        step.done(format!("mined again: the same transaction {txid} is confirmed, the same deposit creditable"));
        Ok(())
    }

    /// The watcher dies between sending and confirming, and the node forgets what it was sent.
    pub(super) async fn kill(&mut self) -> Result<()> {
        let (id, step) = (self.id("kill"), Step::begin());
        let sent = self.send(&id).await?;
        let txid = name(last(&sent)?).to_owned();
        let bytes = self.daemon.signed_bytes(&id).await?;
        self.daemon.kill()?;
        let step = step.done(format!("{id} is sent: {txid}; then the watcher is killed"));
        self.node.forget(&txid).await?;
        ensure(self.node.bytes(&txid).await?.is_none(), || "the node did not forget it".to_owned())?;
        let step = step.done("the node forgets what waits to be mined");
        self.daemon.run().await?;
        let again = self.node_knows(&txid).await?;
        ensure(again == bytes, || format!("{id} was sent again with other bytes"))?;
        let count = bytes.trim_start_matches("0x").len() / 2;
        let step = step.done(format!("the watcher is started again, and the node has the same {count} bytes"));
        self.node.mine(1).await?;
        let confirmed = self.confirm(&id).await?;
        ensure(confirmed.transactions.len() == 1, || format!("{id} has a second transaction"))?;
        step.done("confirmed, once");
        Ok(())
    }
}
