//! What happens: deposits, withdrawals, and what may come between.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use watcher_client::{
    Client,
    chains::Block,
    journal::{Deposit, DepositState, TransactionState, TransactionView, WithdrawalState, WithdrawalView},
};

use super::{
    Result,
    books::{Books, paid_by_the_log, shown, units},
    daemon::{CONFIRMATIONS, Daemon},
    ensure,
    node::{Node, Payment},
    step::{Step, explained, part, until},
};

mod troubles;

/// A customer of the exchange.
const CUSTOMER: &str = "alice";
const DEPOSIT: &str = "3";
const AMOUNT: &str = "1.25";

/// The exchange, with everything that runs.
pub(crate) struct Story<N> {
    // In the order in which they are to end.
    daemon: Daemon,
    node: N,
    directory: PathBuf,
    /// Begins the names of this run's withdrawals.
    tag: String,
    /// The key's own address, and the customer's.
    key: String,
    address: String,
}

impl<N: Node> Story<N> {
    /// Gives the key coins of its own, and the customer an address.
    pub(crate) async fn begin(node: N, daemon: Daemon, client: &Client, directory: &Path) -> Result<Self> {
        let step = Step::begin();
        let keys = client.keys().await?.keys;
        let key = keys.into_iter().find(|key| key.name == N::KEY).and_then(|key| key.address);
        let key = key.ok_or_else(|| format!("the signer grants no key {} with an address", N::KEY))?;
        let (directory, tag) = (directory.to_owned(), format!("wd-{:08x}", rand::random::<u32>()));
        let mut story = Self { daemon, node, directory, tag, key, address: String::new() };
        // What an earlier run was cut off in ends before anything is counted.
        story.settle_all().await?;
        story.fund().await?;
        story.settle_all().await?;
        let balance = story.node.balance(&story.key).await?;
        let step = step.done(format!("the key {} is {}: it has {}", N::KEY, story.key, shown::<N>(balance)));
        story.address = story.daemon.address(CUSTOMER).await?;
        step.done(format!("{CUSTOMER} gets the address {}, of a child of the key", story.address));
        Ok(story)
    }

    /// Everything, one after the other.
    pub(crate) async fn tell(&mut self) -> Result<()> {
        let before = self.books().await?;
        part("A deposit");
        self.deposit().await?;
        part("A withdrawal");
        self.withdrawal().await?;
        part("A fee that is too low");
        self.bump().await?;
        part("A withdrawal that is taken back");
        self.cancellation().await?;
        part("A reorganisation");
        self.reorganisation().await?;
        part("kill -9 of the watcher");
        self.kill().await?;
        part("The books");
        self.balance(&before).await?;
        part("A timeline, as `chancery-watcher withdrawal show` tells it");
        self.show(&self.id("bump"))
    }

    async fn deposit(&mut self) -> Result<()> {
        let step = Step::begin();
        let payment = self.node.pay(&self.address, self.units(DEPOSIT)?).await?;
        self.deposit_is(&payment, DepositState::Pending).await?;
        let step = step.done(format!("{CUSTOMER} pays {DEPOSIT} {}: pending, in {}", N::ASSET, payment.txid));
        self.node.mine(CONFIRMATIONS).await?;
        let deposit = self.deposit_is(&payment, DepositState::Creditable).await?;
        step.done(format!("{CONFIRMATIONS} blocks later it is creditable; {}", place(deposit.block.as_ref())));
        Ok(())
    }

    async fn withdrawal(&mut self) -> Result<()> {
        let (id, step) = (self.id("pay"), Step::begin());
        let sent = self.send(&id).await?;
        let transaction = last(&sent)?;
        let step = step.done(told(&id, transaction));
        let step = step.done(format!("{} is sent: {}", id, name(transaction)));
        self.node.mine(1).await?;
        let mined = self.until(&id, "it is mined", |view| is_mined(view, 0)).await?;
        let step = step.done(place(last(&mined)?.block.as_ref()));
        self.confirm(&id).await?;
        let got = self.node.balance(&sent.destination).await?;
        ensure(got == self.units(AMOUNT)?, || format!("the destination has {got}"))?;
        step.done(format!("confirmed {CONFIRMATIONS} times; its destination has {}", shown::<N>(got)));
        Ok(())
    }

    /// Balances of chain, journal and audit log.
    async fn balance(&mut self, before: &Books) -> Result<()> {
        let step = Step::begin();
        let after = self.books().await?;
        let run = after.since(before);
        let [from, to, deposited, paid, fees] =
            [run.ours, after.ours, run.deposited, run.paid, run.fees].map(shown::<N>);
        ensure(run.ours + run.deposited == after.ours + run.paid + run.fees, || {
            format!("the books differ: {from} + {deposited} - {paid} - {fees} is not {to}")
        })?;
        let step = step.done(format!(
            "the journal: {deposited} came, {paid} went; the chain: {fees} of fees, and {from} became {to}: it adds up"
        ));
        let mut withdrawals = self.daemon.withdrawals().await?;
        withdrawals.retain(|view| view.id.as_str().starts_with(&self.tag));
        let logged = paid_by_the_log::<N>(&self.directory, &withdrawals)?;
        ensure(logged == run.paid, || format!("the audit log has {}, the journal {paid}", shown::<N>(logged)))?;
        step.done(format!(
            "the audit log has each signature of the {} withdrawals, and the same {paid}",
            withdrawals.len()
        ));
        Ok(())
    }

    fn show(&self, id: &str) -> Result<()> {
        println!("\n$ chancery-watcher withdrawal show {id}");
        let status = self.daemon.command(&["withdrawal", "show", id]).status()?;
        ensure(status.success(), || format!("withdrawal show ended with {status}"))
    }

    /// What a person can do now.
    pub(crate) async fn say_what_next(&self) -> Result<()> {
        let (id, to) = (self.id("try"), self.node.stranger().await?);
        let [mine, pay] = self.node.commands(&self.address);
        let commands = [
            &["status"][..],
            &["deposits"],
            &["withdrawal", "list"],
            &["withdrawal", "create", &id, "--chain", N::CHAIN, "--asset", N::ASSET, "--to", &to, "--amount", "0.1"],
            &["withdrawal", "show", &id],
        ]
        .map(|arguments| format!("  {}", self.daemon.typed(arguments)));
        println!(
            "\nNode, signer and watcher run until Ctrl-C. Try in another terminal:\n{}\nA block, and a payment by {CUSTOMER}:\n  \
             {mine}\n  {pay}",
            commands.join("\n")
        );
        Ok(())
    }

    /// Waits until a program ends by itself, which is an error.
    pub(crate) async fn watch(&mut self) -> Result<()> {
        loop {
            self.node.check()?;
            self.daemon.check()?;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Ends everything in order.
    pub(crate) async fn end(mut self) -> Result<()> {
        self.daemon.stop().await?;
        self.node.stop().await
    }

    /// Mines until nothing is under way.
    async fn settle_all(&mut self) -> Result<()> {
        let mut trouble = None;
        let settled = until("nothing is under way", async || {
            self.daemon.check()?;
            let height;
            (height, trouble) = self.daemon.height().await?;
            if height != Some(self.node.height().await?) {
                return Ok(None);
            }
            // What waits, waits for a person.
            let open = |view: &WithdrawalView| !view.state.is_settled() && view.waiting.is_none();
            let some_open = self.daemon.withdrawals().await?.iter().any(open);
            let pending = |deposit: &Deposit| deposit.state == DepositState::Pending;
            let some_pending = self.daemon.deposits().await?.iter().any(pending);
            if some_open || some_pending {
                self.node.mine(1).await?;
            }
            Ok((!some_open && !some_pending).then_some(()))
        })
        .await;
        settled.map_err(|error| explained(error, trouble))
    }

    /// Coins on the key itself: several, for each withdrawal spends only what is confirmed.
    async fn fund(&self) -> Result<()> {
        if self.node.balance(&self.key).await? < self.units("10")? {
            for _ in 0..6 {
                self.node.pay(&self.key, self.units("5")?).await?;
                self.node.mine(1).await?;
            }
        }
        Ok(())
    }

    async fn books(&self) -> Result<Books> {
        Books::read(&self.node, &self.daemon, [&self.key, &self.address]).await
    }

    /// A new withdrawal to somebody else, as soon as the node has it.
    async fn send(&mut self, id: &str) -> Result<WithdrawalView> {
        let destination = self.node.stranger().await?;
        self.daemon.create(id, N::ASSET, &destination, AMOUNT).await?;
        self.until(id, "it is sent", |view| view.state == WithdrawalState::Sent).await
    }

    /// Mines until a withdrawal is confirmed.
    async fn confirm(&mut self, id: &str) -> Result<WithdrawalView> {
        self.settle(id, WithdrawalState::Confirmed).await
    }

    async fn settle(&mut self, id: &str, state: WithdrawalState) -> Result<WithdrawalView> {
        self.until(id, "it is mined", |view| view.transactions.iter().any(|one| one.block.is_some())).await?;
        self.node.mine(CONFIRMATIONS - 1).await?;
        self.until(id, "it is settled", |view| view.state == state).await
    }

    /// The withdrawal, as soon as this holds of it.
    async fn until(&mut self, id: &str, what: &str, holds: impl Fn(&WithdrawalView) -> bool) -> Result<WithdrawalView> {
        let mut seen = None;
        let found = until(&format!("{id}: {what}"), async || {
            self.daemon.check()?;
            let view = self.daemon.withdrawal(id).await?;
            if holds(&view) {
                return Ok(Some(view));
            }
            seen = view.waiting.map(|waiting| waiting.why);
            Ok(None)
        })
        .await;
        found.map_err(|error| explained(error, seen))
    }

    /// The deposit that a payment is, as soon as it is in this state.
    async fn deposit_is(&mut self, payment: &Payment, state: DepositState) -> Result<Deposit> {
        self.deposit_where(payment, &format!("it is {state:?}"), |deposit| deposit.state == state).await
    }

    async fn deposit_where(
        &mut self,
        payment: &Payment,
        what: &str,
        holds: impl Fn(&Deposit) -> bool,
    ) -> Result<Deposit> {
        until(&format!("deposit {}: {what}", payment.txid), async || {
            self.daemon.check()?;
            let deposits = self.daemon.deposits().await?;
            Ok(deposits.into_iter().find(|deposit| deposit.txid == payment.txid && holds(deposit)))
        })
        .await
    }

    /// The bytes of a transaction, as soon as the node has it.
    async fn node_knows(&mut self, txid: &str) -> Result<String> {
        until(&format!("the node knows {txid}"), async || {
            self.daemon.check()?;
            self.node.bytes(txid).await
        })
        .await
    }

    fn id(&self, what: &str) -> String {
        format!("{}-{what}", self.tag)
    }

    fn units(&self, amount: &str) -> Result<u128> {
        units::<N>(&amount.parse()?)
    }
}

/// The transaction that takes the place of all before it.
fn last(view: &WithdrawalView) -> Result<&TransactionView> {
    view.transactions.last().ok_or_else(|| format!("{} has no transaction", view.id).into())
}

fn is_mined(view: &WithdrawalView, position: usize) -> bool {
    view.transactions.get(position).is_some_and(|one| one.block.is_some())
}

fn is_sent(view: &WithdrawalView, position: usize) -> bool {
    view.transactions.get(position).is_some_and(|one| one.state == TransactionState::Sent)
}

fn name(transaction: &TransactionView) -> &str {
    transaction.txid.as_deref().unwrap_or("not signed yet")
}

/// Who decided about a transaction, and where that is written.
fn told(id: &str, transaction: &TransactionView) -> String {
    let entry = transaction.entry.map_or("no entry".to_owned(), |entry| format!("entry {entry}"));
    format!("{id} pays {AMOUNT}; the signer signs: {entry} of its audit log; fee at most {}", transaction.fee)
}

fn place(block: Option<&Block>) -> String {
    block.map_or("no block holds it".to_owned(), |block| format!("block {} holds it", block.height))
}
