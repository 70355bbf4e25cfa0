//! The strategy of a wallet: the node watches our addresses in a wallet of its own, which holds no key.

use std::collections::BTreeSet;

use appliance_wire::Amount;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    coin,
    knowledge::{Unspent, WrittenCoin},
    node::{NO_SUCH_METHOD, NOT_FOUND, Node, unless},
};
use crate::{
    chains::{Block, NodeError, Own, OwnAddress, Scan, Sighting, rpc::Rpc},
    descriptor::descriptor,
};

/// What a wallet could not do (`RPC_WALLET_ERROR`): of `createwallet` without descriptors, that the node makes no other.
const WALLET_ERROR: i64 = -4;
/// No such wallet, or not loaded (`RPC_WALLET_NOT_FOUND`).
const NO_SUCH_WALLET: i64 = -18;
/// Loaded already (`RPC_WALLET_ALREADY_LOADED`); nodes before 23 say -4.
const ALREADY_LOADED: i64 = -35;
/// Addresses in one call.
const MOST_IMPORTED: usize = 500;
/// How often a listing is asked for again because a block came in between.
const ATTEMPTS: u32 = 5;

/// A watch-only wallet of the node.
#[derive(Debug)]
pub(super) struct Wallet {
    node: Node,
    rpc: Rpc,
    /// For a call that reads every block.
    long: Rpc,
    name: String,
}

#[derive(Deserialize)]
struct Info {
    private_keys_enabled: bool,
    #[serde(default)]
    descriptors: bool,
}

#[derive(Deserialize)]
struct Received {
    address: String,
}

#[derive(Deserialize)]
struct Imported {
    success: bool,
    error: Option<ImportError>,
}

#[derive(Deserialize)]
struct ImportError {
    code: i64,
    message: String,
}

#[derive(Deserialize)]
struct Listing {
    transactions: Vec<Listed>,
    lastblock: String,
}

/// An output of a transaction, as one side of it sees it.
#[derive(Deserialize)]
struct Listed {
    category: String,
    address: Option<String>,
    amount: f64,
    vout: u32,
    txid: String,
    blockhash: Option<String>,
    blockheight: Option<u64>,
    confirmations: i64,
}

#[derive(Deserialize)]
struct ListedCoin {
    #[serde(flatten)]
    coin: WrittenCoin,
    confirmations: u64,
}

impl Wallet {
    pub(super) fn new(node: &Node, name: &str) -> Result<Self, NodeError> {
        let path = format!("wallet/{name}");
        let (rpc, long) = (node.rpc.at(&path)?, node.long.at(&path)?);
        Ok(Self { node: node.clone(), rpc, long, name: name.to_owned() })
    }

    /// Makes the wallet, or loads it, where it is not there.
    pub(super) async fn open(&self) -> Result<(), NodeError> {
        self.info().await.map(|_| ())
    }

    /// A call to the wallet, which is loaded first where the node was started again without it.
    pub(super) async fn call<T: DeserializeOwned>(&self, method: &str, params: Value) -> Result<T, NodeError> {
        match self.rpc.call(method, params.clone()).await {
            Err(error) if error.code() == Some(NO_SUCH_WALLET) => {
                self.load().await?;
                self.rpc.call(method, params).await
            }
            answer => answer,
        }
    }

    async fn info(&self) -> Result<Info, NodeError> {
        let info: Result<Info, _> = self.call("getwalletinfo", json!([])).await;
        let info = unless(NO_SUCH_METHOD, info)?.ok_or_else(|| {
            let why = "it has no wallets: start it without `disablewallet`, or set `strategy = \"blocks\"`";
            self.rpc.unfit(why)
        })?;
        if info.private_keys_enabled {
            let why = "its wallet can hold private keys, and ours must not: name another as `wallet`, it will be made";
            return Err(self.rpc.unfit(format!("{}: {why}", self.name)));
        }
        Ok(info)
    }

    async fn load(&self) -> Result<(), NodeError> {
        let loaded: Result<Value, _> = self.node.rpc.call("loadwallet", json!([self.name])).await;
        match loaded.as_ref().err().and_then(NodeError::code) {
            Some(NO_SUCH_WALLET) => self.create().await,
            Some(ALREADY_LOADED) => Ok(()),
            Some(_) | None => loaded.map(|_| ()),
        }
    }

    /// A wallet of single addresses, where the node still makes them; else one of descriptors. Loaded when the node starts.
    async fn create(&self) -> Result<(), NodeError> {
        let create = |descriptors: bool| {
            let wallet = json!({
                "wallet_name": self.name, "disable_private_keys": true, "blank": true, "descriptors": descriptors,
                "load_on_startup": true,
            });
            self.node.rpc.call("createwallet", wallet)
        };
        let made: Result<Value, _> = create(false).await;
        if unless(WALLET_ERROR, made)?.is_none() {
            create(true).await.map(|_: Value| ())?;
        }
        Ok(())
    }

    /// Fresh addresses have no past, so nothing is read again. Of others the node reads every block once more, which takes
    /// hours on a long chain: only where it does not watch them yet.
    pub(super) async fn watch(&self, addresses: &[OwnAddress], is_fresh: bool) -> Result<(), NodeError> {
        let info = self.info().await?;
        let watched = if is_fresh { BTreeSet::new() } else { self.watched().await? };
        let since = if is_fresh { json!("now") } else { json!(0) };
        let unknown: Vec<&OwnAddress> = addresses.iter().filter(|own| !watched.contains(&own.address)).collect();
        for some in unknown.chunks(MOST_IMPORTED) {
            if info.descriptors {
                let described = some.iter().filter_map(|own| self.described(own, &since)).collect::<Value>();
                self.import("importdescriptors", json!([described])).await?;
            } else {
                let requests: Value = some.iter().map(|own| addressed(own, &since)).collect();
                self.import("importmulti", json!([requests, { "rescan": !is_fresh }])).await?;
            }
        }
        Ok(())
    }

    /// The addresses the wallet watches already, paid or not.
    async fn watched(&self) -> Result<BTreeSet<String>, NodeError> {
        let listed: Vec<Received> = self.call("listreceivedbyaddress", json!([0, true, true])).await?;
        Ok(listed.into_iter().map(|received| received.address).collect())
    }

    fn described(&self, own: &OwnAddress, since: &Value) -> Option<Value> {
        let form = coin::form(&self.node.chain.script_of_address(&own.address).ok()?, own)?;
        let descriptor = descriptor(&own.public_key.to_string(), form);
        Some(json!({ "desc": descriptor, "timestamp": since, "label": own.path.to_string() }))
    }

    async fn import(&self, method: &str, params: Value) -> Result<(), NodeError> {
        // The wallet was loaded by the call before.
        let imported: Vec<Imported> = self.long.call(method, params).await?;
        match imported.into_iter().find(|one| !one.success) {
            None => Ok(()),
            Some(Imported { error: Some(ImportError { code, message }), .. }) => {
                Err(NodeError::Refused { method: method.to_owned(), code, message })
            }
            Some(_) => Err(self.rpc.unexpected(method, "one was not imported, without a reason")),
        }
    }

    pub(super) async fn scan(&self, own: &Own, after: &Block, to: &Block) -> Result<Scan, NodeError> {
        if self.node.blocks_between(after, to).await?.is_none() {
            return Ok(Scan::Moved);
        }
        for _ in 0..ATTEMPTS {
            let tip: u64 = self.node.rpc.call("getblockcount", json!([])).await?;
            // With as many confirmations as `to` has, the wallet says in the same breath which block is at its height:
            // what it lists is of the chain that `to` is of, whatever happens before and after.
            let Some(depth) = (tip + 1).checked_sub(to.height).filter(|depth| *depth > 0) else {
                return Ok(Scan::Moved);
            };
            // What a reorganisation removed is not asked for: it is what is not listed any more.
            let params = json!([after.hash, depth, true, false]);
            let listing: Option<Listing> = unless(NOT_FOUND, self.call("listsinceblock", params).await)?;
            let Some(listing) = listing else { return Ok(Scan::Moved) };
            if listing.lastblock == to.hash {
                return self.found(own, after, to, listing).map(Scan::Found);
            }
        }
        Ok(Scan::Moved)
    }

    fn found(&self, own: &Own, after: &Block, to: &Block, listing: Listing) -> Result<Vec<Sighting>, NodeError> {
        let mut found = Vec::new();
        for listed in listing.transactions {
            let (Some(hash), Some(height), 1..) = (listed.blockhash.clone(), listed.blockheight, listed.confirmations)
            else {
                continue;
            };
            if height > after.height && height <= to.height {
                found.extend(self.sighting(own, &listed, Some(Block { height, hash }))?);
            }
        }
        Ok(found)
    }

    pub(super) async fn pending(&self, own: &Own) -> Result<Vec<Sighting>, NodeError> {
        let tip: String = self.node.rpc.call("getbestblockhash", json!([])).await?;
        let listing: Option<Listing> =
            unless(NOT_FOUND, self.call("listsinceblock", json!([tip, 1, true, false])).await)?;
        let mut found = Vec::new();
        let mut dropped = BTreeSet::new();
        for listed in listing.into_iter().flat_map(|listing| listing.transactions) {
            let Some(sighting) = self.sighting(own, &listed, None)?.filter(|_| listed.confirmations == 0) else {
                continue;
            };
            // The wallet also remembers what the mempool has dropped.
            if dropped.contains(&listed.txid) || !self.node.is_in_mempool(&listed.txid).await? {
                dropped.insert(listed.txid);
            } else {
                found.push(sighting);
            }
        }
        Ok(found)
    }

    /// What came in; none of what went out, nor of what is not ours.
    fn sighting(&self, own: &Own, listed: &Listed, block: Option<Block>) -> Result<Option<Sighting>, NodeError> {
        let came_in = ["receive", "generate", "immature"].contains(&listed.category.as_str());
        let address = listed.address.as_deref().and_then(|text| self.node.chain.normal_destination(text).ok());
        let Some(address) = address.filter(|address| came_in && own.find(address).is_some()) else { return Ok(None) };
        Ok(Some(Sighting {
            id: format!("{}:{}", listed.txid, listed.vout),
            txid: listed.txid.clone(),
            address,
            asset: self.node.asset.clone(),
            amount: Amount::from_units(self.node.sats("listsinceblock", listed.amount)?),
            memo: None,
            block,
        }))
    }

    /// Outputs that the wallet knows of and nothing spends, not even what waits to be mined.
    pub(super) async fn unspent(&self) -> Result<Vec<Unspent>, NodeError> {
        const ANY_DEPTH: u32 = 9_999_999;
        let coins: Vec<ListedCoin> = self.call("listunspent", json!([1, ANY_DEPTH, [], true])).await?;
        coins.iter().map(|coin| coin.coin.read(&self.node, "listunspent", coin.confirmations)).collect()
    }
}

fn addressed(own: &OwnAddress, since: &Value) -> Value {
    let (address, label) = (&own.address, own.path.to_string());
    json!({ "scriptPubKey": { "address": address }, "timestamp": since, "watchonly": true, "label": label })
}
