//! What a watcher needs of a chain, whatever its kind: blocks, deposits seen, unsigned transactions, sending, looking up.
//!
//! A chain talks to one full node and remembers nothing that matters: what was decided is in the [journal](crate::journal),
//! and is handed in. Every method may be called again after any failure.

use std::{collections::BTreeSet, future::Future};

mod block;
mod draft;
mod evm;
mod node_error;
mod order;
mod own;
pub mod rpc;
mod sighting;
mod signed;
pub mod solana;
pub mod utxo;

pub use self::{
    block::{Block, Tip, Whereabouts},
    draft::{Draft, DraftError, Format},
    evm::Evm,
    node_error::NodeError,
    order::{Asset, Order, Quantity, Source, Variation},
    own::{Own, OwnAddress},
    sighting::{Scan, Sighting},
    signed::Signed,
};

/// One chain, by one full node.
pub trait Chain: Send + Sync + 'static {
    /// Refuses a node that is of another chain: by the hash of its first block, and its chain id where it has one. Also
    /// sees that the node has what is asked of it later (wallet, indexes), and makes what it can.
    ///
    /// # Errors
    /// [`NodeError::OtherChain`], [`NodeError::Unfit`]; see [`NodeError`].
    fn check(&self) -> impl Future<Output = Result<(), NodeError>> + Send;

    /// The last block of the node's best chain, and whether the node knows of later ones it has not read yet.
    ///
    /// # Errors
    /// See [`NodeError`].
    fn tip(&self) -> impl Future<Output = Result<Tip, NodeError>> + Send;

    /// The block at a height of the best chain; none above the tip.
    ///
    /// # Errors
    /// See [`NodeError`].
    fn block_at(&self, height: u64) -> impl Future<Output = Result<Option<Block>, NodeError>> + Send;

    /// Has the node watch these addresses; nothing where it need not know them. `is_fresh`: nobody has been given one, so
    /// none can have been paid; else what came before has to be found, too, unless the node watched already.
    ///
    /// # Errors
    /// See [`NodeError`].
    fn watch(&self, addresses: &[OwnAddress], is_fresh: bool) -> impl Future<Output = Result<(), NodeError>> + Send;

    /// Everything paid to our addresses in the blocks after `after` up to and with `to`, all of them ancestors of `to`.
    /// [`Scan::Moved`] where `to` is not of the best chain any more, or `after` is not its ancestor.
    ///
    /// # Errors
    /// See [`NodeError`].
    fn scan(&self, own: &Own, after: &Block, to: &Block) -> impl Future<Output = Result<Scan, NodeError>> + Send;

    /// What the node has heard of and no block holds yet, as far as it tells.
    ///
    /// # Errors
    /// See [`NodeError`].
    fn pending(&self, own: &Own) -> impl Future<Output = Result<Vec<Sighting>, NodeError>> + Send;

    /// An unsigned transaction that carries the order out. It uses nothing of `held`: outpoints, or nonces of accounts,
    /// that others of our transactions use.
    ///
    /// # Errors
    /// See [`DraftError`].
    fn draft(&self, order: &Order, own: &Own, held: &Held) -> impl Future<Output = Result<Draft, DraftError>> + Send;

    /// Another transaction in place of all of `before`, such that at most one of them can ever be mined: it spends what
    /// they all spend, or has their nonce. `before` is in the order in which they were made, and not empty.
    ///
    /// # Errors
    /// See [`DraftError`].
    fn redraft(
        &self,
        order: &Order,
        before: &[Draft],
        variation: Variation,
        own: &Own,
        held: &Held,
    ) -> impl Future<Output = Result<Draft, DraftError>> + Send;

    /// What should be moved from children to the key now, as orders; empty where nothing is worth its fee.
    ///
    /// # Errors
    /// See [`NodeError`].
    fn sweeps(&self, own: &Own, held: &Held) -> impl Future<Output = Result<Vec<Order>, NodeError>> + Send;

    /// Where one of our transactions is now.
    ///
    /// # Errors
    /// See [`NodeError`].
    fn look_up(&self, txid: &str) -> impl Future<Output = Result<Whereabouts, NodeError>> + Send;

    /// Hands a signed transaction to the node. After an error it may have been accepted all the same: look it up.
    ///
    /// # Errors
    /// See [`NodeError`].
    fn send(&self, signed: &Signed) -> impl Future<Output = Result<(), NodeError>> + Send;
}

/// Outpoints (`txid:vout`) and nonces (`ACCOUNT/NONCE`) that drafted and sent transactions use.
pub type Held = BTreeSet<String>;
