//! Solana: what the appliance signs by its policy, Solana's own runtime executes, once.

use libtest_mimic::Trial;

use crate::harness::trial;

mod bench;
mod daemon;
mod deposits;
mod withdrawals;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("solana::the_runtime_executes_what_was_signed_once_and_moves_exactly_that", withdrawals::once),
        trial("solana::a_signature_with_one_bit_flipped_is_refused", withdrawals::flipped_bit),
        trial("solana::of_two_transactions_with_one_nonce_the_second_is_refused", withdrawals::one_nonce),
        trial("solana::a_payment_that_fails_in_its_block_is_mined_and_did_not_succeed", withdrawals::failed),
        trial("solana::everything_is_paid_out_less_the_fee", withdrawals::everything),
        trial("solana::the_policy_bounds_what_a_declared_key_says_it_pays", withdrawals::policy),
        trial("solana::what_cannot_be_paid_is_not_drafted_and_says_why", withdrawals::not_drafted),
        trial("solana::deposits_are_what_the_address_has_more_with_their_memo", deposits::found),
        trial("solana::an_empty_slot_stands_for_the_block_before_it", deposits::slots),
        trial("solana::blocks_of_another_history_begin_the_scan_again", deposits::moved),
        trial("solana::a_node_of_another_cluster_or_without_our_nonce_is_refused", deposits::unfit_nodes),
        trial("solana::the_daemon_tells_one_addresss_deposits_apart_by_the_memos_it_gave_out", daemon::deposits),
        trial("solana::the_daemon_pays_once_though_it_is_killed_and_the_answer_to_what_it_sent_is_lost", daemon::once),
        trial("solana::the_daemon_pays_one_after_the_other_whatever_breaks_between", daemon::one_by_one),
        trial("solana::the_daemon_cancels_what_is_not_signed_and_says_why_it_varies_nothing_else", daemon::fixed),
    ]
}
