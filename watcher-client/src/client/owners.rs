//! Whose an unsigned transaction is: which granted key or child spends each input, or is the account.

use appliance_wire::{
    KeyAnswer,
    transaction::{UnsignedTransaction, UtxoTransaction},
};
use hsm_types::{KeyLabel, KeyPath, PublicKey};

use super::{Client, seen};
use crate::{Error, Owner, Unsigned};

impl Client {
    /// The owner of each input, in order, or of the one account. `named` are keys the caller knows, in the order of the
    /// inputs; the rest is searched for among the granted keys and then their children, page by page. An Ethereum
    /// transaction does not say whose it is: it is the one named, or the only granted `verified` key with an account.
    ///
    /// # Errors
    /// [`Error::NotOurs`] where an input is nobody's here, not of the key named for it, or of another key than the first.
    pub async fn owners(&self, unsigned: &Unsigned, named: &[KeyPath]) -> Result<Vec<Owner>, Error> {
        let keys = self.keys().await?.keys;
        let named = named.iter().map(|path| self.owner(path, &keys)).collect::<Result<Vec<_>, _>>()?;
        match unsigned.transaction() {
            UnsignedTransaction::Evm(_) => account(named, &keys).map(|owner| vec![owner]),
            UnsignedTransaction::Utxo(transaction) => {
                let found = Search::begin(transaction, named)?;
                let owners = self.search(found, &keys).await?;
                one_family(&owners)?;
                Ok(owners)
            }
        }
    }

    fn owner(&self, path: &KeyPath, keys: &[KeyAnswer]) -> Result<Owner, Error> {
        if !keys.iter().any(|key| key.name == path.label.as_str()) {
            return Err(not_ours(format!("no key {} is granted to this watcher", path.label)));
        }
        Ok(Owner { path: path.clone(), public_key: self.parts.known_keys.verifier(path)?.public_key().clone() })
    }

    /// Keys first: they cost no call.
    async fn search(&self, mut search: Search<'_>, keys: &[KeyAnswer]) -> Result<Vec<Owner>, Error> {
        for key in keys {
            let label: KeyLabel = key.name.parse().map_err(|_| not_ours(format!("\"{}\" is no key", key.name)))?;
            search.look_at(&KeyPath { label, child: None }, &seen(key)?.public_key);
        }
        for key in keys.iter().filter(|key| key.chain_code.is_some()) {
            let Ok(label) = key.name.parse::<KeyLabel>() else { continue };
            let (mut after, mut count) = (None, 0);
            while !search.is_done() {
                let (page, derived) = self.page(&label, after).await?;
                for (address, public_key) in page.addresses.iter().zip(&derived) {
                    search.look_at(&KeyPath { label: label.clone(), child: Some(address.child) }, public_key);
                }
                count += derived.len();
                if let Some(on_page) = self.parts.options.on_page {
                    on_page(&key.name, count);
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        search.end()
    }
}

/// Inputs and what is found of their owners.
struct Search<'a> {
    transaction: &'a UtxoTransaction,
    owners: Vec<Option<Owner>>,
}

impl<'a> Search<'a> {
    fn begin(transaction: &'a UtxoTransaction, named: Vec<Owner>) -> Result<Self, Error> {
        if named.len() > transaction.inputs.len() {
            let (keys, inputs) = (named.len(), transaction.inputs.len());
            return Err(not_ours(format!("{keys} keys are named for {inputs} inputs: name one for each, in order")));
        }
        for (position, (input, owner)) in transaction.inputs.iter().zip(&named).enumerate() {
            if !input.spend.is_by(&owner.public_key) {
                let (outpoint, path) = (&input.outpoint, &owner.path);
                return Err(not_ours(format!("input {position} ({outpoint}) is not spent by {path}")));
            }
        }
        let mut owners: Vec<_> = named.into_iter().map(Some).collect();
        owners.resize(transaction.inputs.len(), None);
        Ok(Self { transaction, owners })
    }

    fn look_at(&mut self, path: &KeyPath, public_key: &PublicKey) {
        for (input, owner) in self.transaction.inputs.iter().zip(&mut self.owners) {
            if owner.is_none() && input.spend.is_by(public_key) {
                *owner = Some(Owner { path: path.clone(), public_key: public_key.clone() });
            }
        }
    }

    fn is_done(&self) -> bool {
        self.owners.iter().all(Option::is_some)
    }

    fn end(self) -> Result<Vec<Owner>, Error> {
        let inputs = self.transaction.inputs.iter().zip(self.owners).enumerate();
        let owners = inputs.map(|(position, (input, owner))| {
            let outpoint = &input.outpoint;
            owner.ok_or_else(|| {
                not_ours(format!("input {position} ({outpoint}) is spent by no key or allocated child granted to us"))
            })
        });
        owners.collect()
    }
}

/// The account of an Ethereum transaction.
fn account(named: Vec<Owner>, keys: &[KeyAnswer]) -> Result<Owner, Error> {
    let named = match <[Owner; 1]>::try_from(named) {
        Ok([owner]) => return Ok(owner),
        Err(named) => named,
    };
    if !named.is_empty() {
        return Err(not_ours(format!(
            "{} keys are named: a transaction of Ethereum's kind has one account",
            named.len()
        )));
    }
    let is_account = |key: &&KeyAnswer| {
        key.evidence == "verified" && key.address.as_ref().is_some_and(|address| address.starts_with("0x"))
    };
    let accounts: Vec<&KeyAnswer> = keys.iter().filter(is_account).collect();
    let [key] = accounts.as_slice() else {
        let count = accounts.len();
        return Err(not_ours(format!(
            "the transaction does not say whose it is, and {count} verified keys with an account are granted: name the \
             key, or the child"
        )));
    };
    let path = key.name.parse().map_err(|_| not_ours(format!("\"{}\" is no key", key.name)))?;
    Ok(Owner { path, public_key: seen(key)?.public_key })
}

/// A request is of one key and its children.
fn one_family(owners: &[Owner]) -> Result<(), Error> {
    let Some(first) = owners.first() else { return Ok(()) };
    match owners.iter().position(|owner| owner.path.label != first.path.label) {
        None => Ok(()),
        Some(position) => {
            let other = owners.get(position).map(|owner| owner.path.to_string()).unwrap_or_default();
            Err(not_ours(format!(
                "input 0 is of {} and input {position} of {other}: one request is of one key and its children",
                first.path
            )))
        }
    }
}

fn not_ours(why: String) -> Error {
    Error::NotOurs { why }
}
