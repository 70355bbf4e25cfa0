use appliance_wire::AddressType;
use bitcoin::Amount;

use super::{
    super::{
        fee::{Rate, Rates},
        testing::{coin, own, own_in},
    },
    *,
};

const RATES: Rates = Rates { wanted: Rate(1_000), incremental: Rate(1_000) };
/// Virtual bytes of a native input in a transaction of its own, and of an output to a native address.
const INPUT: u64 = 69;
const OUTPUT: u64 = 31;

fn purpose(sats: u64) -> Purpose {
    let payment = TxOut { value: Amount::from_sat(sats), script_pubkey: script(9) };
    let fee = FeeRule::fresh(RATES);
    Purpose { chain: Chain::LitecoinRegtest, payment: Some(payment), rest: script(1), fee }
}

fn everything() -> Purpose {
    Purpose { payment: None, ..purpose(0) }
}

fn script(seed: u8) -> ScriptBuf {
    ScriptBuf::from_bytes(own(seed).script)
}

fn coins(sats: &[u64]) -> Vec<Coin> {
    sats.iter().map(|sats| coin(&own(2), *sats).0).collect()
}

fn values(plan: &Plan) -> (Vec<u64>, Vec<u64>) {
    let spent = plan.coins.iter().map(|coin| coin.sats).collect();
    let paid: Vec<u64> = plan.outputs.iter().map(|output| output.value.to_sat()).collect();
    let total: u64 = plan.coins.iter().map(|coin| coin.sats).sum();
    assert_eq!(total, paid.iter().sum::<u64>() + plan.fee, "nothing is lost");
    assert!(plan.fee >= plan.needed);
    (spent, paid)
}

#[test]
fn the_smallest_coin_that_suffices_is_spent_else_the_largest() {
    let free = [5_000, 900_000, 40_000, 300_000, 60_000];
    // One input, two outputs.
    let plan = purpose(50_000).plan(&[], coins(&free)).unwrap();
    assert_eq!((values(&plan), plan.vbytes, plan.fee), ((vec![60_000], vec![50_000, 9_859]), 141, 141));
    let plan = purpose(1_000_000).plan(&[], coins(&free)).unwrap();
    assert_eq!(values(&plan).0, [900_000, 300_000]);
    let plan = purpose(1_300_000).plan(&[], coins(&free)).unwrap();
    assert_eq!(values(&plan), (vec![900_000, 300_000, 60_000, 40_000, 5_000], vec![1_300_000, 4_587]));
}

#[test]
fn a_rest_that_would_be_dust_goes_to_the_fee() {
    let least = dust(Chain::LitecoinRegtest, script(1).as_bytes());
    let alone = 141 - OUTPUT;
    for (left, paid) in [
        (alone, vec![50_000]),
        (alone + 500, vec![50_000]),
        (141 + least - 1, vec![50_000]),
        (141 + least, vec![50_000, least]),
    ] {
        let plan = purpose(50_000).plan(&[], coins(&[50_000 + left])).unwrap();
        assert_eq!(values(&plan).1, paid, "{left}");
        assert_eq!(plan.needed, if paid.len() == 1 { alone } else { 141 });
    }
    let short = purpose(50_000).plan(&[], coins(&[50_000 + alone - 1])).unwrap_err();
    assert_eq!(short, TooLittle { missing: 1 });
}

#[test]
fn what_is_missing_is_said_to_the_unit() {
    let missing = purpose(50_000).plan(&[], coins(&[20_000, 20_000])).unwrap_err().missing;
    assert!(purpose(50_000 - missing).plan(&[], coins(&[20_000, 20_000])).is_ok());
    assert!(purpose(50_001 - missing).plan(&[], coins(&[20_000, 20_000])).is_err());
    assert_eq!(purpose(50_000).plan(&[], vec![]).unwrap_err().missing, 50_041);
    assert!(purpose(u64::MAX).plan(&[], coins(&[u64::MAX, u64::MAX])).is_err(), "no overflow");
}

#[test]
fn coins_that_cost_more_than_they_are_worth_stay() {
    let plan = everything().plan_all(coins(&[INPUT, INPUT + 1, 100_000])).unwrap();
    assert_eq!(values(&plan).0, [100_000, INPUT + 1]);
    assert!(everything().plan_all(coins(&[INPUT])).is_err());
}

#[test]
fn everything_is_at_most_what_fits_a_transaction() {
    let many: Vec<u64> = (0..300).map(|number| 10_000 + number).collect();
    let plan = everything().plan_all(coins(&many)).unwrap();
    assert_eq!((plan.coins.len(), plan.coins[0].sats, plan.outputs.len()), (MOST_INPUTS, 10_299, 1));
    assert!(purpose(2_500_000).plan(&[], coins(&many)).is_err());
    assert!(everything().plan_all(vec![]).is_err());
}

#[test]
fn coins_that_are_kept_stay_and_free_ones_come_in_where_they_must() {
    let kept = coins(&[60_000]);
    let fee = FeeRule { least: 5_000, ..FeeRule::fresh(RATES) };
    let plan = Purpose { fee, ..purpose(50_000) }.plan(&kept, coins(&[900_000])).unwrap();
    assert_eq!(values(&plan), (vec![60_000], vec![50_000, 5_000]));
    let fee = FeeRule { least: 10_001, ..fee };
    let plan = Purpose { fee, ..purpose(50_000) }.plan(&kept, coins(&[900_000, 70_000])).unwrap();
    assert_eq!(values(&plan), (vec![60_000, 70_000], vec![50_000, 69_999]));
    // A cancellation brings everything back, less the fee.
    let plan = Purpose { fee, ..everything() }.plan(&kept, vec![]).unwrap();
    assert_eq!(values(&plan), (vec![60_000], vec![49_999]));
    let fee = FeeRule { least: 59_000, ..fee };
    assert!(Purpose { fee, ..everything() }.plan(&kept, vec![]).is_err(), "it would be dust");
}

#[test]
fn every_form_of_input_has_its_size() {
    for (form, vbytes) in [(AddressType::P2wpkh, 68), (AddressType::P2shP2wpkh, 91), (AddressType::P2pkh, 148)] {
        let owner = own_in(3, form);
        let many: Vec<Coin> = (0..100).map(|number| coin(&owner, 10_000 + number).0).collect();
        let plan = everything().plan_all(many).unwrap();
        let least = 100 * vbytes;
        assert!((least - 5..least + 100).contains(&plan.vbytes), "{form}: {}", plan.vbytes);
    }
}
