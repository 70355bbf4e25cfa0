//! Deposits: what came to the key's own address, by the ledger's own balances.
//!
//! A deposit is a transaction after which the address has more than before; its amount is the difference, to the last
//! lamport, however it was paid: by a transfer, by several, or by a program. So there is one deposit a transaction.

use appliance_wire::Amount;

use super::{
    message::is_memo_program,
    node::{Node, SignatureInfo, TransactionInfo},
};
use crate::chains::{Block, NodeError, Scan, Sighting};

/// Base58 is read in time that grows with the square of the length, and no memo is longer.
const LONGEST_TEXT: usize = 1_024;

/// What came to `address` in the blocks after `after` up to and with `to`, the first first.
pub(super) async fn scan(
    node: &Node,
    asset: &str,
    address: &str,
    after: &Block,
    to: &Block,
) -> Result<Scan, NodeError> {
    if after.height >= to.height {
        return Ok(Scan::Found(Vec::new()));
    }
    // A block is shown once the index of its transactions is written: what is listed below is all there is.
    for block in [after, to] {
        if node.last_block(block.height).await?.0 != *block {
            return Ok(Scan::Moved);
        }
    }
    let mut found = Vec::new();
    for listed in listed(node, address, after, to).await?.iter().rev() {
        found.extend(sighting(node, asset, address, listed).await?);
    }
    Ok(Scan::Found(found))
}

/// Transactions that name the address and did what they should, the last first.
async fn listed(node: &Node, address: &str, after: &Block, to: &Block) -> Result<Vec<SignatureInfo>, NodeError> {
    let mut listed: Vec<SignatureInfo> = Vec::new();
    let mut before: Option<String> = None;
    loop {
        let page = node.signatures(address, before.as_deref(), to.height).await?;
        let is_last = page.last().is_none_or(|last| last.slot <= after.height);
        before = page.last().map(|last| last.signature.clone());
        let is_inside = |listed: &SignatureInfo| listed.slot > after.height && listed.slot <= to.height;
        listed.extend(page.into_iter().filter(|listed| is_inside(listed) && listed.err.is_null()));
        if is_last {
            return Ok(listed);
        }
    }
}

async fn sighting(
    node: &Node,
    asset: &str,
    address: &str,
    listed: &SignatureInfo,
) -> Result<Option<Sighting>, NodeError> {
    let transaction = node.transaction(&listed.signature).await?;
    if transaction.slot != listed.slot {
        let what = format!("{} is listed in slot {} and is in {}", listed.signature, listed.slot, transaction.slot);
        return Err(node.unexpected("getTransaction", what));
    }
    let Some(gain) = transaction.gain(address) else { return Ok(None) };
    let (block, _) = node.last_block(listed.slot).await?;
    Ok(Some(Sighting {
        id: listed.signature.clone(),
        txid: listed.signature.clone(),
        address: address.to_owned(),
        asset: asset.to_owned(),
        amount: Amount::from_units(gain),
        memo: memo(&transaction),
        block: Some(block),
    }))
}

/// The text of the one memo of a transaction. Of several nobody can say which is meant for us, so there is none then.
fn memo(transaction: &TransactionInfo) -> Option<String> {
    let is_memo = |program: &str| program.parse().is_ok_and(|program| is_memo_program(&program));
    let mut memos = transaction.instructions().filter(|(program, _)| is_memo(program));
    let (_, data) = memos.next()?;
    let text = String::from_utf8(data?).ok().filter(|text| text.len() <= LONGEST_TEXT)?;
    memos.next().is_none().then_some(text)
}
