//! Solana: payments of SOL by one Ed25519 key, over JSON-RPC to one node.
//!
//! A block's height is its slot. Slots may stay empty: what is asked for at an empty one is the last block before it.
//! Only what is *finalized* is believed, which no reorganisation takes back (Solana documentation, "Commitment"); so
//! nothing is ever pending here, and a transaction is mined when it is final.
//!
//! Every transaction uses the nonce of one [nonce account](Nonce) and no recent blockhash. A blockhash is forgotten after
//! a minute or two: a transaction that was signed, sent and not seen again would have to be signed anew, and the two could
//! not be told from two payments. With the nonce the same bytes stay good until they are used, and of all that have it
//! one at most is executed. The price is one open transaction at a time for each nonce account.

mod address;
mod deposits;
mod drafting;
mod message;
mod node;
mod nonce;
mod signing;

pub use self::{
    address::Address,
    message::{BadMessage, LONGEST_MEMO, Payment},
    nonce::Nonce,
    signing::{finish, item},
};
use self::{drafting::Drafting, node::Node};
use super::{
    Asset, Block, Chain, Draft, DraftError, Held, NodeError, Order, Own, OwnAddress, Scan, Sighting, Signed, Tip,
    Variation, Whereabouts, rpc::Rpc,
};
use crate::ChainConfig;

/// Of one signature, in lamports; a message without more asks for no more (Solana documentation, "Fees": base fee).
pub const FEE: u64 = 5_000;
/// A SOL is 10^9 lamports.
pub const SOL_DECIMALS: u8 = 9;

/// Why a transaction has no variants.
pub(crate) const FIXED: &str = "a Solana transaction has a fixed fee, and a declared key signs no variants: it can be \
                                neither bumped nor cancelled; sent again, it is executed once";

/// The hash of mainnet-beta's first block.
const MAINNET: &str = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d";
/// How long one call may take.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// One cluster of Solana, by one node.
#[derive(Clone, Debug)]
pub struct Solana {
    node: Node,
    chain: String,
    genesis: String,
    nonce_account: Address,
    drafting: Drafting,
    sol: Asset,
}

impl Solana {
    /// The chain of a config; connects nowhere yet.
    ///
    /// # Errors
    /// [`NodeError::Unfit`] where the config lacks something.
    pub fn new(config: &ChainConfig) -> Result<Self, NodeError> {
        let rpc = Rpc::of(config, TIMEOUT)?;
        let account = config.nonce_account.as_deref().unwrap_or_default().parse::<Address>();
        let nonce_account = account.map_err(|error| rpc.unfit(format!("`nonce_account` of the config: {error}")))?;
        let sol = config.assets.first().map(|first| first.asset.clone());
        Ok(Self {
            sol: sol.ok_or_else(|| rpc.unfit("the config names no `asset`"))?,
            node: Node::new(rpc),
            chain: config.name.clone(),
            genesis: config.genesis.clone().unwrap_or_else(|| MAINNET.to_owned()),
            nonce_account,
            drafting: Drafting { nonce_account, max_fee: config.max_fee },
        })
    }
}

impl Chain for Solana {
    /// The cluster by its genesis hash, and the nonce account. Whose nonce it is, is seen when it is used.
    async fn check(&self) -> Result<(), NodeError> {
        let found = self.node.genesis().await?;
        if found != self.genesis {
            return Err(NodeError::OtherChain {
                url: self.node.url().to_owned(),
                chain: self.chain.clone(),
                what: "the genesis hash",
                expected: self.genesis.clone(),
                found,
            });
        }
        self.node.nonce(&self.nonce_account).await.map(drop)
    }

    async fn tip(&self) -> Result<Tip, NodeError> {
        let slot = self.node.finalized_slot().await?;
        let (block, time_s) = self.node.last_block(slot).await?;
        Ok(Tip { block, time_s, behind: self.node.behind().await? })
    }

    /// The last block at this slot or before it.
    async fn block_at(&self, height: u64) -> Result<Option<Block>, NodeError> {
        if height > self.node.finalized_slot().await? {
            return Ok(None);
        }
        self.node.last_block(height).await.map(|(block, _)| Some(block))
    }

    /// A node indexes every account that was paid.
    async fn watch(&self, _addresses: &[OwnAddress], _is_fresh: bool) -> Result<(), NodeError> {
        Ok(())
    }

    async fn scan(&self, own: &Own, after: &Block, to: &Block) -> Result<Scan, NodeError> {
        deposits::scan(&self.node, &self.sol.name, &own.key().address, after, to).await
    }

    /// Nothing: it takes seconds until a payment is final.
    async fn pending(&self, _own: &Own) -> Result<Vec<Sighting>, NodeError> {
        Ok(Vec::new())
    }

    async fn draft(&self, order: &Order, own: &Own, held: &Held) -> Result<Draft, DraftError> {
        self.drafting.draft(&self.node, order, own, held).await
    }

    /// Never: the fee is fixed, so there is nothing to raise; and of a `declared` key the signer knows no variants, for
    /// it has not read what the first transaction was.
    async fn redraft(
        &self,
        _order: &Order,
        _before: &[Draft],
        _variation: Variation,
        _own: &Own,
        _held: &Held,
    ) -> Result<Draft, DraftError> {
        Err(DraftError::Never(FIXED.to_owned()))
    }

    /// None: Ed25519 keys have no children, so all deposits are on the key already.
    async fn sweeps(&self, _own: &Own, _held: &Held) -> Result<Vec<Order>, NodeError> {
        Ok(Vec::new())
    }

    async fn look_up(&self, txid: &str) -> Result<Whereabouts, NodeError> {
        let Some(status) = self.node.status(txid).await? else { return Ok(Whereabouts::Unknown) };
        if !status.is_final {
            return Ok(Whereabouts::Waiting);
        }
        let (block, _) = self.node.last_block(status.slot).await?;
        Ok(Whereabouts::Mined { block, succeeded: status.succeeded })
    }

    async fn send(&self, signed: &Signed) -> Result<(), NodeError> {
        self.node.send(&signed.transaction).await
    }
}
