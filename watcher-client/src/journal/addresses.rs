//! Our addresses: pulled from the signer ahead of need, watched by the node, given out one by one.

use hsm_types::{Algorithm, KeyPath, PublicKey};
use redb::ReadableTable;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Journal, JournalError, Pages, decode, encode, tables};
use crate::chains::OwnAddress;

/// An address that was given out.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Assigned {
    /// The name under which the exchange asked for it.
    pub name: String,
    /// The chain, by its name in the config.
    pub chain: String,
    /// The address.
    pub address: String,
    /// Whose it is in the token.
    #[schema(value_type = String)]
    pub key: KeyPath,
    /// What the payer has to fill in, on chains where all customers have the one address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memo: Option<String>,
}

/// How many addresses there are.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct PoolStanding {
    /// Watched, and given to nobody yet.
    pub free: u64,
    /// The last child pulled from the signer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_child: Option<u32>,
}

/// An address as the journal keeps it.
#[derive(Debug, Deserialize, Serialize)]
struct Page {
    key: KeyPath,
    public_key: String,
    assigned_to: Option<String>,
}

impl Journal {
    /// Adds addresses that the node watches already: from now on they can be given out.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn add_addresses(&self, chain: &str, addresses: &[OwnAddress]) -> Result<(), JournalError> {
        self.write(|pages| {
            let mut table = pages.transaction.open_table(tables::ADDRESSES)?;
            let mut pool = pages.transaction.open_table(tables::POOL)?;
            for own in addresses {
                let key = (chain, own.address.as_str());
                let known = table.get(key)?.is_some();
                let Some(child) = own.path.child.filter(|_| !known) else { continue };
                let public_key = own.public_key.to_string();
                let page = Page { key: own.path.clone(), public_key, assigned_to: None };
                table.insert(key, encode(&own.address, &page)?.as_slice())?;
                pool.insert((chain, child), own.address.as_str())?;
            }
            drop((table, pool));
            let last = addresses.iter().filter_map(|own| own.path.child).max();
            pages.change_chain(chain, |books| books.last_child = books.last_child.max(last)).map(|_| ())
        })
    }

    /// All addresses of children on a chain.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn addresses(&self, chain: &str) -> Result<Vec<OwnAddress>, JournalError> {
        let table = self.read()?.open_table(tables::ADDRESSES)?;
        let mut all = Vec::new();
        for found in table.range((chain, "")..)? {
            let (key, bytes) = found?;
            let (of, address) = key.value();
            if of != chain {
                break;
            }
            all.push(own_address(address, decode(address, bytes.value())?)?);
        }
        Ok(all)
    }

    /// How many addresses are ready to be given out.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn pool(&self, chain: &str) -> Result<PoolStanding, JournalError> {
        let transaction = self.read()?;
        let pool = transaction.open_table(tables::POOL)?;
        let mut free = 0;
        for found in pool.range((chain, 0)..=(chain, u32::MAX))? {
            found?;
            free += 1;
        }
        Ok(PoolStanding { free, last_child: self.chain(chain)?.last_child })
    }

    /// Gives out an address; the same name gets the same one, for ever.
    ///
    /// # Errors
    /// [`JournalError::Refused`] where the pool is empty: it is filled while the signer answers. Also until deposits are
    /// looked for, which begins when the node first answers.
    pub fn assign(&self, chain: &str, name: &str) -> Result<Assigned, JournalError> {
        self.write(|pages| {
            let is_begun = pages.chain(chain)?.safe.is_some();
            let mut assigned = pages.transaction.open_table(tables::ASSIGNED)?;
            let known = assigned.get((chain, name))?.map(|address| address.value().to_owned());
            let mut table = pages.transaction.open_table(tables::ADDRESSES)?;
            let address = match known {
                Some(address) => address,
                None => {
                    let mut pool = pages.transaction.open_table(tables::POOL)?;
                    // What comes before the first block that is looked at is nobody's deposit.
                    let first = pool.range((chain, 0)..=(chain, u32::MAX))?.next().filter(|_| is_begun).transpose()?;
                    let first = first.map(|(key, address)| (key.value().1, address.value().to_owned()));
                    let (child, address) = first.ok_or_else(|| {
                        JournalError::Refused(format!(
                            "no address of {chain} is ready: signer and node have to answer first"
                        ))
                    })?;
                    pool.remove((chain, child))?;
                    assigned.insert((chain, name), address.as_str())?;
                    address
                }
            };
            let bytes = table.get((chain, address.as_str()))?.map(|bytes| bytes.value().to_vec());
            let damaged = || JournalError::Damaged { what: format!("{address} is given out and not there") };
            let mut page: Page = decode(&address, &bytes.ok_or_else(damaged)?)?;
            page.assigned_to = Some(name.to_owned());
            table.insert((chain, address.as_str()), encode(&address, &page)?.as_slice())?;
            Ok(Assigned { name: name.to_owned(), chain: chain.to_owned(), address, key: page.key, memo: None })
        })
    }

    /// Addresses given out on a chain, by name, after one, at most `most`.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn assigned(&self, chain: &str, after: Option<&str>, most: usize) -> Result<Vec<Assigned>, JournalError> {
        let transaction = self.read()?;
        let names = transaction.open_table(tables::ASSIGNED)?;
        let table = transaction.open_table(tables::ADDRESSES)?;
        let after = after.map(|name| format!("{name}\0")).unwrap_or_default();
        let mut all = Vec::new();
        for found in names.range((chain, after.as_str())..)? {
            let (key, address) = found?;
            let ((of, name), address) = (key.value(), address.value());
            if of != chain || all.len() == most {
                break;
            }
            let Some(bytes) = table.get((chain, address))? else { continue };
            let page: Page = decode(address, bytes.value())?;
            let (name, address) = (name.to_owned(), address.to_owned());
            all.push(Assigned { name, chain: chain.to_owned(), address, key: page.key, memo: None });
        }
        Ok(all)
    }
}

impl Pages {
    /// The name an address was given out under.
    pub(super) fn assigned_to(&self, chain: &str, address: &str) -> Result<Option<String>, JournalError> {
        let table = self.transaction.open_table(tables::ADDRESSES)?;
        let Some(bytes) = table.get((chain, address))? else { return Ok(None) };
        let page: Page = decode(address, bytes.value())?;
        Ok(page.assigned_to)
    }
}

fn own_address(address: &str, page: Page) -> Result<OwnAddress, JournalError> {
    let bytes = hex::decode(&page.public_key).unwrap_or_default();
    let algorithm = if bytes.len() == 32 { Algorithm::Ed25519 } else { Algorithm::Secp256k1 };
    let public_key = PublicKey::decode(algorithm, &bytes)
        .map_err(|error| JournalError::Damaged { what: format!("the public key of {address}: {error}") })?;
    Ok(OwnAddress { address: address.to_owned(), path: page.key, public_key })
}
