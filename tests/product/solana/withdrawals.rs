//! Payments out: drafted by the watcher, signed by the appliance, executed by the runtime.

use appliance_wire::ProblemCode;
use base64::{Engine, engine::general_purpose::STANDARD};
use watcher_client::chains::{
    Chain, DraftError, Held, NodeError, Order, Quantity, Signed, Source, Variation, Whereabouts,
    solana::{FEE, Payment, Solana},
};

use super::bench::{Bench, LEAST, SOL, order};
use crate::harness::block_on;

/// JSON-RPC codes of Solana's nodes.
const PREFLIGHT_FAILED: i64 = -32_002;
const BAD_SIGNATURE: i64 = -32_003;

pub(super) fn once() {
    let bench = Bench::start();
    let customer = Bench::customer();
    let order = Order { memo: Some("order 17".to_owned()), ..order(&customer, "1.25") };
    let draft = bench.draft(&order).unwrap();
    assert_eq!((draft.amount.to_string(), draft.fee.to_string()), ("1.25".to_owned(), "0.000005".to_owned()));
    let signed = bench.sign("wd-1", &draft).unwrap();
    let look_up = || block_on(bench.chain.look_up(&signed.txid)).unwrap();
    assert_eq!(look_up(), Whereabouts::Unknown);
    block_on(bench.chain.send(&signed)).unwrap();
    bench.node.mine();
    assert_eq!(look_up(), Whereabouts::Waiting, "a block that is not final may be gone again");
    let slot = bench.node.finalize();
    let block = block_on(bench.chain.block_at(slot)).unwrap().unwrap();
    assert_eq!(look_up(), Whereabouts::Mined { block, succeeded: true });
    let balances = (10 * SOL - 1_250_000_000 - FEE, 1_250_000_000);
    let now = || (bench.node.balance(bench.address()), bench.node.balance(&customer));
    assert_eq!(now(), balances);

    // Its nonce is used up: the same bytes are worth nothing any more, and asking again gives the same bytes.
    assert_eq!(block_on(bench.chain.send(&signed)).unwrap_err().code(), Some(PREFLIGHT_FAILED));
    assert!(bench.node.execute(&signed.transaction).unwrap().contains("BlockhashNotFound"));
    assert_eq!(bench.sign("wd-1", &draft).unwrap(), signed);
    assert_eq!(now(), balances);

    // The next one has another nonce.
    let next = bench.draft(&order).unwrap();
    assert_ne!(next.holds, draft.holds);
    assert_eq!(bench.node.execute(&bench.sign("wd-2", &next).unwrap().transaction), None);
    assert_eq!(bench.node.balance(&customer), 2 * 1_250_000_000);
    bench.end();
}

pub(super) fn flipped_bit() {
    let bench = Bench::start();
    let customer = Bench::customer();
    let signed = bench.drafted_and_signed("wd-1", &order(&customer, "1"));
    // After the number of signatures: the beginning and the end of the one there is, then the message's nonce.
    for place in [1, 64, 65 + 4 + 5 * 32] {
        let mut bytes = STANDARD.decode(&signed.transaction).unwrap();
        bytes[place] ^= 1;
        let flipped = STANDARD.encode(bytes);
        assert!(bench.node.execute(&flipped).unwrap().contains("SignatureFailure"), "byte {place}");
        let refused = block_on(bench.chain.send(&Signed { transaction: flipped, txid: signed.txid.clone() }));
        assert_eq!(refused.unwrap_err().code(), Some(BAD_SIGNATURE));
    }
    assert_eq!(bench.node.balance(&customer), 0);
    assert_eq!(bench.node.execute(&signed.transaction), None);
    assert_eq!(bench.node.balance(&customer), SOL);
    bench.end();
}

pub(super) fn one_nonce() {
    let bench = Bench::start();
    let customer = Bench::customer();
    let (first, second) = (bench.draft(&order(&customer, "1")).unwrap(), bench.draft(&order(&customer, "2")).unwrap());
    assert_eq!(first.holds, second.holds);
    let held = first.holds.iter().cloned().collect();
    let busy = block_on(bench.chain.draft(&order(&customer, "2"), &bench.own, &held));
    assert!(matches!(busy, Err(DraftError::Busy { .. })), "{busy:?}");
    let elsewhere = [format!("{customer}/1")].into();
    assert!(block_on(bench.chain.draft(&order(&customer, "2"), &bench.own, &elsewhere)).is_ok());

    let (first, second) = (bench.sign("wd-1", &first).unwrap(), bench.sign("wd-2", &second).unwrap());
    assert_eq!(bench.node.execute(&second.transaction), None);
    assert!(bench.node.execute(&first.transaction).unwrap().contains("BlockhashNotFound"));
    assert_eq!(bench.node.send(&first.transaction).unwrap_err().code, PREFLIGHT_FAILED);
    assert_eq!(bench.node.balance(&customer), 2 * SOL);
    bench.end();
}

pub(super) fn failed() {
    let bench = Bench::start();
    let customer = Bench::customer();
    let mut config = bench.config.clone();
    config.nonce_account = Some(bench.node.create_nonce_account(bench.address()));
    bench.node.finalize();
    let other = Solana::new(&config).unwrap();
    let order = order(&customer, "6");
    let first = bench.drafted_and_signed("wd-1", &order);
    let second = bench.sign("wd-2", &block_on(other.draft(&order, &bench.own, &[].into())).unwrap()).unwrap();
    // Both are possible when they are sent, and the money is there once.
    block_on(bench.chain.send(&first)).unwrap();
    block_on(other.send(&second)).unwrap();
    bench.node.mine();
    bench.node.finalize();
    let succeeded = |signed: &Signed| {
        let found = block_on(bench.chain.look_up(&signed.txid)).unwrap();
        let Whereabouts::Mined { succeeded, .. } = found else { panic!("{found:?}") };
        succeeded
    };
    assert!(succeeded(&first) && !succeeded(&second));
    assert_eq!(bench.node.balance(&customer), 6 * SOL);
    assert_eq!(bench.node.balance(bench.address()), 4 * SOL - 2 * FEE);
    bench.end();
}

pub(super) fn everything() {
    let bench = Bench::start();
    let customer = Bench::customer();
    let order = Order { quantity: Quantity::All, ..order(&customer, "0") };
    let signed = bench.drafted_and_signed("wd-1", &order);
    assert_eq!(bench.node.execute(&signed.transaction), None);
    assert_eq!(bench.node.balance(&customer), 10 * SOL - FEE);
    assert_eq!(bench.node.balance(bench.address()), 0);
    bench.end();
}

pub(super) fn policy() {
    let bench = Bench::start();
    bench.node.pay(&[(bench.address(), 10 * SOL)], &[]);
    bench.node.finalize();
    let draft = bench.draft(&order(&Bench::customer(), "10.000000001")).unwrap();
    let refused = bench.sign("wd-1", &draft).unwrap_err();
    assert_eq!(refused.problem().unwrap().code(), Some(ProblemCode::Denied), "{refused}");
    // What the message pays is the watcher's to compare, and it does.
    let mut lying = draft.clone();
    let output = &mut lying.transfer.as_mut().unwrap().outputs[0];
    output.amount = "1".parse().unwrap();
    assert!(watcher_client::chains::solana::item(&lying).is_err());
    bench.drafted_and_signed("wd-2", &order(&Bench::customer(), "10"));
    bench.end();
}

pub(super) fn not_drafted() {
    let bench = Bench::start();
    let customer = Bench::customer();
    let draft = |order: &Order| bench.draft(order).unwrap_err();
    let never = |order: &Order, words: &str| {
        let refused = draft(order);
        assert!(matches!(&refused, DraftError::Never(why) if why.contains(words)), "{refused}");
    };
    let too_little = |amount: &str, wanted: &str| {
        let refused = draft(&order(&customer, amount));
        assert!(matches!(&refused, DraftError::TooLittle { missing, .. } if missing == wanted), "{amount}: {refused}");
    };
    too_little("10", "0.000005");
    too_little("9.999994", "0.00088988");
    never(&order(&customer, "0.00089087"), "new account");
    never(&order(&customer, "0.0000000001"), "no amount of lamports");
    never(&order("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "1"), "destination");
    never(&order(bench.config.nonce_account.as_ref().unwrap(), "1"), "could spend");
    never(&Order { memo: Some("a".repeat(567)), ..order(&customer, "1") }, "567 bytes");
    never(&Order { source: Source::Children, ..order(&customer, "1") }, "children");
    // The least a new account takes, which then takes any amount.
    let least = bench.drafted_and_signed("wd-1", &order(&customer, "0.00089088"));
    assert_eq!(bench.node.execute(&least.transaction), None);
    assert_eq!(bench.node.balance(&customer), LEAST);
    assert!(bench.draft(&order(&customer, "0.000000001")).is_ok());

    let before = [bench.draft(&order(&customer, "1")).unwrap()];
    let (again, none) = (order(&customer, "1"), Held::new());
    for variation in [Variation::Bump, Variation::Cancel] {
        let bump = bench.chain.redraft(&again, &before, variation, &bench.own, &none);
        assert!(matches!(block_on(bump), Err(DraftError::Never(_))));
    }
    let mut config = bench.config.clone();
    config.max_fee = appliance_wire::Amount::from_units(FEE - 1);
    let dear = Solana::new(&config).unwrap();
    let dear = block_on(dear.draft(&order(&customer, "1"), &bench.own, &[].into()));
    assert!(matches!(dear, Err(DraftError::TooDear { .. })), "{dear:?}");
    config.max_fee = bench.config.max_fee;
    config.nonce_account = Some(bench.node.create_nonce_account(&customer));
    let other = Solana::new(&config).unwrap();
    let other = block_on(other.draft(&order(&customer, "1"), &bench.own, &[].into()));
    assert!(matches!(other, Err(DraftError::Node(NodeError::Unfit { .. }))), "{other:?}");
    let read = Payment::read(&STANDARD.decode(&before[0].unsigned).unwrap()).unwrap();
    assert_eq!((read.destination.to_string(), read.lamports), (customer, SOL));
    bench.end();
}
