//! Days on which everything goes wrong at once: nothing is missed, nothing is paid twice, nobody holds the others up.

use std::sync::atomic::{AtomicBool, Ordering};

use appliance_wire::{RequestStatus, SignatureAnswer};

use super::{super::Portable, *};
use crate::journal::{EventKind, Waiting};

#[tokio::test]
async fn a_confirmed_withdrawal_that_a_reorganisation_takes_back_is_sent_again() {
    let watcher = Watcher::new().await;
    watcher.fund(1);
    let id = watcher.create("wd-1");
    assert_eq!(watcher.until_settled(&id).await.state, WithdrawalState::Confirmed);
    // No deeper than what is settled, so there is no alarm; deep enough for what was believed.
    let mined = watcher.parts.journal.withdrawal(&id).unwrap().mined().unwrap().mined.clone().unwrap();
    let tip = watcher.model.world().height();
    watcher.model.reorganise(usize::try_from(tip + 1 - mined.block.height).unwrap());
    assert_eq!(watcher.model.received(&customer()), [] as [u64; 0]);
    watcher.round(&mut watcher.line()).await;
    assert!(watcher.parts.journal.chain("btc").unwrap().alarm.is_none());
    assert!(!watcher.parts.journal.withdrawal(&id).unwrap().state.is_settled());
    assert_eq!(watcher.until_settled(&id).await.state, WithdrawalState::Confirmed);
    assert_eq!(watcher.model.received(&customer()), [40_000]);
}

#[tokio::test]
async fn a_withdrawal_that_the_node_will_not_help_to_draft_holds_nobody_up() {
    let watcher = Watcher::new().await;
    watcher.fund(2);
    let refused = watcher.create_of("wd-1", "0.0005");
    let quantity = watcher.parts.journal.withdrawal(&refused).unwrap().order.quantity;
    watcher.model.world().refuses = Some(quantity);
    let paid = watcher.create("wd-2");
    assert_eq!(watcher.until_settled(&paid).await.state, WithdrawalState::Confirmed);
    let waiting = watcher.parts.journal.withdrawal(&refused).unwrap().waiting.unwrap();
    assert!(waiting.why.contains("gas required"), "{waiting:?}");
}

#[tokio::test]
async fn withdrawals_that_the_signer_cannot_answer_do_not_hold_up_those_behind_them() {
    let script = |seen: &Seen| match seen.line.as_str() {
        "PUT /v1/signatures/wd-1" | "PUT /v1/signatures/wd-2" => {
            TestAnswer::Problem(Box::new(Problem::new(ProblemCode::Internal, "it always fails")))
        }
        _ => serve_vault(seen),
    };
    let watcher = Watcher::with_signer(Model::new(), script).await;
    watcher.fund(3);
    watcher.create("wd-1");
    watcher.create("wd-2");
    let paid = watcher.create("wd-3");
    assert_eq!(watcher.until_settled(&paid).await.state, WithdrawalState::Confirmed);
}

#[tokio::test]
async fn a_deposit_that_is_mined_while_the_mempool_is_read_is_not_removed() {
    let watcher = Watcher::new().await;
    let mut line = watcher.line();
    watcher.round(&mut line).await;
    let address = watcher.parts.journal.assign("btc", "alice").unwrap().address;
    watcher.model.pay(&address, 7_000);
    watcher.round(&mut line).await;
    watcher.model.world().mines_at_pending = true;
    for _ in 0..2 {
        watcher.round(&mut line).await;
        assert_eq!(watcher.deposits()[0].state, DepositState::Pending);
    }
    let told = watcher.parts.journal.events(0, 100).unwrap();
    assert!(told.iter().all(|event| event.kind != EventKind::DepositRemoved), "{told:?}");
}

#[tokio::test]
async fn a_clock_that_is_set_back_puts_nothing_off() {
    let watcher = Watcher::new().await;
    watcher.fund(1);
    let id = watcher.create("wd-1");
    let tomorrow = jiff::Timestamp::now().as_millisecond() + 86_400_000;
    let (why, since) = ("too dear".to_owned(), "2030-01-01T00:00:00Z".to_owned());
    let waiting = Waiting { why, code: None, since, attempts: 1, again_at_ms: tomorrow };
    watcher.parts.journal.wait(&id, waiting).unwrap();
    assert_eq!(watcher.until_settled(&id).await.state, WithdrawalState::Confirmed);
}

/// A signer that leaves the second transaction of `wd-1` to officers, until the watcher withdraws it.
async fn with_officers() -> Watcher {
    let withdrawn = AtomicBool::new(false);
    let bump = |status| {
        let (request_id, signatures, entry, receipt) = ("wd-1:1".to_owned(), None, None, None);
        TestAnswer::json(&SignatureAnswer { request_id, status, signatures, entry, receipt })
    };
    let script = move |seen: &Seen| match seen.line.as_str() {
        line if !line.contains("wd-1:1") && !line.contains("wd-1%3A1") => serve_vault(seen),
        line if line.starts_with("PUT ") || line.starts_with("GET ") => {
            let is_withdrawn = withdrawn.load(Ordering::SeqCst);
            bump(if is_withdrawn { RequestStatus::Withdrawn } else { RequestStatus::Pending })
        }
        _ => {
            withdrawn.store(true, Ordering::SeqCst);
            bump(RequestStatus::Withdrawn)
        }
    };
    Watcher::with_signer(Model::new(), script).await
}

#[tokio::test]
async fn a_payment_stays_with_the_node_while_officers_are_asked_for_its_higher_fee() {
    let watcher = with_officers().await;
    watcher.fund(1);
    let id = watcher.create("wd-1");
    let mut line = watcher.line();
    watcher.round(&mut line).await;
    watcher.parts.journal.wish(&id, Wish::Bump).unwrap();
    watcher.round(&mut line).await;
    watcher.model.evict();
    assert_eq!(watcher.until_settled(&id).await.state, WithdrawalState::Confirmed);
    assert_eq!(watcher.model.received(&customer()), [40_000]);
}

#[tokio::test]
async fn a_cancellation_does_not_wait_for_officers_who_are_asked_for_a_higher_fee() {
    let watcher = with_officers().await;
    watcher.fund(1);
    let id = watcher.create("wd-1");
    let mut line = watcher.line();
    watcher.round(&mut line).await;
    watcher.parts.journal.wish(&id, Wish::Bump).unwrap();
    watcher.round(&mut line).await;
    watcher.parts.journal.wish(&id, Wish::Cancel).unwrap();
    watcher.round(&mut line).await;
    let settled = watcher.until_settled(&id).await;
    assert_eq!(settled.state, WithdrawalState::Cancelled, "{settled:?}");
    assert_eq!(settled.transactions.last().unwrap().request_id.as_str(), "wd-1:2", "wd-1:1 is bound for ever");
    assert_eq!(watcher.model.received(&customer()), [] as [u64; 0]);
}

#[tokio::test]
async fn a_file_whose_signed_transaction_is_another_one_is_not_taken_in() {
    let (here, there) = (Watcher::new().await, Watcher::new().await);
    let mut files = Vec::new();
    for id in ["wd-1", "wd-2"] {
        here.fund(1);
        let id = here.create(id);
        here.round(&mut here.line()).await;
        files.push(Portable::export(&here.parts.journal, &id).unwrap());
    }
    let of_wd_2 = files[1].withdrawal.transactions[0].signed.clone().unwrap();
    for (takes_its_id, takes_its_bytes) in [(true, true), (true, false), (false, true)] {
        let mut forged = files[0].clone();
        let signed = forged.withdrawal.transactions[0].signed.as_mut().unwrap();
        if takes_its_id {
            signed.txid.clone_from(&of_wd_2.txid);
        }
        if takes_its_bytes {
            signed.transaction.clone_from(&of_wd_2.transaction);
        }
        assert!(forged.import(&there.parts.journal).is_err(), "{takes_its_id} {takes_its_bytes}");
    }
    // What it says of the chain is not believed.
    files[0].withdrawal.state = WithdrawalState::Confirmed;
    let taken = files.remove(0).import(&there.parts.journal).unwrap();
    assert_eq!((taken.state, taken.transactions[0].sent), (WithdrawalState::Signed, false));
    // And no other withdrawal is paid by the same transaction.
    let mut again = Portable::export(&here.parts.journal, &"wd-1".parse().unwrap()).unwrap();
    again.withdrawal.id = "wd-9".parse().unwrap();
    assert!(again.import(&here.parts.journal).is_err());
}

#[tokio::test]
async fn what_a_node_took_is_sent_whatever_it_answered() {
    let watcher = Watcher::new().await;
    watcher.fund(1);
    let id = watcher.create("wd-1");
    watcher.model.world().denies = true;
    watcher.round(&mut watcher.line()).await;
    let sent = watcher.parts.journal.withdrawal(&id).unwrap();
    assert_eq!((sent.state, sent.waiting), (WithdrawalState::Sent, None));
}

#[tokio::test]
async fn an_answer_that_proves_nothing_lets_go_of_nothing() {
    let codes = [
        ProblemCode::Frozen,
        ProblemCode::Unauthenticated,
        ProblemCode::RequestConflict,
        ProblemCode::Expired,
        ProblemCode::Internal,
        ProblemCode::AuditLogUnavailable,
    ];
    for code in codes {
        let script = move |seen: &Seen| match seen.line.as_str() {
            "PUT /v1/signatures/wd-1" => TestAnswer::Problem(Box::new(Problem::new(code, "not now"))),
            _ => serve_vault(seen),
        };
        let watcher = Watcher::with_signer(Model::new(), script).await;
        watcher.fund(1);
        let id = watcher.create("wd-1");
        watcher.round(&mut watcher.line()).await;
        let withdrawal = watcher.parts.journal.withdrawal(&id).unwrap();
        assert_eq!((withdrawal.state, withdrawal.transactions.len()), (WithdrawalState::Created, 1), "{code:?}");
        assert_eq!(watcher.parts.journal.held("btc").unwrap().len(), 1, "{code:?}");
    }
}
