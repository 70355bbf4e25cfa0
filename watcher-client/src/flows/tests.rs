//! The flows on a chain in memory, stopped at each of their steps in turn: what follows is always one payment.

mod model;
mod worst_day;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use appliance_wire::{Problem, ProblemCode};
use tempfile::TempDir;

use self::model::{COIN, Model};
use super::{Board, ChainStanding, Parts, Wanted, line::Line, line::Stop, order};
use crate::{
    ChainAsset, ChainConfig, Client, Network, Options, Strategy,
    chains::Asset,
    journal::{Deposit, DepositState, Journal, Wish, Withdrawal, WithdrawalId, WithdrawalState},
    testing::{
        Seen, TestAnswer, TestPki, TestServer,
        vault::{VAULT, customer, serve_vault, vault},
    },
};

const CONFIRMATIONS: u64 = 2;
const LONGEST: Duration = Duration::from_secs(20);

/// A watcher of the model: its journal outlives its lines.
struct Watcher {
    model: Model,
    parts: Parts,
    _folder: TempDir,
    _server: TestServer,
}

fn chain_config() -> ChainConfig {
    let asset = Asset { name: "BTC".to_owned(), decimals: 8, contract: None };
    ChainConfig {
        name: "btc".to_owned(),
        network: Network::Utxo(appliance_wire::Chain::BitcoinRegtest),
        node: "http://127.0.0.1:1".parse().unwrap(),
        ca: None,
        credentials: None,
        strategy: Strategy::Blocks,
        key: VAULT.parse().unwrap(),
        assets: vec![ChainAsset { asset, sweep_above: None }],
        confirmations: CONFIRMATIONS,
        max_fee: appliance_wire::Amount::from_units(10_000),
        max_fee_rate: None,
        addresses_ahead: 3,
        poll: Duration::from_millis(10),
        genesis: None,
        offline: false,
        nonce_account: None,
    }
}

impl Watcher {
    /// With a signer that signs whatever it is asked to, the same bytes for the same id, and stands still in its turn.
    async fn new() -> Self {
        let model = Model::new();
        let bound = Arc::<Mutex<BTreeMap<String, Vec<u8>>>>::default();
        let standing = model.clone();
        Self::with_signer(model, move |seen| signer(seen, &standing, &bound)).await
    }

    async fn with_signer(model: Model, script: impl Fn(&Seen) -> TestAnswer + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pki = TestPki::new();
        pki.write(folder.path());
        let server = TestServer::start(&pki, &pki, &["http/1.1"], script).await;
        let options = Options { deadline: Duration::from_millis(1), ..Options::default() };
        let client = Client::with_options(&server.config(folder.path()), options).unwrap();
        let journal = Journal::open(&folder.path().join("journal")).unwrap();
        let parts = Parts { config: Arc::new(chain_config()), client, journal, board: Board::default() };
        Self { model, parts, _folder: folder, _server: server }
    }

    fn line(&self) -> Line<Model> {
        Line::new(self.model.clone(), self.parts.clone())
    }

    /// One round, unless the model stands still in it: then what was begun is dropped, as by a kill.
    async fn round(&self, line: &mut Line<Model>) -> bool {
        tokio::select! {
            done = line.round() => {
                if let Err(Stop::Fatal(error)) = done {
                    panic!("{error}");
                }
                true
            }
            () = self.model.stands_still.notified() => false,
        }
    }

    /// Rounds and blocks until the withdrawal is settled.
    async fn until_settled(&self, id: &WithdrawalId) -> Withdrawal {
        let (mut line, begun) = (self.line(), Instant::now());
        while begun.elapsed() < LONGEST {
            self.round(&mut line).await;
            self.model.mine();
            let withdrawal = self.parts.journal.withdrawal(id).unwrap();
            if withdrawal.state.is_settled() {
                return withdrawal;
            }
            // A pause after a setback has to pass.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{:?} {:?}", self.parts.journal.withdrawal(id), self.parts.board.standing("btc"));
    }

    fn create(&self, id: &str) -> WithdrawalId {
        self.create_of(id, "0.0004")
    }

    fn create_of(&self, id: &str, amount: &str) -> WithdrawalId {
        let id: WithdrawalId = id.parse().unwrap();
        let amount = amount.parse().unwrap();
        let wanted = Wanted { asset: "BTC".to_owned(), destination: customer(), amount, memo: None };
        let order = order(&self.parts.config, &wanted).unwrap();
        self.parts.journal.create(&id, "btc", &order).unwrap();
        id
    }

    fn fund(&self, coins: usize) {
        let own = vault().address.unwrap();
        for _ in 0..coins {
            self.model.pay(&own, COIN);
        }
        self.model.mine();
    }

    fn deposits(&self) -> Vec<Deposit> {
        self.parts.journal.deposits(None, 0, 100).unwrap()
    }
}

/// Once bound, an id answers only to the same body.
fn signer(seen: &Seen, model: &Model, bound: &Mutex<BTreeMap<String, Vec<u8>>>) -> TestAnswer {
    if seen.line.starts_with("PUT /v1/signatures/") {
        // Before anything is bound, or after: then the answer is lost.
        if model.is_time() {
            return TestAnswer::Nothing;
        }
        let mut bound = bound.lock().unwrap();
        let body = bound.entry(seen.line.clone()).or_insert_with(|| seen.body.clone());
        if *body != seen.body {
            let why = "bound to other content";
            return TestAnswer::Problem(Box::new(Problem::new(ProblemCode::RequestConflict, why)));
        }
        if model.is_time() {
            return TestAnswer::Nothing;
        }
    }
    if seen.line.starts_with("GET /v1/signatures/") {
        let id = seen.line.rsplit('/').next().unwrap();
        let put = format!("PUT /v1/signatures/{id}");
        let Some(body) = bound.lock().unwrap().get(&put).cloned() else {
            return TestAnswer::Problem(Box::new(Problem::new(ProblemCode::UnknownRequest, "none")));
        };
        return serve_vault(&Seen { line: put, body });
    }
    serve_vault(seen)
}

/// Does `scenario` once for each step at which everything may stop, until it runs through without stopping.
async fn stopped_at_each_step(
    scenario: impl AsyncFn(&Watcher, &WithdrawalId),
    judge: impl Fn(&Watcher, &Withdrawal, usize),
) {
    for step in 0.. {
        let watcher = Watcher::new().await;
        watcher.fund(2);
        let id = watcher.create("wd-1");
        watcher.model.left.store(step, std::sync::atomic::Ordering::SeqCst);
        scenario(&watcher, &id).await;
        let left = watcher.model.left.swap(usize::MAX, std::sync::atomic::Ordering::SeqCst);
        let ran_through = left <= step;
        let settled = watcher.until_settled(&id).await;
        judge(&watcher, &settled, step);
        if ran_through {
            assert!(step > 5, "the scenario has only {step} steps");
            return;
        }
    }
}

async fn rounds(watcher: &Watcher, count: usize) {
    let mut line = watcher.line();
    for _ in 0..count {
        if !watcher.round(&mut line).await {
            return;
        }
        watcher.model.mine();
    }
}

#[tokio::test]
async fn a_withdrawal_stopped_anywhere_is_paid_once() {
    let scenario = async |watcher: &Watcher, _: &WithdrawalId| rounds(watcher, 4).await;
    stopped_at_each_step(scenario, |watcher, settled, step| {
        assert_eq!(settled.state, WithdrawalState::Confirmed, "step {step}: {settled:?}");
        assert_eq!(watcher.model.received(&customer()), [40_000], "step {step}");
        assert_eq!(settled.transactions.len(), 1, "step {step}: {settled:?}");
    })
    .await;
}

#[tokio::test]
async fn a_bump_stopped_anywhere_pays_once() {
    let scenario = async |watcher: &Watcher, id: &WithdrawalId| {
        let mut line = watcher.line();
        if watcher.round(&mut line).await && watcher.parts.journal.wish(id, Wish::Bump).is_ok() {
            rounds(watcher, 3).await;
        }
    };
    stopped_at_each_step(scenario, |watcher, settled, step| {
        assert_eq!(settled.state, WithdrawalState::Confirmed, "step {step}: {settled:?}");
        assert_eq!(watcher.model.received(&customer()), [40_000], "step {step}");
    })
    .await;
}

#[tokio::test]
async fn a_bump_and_a_cancellation_are_what_is_mined() {
    for (wish, state, received) in
        [(Wish::Bump, WithdrawalState::Confirmed, vec![40_000]), (Wish::Cancel, WithdrawalState::Cancelled, Vec::new())]
    {
        let watcher = Watcher::new().await;
        watcher.fund(1);
        let id = watcher.create("wd-1");
        let mut line = watcher.line();
        watcher.round(&mut line).await;
        watcher.parts.journal.wish(&id, wish).unwrap();
        watcher.round(&mut line).await;
        let settled = watcher.until_settled(&id).await;
        assert_eq!((settled.state, settled.transactions.len()), (state, 2), "{settled:?}");
        assert!(settled.transactions[1].mined.is_some(), "{settled:?}");
        assert_eq!(watcher.model.received(&customer()), received);
    }
}

#[tokio::test]
async fn a_cancellation_stopped_anywhere_ends_as_it_says() {
    let scenario = async |watcher: &Watcher, id: &WithdrawalId| {
        let mut line = watcher.line();
        watcher.round(&mut line).await;
        let _ = watcher.parts.journal.wish(id, Wish::Cancel);
        rounds(watcher, 3).await;
    };
    stopped_at_each_step(scenario, |watcher, settled, step| {
        let received = watcher.model.received(&customer());
        match settled.state {
            WithdrawalState::Cancelled => assert!(received.is_empty(), "step {step}: {settled:?}"),
            WithdrawalState::Confirmed => assert_eq!(received, [40_000], "step {step}"),
            WithdrawalState::Created | WithdrawalState::Signed | WithdrawalState::Sent | WithdrawalState::Failed => {
                panic!("step {step}: {settled:?}")
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_evicted_transaction_and_one_lost_in_a_reorganisation_are_sent_again() {
    let watcher = Watcher::new().await;
    watcher.fund(1);
    let id = watcher.create("wd-1");
    let mut line = watcher.line();
    watcher.round(&mut line).await;
    watcher.model.evict();
    watcher.round(&mut line).await;
    watcher.model.mine();
    watcher.round(&mut line).await;
    assert!(watcher.parts.journal.withdrawal(&id).unwrap().mined().is_some());
    watcher.model.reorganise(1);
    watcher.round(&mut line).await;
    assert!(watcher.parts.journal.withdrawal(&id).unwrap().mined().is_none());
    let settled = watcher.until_settled(&id).await;
    assert_eq!((settled.state, settled.transactions.len()), (WithdrawalState::Confirmed, 1));
    assert_eq!(watcher.model.received(&customer()), [40_000]);
}

#[tokio::test]
async fn a_refusal_that_binds_nothing_lets_go_of_the_coin() {
    let model = Model::new();
    let script = |seen: &Seen| match seen.line.as_str() {
        "PUT /v1/signatures/wd-1" => TestAnswer::Problem(Box::new(Problem::new(ProblemCode::Denied, "no rule"))),
        _ => serve_vault(seen),
    };
    let watcher = Watcher::with_signer(model, script).await;
    watcher.fund(1);
    let id = watcher.create("wd-1");
    let mut line = watcher.line();
    watcher.round(&mut line).await;
    let waiting = watcher.parts.journal.withdrawal(&id).unwrap();
    assert_eq!(waiting.waiting.as_ref().unwrap().code.as_deref(), Some("denied"), "{waiting:?}");
    assert!(waiting.transactions.is_empty(), "{waiting:?}");
    let other = watcher.create("wd-2");
    assert_eq!(watcher.until_settled(&other).await.state, WithdrawalState::Confirmed);
}

#[tokio::test]
async fn an_id_bound_to_other_content_waits_for_a_person() {
    let model = Model::new();
    let script = |seen: &Seen| match seen.line.as_str() {
        "PUT /v1/signatures/wd-1" => {
            TestAnswer::Problem(Box::new(Problem::new(ProblemCode::RequestConflict, "other content")))
        }
        _ => serve_vault(seen),
    };
    let watcher = Watcher::with_signer(model, script).await;
    watcher.fund(1);
    let id = watcher.create("wd-1");
    let mut line = watcher.line();
    watcher.round(&mut line).await;
    let waiting = watcher.parts.journal.withdrawal(&id).unwrap();
    // It may have been paid before this journal began: it has not failed.
    assert_eq!(waiting.state, WithdrawalState::Created);
    assert_eq!(waiting.waiting.unwrap().code.as_deref(), Some("request-conflict"));
    assert_eq!(waiting.transactions.len(), 1);
}

#[tokio::test]
async fn a_deposit_is_found_once_wherever_the_watcher_was_stopped() {
    for step in 0.. {
        let watcher = Watcher::new().await;
        watcher.model.left.store(step, std::sync::atomic::Ordering::SeqCst);
        let mut line = watcher.line();
        let mut runs = watcher.round(&mut line).await;
        // As soon as there is an address, somebody pays to it.
        let Ok(assigned) = watcher.parts.journal.assign("btc", "alice") else { continue };
        watcher.model.pay(&assigned.address, 7_000);
        for _ in 0..5 {
            runs = runs && watcher.round(&mut line).await;
            watcher.model.mine();
        }
        let ran_through = watcher.model.left.swap(usize::MAX, std::sync::atomic::Ordering::SeqCst) <= step && runs;
        let mut line = watcher.line();
        watcher.round(&mut line).await;
        let deposits = watcher.deposits();
        assert_eq!(deposits.len(), 1, "step {step}: {deposits:?}");
        assert_eq!(deposits[0].state, DepositState::Creditable, "step {step}");
        if ran_through {
            return;
        }
    }
}

#[tokio::test]
async fn a_deposit_goes_back_with_its_block_and_a_deep_reorganisation_stops_everything() {
    let watcher = Watcher::new().await;
    let mut line = watcher.line();
    watcher.round(&mut line).await;
    let address = watcher.parts.journal.assign("btc", "alice").unwrap().address;
    watcher.model.pay(&address, 7_000);
    let mut states = Vec::new();
    for _ in 0..2 {
        watcher.round(&mut line).await;
        states.push(watcher.deposits()[0].state);
        watcher.model.mine();
    }
    watcher.round(&mut line).await;
    states.push(watcher.deposits()[0].state);
    assert_eq!(states, [DepositState::Pending, DepositState::Pending, DepositState::Creditable]);
    watcher.model.reorganise(2);
    watcher.round(&mut line).await;
    assert_eq!(watcher.deposits()[0].state, DepositState::Removed);
    // Deeper than what was believed.
    for _ in 0..4 {
        watcher.model.mine();
        watcher.round(&mut line).await;
    }
    watcher.model.reorganise(6);
    watcher.round(&mut line).await;
    assert!(watcher.parts.journal.chain("btc").unwrap().alarm.is_some());
    watcher.parts.board.ask_to_resume("btc");
    watcher.round(&mut line).await;
    assert!(watcher.parts.journal.chain("btc").unwrap().alarm.is_none());
    assert_eq!(watcher.parts.board.standing("eth"), ChainStanding::default());
}
