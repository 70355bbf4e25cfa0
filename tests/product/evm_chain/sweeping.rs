//! Children's coins on their way to the key.

use libtest_mimic::Trial;
use watcher_client::chains::{Chain, Held, Order, Quantity, Source};

use super::{
    Bench, CHILD, KEY, OTHER_CHILD, TOKEN, address, amount, block_on, chain, deposit, eth, held_by_stranger, path,
    test, trial,
};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial("evm_chain::ether_of_children_is_swept_once_it_is_deep_and_worth_it", ether),
        trial("evm_chain::tokens_of_a_child_without_ether_are_swept_after_a_top_up", tokens),
        trial("evm_chain::a_sweep_that_is_bumped_pays_the_higher_fee_from_what_it_moves", bumped),
        trial("evm_chain::nothing_is_swept_where_nothing_is_configured_or_gas_is_too_dear", nothing),
    ]
}

fn orders(bench: &Bench, held: &Held) -> Vec<Order> {
    block_on(bench.evm.sweeps(&bench.own, held)).unwrap()
}

fn sweep(who: u8, asset: watcher_client::chains::Asset) -> Order {
    let source = Source::Child(path(who));
    Order { source, destination: address(KEY), asset, quantity: Quantity::All, memo: None }
}

fn ether() {
    let bench = Bench::start();
    deposit(&bench, &address(CHILD), eth(), "2", &Held::new());
    deposit(&bench, &address(OTHER_CHILD), eth(), "0.4", &held_by_stranger(&[0]));
    bench.mine();
    assert_eq!(orders(&bench, &Held::new()), [], "one block deep, and two are asked for");
    bench.mine();
    assert_eq!(orders(&bench, &Held::new()), [sweep(CHILD, eth())], "0.5 is what is worth it");
    let draft = bench.draft(&sweep(CHILD, eth()));
    assert_eq!(draft.owners, [path(CHILD)]);
    assert_eq!(orders(&bench, &Held::from_iter(draft.holds.clone())), [], "it is under way");
    let sum = draft.amount.to_amount(18).unwrap().checked_add(draft.fee.to_amount(18).unwrap());
    assert_eq!(sum, Some(amount("2000000000000000000")));

    let before = bench.node.balance(&address(KEY));
    let signed = super::sign(&draft);
    bench.send(&signed);
    bench.mine();
    assert_eq!(bench.is_mined(&signed), Some(true));
    let arrived = amount(&(bench.node.balance(&address(KEY)) - before).to_string());
    assert_eq!(arrived.to_decimal(18), draft.amount);
    bench.mine();
    assert_eq!(orders(&bench, &Held::new()), []);
}

fn tokens() {
    let bench = Bench::start();
    deposit(&bench, &address(CHILD), test(), "5", &Held::new());
    deposit(&bench, &address(OTHER_CHILD), test(), "0.99", &held_by_stranger(&[0]));
    bench.mine();
    bench.mine();
    let found = orders(&bench, &Held::new());
    let [top_up] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((&top_up.source, &top_up.destination, &top_up.asset), (&Source::Key, &address(CHILD), &eth()));
    let signed = bench.pay(top_up);
    bench.mine();
    assert_eq!(bench.is_mined(&signed), Some(true));
    assert_eq!(orders(&bench, &Held::new()), [], "it is not deep enough yet, and not sent again");
    bench.mine();
    let found = orders(&bench, &Held::new());
    assert_eq!(found, [sweep(CHILD, test())]);
    let signed = bench.pay(&found[0]);
    bench.mine();
    assert_eq!(bench.is_mined(&signed), Some(true));
    let balance = |who| bench.node.token_balance(TOKEN, &address(who));
    assert_eq!((balance(KEY), balance(CHILD), balance(OTHER_CHILD)), (500, 0, 99));
}

fn bumped() {
    let bench = Bench::start();
    deposit(&bench, &address(CHILD), eth(), "2", &Held::new());
    bench.mine();
    bench.mine();
    let order = sweep(CHILD, eth());
    let first = bench.draft(&order);
    let bump = watcher_client::chains::Variation::Bump;
    let held = Held::from_iter(first.holds.clone());
    let again = bench.evm.redraft(&order, std::slice::from_ref(&first), bump, &bench.own, &held);
    let second = block_on(again).unwrap();
    let sum = |draft: &watcher_client::chains::Draft| {
        draft.amount.to_amount(18).unwrap().checked_add(draft.fee.to_amount(18).unwrap())
    };
    assert_eq!((sum(&first), &first.holds), (sum(&second), &second.holds));
    assert_ne!(first.amount, second.amount);
    let signed = super::sign(&second);
    bench.send(&signed);
    bench.mine();
    assert_eq!(bench.is_mined(&signed), Some(true));
}

fn nothing() {
    let bench = Bench::start();
    deposit(&bench, &address(CHILD), eth(), "2", &Held::new());
    bench.mine();
    bench.mine();
    let stays = chain(&bench.node, |config| config.assets.iter_mut().for_each(|one| one.sweep_above = None));
    assert_eq!(block_on(stays.sweeps(&bench.own, &Held::new())).unwrap(), []);
    let cheap = chain(&bench.node, |config| config.max_fee_rate = Some(1));
    bench.node.set_base_fee(2_000_000_000);
    bench.mine();
    assert_eq!(block_on(cheap.sweeps(&bench.own, &Held::new())).unwrap(), []);
    assert_eq!(orders(&bench, &Held::new()), [sweep(CHILD, eth())]);
}
