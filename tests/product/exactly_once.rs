//! Withdrawals while watcher, appliance and the connections between them are killed at random: each is paid once.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use libtest_mimic::Trial;
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::harness::{daemon::Daemon, exchange::Exchange, rpc::Rpc, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("exactly_once::every_withdrawal_is_paid_once_whatever_is_killed", every_withdrawal)]
}

/// With `CHANCERY_TEST_WITHDRAWALS`, so many.
const WITHDRAWALS: usize = 200;
/// How long a withdrawal may take on average, kills and blocks included.
const LONGEST_EACH: Duration = Duration::from_secs(2);
/// Blocks come at their own pace, not at ours.
const BETWEEN_BLOCKS: Duration = Duration::from_millis(250);
/// How long nothing breaks, at most.
const LONGEST_PEACE_MS: u64 = 800;
/// What a coin of the vault is worth: the largest withdrawal and its fee fit in one.
const COIN: &str = "0.5";
/// A thousand ether.
const ETHER: &str = "0x3635c9adc5dea00000";

/// A withdrawal as the exchange's own books have it.
struct Wanted {
    id: String,
    chain: &'static str,
    destination: String,
    amount: String,
}

/// What the journal says at the end: each withdrawal by its id.
type Journal = BTreeMap<String, Value>;

fn every_withdrawal() {
    let count = std::env::var("CHANCERY_TEST_WITHDRAWALS").map_or(WITHDRAWALS, |count| count.parse().unwrap());
    let exchange = Exchange::open();
    let coins = u32::try_from(count / 2 + 1).unwrap();
    exchange.fund_litecoin(&exchange.litecoin_key, coins, COIN);
    exchange.ethereum.set_balance(&exchange.ethereum_key, ETHER);
    exchange.ethereum.mine();
    let wanted: Vec<Wanted> = (0..count).map(|number| wanted(&exchange, number)).collect();
    let stop = AtomicBool::new(false);
    let litecoin = (exchange.litecoin.rpc.clone(), json!([1, exchange.litecoin.new_address()]));
    let ethereum = exchange.ethereum.rpc.clone();
    let journal = thread::scope(|scope| {
        scope.spawn(|| mine(&litecoin.0, "generatetoaddress", &litecoin.1, &stop));
        scope.spawn(|| mine(&ethereum, "evm_mine", &json!([]), &stop));
        let stopped = Stopped(&stop);
        let journal = pay_all(&exchange, &wanted);
        drop(stopped);
        journal
    });
    check_litecoin(&exchange, &wanted, &journal, coins);
    check_ethereum(&exchange, &wanted, &journal);
    check_audit_log(&exchange, &wanted);
    exchange.close();
}

/// Half on each chain; no two to one address or of one amount, so that a second payment cannot hide.
fn wanted(exchange: &Exchange, number: usize) -> Wanted {
    let (chain, destination) = match number % 2 {
        0 => ("ltc", exchange.litecoin.new_address()),
        _ => ("eth", format!("0x{:040x}", 0xc0ff_ee00_0000_u64 + number as u64)),
    };
    Wanted { id: format!("wd-{number}"), chain, destination, amount: format!("0.1{number:05}1") }
}

/// Ends the miners, also where a check fails before.
struct Stopped<'a>(&'a AtomicBool);

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn mine(node: &Rpc, method: &str, params: &Value, stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        node.call(method, params.clone());
        thread::sleep(BETWEEN_BLOCKS);
    }
}

/// Asks for every withdrawal until it is confirmed, and breaks things meanwhile.
fn pay_all(exchange: &Exchange, wanted: &[Wanted]) -> Journal {
    let mut chance = StdRng::seed_from_u64(7);
    let (begun, longest) = (Instant::now(), LONGEST_EACH * u32::try_from(wanted.len()).unwrap());
    let mut daemon = exchange.daemon("addresses_ahead = 2");
    daemon.start();
    let (mut asked, mut confirmed, mut acts) = (0, Journal::new(), [0_u32; 7]);
    while confirmed.len() < wanted.len() {
        assert!(begun.elapsed() < longest, "{} of {} confirmed; {acts:?}", confirmed.len(), wanted.len());
        let next = wanted.iter().skip(asked).take(chance.gen_range(1..8));
        asked += next.take_while(|wanted| ask(&daemon, wanted)).count();
        raise_a_fee(&daemon, &wanted[chance.gen_range(0..asked.max(1))]);
        let act = chance.gen_range(0..acts.len());
        acts[act] += 1;
        match act {
            0 => {
                daemon.kill();
                daemon.start();
            }
            1 => exchange.kill_appliance(),
            2 => exchange.to_signer.cut(),
            3 => exchange.to_signer.lose_replies(chance.gen_range(1..3)),
            4 => exchange.to_litecoin.lose_replies(chance.gen_range(1..4)),
            5 => exchange.to_ethereum.lose_replies(chance.gen_range(1..4)),
            _ => {
                let node = if chance.r#gen() { &exchange.to_litecoin } else { &exchange.to_ethereum };
                node.set_down(true);
                thread::sleep(Duration::from_millis(chance.gen_range(50..300)));
                node.set_down(false);
            }
        }
        // What is always broken gets nowhere.
        thread::sleep(Duration::from_millis(chance.gen_range(0..LONGEST_PEACE_MS)));
        for id in confirmed_ids(&daemon, &confirmed) {
            confirmed.insert(id.clone(), daemon.withdrawal(&id));
        }
    }
    println!("{} withdrawals in {:?}; acts {acts:?}", wanted.len(), begun.elapsed());
    daemon.stop();
    confirmed
}

/// Puts it twice: the exchange does not know whether the first was heard.
fn ask(daemon: &Daemon<'_>, wanted: &Wanted) -> bool {
    let asset = if wanted.chain == "ltc" { "LTC" } else { "ETH" };
    let body = json!({
        "chain": wanted.chain, "asset": asset, "destination": wanted.destination, "amount": wanted.amount,
    });
    let path = format!("/v1/withdrawals/{}", wanted.id);
    let statuses = [(); 2].map(|()| daemon.call("PUT", &path, Some(&body)).0);
    assert!(matches!(statuses, [200 | 201, 200]), "{statuses:?}");
    true
}

/// A second transaction in place of the first, where that is still possible.
fn raise_a_fee(daemon: &Daemon<'_>, wanted: &Wanted) {
    let (status, answer) = daemon.call("POST", &format!("/v1/withdrawals/{}/bump", wanted.id), None);
    assert!(matches!(status, 200 | 409), "{status} {answer}");
}

fn confirmed_ids(daemon: &Daemon<'_>, known: &Journal) -> Vec<String> {
    let (status, answer) = daemon.call("GET", "/v1/withdrawals?state=confirmed&limit=1000", None);
    assert_eq!(status, 200, "{answer}");
    let ids = answer["withdrawals"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned());
    ids.filter(|id| !known.contains_key(id)).collect()
}

/// The transaction that was mined: exactly one.
fn paid_by(withdrawal: &Value) -> &Value {
    let transactions = withdrawal["transactions"].as_array().unwrap();
    let confirmed: Vec<&Value> = transactions.iter().filter(|one| one["state"] == "confirmed").collect();
    assert_eq!(confirmed.len(), 1, "{withdrawal}");
    confirmed[0]
}

/// Every customer has one coin of the right amount, and the vault has what is left, to the last unit.
fn check_litecoin(exchange: &Exchange, wanted: &[Wanted], journal: &Journal, coins: u32) {
    let mut spent = 0;
    for wanted in wanted.iter().filter(|wanted| wanted.chain == "ltc") {
        let (count, unspent) = exchange.litecoin_unspent(&wanted.destination);
        assert_eq!((count, unspent), (1, units(&wanted.amount, 8)), "{}", wanted.id);
        let fee = units(paid_by(&journal[&wanted.id])["fee"].as_str().unwrap(), 8);
        spent += unspent + fee;
    }
    let (_, left) = exchange.litecoin_unspent(&exchange.litecoin_key);
    assert_eq!(left, u128::from(coins) * units(COIN, 8) - spent);
}

/// Every customer has the right amount, and the account what is left, to the last wei.
fn check_ethereum(exchange: &Exchange, wanted: &[Wanted], journal: &Journal) {
    let mut spent = 0;
    let mut nonces = Vec::new();
    for wanted in wanted.iter().filter(|wanted| wanted.chain == "eth") {
        let amount = units(&wanted.amount, 18);
        assert_eq!(exchange.ethereum.balance(&wanted.destination), amount, "{}", wanted.id);
        let txid = paid_by(&journal[&wanted.id])["txid"].as_str().unwrap();
        spent += amount + exchange.ethereum.cost(txid);
        nonces.push(txid.to_owned());
    }
    let funded = u128::from_str_radix(ETHER.trim_start_matches("0x"), 16).unwrap();
    assert_eq!(exchange.ethereum.balance(&exchange.ethereum_key), funded - spent);
    assert_eq!(exchange.ethereum.nonce(&exchange.ethereum_key), nonces.len() as u64);
}

/// The appliance's log has each withdrawal's payment, in each of its variants the same, and no other.
fn check_audit_log(exchange: &Exchange, wanted: &[Wanted]) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut paid: BTreeMap<String, (String, String)> = BTreeMap::new();
    for entry in exchange.installation.entries().into_iter().filter(|entry| entry["kind"] == "accepted") {
        let request_id = text(&entry["request_id"]);
        let id = request_id.split(':').next().unwrap().to_owned();
        let [payment] = entry["payments"].as_array().unwrap().as_slice() else { panic!("{entry}") };
        let payment = (text(&payment["destination"]), text(&payment["amount"]));
        assert_eq!(*paid.entry(id).or_insert(payment.clone()), payment, "{entry}");
    }
    let expected = wanted.iter().map(|one| (one.id.clone(), (one.destination.clone(), one.amount.clone())));
    assert_eq!(paid, expected.collect());
}

/// A decimal in base units.
fn units(text: &str, decimals: usize) -> u128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<decimals$}").parse().unwrap()
}
