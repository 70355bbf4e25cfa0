//! Payments to our addresses, in blocks and before.

use alloy_primitives::{Address, B256, U256};

use super::{Evm, amount, blocks, spelled};
use crate::chains::{Block, NodeError, Own, Scan, Sighting};

impl Evm {
    pub(super) async fn scan_blocks(&self, own: &Own, after: &Block, to: &Block) -> Result<Scan, NodeError> {
        if after.height >= to.height {
            return Ok(Scan::Found(Vec::new()));
        }
        let (Ok(first), Ok(last)) = (after.hash.parse(), to.hash.parse()) else { return Ok(Scan::Moved) };
        let read = self.blocks.back_from(&self.node, (to.height, last), (after.height, first)).await?;
        let Some(read) = read else { return Ok(Scan::Moved) };
        let mut found = Vec::new();
        for block in read.iter().rev() {
            for payment in &block.native {
                let Some(sighting) = self.native(own, payment) else { continue };
                match self.blocks.succeeded(&self.node, block.hash, payment.txid).await? {
                    Some(true) => found.push(in_block(sighting, block.height, block.hash)),
                    Some(false) => {}
                    None => return Ok(Scan::Moved),
                }
            }
            for token in &block.tokens {
                let id = format!("{:#x}:{}", token.txid, token.log_index);
                let of = &token.transferred;
                let sighting = self.sighting(own, id, token.txid, of.to, of.amount, Some(of.contract));
                found.extend(sighting.map(|sighting| in_block(sighting, block.height, block.hash)));
            }
        }
        // A node may know blocks that it has left behind: their children prove nothing about them.
        let best = self.node.header_at(to.height).await?;
        Ok(if best.is_some_and(|header| header.hash == last) { Scan::Found(found) } else { Scan::Moved })
    }

    /// Ether that waits to be mined. Tokens are seen in blocks only: what names them, the place of their log in a block,
    /// is not there before.
    pub(super) async fn waiting(&self, own: &Own) -> Result<Vec<Sighting>, NodeError> {
        let Some(pending) = self.node.pending().await? else { return Ok(Vec::new()) };
        // Some nodes give their last block in place of one that is none yet: what is in there is not waiting.
        if let Some(hash) = pending.hash {
            let mined = self.node.header_at(pending.height()).await?;
            if mined.is_some_and(|block| block.hash == hash) {
                return Ok(Vec::new());
            }
        }
        Ok(blocks::native(&pending).iter().filter_map(|payment| self.native(own, payment)).collect())
    }

    fn native(&self, own: &Own, payment: &blocks::Payment) -> Option<Sighting> {
        let id = format!("{:#x}", payment.txid);
        self.sighting(own, id, payment.txid, payment.to, payment.value, None)
    }

    fn sighting(
        &self,
        own: &Own,
        id: String,
        txid: B256,
        to: Address,
        units: U256,
        contract: Option<Address>,
    ) -> Option<Sighting> {
        let address = spelled(to);
        own.find(&address)?;
        let asset = match contract {
            None => self.native.asset.name.clone(),
            Some(contract) => self.tokens.iter().find(|token| token.contract == contract)?.asset.name.clone(),
        };
        let txid = format!("{txid:#x}");
        Some(Sighting { id, txid, address, asset, amount: amount(units), memo: None, block: None })
    }
}

fn in_block(sighting: Sighting, height: u64, hash: B256) -> Sighting {
    Sighting { block: Some(Block { height, hash: format!("{hash:#x}") }), ..sighting }
}
