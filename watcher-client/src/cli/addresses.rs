//! `addresses`: children of a key, listed or allocated, each compared with the one derived here.

use std::io::{self, Write};

use appliance_wire::{Address, AddressesAnswer, AddressesRequest};
use hsm_types::{Algorithm, PublicKey};
use serde_json::{Value, json};

use super::{
    Shown,
    arguments::Addresses,
    failure::Failure,
    table::{row, table},
};
use crate::{Client, address_form::AddressForm, descriptor::descriptor};

/// What one call allocates at most.
const MOST_AT_ONCE: u32 = 1_000;

pub(super) async fn run(asked: &Addresses, client: &Client, on_terminal: bool) -> Result<Shown, Failure> {
    let progress = Progress { on_terminal, of: asked.count };
    let addresses = match asked.count {
        Some(count) => allocate(asked, client, count, &progress).await?,
        None => list(asked, client, &progress).await?,
    };
    if asked.descriptors {
        return show_descriptors(&addresses);
    }
    let mut rows = vec![row(["key", "address", "public key"])];
    for address in &addresses {
        rows.push(row([&address.key, address.address.as_deref().unwrap_or("-"), &address.public_key]));
    }
    let text = if addresses.is_empty() {
        format!("no child of {} is allocated yet; allocate some with --count", asked.key)
    } else {
        table(&rows)
    };
    Shown::new(text, &AddressesAnswer { addresses, next: None })
}

/// Each call after the first begins where the one before ended, so only the first may leave out `after`.
async fn allocate(
    asked: &Addresses,
    client: &Client,
    count: u32,
    progress: &Progress,
) -> Result<Vec<Address>, Failure> {
    let (mut all, mut after, mut missing) = (Vec::new(), asked.after, count);
    while missing > 0 {
        let request = AddressesRequest { count: missing.min(MOST_AT_ONCE), after };
        let answer = client.addresses(&asked.key, &request).await?;
        missing -= request.count;
        all.extend(answer.addresses);
        after = all.last().map(|address: &Address| address.child);
        progress.show(all.len());
    }
    Ok(all)
}

async fn list(asked: &Addresses, client: &Client, progress: &Progress) -> Result<Vec<Address>, Failure> {
    let (mut all, mut after) = (Vec::new(), asked.after);
    loop {
        let answer = client.list_addresses(&asked.key, after).await?;
        all.extend(answer.addresses);
        progress.show(all.len());
        after = answer.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

fn show_descriptors(addresses: &[Address]) -> Result<Shown, Failure> {
    let (mut text, mut list) = (String::new(), Vec::new());
    for address in addresses {
        let descriptor = descriptor_of(address)
            .ok_or_else(|| Failure::Failed(format!("{} has no descriptor: it has no bitcoin address", address.key)))?;
        text += &format!("{descriptor}\n");
        let mut shown = json!(address);
        shown["descriptor"] = Value::String(descriptor);
        list.push(shown);
    }
    Shown::new(text, &json!({ "addresses": list }))
}

fn descriptor_of(address: &Address) -> Option<String> {
    let public_key = PublicKey::decode(Algorithm::Secp256k1, &hex::decode(&address.public_key).ok()?).ok()?;
    let form = AddressForm::of(&public_key, address.address.as_deref()?)?;
    Some(descriptor(&address.public_key, form.address_type?))
}

/// A line that is written over, on a terminal.
struct Progress {
    on_terminal: bool,
    of: Option<u32>,
}

impl Progress {
    fn show(&self, done: usize) {
        if self.on_terminal {
            let of = self.of.map(|of| format!(" of {of}")).unwrap_or_default();
            let _ = write!(io::stderr(), "\r{done}{of} addresses derived and compared\x1b[K");
        }
    }
}
