//! A withdrawal as a timeline.

use serde::Serialize;

use crate::journal::{Moment, TransactionState, TransactionView, WithdrawalView};

/// What is paid, how it came to where it stands, and where its transactions are.
pub(super) fn timeline(view: &WithdrawalView) -> String {
    let amount = view.amount.as_ref().map_or("all".to_owned(), ToString::to_string);
    let mut text = format!("{} pays {amount} {} on {} to {}", view.id, view.asset, view.chain, view.destination);
    if let Some(memo) = &view.memo {
        text += &format!(", memo {memo}");
    }
    text += &format!("\n{}\n", plain(&view.state));
    if let Some(waiting) = &view.waiting {
        text += &format!("waits since {}: {}\n", waiting.since, waiting.why);
    }
    text.push('\n');
    for moment in &view.history {
        text += &line(moment);
    }
    for transaction in view.transactions.iter().filter(|one| one.state != TransactionState::Replaced) {
        text += &depth(transaction, view.confirmations_needed);
    }
    text
}

fn line(moment: &Moment) -> String {
    let mut text = format!("{}  {}", moment.at, moment.what);
    if let Some(entry) = moment.entry {
        text += &format!(" (entry {entry} of the audit log)");
    }
    if let Some(fee) = &moment.fee {
        text += &format!(", fee at most {fee}");
    }
    if let Some(txid) = &moment.txid {
        text += &format!(" {txid}");
    }
    if let Some(request) = moment.request_id.as_ref().filter(|request| request.as_str().contains(':')) {
        text += &format!(" [{request}]");
    }
    text + "\n"
}

fn depth(transaction: &TransactionView, needed: Option<u64>) -> String {
    let Some(block) = &transaction.block else { return String::new() };
    let depth = match (transaction.confirmations, needed) {
        (Some(depth), Some(needed)) => format!("{depth}/{needed} confirmations"),
        (Some(depth), None) => format!("{depth} confirmations"),
        (None, _) => "how deep is not known".to_owned(),
    };
    format!("now: in block {}, {depth}\n", block.height)
}

/// A state as the API writes it.
pub(super) fn plain(state: &impl Serialize) -> String {
    let text = serde_json::to_value(state).ok();
    text.and_then(|text| Some(text.as_str()?.to_owned())).unwrap_or_default()
}
